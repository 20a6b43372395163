// SPDX-License-Identifier: MIT
//
// A folder within a session: what each side has said of its K and A, and the small messages that
// keep these up to date.
#include <string.h>

#include "agent/sync/owners_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { BOND_SAVE_MS = 500 };

struct share *share_find(struct session *session, const struct folder *folder)
{
    struct share *share = session->shares;
    while (share != NULL && share->folder != folder)
        share = share->next;
    return share;
}

struct share *share_get(struct session *session, struct folder *folder)
{
    struct share *share = share_find(session, folder);
    if (share != NULL) return share;
    share = mem_zalloc(1, sizeof *share);
    share->folder = folder;
    share->session = session;
    share->pushes_end = &share->pushes;
    share->wants_end = &share->wants;
    share->late_end = &share->late;
    share->next = session->shares;
    session->shares = share;
    return share;
}

static void pushes_clear(struct share *share)
{
    while (share->pushes != NULL) {
        struct waiting_push *push = share->pushes;
        share->pushes = push->next;
        buf_fini(&push->frame);
        mem_free(&push);
    }
    job_destroy(&share->push_job);
    share->push_jobs = 0;
    share->pushes_end = &share->pushes;
    share->pushes_bytes = 0;
    share->push_dropped = false;
}

// All but contents.
static void share_rest(struct share *share)
{
    pushes_clear(share);
    audits_drop(share);
    compare_drop(share);
    share->pulling.reconciling = share->pulling.active = share->serving.active = false;
    share->news_due = share->applied_due = false;
    share->pushed = share->push_mark = 0;
    share->push_open = 0;
    share->approvals_sent = 0;
    vvbox_fini(&share->applied_a);
    holds_forget(share);
}

void share_start_anew(struct share *share)
{
    fetch_share_gone(share);
    serve_clear(share);
    share_rest(share);
    share->joined = share->retired = false;
}

void share_retire(struct share *share)
{
    share_rest(share);
    fetch_share_retired(share);
    share->retired = share->joined;
}

void share_destroy(struct share *share)
{
    claims_clear(share);
    serve_clear(share);
    pushes_clear(share);
    holds_forget(share);
    audits_drop(share);
    compare_drop(share);
    vvbox_fini(&share->said_k);
    vvbox_fini(&share->said_floor);
    vvbox_fini(&share->applied_a);
    vvbox_fini(&share->told_k);
    vvbox_fini(&share->shown);
    vvbox_fini(&share->owners_shown);
    vvbox_fini(&share->serving.k);
    map_destroy(&share->serving.ahead);
    vvbox_fini(&share->pulling.done_k);
    vvbox_fini(&share->pulling.done_floor);
    vvbox_fini(&share->pulling.dropped);
    buf_fini(&share->pulling.ahead_token);
    buf_fini(&share->applied_sent);
    mem_free(&share);
}

// ---- bonds: what is remembered of a peer when it is away

static void bond_load(struct folder *folder, struct bond *bond)
{
    const struct index_port *index = INDEX(folder);
    struct peer_row row;
    if (!index->peer_get(index->self, folder->engine->scratch, folder->number, bond->device, &row))
        return;
    vvbox_set(&bond->k, row.k);
    vvbox_set(&bond->a, row.a);
    bond->joined = true;
    bond->told = row.told;
    bond->audit_ms = row.audit_ms;
    bond->audit_due = row.audit_due;
    bond->need_changes = row.need_changes;
    bond->need_bytes = row.need_bytes;
    bond->blocked_total = row.blocked_total;
    buf_append(&bond->blocked, row.blocked.data, row.blocked.size);
    struct peer *peer = peer_find(folder->engine, bond->device);
    if (peer != NULL && peer->last_seen_wall_ms < row.seen_ms)
        peer->last_seen_wall_ms = row.seen_ms;
}

struct bond *bond_get(struct folder *folder, struct device_id device)
{
    struct bond *bond = folder->bonds;
    while (bond != NULL && !device_equal(bond->device, device))
        bond = bond->next;
    if (bond != NULL) return bond;
    bond = mem_zalloc(1, sizeof *bond);
    bond->device = device;
    bond->next = folder->bonds;
    folder->bonds = bond;
    bond_load(folder, bond);
    return bond;
}

void bond_destroy(struct bond **owner)
{
    struct bond *bond = *owner;
    vvbox_fini(&bond->k);
    vvbox_fini(&bond->a);
    vvbox_fini(&bond->caught_k);
    buf_fini(&bond->blocked);
    buf_fini(&bond->token);
    mem_free(owner);
}

