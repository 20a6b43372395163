// SPDX-License-Identifier: MIT
//
// sync and sync --wait: bring the index up to the present, ask every connected peer once, and wait
// until what was saved here is on their disks and what they knew is on this one.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum phase { PHASE_PRESENT, PHASE_ASK, PHASE_WAIT };

// One peer of one folder, as far as one request is concerned.
struct target {
    struct folder *folder;
    struct device_id device;
    bool asked;    // PING is on its way
    bool answered; // PONG came: all it had said before is known
    bool round_asked;
    bool round_done;
    uint64_t token;
    uint64_t session;              // asked in
    uint64_t own_inc, own_counter; // what was saved here before the call
    struct vvbox theirs;           // what they knew at the call
    struct target *next;
};

struct sync_wait {
    uint64_t ticket;
    enum phase phase;
    bool wait;
    bool all_folders;
    char *folder;
    bool has_peer;
    struct device_id peer;
    int64_t deadline_ms;
    struct target *targets;
    struct sync_wait *next;
};

struct report {
    struct arena *arena;
    struct sync_line *lines;
    uint32_t count, capacity;
    int exit;
};

static void report_add(struct report *report, int exit_code, bool problem, const char *text)
{
    if (report->count == report->capacity) {
        uint32_t grown = report->capacity == 0 ? 16 : 2 * report->capacity;
        struct sync_line *lines = arena_alloc(report->arena, grown, sizeof *lines);
        if (report->count > 0) memcpy(lines, report->lines, report->count * sizeof *lines);
        report->lines = lines;
        report->capacity = grown;
    }
    report->lines[report->count++] =
        (struct sync_line){.problem = problem, .text = slice_text(text)};
    if (exit_code == 5 ||
        (report->exit != 5 && exit_code > 0 && (report->exit == 0 || exit_code == 4))) {
        report->exit = exit_code;
    }
}

static void targets_free(struct sync_wait *wait)
{
    while (wait->targets != NULL) {
        struct target *t = wait->targets;
        wait->targets = t->next;
        vvbox_fini(&t->theirs);
        mem_free(&t);
    }
}

static void wait_free(struct sync_wait *wait)
{
    targets_free(wait);
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

static void wait_end(struct engine *engine, struct sync_wait *wait, const struct report *report)
{
    for (struct sync_wait **at = &engine->waits; *at != NULL; at = &(*at)->next) {
        if (*at != wait) continue;
        *at = wait->next;
        break;
    }
    struct sync_result result = {
        .exit = report->exit, .lines = report->lines, .count = report->count};
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

static bool concerns(const struct sync_wait *wait, const struct folder *folder)
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
        if (!concerns(wait, f)) continue;
        if (request->unwatched) scan_start(f);
        dirty_all_now(f);
        dirty_dispatch(f);
    }
    engine_tick(engine);
}

// ---- the present

static bool is_present(const struct folder *folder)
{
    if (folder->root == ROOT_MISSING || folder->stopped != NULL) return true;
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

static void target_add(struct sync_wait *wait, struct folder *folder, const struct peer *peer)
{
    struct target *t = mem_zalloc(1, sizeof *t);
    t->folder = folder;
    t->device = peer->device;
    t->own_inc = folder->row.inc;
    t->own_counter = folder->row.counter;
    t->next = wait->targets;
    wait->targets = t;
    if (peer->in_use == NULL)
        folder->engine->o.notify.dial(folder->engine->o.notify.context, peer->device);
}

static bool step_present(struct engine *engine, struct sync_wait *wait)
{
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (concerns(wait, f) && !is_present(f)) return false;
    }
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!concerns(wait, f)) continue;
        for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
            if (peer_counts(wait, f, p)) target_add(wait, f, p);
        }
    }
    wait->phase = PHASE_ASK;
    return true;
}

// ---- asking

static struct share *target_share(const struct target *t)
{
    struct session *session = peer_session(t->folder->engine, t->device);
    return session != NULL ? share_find(session, t->folder) : NULL;
}

