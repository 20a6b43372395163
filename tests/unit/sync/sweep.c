// SPDX-License-Identifier: MIT
#include "tests/unit/sync/sweep.h"

#include <stdlib.h>

enum { MOMENTS_MAX = 2000, REST_MS = 10 * 60 * 1000, LOOK_MS = 5000 };

// Nothing that a peer holds is lacking here, and the other way round.
static void verify(struct machine *m)
{
    const struct verify_request request = {.timeout_ms = 60000};
    uint32_t before = m->verifies;
    engine_verify(m->engine, before + 1U, &request);
    for (int second = 0; second < 120 && m->verifies == before; second++)
        lan_wait(m->lan, 1000);
    assert_true(m->verifies > before);
    assert_int_equal(m->verify_exit, 0);
}

void laws_hold(struct lan *lan, bool differs)
{
    bool rests = false;
    lan_join(lan);
    for (int64_t end = lan->now_ms + REST_MS; !rests && lan->now_ms < end;) {
        lan_wait(lan, LOOK_MS);
        rests = lan_in_step(lan);
    }
    if (!differs) {
        assert_true(rests);
        assert_true(trees_equal(lan));
    }
    for (uint32_t i = 0; i < lan->count; i++)
        verify(&lan->machines[i]);
}

static bool run(const struct scenario *s, const struct lan_fault *fault)
{
    struct lan lan;
    lan_open_tuned(&lan, s->machines, s->tune);
    if (s->before != NULL) s->before(&lan);
    lan_arm(&lan, fault);
    s->act(&lan);
    bool fired = lan.fired;
    lan_arm(&lan, &(struct lan_fault){.kind = FAULT_NONE});
    laws_hold(&lan, s->differs);
    if (s->after != NULL) s->after(&lan);
    lan_close(&lan);
    return fired;
}

void scenarios_run(const struct scenario *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)run(&list[i], &(struct lan_fault){.kind = FAULT_NONE});
}

static uint32_t stride(uint32_t step)
{
    const char *wanted = getenv("CFGSYNC_SWEEP");
    if (wanted != NULL && strcmp(wanted, "all") == 0) return step;
    return (wanted != NULL && strcmp(wanted, "few") == 0 ? 12 : 5) * step;
}

uint32_t sweep(const struct scenario *scenario, const struct lan_fault *fault, uint32_t step)
{
    struct lan_fault one = *fault;
    uint32_t fired = 0;
    for (one.at = 1; one.at < MOMENTS_MAX; one.at += stride(step)) {
        if (getenv("SWEEP") != NULL)
            (void)fprintf(stderr, "fault %d, err %d, on %u at %u\n", one.kind, one.err, one.machine,
                          one.at);
        if (!run(scenario, &one)) break;
        fired++;
    }
    return fired;
}

static void on_each(const struct scenario *scenario, struct lan_fault fault, uint32_t step)
{
    uint32_t fired = 0;
    for (fault.machine = 0; fault.machine < scenario->machines; fault.machine++)
        fired += sweep(scenario, &fault, step);
    assert_true(fired > 0);
}

static void all_on_each(const struct scenario *list, size_t count, enum lan_fault_kind kind,
                        enum err err, uint32_t step)
{
    for (size_t i = 0; i < count; i++)
        on_each(&list[i], (struct lan_fault){.kind = kind, .err = err}, step);
}

void sweep_commits(const struct scenario *list, size_t count, uint32_t step)
{
    all_on_each(list, count, FAULT_COMMIT, ERR_OK, step);
}

void sweep_lines(const struct scenario *list, size_t count, uint32_t step)
{
    all_on_each(list, count, FAULT_CUT, ERR_OK, step);
    all_on_each(list, count, FAULT_STALL, ERR_OK, step);
}

void sweep_crashes(const struct scenario *list, size_t count, uint32_t step)
{
    all_on_each(list, count, FAULT_CRASH, ERR_OK, step);
}

void sweep_jobs(const struct scenario *list, size_t count, uint32_t step)
{
    static const enum err errs[] = {ERR_IO,        ERR_NO_SPACE,    ERR_ACCESS, ERR_CHANGED,
                                    ERR_MALFORMED, ERR_UNREACHABLE, ERR_BUSY};
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
        all_on_each(list, count, FAULT_JOB, errs[i], step);
}
