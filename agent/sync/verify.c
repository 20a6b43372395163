// SPDX-License-Identifier: MIT
//
// verify: a person asks that all is compared with each peer, now. Each pair waits until both know
// the same, then one audit is made.
#include <string.h>

#include "agent/sync/engine_priv.h"

enum { PULL_MS = 1000, TRY_MS = 200, SILENT_MS = 5000 };

struct verified {
    struct folder *folder;
    struct device_id device;
    bool running, done;
    struct audit_report report;
    int64_t try_ms, pull_ms;
    struct verified *next;
};

struct verify {
    uint64_t ticket;
    struct abandon *abandon; // NULL: a person waits for it
    int64_t begun_ms, deadline_ms;
    struct verified *pairs;
    struct verify *next;
};

static void verify_free(struct verify *verify)
{
    while (verify->pairs != NULL) {
        struct verified *pair = verify->pairs;
        verify->pairs = pair->next;
        mem_free(&pair);
    }
    mem_free(&verify);
}

void verifies_destroy(struct engine *engine)
{
    while (engine->verifies != NULL) {
        struct verify *verify = engine->verifies;
        engine->verifies = verify->next;
        verify_free(verify);
    }
}

static void verify_unlink(struct engine *engine, struct verify *verify)
{
    struct verify **at = &engine->verifies;
    while (*at != verify)
        at = &(*at)->next;
    *at = verify->next;
}

void engine_verify_cancel(struct engine *engine, uint64_t ticket)
{
    for (struct verify *v = engine->verifies; v != NULL; v = v->next) {
        if (v->ticket != ticket) continue;
        verify_unlink(engine, v);
        verify_free(v);
        return;
    }
}

static void pair_add(struct verify *verify, struct folder *folder, struct device_id device)
{
    struct verified *pair = mem_zalloc(1, sizeof *pair);
    pair->folder = folder;
    pair->device = device;
    pair->next = verify->pairs;
    verify->pairs = pair;
}

static struct verify *verify_new(struct engine *engine, int64_t timeout_ms)
{
    struct verify *verify = mem_zalloc(1, sizeof *verify);
    verify->begun_ms = engine->now_ms;
    verify->deadline_ms = engine->now_ms + timeout_ms;
    verify->next = engine->verifies;
    engine->verifies = verify;
    return verify;
}

void verify_for(struct folder *folder, struct abandon *abandon, int64_t timeout_ms)
{
    struct verify *verify = verify_new(folder->engine, timeout_ms);
    verify->abandon = abandon;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (p->in_use != NULL && folder_shared_with(folder, p->device))
            pair_add(verify, folder, p->device);
    }
}

void verify_drop(struct engine *engine, const struct abandon *abandon)
{
    for (struct verify *v = engine->verifies; v != NULL; v = v->next) {
        if (v->abandon != abandon) continue;
        verify_unlink(engine, v);
        verify_free(v);
        return;
    }
}

void engine_verify(struct engine *engine, uint64_t ticket, const struct verify_request *request)
{
    arena_reset(engine->scratch);
    struct verify *verify = verify_new(engine, request->timeout_ms);
    verify->ticket = ticket;
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (f->gone || (request->folder != NULL && strcmp(request->folder, f->name) != 0)) continue;
        for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
            bool asked = !request->has_peer || device_equal(request->peer, p->device);
            if (asked && folder_shared_with(f, p->device)) pair_add(verify, f, p->device);
        }
    }
    engine_tick(engine);
}

// ---- one pair

static struct share *pair_share(const struct verified *pair)
{
    struct session *session = peer_session(pair->folder->engine, pair->device);
    return session != NULL ? share_find(session, pair->folder) : NULL;
}

static void pair_step(struct verified *pair)
{
    struct folder *folder = pair->folder;
    int64_t now = folder->engine->now_ms;
    if (pair->done || folder->gone || now < pair->try_ms) return;
    pair->try_ms = now + TRY_MS;
    struct share *share = pair_share(pair);
    if (share == NULL || !share->joined) {
        pair->running = false;
        return;
    }
    if (pair->running && share->asking != NULL) return;
    pair->running = audit_possible(share);
    if (pair->running) {
        audit_start(share, false);
    } else if (!vv_le(share->said_k.v, folder->k.v) && now >= pair->pull_ms) {
        pair->pull_ms = now + PULL_MS;
        pull_start(share);
    }
}