static void target_ask(struct target *t)
{
    struct engine *engine = t->folder->engine;
    struct session *session = peer_session(engine, t->device);
    if (session == NULL || session->own_number != t->session) {
        t->asked = t->answered = t->round_asked = false;
        t->session = session != NULL ? session->own_number : 0;
    }
    if (session == NULL) return;
    if (!t->asked) {
        engine->o.keys.random(&t->token, sizeof t->token);
        struct message m = {.kind = MSG_PING,
                            .ping = {.token = t->token, .wall_ms = engine->wall_ms}};
        t->asked = session_send(session, LANE_CONTROL, &m);
    }
    struct share *share = share_find(session, t->folder);
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

static bool not_carried(const struct target *t)
{
    const struct share *share = target_share(t);
    if (share_paused_there(share)) return false;
    return t->answered && (share == NULL || !share->offer_heard);
}

static bool paused_here(const struct target *t)
{
    const struct peer *peer = peer_find(t->folder->engine, t->device);
    return peer != NULL && share_paused(t->folder, peer);
}

static bool out_done(const struct target *t) // of a share that is joined
{
    if (t->own_inc != t->folder->row.inc || t->own_counter == 0) return true;
    // What is blocked counts in A: an OFFER has A alone, only APPLIED says what of it is blocked.
    return vv_get(target_share(t)->applied_a.v, t->own_inc) >= t->own_counter;
}

static bool in_done(const struct target *t, struct arena *arena)
{
    if (!t->round_done) return false;
    return vv_le(t->theirs.v, folder_applied(t->folder, arena));
}

static bool target_done(const struct target *t, bool wait, struct arena *arena)
{
    if (t->folder->gone || paused_here(t) || not_carried(t)) return true;
    const struct share *share = target_share(t);
    if (share == NULL || !share->joined) return false;
    if (!wait) return t->round_done;
    return out_done(t) && in_done(t, arena);
}

// ---- what is said at the end

static const char *peer_name(struct engine *engine, struct device_id device)
{
    const struct peer *peer = peer_find(engine, device);
    return peer != NULL ? peer->name : "a removed peer";
}

static void report_blocked_there(struct report *report, const struct target *t)
{
    struct bond *bond = bond_get(t->folder, t->device);
    struct message m;
    struct fault fault;
    if (bond->blocked_total == 0) return;
    if (bond->blocked.size == 0 ||
        message_decode(report->arena, buf_slice(&bond->blocked), &m, &fault) != ERR_OK)
        return;
    for (uint32_t i = 0; i < m.applied.blocked_count; i++) {
        const struct blocked_item *b = &m.applied.blocked[i];
        if (!applied_minded(b->reason)) continue;
        char path[LOG_ESCAPED_MAX], reason[LOG_ESCAPED_MAX];
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: %s cannot take it: %s",
                                log_escape(b->path, path), peer_name(t->folder->engine, t->device),
                                log_escape(b->reason, reason)));
    }
}

static void report_blocked_here(struct report *report, struct folder *folder)
{
    struct slice paths[PROTO_BLOCKED_MAX];
    uint32_t count = INDEX(folder)->blocked(INDEX(folder)->self, report->arena, folder->number,
                                            BLOCKED_NONE, PROTO_BLOCKED_MAX, paths);
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, report->arena, folder->number, paths[i],
                                &item);
        if (item.blocked == BLOCKED_NONE || !applied_minded(slice_text(blocked_text(item.blocked))))
            continue;
        char path[LOG_ESCAPED_MAX];
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: cannot be put here: %s",
                                log_escape(paths[i], path), blocked_text(item.blocked)));
    }
}

static void report_unread(struct report *report, const struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *problem;
    while (map_next(folder->problems, &at, &path, &problem)) {
        char escaped[LOG_ESCAPED_MAX];
        if (problem_blocked(problem) == BLOCKED_NONE) continue;
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: %s here", log_escape(path, escaped),
                                problem_what(problem)));
    }
}

static void report_late(struct report *report, const struct target *t)
{
    struct engine *engine = t->folder->engine;
    const char *name = peer_name(engine, t->device);
    if (peer_session(engine, t->device) == NULL) {
        report_add(report, 4, true,
                   arena_printf(report->arena, "%s: %s is not connected", t->folder->name, name));
        return;
    }
    if (share_paused_there(target_share(t))) {
        report_add(report, 4, true,
                   arena_printf(report->arena, "%s: paused on %s", t->folder->name, name));
        return;
    }
    const struct bond *bond = bond_get(t->folder, t->device);
    report_add(report, 4, true,
               arena_printf(report->arena,
                            "%s: %s has not finished in time (%llu changes to go there, %llu here)",
                            t->folder->name, name, (unsigned long long)bond->need_changes,
                            (unsigned long long)t->folder->row.needs));
}

static bool is_pending(const struct target *t)
{
    const struct share *share = target_share(t);
    return share != NULL && share->pending;
}

