// SPDX-License-Identifier: MIT
//
// sync and sync --wait: bring the index up to the present, ask every connected peer once, and wait
// until what was saved here is on their disks and what they knew is on this one. What is said in
// the end: wait_report.c.
#include <string.h>

#include "agent/sync/wait_priv.h"

enum {
    ASK_AGAIN_MS = 10 * 1000, // what it waits for may have gone with a session
    MISSED_MS = 60 * 1000,    // the last walk is so old that another one is worth it
};

// Of one folder; NULL: of all.
static void targets_drop(struct sync_wait *wait, const struct folder *folder)
{
    for (struct target **at = &wait->targets; *at != NULL;) {
        struct target *t = *at;
        if (folder != NULL && t->folder != folder) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        vvbox_fini(&t->theirs);
        vvbox_fini(&t->own);
        mem_free(&t);
    }
}

void waits_forget(struct folder *folder)
{
    for (struct sync_wait *w = folder->engine->waits; w != NULL; w = w->next)
        targets_drop(w, folder);
}

static void wait_free(struct sync_wait *wait)
{
    targets_drop(wait, NULL);
    mem_free(&wait->folder);
    mem_free(&wait);
}

void waits_destroy(struct engine *engine)
{
    while (engine->waits != NULL) {
        struct sync_wait *wait = engine->waits;
        engine->waits = wait->next;
        wait_free(wait);
    }
}

static void wait_end(struct engine *engine, struct sync_wait *wait, bool late)
{
    struct sync_wait **at = &engine->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    struct sync_result result;
    wait_report(engine, wait, late, &result);
    engine->o.notify.sync_done(engine->o.notify.context, wait->ticket, &result);
    wait_free(wait);
}

void engine_sync_cancel(struct engine *engine, uint64_t ticket)
{
    for (struct sync_wait **at = &engine->waits; *at != NULL; at = &(*at)->next) {
        struct sync_wait *wait = *at;
        if (wait->ticket != ticket) continue;
        *at = wait->next;
        wait_free(wait);
        return;
    }
}

bool wait_concerns(const struct sync_wait *wait, const struct folder *folder)
{
    return !folder->gone && (wait->all_folders || strcmp(wait->folder, folder->name) == 0);
}

void engine_sync(struct engine *engine, uint64_t ticket, const struct sync_request *request)
{
    arena_reset(engine->scratch);
    struct sync_wait *wait = mem_zalloc(1, sizeof *wait);
    wait->ticket = ticket;
    wait->wait = request->wait;
    wait->all_folders = request->folder == NULL;
    wait->folder = request->folder != NULL ? mem_strdup(request->folder) : NULL;
    wait->has_peer = request->has_peer;
    wait->peer = request->peer;
    wait->deadline_ms = engine->now_ms + request->timeout_ms;
    wait->next = engine->waits;
    engine->waits = wait;
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!wait_concerns(wait, f)) continue;
        if (request->unwatched)
            scan_start(f);
        else if (engine->now_ms - f->scan.ended_ms >= MISSED_MS)
            scan_missed(f);
        dirty_all_now(f);
        dirty_dispatch(f);
    }
    engine_tick(engine);
}

// ---- the present

static bool is_present(const struct folder *folder)
{
    if (folder->root == ROOT_MISSING) return true;
    if (folder->root != ROOT_OK || !folder->row.scanned || folder->scan.active) return false;
    if (folder->trees != NULL || dirty_deferred(folder)) return false;
    if (!rules_settled(folder)) return false;
    return map_count(folder->dirty) == 0 && folder->look_jobs == 0 && !brake_counting(folder);
}

static bool peer_counts(const struct sync_wait *wait, const struct folder *folder,
                        const struct peer *peer)
{
    if (wait->has_peer && !device_equal(wait->peer, peer->device)) return false;
    return folder_shared_with(folder, peer->device);
}

static void target_take(struct target *t)
{
    struct folder *folder = t->folder;
    struct arena *arena = folder->engine->scratch;
    struct vv own =
        vv_set(arena, (struct vv){0}, (struct dot){folder->row.inc, folder->row.counter});
    for (uint32_t i = 0; i < folder->k.v.count; i++) {
        struct dot d = folder->k.v.entries[i];
        if (d.inc != folder->row.inc && inc_is_of(folder, d.inc, folder->engine->o.device))
            own = vv_set(arena, own, d);
    }
    vvbox_set(&t->own, own);
    t->own_inc = folder->row.inc;
}

static void target_add(struct sync_wait *wait, struct folder *folder, const struct peer *peer)
{
    struct target *t = mem_zalloc(1, sizeof *t);
    t->folder = folder;
    t->device = peer->device;
    target_take(t);
    t->next = wait->targets;
    wait->targets = t;
    if (peer->in_use == NULL)
        folder->engine->o.notify.dial(folder->engine->o.notify.context, peer->device);
}

static bool step_present(struct engine *engine, struct sync_wait *wait)
{
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (wait_concerns(wait, f) && !is_present(f)) return false;
    }
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!wait_concerns(wait, f)) continue;
        for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
            if (peer_counts(wait, f, p)) target_add(wait, f, p);
        }
    }
    wait->phase = PHASE_ASK;
    return true;
}

// ---- asking