void verify_note(struct share *share, const struct audit_report *report)
{
    struct engine *engine = share->folder->engine;
    for (struct verify *v = engine->verifies; v != NULL; v = v->next) {
        for (struct verified *p = v->pairs; p != NULL; p = p->next) {
            if (p->folder != share->folder || !p->running || p->done ||
                !device_equal(p->device, share->session->peer->device))
                continue;
            p->running = false;
            p->done = report->result == AUDIT_DONE;
            p->report = *report;
        }
    }
}

// ---- what is said at the end

static int pair_exit(const struct verified *pair)
{
    if (!pair->done) return 4;
    return pair->report.moved + pair->report.given > 0 ? 1 : 0;
}

static const char *pair_what(const struct verified *pair)
{
    const struct share *share = pair_share(pair);
    if (pair->done) return pair_exit(pair) == 0 ? "equal" : "repaired";
    if (peer_session(pair->folder->engine, pair->device) == NULL) return "not-connected";
    return share == NULL || !share->joined ? "not-joined" : "not-in-step";
}

static void verify_report(struct engine *engine, struct verify *verify)
{
    struct verify_result result = {.exit = 0};
    uint32_t count = 0;
    for (const struct verified *p = verify->pairs; p != NULL; p = p->next)
        count++;
    struct verify_line *lines = arena_alloc(engine->scratch, count + 1U, sizeof *lines);
    for (const struct verified *p = verify->pairs; p != NULL; p = p->next) {
        const struct peer *peer = peer_find(engine, p->device);
        if (p->folder->gone || peer == NULL) continue;
        lines[result.count++] = (struct verify_line){.folder = slice_text(p->folder->name),
                                                     .peer = slice_text(peer->name),
                                                     .what = pair_what(p),
                                                     .items = p->report.items,
                                                     .came = p->report.moved,
                                                     .went = p->report.given};
        int code = pair_exit(p);
        if (code == 1 || (code == 4 && result.exit == 0)) result.exit = code;
    }
    result.lines = lines;
    verify_unlink(engine, verify);
    engine->o.notify.verified(engine->o.notify.context, verify->ticket, &result);
    verify_free(verify);
}

// Whoever does not have the folder has no content of it.
static bool has_no_folder(const struct verify *verify, const struct verified *pair)
{
    const struct share *share = pair_share(pair);
    if (verify->abandon == NULL) return false;
    if (share != NULL && share->pending) return true;
    bool silent = share == NULL || !share->offer_heard;
    return silent && pair->folder->engine->now_ms - verify->begun_ms >= SILENT_MS;
}

static bool has_gone(const struct verify *verify, const struct verified *pair)
{
    return verify->abandon != NULL && !pair->folder->gone &&
           peer_session(pair->folder->engine, pair->device) == NULL;
}

static void verify_end(struct engine *engine, struct verify *verify, bool all)
{
    if (verify->abandon == NULL) {
        verify_report(engine, verify);
        return;
    }
    struct abandon *abandon = verify->abandon;
    verify_unlink(engine, verify);
    verify_free(verify);
    abandon_compared(abandon, all);
}

void verifies_check(struct engine *engine)
{
    for (struct verify *v = engine->verifies, *next; v != NULL; v = next) {
        next = v->next;
        bool all = true, gone = false;
        for (struct verified *p = v->pairs; p != NULL; p = p->next) {
            pair_step(p);
            all &= p->done || p->folder->gone || has_no_folder(v, p);
            gone |= has_gone(v, p);
        }
        if (gone) all = false;
        if (all || gone || engine->now_ms >= v->deadline_ms) verify_end(engine, v, all);
    }
}

int64_t verifies_deadline(const struct engine *engine)
{
    int64_t at = INT64_MAX;
    for (const struct verify *v = engine->verifies; v != NULL; v = v->next) {
        if (v->deadline_ms < at) at = v->deadline_ms;
        for (const struct verified *p = v->pairs; p != NULL; p = p->next) {
            if (!p->done && !p->folder->gone && p->try_ms < at) at = p->try_ms;
        }
    }
    return at;
}

// The folder goes; what waits for it is not asked any more.
void verifies_forget(struct folder *folder)
{
    for (struct verify *v = folder->engine->verifies; v != NULL; v = v->next) {
        for (struct verified **at = &v->pairs; *at != NULL;) {
            struct verified *pair = *at;
            if (pair->folder != folder) {
                at = &pair->next;
                continue;
            }
            *at = pair->next;
            mem_free(&pair);
        }
    }
}