void bond_save(struct folder *folder, struct bond *bond)
{
    const struct index_port *index = INDEX(folder);
    const struct peer *peer = peer_find(folder->engine, bond->device);
    if (!bond->unsaved || folder->gone || folder->in_txn) return;
    bond->unsaved = false;
    struct peer_row row = {.k = bond->k.v,
                           .a = bond->a.v,
                           .need_changes = bond->need_changes,
                           .need_bytes = bond->need_bytes,
                           .blocked_total = bond->blocked_total,
                           .blocked = buf_slice(&bond->blocked),
                           .seen_ms = peer != NULL ? peer->last_seen_wall_ms : 0,
                           .told = bond->told,
                           .audit_ms = bond->audit_ms,
                           .audit_due = bond->audit_due};
    txn_begin(folder);
    index->peer_put(index->self, folder->number, bond->device, &row);
    if (txn_end(folder) == ERR_OK) return;
    bond->unsaved = true;
    bond->save_at_ms = folder->engine->now_ms + INDEX_RETRY_MS;
}

static void bond_changed(struct folder *folder, struct bond *bond)
{
    if (!bond->unsaved) bond->save_at_ms = folder->engine->now_ms + BOND_SAVE_MS;
    bond->unsaved = true;
    engine_changed(folder->engine);
}

void bond_join(struct folder *folder, struct device_id device)
{
    struct bond *bond = bond_get(folder, device);
    if (bond->joined) return;
    bond->joined = true;
    bond_changed(folder, bond);
}

void share_said_k(struct share *share, struct vv k, bool replace)
{
    struct vv joined = replace ? k : vv_join(share->folder->engine->scratch, share->said_k.v, k);
    if (!vv_le(joined, share->said_k.v)) share->said_ms = share->folder->engine->now_ms;
    vvbox_set(&share->said_k, joined);
}

// Of two sessions one may be behind: what it brings late is not the last word.
static bool is_in_use(const struct share *share)
{
    return share->session->peer->in_use == share->session;
}

// What it is owed is counted from here: `k` is known to be there, `needs` of that are not on its
// disk.
static void bond_heard(struct share *share, struct vv k, uint64_t changes, uint64_t bytes)
{
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    vvbox_set(&bond->k, k);
    bond->need_changes = changes;
    bond->need_bytes = bytes;
    bond_changed(share->folder, bond);
}

bool share_any_joined(const struct folder *folder)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->joined) return true;
    }
    return false;
}

// What it does not have it has not got: its disk is there and was looked at.
bool share_ready(const struct share *share)
{
    bool ready = share->offer_state == OFFER_READY || share->offer_state == OFFER_PENDING;
    return share->joined && ready;
}

void share_join(struct share *share, const struct msg_offer *offer)
{
    struct folder *folder = share->folder;
    struct bond *bond = bond_get(folder, share->session->peer->device);
    bool fresh = !share->joined;
    share->joined = true;
    share->pending = false;
    bond->not_carried = false;
    folder_met(folder);
    share_said_k(share, offer->k, true);
    vvbox_set(&share->said_floor, offer->gcfloor);
    buf_clear(&share->applied_sent); // said again: it may have been heard in a session now unused
    share->applied_due = true; // what was blocked when it was said last may be blocked no more
    if (is_in_use(share)) {
        vvbox_set(&bond->a, offer->a);
        bond_heard(share, offer->a, 0, 0); // its needs are not known yet: what is on its disk is
    }
    if (fresh && !bond->catching) {
        const struct index_port *index = INDEX(folder);
        index->owed(index->self, folder->number, offer->k, 0, &bond->caught_changes,
                    &bond->caught_bytes);
        bond->caught_from_ms = folder->engine->now_ms;
        bond->catching = bond->caught_changes > 0;
        vvbox_set(&bond->caught_k, folder->k.v);
    }
    if (!share->offer_sent) share_offer(share);
    rollbacks_tell(share);
    if (fresh) audit_soon(share);
    share_due(folder);
    fetch_source_came(folder);
    if (!vv_le(offer->k, folder->k.v)) pull_start(share);
    share_check_caught(share);
    approvals_send(share);
    holds_show(share);
    push_all(folder);
}

// ---- NEWS and APPLIED

struct vv folder_applied(struct folder *folder, struct arena *arena)
{
    const struct index_port *index = INDEX(folder);
    uint64_t *incs = arena_alloc(arena, PROTO_VV_ENTRIES_MAX, sizeof *incs);
    uint32_t count = index->need_incs(index->self, folder->number, PROTO_VV_ENTRIES_MAX, incs);
    struct vv a = folder->k.v;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t min;
        if (!index->need_min(index->self, folder->number, incs[i], &min)) continue;
        if (vv_get(a, incs[i]) >= min) a = vv_set(arena, a, (struct dot){incs[i], min - 1});
    }
    return a;
}