static bool held_there(const struct target *t)
{
    const struct share *share = target_share(t);
    return share != NULL && share->joined && share->holds[0].changes + share->holds[1].changes > 0;
}

// With which nobody needs to wait any longer.
static bool is_held(const struct sync_wait *wait, const struct target *t)
{
    return is_pending(t) || (wait->wait && (held_there(t) || brake_code(t->folder)[0] != 0));
}

static void report_held_there(struct report *report, const struct target *t)
{
    const struct share *share = target_share(t);
    const char *name = peer_name(t->folder->engine, t->device);
    const char *folder = t->folder->name;
    for (int i = 0; i < 2; i++) {
        const struct peer_hold *hold = &share->holds[i];
        if (hold->changes == 0) continue;
        report_add(report, 5, true,
                   arena_printf(report->arena, "%s: %s holds %llu changes (%s): decide there",
                                folder, name, (unsigned long long)hold->changes, hold->brake));
    }
}

static void report_held_here(struct report *report, const struct folder *folder)
{
    uint64_t held = brake_held(folder) + brake_in_held(folder);
    if (held == 0) return;
    report_add(report, 5, true,
               arena_printf(report->arena,
                            "%s: %llu changes are held (%s): cfgsync-agent plan %s, then approve "
                            "or revert",
                            folder->name, (unsigned long long)held, brake_code(folder),
                            folder->name));
}

static void report_folders(struct engine *engine, const struct sync_wait *wait,
                           struct report *report)
{
    bool any = false;
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!concerns(wait, f)) continue;
        any = true;
        if (f->stopped != NULL || f->root == ROOT_MISSING) {
            const char *what = f->stopped != NULL ? f->stopped : f->root_what;
            report_add(report, 1, true,
                       arena_printf(report->arena, "%s: stopped: %s", f->name, what));
        } else if (wait->wait) {
            report_held_here(report, f);
            report_blocked_here(report, f);
            report_unread(report, f);
        }
    }
    if (!any && !wait->all_folders) {
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: there is no such folder", wait->folder));
    }
}

static void wait_report(struct engine *engine, struct sync_wait *wait, bool late)
{
    struct report report = {.arena = engine->scratch};
    for (struct target *t = wait->targets; t != NULL; t = t->next) {
        const char *name = peer_name(engine, t->device);
        if (t->folder->gone) continue;
        if (paused_here(t)) {
            report_add(&report, wait->wait ? 4 : 0, wait->wait,
                       arena_printf(report.arena, "%s: paused with %s: cfgsync-agent resume",
                                    t->folder->name, name));
        } else if (is_pending(t)) {
            const char *text = arena_printf(
                report.arena, "%s: join-pending with %s: cfgsync-agent folder accept %s --from %s",
                t->folder->name, name, t->folder->name, name);
            report_add(&report, 5, true, text);
        } else if (not_carried(t)) {
            report_add(&report, 0, false,
                       arena_printf(report.arena, "%s: %s does not carry this folder",
                                    t->folder->name, name));
        } else if (wait->wait && held_there(t)) {
            report_held_there(&report, t);
        } else if (late && !target_done(t, wait->wait, report.arena)) {
            report_late(&report, t);
        } else if (wait->wait) {
            report_blocked_there(&report, t);
        }
    }
    if (late && wait->phase == PHASE_PRESENT)
        report_add(&report, 4, true, "what is on this disk was not looked at in time");
    report_folders(engine, wait, &report);
    wait_end(engine, wait, &report);
}

static bool stopped(const struct engine *engine, const struct sync_wait *wait)
{
    for (const struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (concerns(wait, f) && f->stopped == NULL && f->root != ROOT_MISSING) return false;
    }
    return true;
}

static void wait_check(struct engine *engine, struct sync_wait *wait)
{
    bool late = engine->now_ms >= wait->deadline_ms;
    if (wait->phase == PHASE_PRESENT && !late && !step_present(engine, wait)) return;
    bool done = true, held = false;
    for (struct target *t = wait->targets; t != NULL; t = t->next) {
        if (t->folder->gone) continue;
        target_ask(t);
        held |= is_held(wait, t);
        bool absent =
            peer_session(engine, t->device) == NULL || share_paused_there(target_share(t));
        if (!wait->wait && absent) continue;
        done &= target_done(t, wait->wait, engine->scratch);
    }
    if (late || done || held || stopped(engine, wait)) wait_report(engine, wait, late);
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