struct share *target_share(const struct target *t)
{
    struct session *session = peer_session(t->folder->engine, t->device);
    return session != NULL ? share_find(session, t->folder) : NULL;
}

static void target_ask(struct target *t)
{
    struct engine *engine = t->folder->engine;
    struct session *session = peer_session(engine, t->device);
    bool late = t->asked && engine->now_ms - t->asked_ms >= ASK_AGAIN_MS;
    if (session == NULL || session->own_number != t->session || late) {
        t->asked = t->answered = t->round_asked = false;
        t->session = session != NULL ? session->own_number : 0;
    }
    if (session == NULL) return;
    if (!t->asked) {
        engine->o.keys.random(&t->token, sizeof t->token);
        struct message m = {.kind = MSG_PING,
                            .ping = {.token = t->token, .wall_ms = engine->wall_ms}};
        t->asked = session_send(session, LANE_CONTROL, &m);
        t->asked_ms = engine->now_ms;
    }
    struct share *share = share_find(session, t->folder);
    if (late && share != NULL && share->joined) share_offer(share);
    if (!t->answered || share == NULL || !share->joined || t->round_asked) return;
    t->round_asked = true;
    pull_start(share);
}

void waits_pong(struct session *session, uint64_t token)
{
    for (struct sync_wait *w = session->engine->waits; w != NULL; w = w->next) {
        for (struct target *t = w->targets; t != NULL; t = t->next) {
            if (t->asked && t->token == token) t->answered = true;
        }
    }
}

void waits_round_done(struct share *share, struct vv k)
{
    for (struct sync_wait *w = share->folder->engine->waits; w != NULL; w = w->next) {
        for (struct target *t = w->targets; t != NULL; t = t->next) {
            bool mine =
                t->folder == share->folder && device_equal(t->device, share->session->peer->device);
            if (!mine || !t->round_asked || t->round_done) continue;
            t->round_done = true;
            vvbox_set(&t->theirs, k);
        }
    }
}

// ---- is it there?

bool target_not_carried(const struct target *t)
{
    const struct share *share = target_share(t);
    if (share_paused_there(share)) return false;
    return t->answered && (share == NULL || !share->offer_heard);
}

bool target_paused_here(const struct target *t)
{
    const struct peer *peer = peer_find(t->folder->engine, t->device);
    return peer != NULL && share_paused(t->folder, peer);
}

static bool out_done(const struct target *t) // of a share that is joined
{
    // What is blocked counts in A: an OFFER has A alone, only APPLIED says what of it is blocked.
    return t->own_inc == t->folder->row.inc && vv_le(t->own.v, target_share(t)->applied_a.v);
}

static bool in_done(const struct target *t, struct arena *arena)
{
    if (!t->round_done) return false;
    bool there = vv_le(t->theirs.v, folder_applied(t->folder, arena));
    return there && !index_unread(t->folder->engine);
}

bool target_over(const struct target *t)
{
    return peer_find(t->folder->engine, t->device) == NULL ||
           !folder_shared_with(t->folder, t->device);
}

bool target_done(const struct target *t, bool wait, struct arena *arena)
{
    if (target_over(t) || target_paused_here(t) || target_not_carried(t)) return true;
    const struct share *share = target_share(t);
    if (share == NULL || !share->joined) return false;
    if (!wait) return t->round_done;
    return out_done(t) && in_done(t, arena);
}

bool target_pending(const struct target *t)
{
    const struct share *share = target_share(t);
    return share != NULL && share->pending;
}

bool target_held_there(const struct target *t)
{
    const struct share *share = target_share(t);
    return share != NULL && share->joined && share->holds[0].changes + share->holds[1].changes > 0;
}

// With which nobody needs to wait any longer.
static bool is_held(const struct sync_wait *wait, const struct target *t)
{
    return target_pending(t) ||
           (wait->wait && (target_held_there(t) || brake_code(t->folder)[0] != 0));
}

static bool stopped(const struct engine *engine, const struct sync_wait *wait)
{
    for (const struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (wait_concerns(wait, f) && f->root != ROOT_MISSING) return false;
    }
    return true;
}

static void wait_check(struct engine *engine, struct sync_wait *wait)
{
    bool late = engine->now_ms >= wait->deadline_ms;
    if (wait->phase == PHASE_PRESENT && !late && !step_present(engine, wait)) return;
    bool done = true, held = false;
    for (struct target *t = wait->targets; t != NULL; t = t->next) {
        if (target_over(t)) continue;
        if (t->own_inc != t->folder->row.inc && is_present(t->folder)) target_take(t);
        target_ask(t);
        held |= is_held(wait, t);
        bool absent =
            peer_session(engine, t->device) == NULL || share_paused_there(target_share(t));
        if (!wait->wait && absent) continue;
        done &= target_done(t, wait->wait, engine->scratch);
    }
    if (late || done || held || stopped(engine, wait)) wait_end(engine, wait, late);
}

void waits_check(struct engine *engine)
{
    for (struct sync_wait *w = engine->waits, *next; w != NULL; w = next) {
        next = w->next;
        wait_check(engine, w);
    }
}

int64_t waits_deadline(const struct engine *engine)
{
    int64_t at = INT64_MAX;
    for (const struct sync_wait *w = engine->waits; w != NULL; w = w->next) {
        if (w->deadline_ms < at) at = w->deadline_ms;
    }
    return at;
}