void share_due(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->joined) continue;
        share->news_due = share->applied_due = true;
        share_flush(share, false);
    }
}

// Whoever made or met a need: the peers are told of it at the next tick.
void share_needs_changed(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->joined) share->applied_due = true;
    }
}

static void news_send(struct share *share)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct vv changed = vv_above(arena, folder->k.v, share->told_k.v);
    if (changed.count == 0) return;
    struct message m = {
        .kind = MSG_NEWS,
        .news = {.folder = folder->row.id, .k = changed, .gcfloor = folder->gcfloor.v}};
    m.news.marks = marks_to_show(share, arena, changed);
    vvbox_set(&share->told_k, folder->k.v);
    (void)session_send(share->session, LANE_CONTROL, &m);
}

void share_flush(struct share *share, bool force)
{
    int64_t now = share->folder->engine->now_ms;
    if (!share->joined || share->folder->in_txn || (!share->news_due && !share->applied_due))
        return;
    if (!force && now - share->flushed_ms < FLUSH_MS) return;
    share->flushed_ms = now;
    if (share->news_due) news_send(share);
    if (share->applied_due) applied_send(share);
    share->news_due = share->applied_due = false;
}

int64_t share_deadline(const struct share *share)
{
    if (share->retired) return late_deadline(share);
    int64_t at = pull_deadline(share);
    bool due = share->joined && (share->news_due || share->applied_due);
    if (due && share->flushed_ms + FLUSH_MS < at) at = share->flushed_ms + FLUSH_MS;
    int64_t late = late_deadline(share), audit = audits_deadline(share);
    int64_t compare = compare_deadline(share), offer = offer_deadline(share);
    int64_t serve = serve_deadline(share);
    if (serve < at) at = serve;
    if (offer < at) at = offer;
    if (audit < at) at = audit;
    if (compare < at) at = compare;
    return late < at ? late : at;
}

// Some incarnation that is ahead belongs to a device that pushes to us itself.
static bool push_may_come(struct share *share, struct vv ahead)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    for (uint32_t i = 0; i < ahead.count; i++) {
        struct owner owner;
        if (!index->owner_get(index->self, folder->engine->scratch, folder->number,
                              ahead.entries[i].inc, &owner))
            return false;
        struct session *session = peer_session(folder->engine, owner.device);
        const struct share *direct = session != NULL ? share_find(session, folder) : NULL;
        if (direct == NULL || !direct->joined) return false;
    }
    return true;
}

void news_handle(struct share *share, const struct msg_news *news)
{
    struct folder *folder = share->folder;
    if (!marks_learn(share, &news->marks) || !counters_marked(share, news->k)) return;
    share_said_k(share, news->k, false);
    if (news->gcfloor.count > 0) vvbox_set(&share->said_floor, news->gcfloor);
    struct vv ahead = vv_above(folder->engine->scratch, share->said_k.v, folder->k.v);
    if (ahead.count > 0) {
        if (push_may_come(share, ahead)) {
            share->pulling.delayed_until_ms = folder->engine->now_ms + NEWS_PULL_DELAY_MS;
        } else {
            pull_start(share);
        }
    }
    share_check_caught(share);
}

void applied_handle(struct share *share, const struct msg_applied *applied)
{
    struct folder *folder = share->folder;
    if (!counters_marked(share, applied->a)) return;
    struct bond *bond = bond_get(folder, share->session->peer->device);
    share_said_k(share, applied->a, false);
    if (!is_in_use(share)) return;
    vvbox_set(&bond->a, applied->a);
    vvbox_set(&share->applied_a, applied->a);
    bond->blocked_total = applied->blocked_total;
    buf_clear(&bond->blocked);
    struct message keep = {.kind = MSG_APPLIED, .applied = *applied};
    keep.applied.a = (struct vv){0};
    if (applied->blocked_count > 0) message_encode(&keep, &bond->blocked);
    bond_heard(share, share->said_k.v, applied->need_changes, applied->need_bytes);
    fetch_retry_sources(folder);
    share_check_caught(share);
}

// What was owed when the session began has arrived: the log says how much and how fast.
void share_check_caught(struct share *share)
{
    struct folder *folder = share->folder;
    struct bond *bond = bond_get(folder, share->session->peer->device);
    if (!bond->catching || !vv_le(bond->caught_k.v, bond->a.v)) return;
    bond->catching = false;
    log_info(LOG_SYNC, "caught up", "folder=%s peer=%s changes=%llu bytes=%llu ms=%lld",
             folder->name, share->session->peer->name, (unsigned long long)bond->caught_changes,
             (unsigned long long)bond->caught_bytes,
             (long long)(folder->engine->now_ms - bond->caught_from_ms));
}
