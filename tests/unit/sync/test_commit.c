// SPDX-License-Identifier: MIT
//
// The index cannot be written for a moment: all goes on by itself afterwards. Each scenario is run
// again and again, with another of its commits failing each time.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { COMMITS_MAX = 400, PATIENCE_MS = 120 * 1000, STEP_MS = 500 };

static struct vv empty_k(void)
{
    return (struct vv){0};
}

static bool is_here(struct rig *rig, const char *path)
{
    struct item item = rig_item(rig, path);
    return item.head_count == 1 && item.local.state == LOCAL_OK && !item.need &&
           version_same(&item.local.version, &item.heads[0]);
}

typedef bool scenario(struct rig *rig, struct script *peer); // true: all is as it should be

// The scenario with `failures` commits refused after the first n, for each n that matters.
static void each_commit(scenario *run, uint32_t failures)
{
    uint32_t n = 0;
    for (; n < COMMITS_MAX; n++) {
        struct rig rig;
        rig_open(&rig);
        struct script *peer = script_connect(&rig, 3);
        rig_fail_commits(n, failures);
        bool right = run(&rig, peer);
        bool failed = rig_commits_failed();
        if (!right) fail_msg("after commit %u had failed, nothing went on", n);
        rig_close(&rig);
        if (!failed) break;
    }
    assert_in_range(n, 3, COMMITS_MAX - 1);
}

static void wait_with(struct rig *rig, struct script *peer, struct version *versions,
                      const char *const *texts, uint32_t count)
{
    for (int64_t waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        rig_wait(rig, STEP_MS);
        while (script_answer(peer, versions, count, texts, count))
            rig_settle(rig);
    }
}

// Versions by a round, contents by WANT, steps on the disk.
static bool round_and_fetch(struct rig *rig, struct script *peer)
{
    static const char *const texts[] = {"one", "two", "three"};
    struct version v[3];
    v[0] = script_file(peer, "a", texts[0]);
    v[1] = script_file(peer, "b", texts[1]);
    v[2] = script_file(peer, "c", texts[2]);
    struct dot k = {peer->inc, peer->counter};
    script_offer(peer, (struct vv){&k, 1});
    wait_with(rig, peer, v, texts, 3);
    struct vv known = store_k(rig->store, rig->arena, rig->folder);
    return is_here(rig, "a") && is_here(rig, "b") && is_here(rig, "c") &&
           vv_get(known, peer->inc) == 3;
}

static bool push_and_ride(struct rig *rig, struct script *peer)
{
    static const char *const texts[] = {"one"};
    script_offer(peer, empty_k());
    struct version v = script_file(peer, "a", texts[0]);
    script_push(peer, 0, &v, 1, texts[0]);
    wait_with(rig, peer, &v, texts, 1);
    return is_here(rig, "a");
}

// Two versions of one file are resolved here: journal, disk, dots.
static bool conflict(struct rig *rig, struct script *peer)
{
    static const char *const texts[] = {"one", "two"};
    struct script *other = script_connect(rig, 4);
    struct version one = script_file(peer, "a", texts[0]);
    struct version two = script_file(other, "a", texts[1]);
    script_offer(peer, empty_k());
    script_offer(other, empty_k());
    script_push(peer, 0, &one, 1, NULL);
    script_push(other, 0, &two, 1, NULL);
    for (int64_t waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        rig_wait(rig, STEP_MS);
        while (script_answer(peer, &one, 1, texts, 2) || script_answer(other, &two, 1, texts, 2))
            rig_settle(rig);
    }
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return is_here(rig, "a") && row.items == 2 && row.needs == 0;
}

static void test_round(void **state)
{
    (void)state;
    each_commit(round_and_fetch, 1);
}

static void test_round_long(void **state)
{
    (void)state;
    each_commit(round_and_fetch, 3);
}

static void test_push(void **state)
{
    (void)state;
    each_commit(push_and_ride, 1);
}

static void test_conflict(void **state)
{
    (void)state;
    each_commit(conflict, 1);
}

// The first scan's end cannot be noted: it is scanned again.
static void test_first_scan(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 12; n++) {
        struct rig rig;
        rig_open_raw(&rig);
        rig_fail_commits(n, 1);
        rig_wait(&rig, 20 * 1000);
        if (!engine_folder_scanned(rig.engine, rig.folder)) fail_msg("commit %u", n);
        rig_close(&rig);
    }
}

// A look at the root that hangs is waited for; the engine is not due because of it.
static void test_root_hangs(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_fail_commits(0, 1);
    rig.held = 1U << JOB_HEALTH;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 60 * 1000);
    assert_true(rig_logged("root missing"));
    assert_int_equal(rig_jobs(&rig, JOB_HEALTH), 1);
    rig.held = 0;
    rig_wait(&rig, 1000);
    rig_write(&rig, "a", "one");
    rig_wait(&rig, 1000);
    assert_true(is_here(&rig, "a"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),      cmocka_unit_test(test_round_long),
        cmocka_unit_test(test_push),       cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_first_scan), cmocka_unit_test(test_root_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
