// SPDX-License-Identifier: MIT
//
// A round: R asks S for all versions its K does not cover, S sends them in pages, found by their
// dots; DONE moves R's K. No snapshot is held open.
//
//     R -> S  PULL(K, token)
//     S -> R  VERSIONS 1, 2, ... (at most two unacknowledged)      R -> S  ACK n
//     S -> R  last VERSIONS and DONE(K of S), from one moment
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/delta_priv.h"
#include "agent/sync/page_priv.h"
#include "agent/sync/ranges_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { UNACKED_MAX = 2, TOKEN_BYTES = 32 };

// ---- receiving side

void pull_start(struct share *share)
{
    struct pulling *pulling = &share->pulling;
    struct folder *folder = share->folder;
    if (!share->joined || !folder->row.scanned) return;
    if (pulling->active) {
        pulling->again = true;
        return;
    }
    struct bond *bond = bond_get(folder, share->session->peer->device);
    pulling->active = true;
    pulling->begun_ms = pulling->heard_ms = folder->engine->now_ms;
    pulling->again = false;
    pulling->ahead = pulling->done_came = false;
    pulling->contiguous = 0;
    vvbox_fini(&pulling->dropped);
    pulling->delayed_until_ms = 0;
    folder->engine->o.keys.random(&pulling->round, sizeof pulling->round);
    pulling->round >>= 1;
    struct message m = {.kind = MSG_PULL};
    m.pull.folder = folder->row.id;
    m.pull.round = pulling->round;
    m.pull.k = folder->k.v;
    m.pull.token = buf_slice(&bond->token);
    folder->engine->counters.rounds++;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

bool pull_is_young(const struct share *share)
{
    const struct pulling *p = &share->pulling;
    return p->active && share->folder->engine->now_ms - p->begun_ms < ROUND_OLD_MS;
}

// Whoever leaves a round open must not keep anything waiting for ever. What has come is kept, and
// the token goes on from there.
void pull_tick(struct share *share)
{
    struct pulling *p = &share->pulling;
    int64_t now = share->folder->engine->now_ms;
    if (p->active && !p->reconciling && now - p->heard_ms >= ROUND_QUIET_MS) {
        log_warn(LOG_SYNC, "round given up", "folder=%s peer=%s reason=\"no page for 120 s\"",
                 share->folder->name, share->session->peer->name);
        p->active = false;
        p->delayed_until_ms = now;
    }
    if (p->delayed_until_ms == 0 || now < p->delayed_until_ms) return;
    p->delayed_until_ms = 0;
    if (!vv_le(share->said_k.v, share->folder->k.v)) pull_start(share);
}

int64_t pull_deadline(const struct share *share)
{
    const struct pulling *p = &share->pulling;
    int64_t at = p->delayed_until_ms != 0 ? p->delayed_until_ms : INT64_MAX;
    if (p->active && !p->reconciling && p->heard_ms + ROUND_QUIET_MS < at)
        at = p->heard_ms + ROUND_QUIET_MS;
    return at;
}

static const char EVIDENCE[] = "one of our own dots names two things";

void ingest_refused(struct share *share, const char *what)
{
    txn_undo(share->folder);
    if (what == EVIDENCE)
        reinc_want(share->folder, EVIDENCE);
    else
        session_refuse(share->session, what);
}

static bool head_has(const struct item *item, struct dot d)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (dots_contain(item->heads[i].dots, d)) return true;
    }
    return false;
}

// Known, and superseded since, perhaps by a deletion that is forgotten: taken again, it would live
// here alone. A message can wait that long, in a slow network or for the disk.
static bool is_past(const struct folder *folder, const struct item *item, const struct version *w)
{
    if (!dots_covered(w->dots, folder->k.v)) return false;
    for (uint32_t i = 0; i < w->dots.count; i++) {
        if (head_has(item, w->dots.entries[i])) return false;
    }
    return true;
}

// One version. NULL, or why it is not taken.
const char *ingest_one(struct folder *folder, const struct version *w, bool past, bool *out_changed)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    *out_changed = false;
    index->item_get(index->self, arena, folder->number, w->path, &item);
    bool was_live = heads_live(&item);
    if (collision_is_evidence(folder, &item, w)) return EVIDENCE;
    if (!past && is_past(folder, &item, w)) return NULL;
    struct ingested in = heads_ingest(arena, &item, w, folder->row.inc);
    if (!in.changed) return NULL;
    const char *over = item_over(&item);
    if (over != NULL) return over;
    if (in.lost_own > folder->lost_own) folder->lost_own = in.lost_own;
    item_save(folder, &item, true, was_live);
    folder->engine->counters.versions_in++;
    *out_changed = true;
    return NULL;
}

const char *ingest_versions(struct share *share, const struct versions *versions)
{
    struct folder *folder = share->folder;
    for (uint32_t i = 0; i < versions->count; i++) {
        bool changed;
        const char *over = ingest_one(folder, &versions->entries[i], false, &changed);
        if (over != NULL) return over;
    }
    folder->heard_ms = folder->engine->now_ms;
    folder->row.ever_had_items = folder->row.ever_had_items || versions->count > 0;
    return NULL;
}

static void page_ack(struct share *share, uint32_t page)
{
    struct message m = {.kind = MSG_ACK};
    m.ack.folder = share->folder->row.id;
    m.ack.round = share->pulling.round;
    m.ack.page = page;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void token_keep(struct buf *token, struct slice bytes)
{
    buf_clear(token);
    buf_append(token, bytes.data, bytes.size);
}

// Pages may overtake each other, since small ones use another lane. Only a gapless beginning may be
// skipped next time.
static bool page_note(struct share *share, const struct msg_versions *page)
{
    struct pulling *p = &share->pulling;
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    if (page->page == p->contiguous + 1) {
        p->contiguous++;
        token_keep(&bond->token, page->token);
        if (!p->ahead) return true;
        p->ahead = false;
        p->contiguous++;
        token_keep(&bond->token, buf_slice(&p->ahead_token));
        return true;
    }
    if (page->page != p->contiguous + 2 || p->ahead) return false;
    p->ahead = true;
    token_keep(&p->ahead_token, page->token);
    return true;
}

static void floor_dropped(struct share *share)
{
    struct folder *folder = share->folder;
    floor_raise(folder, vv_meet(folder->engine->scratch, share->pulling.dropped.v, folder->k.v));
}

void pull_dropped(struct share *share, struct vv dropped)
{
    struct vvbox *all = &share->pulling.dropped;
    vvbox_set(all, vv_join(share->folder->engine->scratch, all->v, dropped));
    floor_dropped(share);
}

static void pull_end(struct share *share)
{
    struct pulling *p = &share->pulling;
    struct folder *folder = share->folder;
    struct bond *bond = bond_get(folder, share->session->peer->device);
    txn_begin(folder);
    for (uint32_t i = 0; i < p->done_k.v.count; i++)
        k_raise(folder, p->done_k.v.entries[i]);
    if (!PLANTED(floor_not_inherited)) floor_raise(folder, p->done_floor.v);
    floor_dropped(share);
    enum err err = txn_end(folder);
    p->active = false;
    if (err != ERR_OK) {
        p->delayed_until_ms = folder->engine->now_ms + INDEX_RETRY_MS;
        return;
    }
    buf_clear(&bond->token);
    waits_round_done(share, p->done_k.v);
    share_due(folder);
    work_again(folder);
    if (p->again || !vv_le(share->said_k.v, folder->k.v)) pull_start(share);
}

// Whoever has forgotten deletions that we may not know of is compared with in full first, against
// what we knew before this round.
static void pull_finish(struct share *share)
{
    struct pulling *p = &share->pulling;
    if (vv_le(p->done_floor.v, share->folder->k.v) || PLANTED(floor_not_checked)) {
        pull_end(share);
        return;
    }
    log_info(LOG_SYNC, "reconciling", "folder=%s peer=%s", share->folder->name,
             share->session->peer->name);
    p->reconciling = true;
    audit_start(share, true);
}

void pull_reconciled(struct share *share, bool done)
{
    struct pulling *p = &share->pulling;
    p->reconciling = false;
    if (done) {
        pull_end(share);
        return;
    }
    p->active = false;
    p->delayed_until_ms = share->folder->engine->now_ms + INDEX_RETRY_MS;
}

void versions_handle(struct share *share, const struct msg_versions *page)
{
    struct pulling *p = &share->pulling;
    struct folder *folder = share->folder;
    if (!marks_learn(share, &page->marks)) return;
    if (!p->active || p->reconciling || page->round != p->round)
        return; // of a round that was given up
    if (page->versions.count == 0) {
        session_refuse(share->session, "an empty page");
        return;
    }
    p->heard_ms = folder->engine->now_ms;
    if (!versions_bounded(share, &page->versions)) return;
    txn_begin(folder);
    const char *over = ingest_versions(share, &page->versions);
    if (over != NULL) {
        ingest_refused(share, over);
        return;
    }
    for (uint32_t i = 0; i < share->said_k.v.count && PLANTED(k_before_done); i++)
        k_raise(folder, share->said_k.v.entries[i]);
    work_versions(folder, &page->versions);
    apply_prepare(folder);
    if (txn_end(folder) != ERR_OK) {
        session_end(share->session, BYE_STOPPING, "the index cannot be written");
        return;
    }
    if (!page_note(share, page)) {
        session_refuse(share->session, "a page out of order");
        return;
    }
    page_ack(share, page->page);
    share->applied_due = true;
    fetch_step(folder);
    if (p->done_came && p->contiguous == p->done_pages) pull_finish(share);
}

void done_handle(struct share *share, const struct msg_done *done)
{
    struct pulling *p = &share->pulling;
    if (!marks_learn(share, &done->marks)) return;
    if (!p->active || p->done_came || done->round != p->round || !counters_marked(share, done->k))
        return;
    if (!vv_le(done->gcfloor, done->k)) {
        session_refuse(share->session, "a floor above what is known");
        return;
    }
    if (done->pages < p->contiguous) {
        session_refuse(share->session, "fewer pages than came");
        return;
    }
    p->heard_ms = share->folder->engine->now_ms;
    p->done_came = true;
    p->done_pages = done->pages;
    // What it said before may have ended with a life of it since, and would be asked for for ever.
    share_said_k(share, done->k, true);
    vvbox_set(&p->done_k, done->k);
    vvbox_set(&p->done_floor, done->gcfloor);
    if (p->contiguous == p->done_pages) pull_finish(share);
}

// ---- sending side

static void put64(uint8_t *at, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(n >> (8 * i));
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++)
        n |= (uint64_t)at[i] << (8 * i);
    return n;
}

static struct slice token_make(const struct folder *folder, const struct serving *s,
                               uint8_t out[TOKEN_BYTES])
{
    put64(out, folder->row.inc);
    put64(out + 8, s->s0);
    put64(out + 16, s->catching_up ? UINT64_MAX : s->inc);
    put64(out + 24, s->counter);
    return slice_of(out, TOKEN_BYTES);
}

static void token_use(const struct folder *folder, struct serving *s, struct slice token)
{
    if (token.size != TOKEN_BYTES || get64(token.data) != folder->row.inc) return;
    uint64_t s0 = get64(token.data + 8);
    if (s0 > folder->row.seq) return;
    s->s0 = s0;
    s->inc = get64(token.data + 16);
    s->counter = get64(token.data + 24);
    s->catching_up = s->inc == UINT64_MAX;
}

static void page_send(struct share *share, struct page *page)
{
    struct folder *folder = share->folder;
    struct serving *s = &share->serving;
    struct arena *arena = folder->engine->scratch;
    uint8_t token[TOKEN_BYTES];
    struct message m = {.kind = MSG_VERSIONS};
    m.versions.folder = folder->row.id;
    m.versions.round = s->round;
    m.versions.page = ++s->page;
    m.versions.token = token_make(folder, s, token);
    m.versions.versions = (struct versions){.entries = page->list, .count = page->count};
    m.versions.marks =
        marks_to_show(share, arena, versions_vv(arena, &m.versions.versions, (struct vv){0}));
    // Marks and owners go on the control lane. A page must not overtake what it needs of them: it
    // takes the other lane only when all that were shown are known to have come.
    bool small = page->bytes <= PROTO_CONTROL_PAGE_BYTES_MAX || share->shows != share->shows_sure;
    // A bulk lane that is full of contents must not lose a page.
    if (!small && session_send(share->session, LANE_BULK, &m)) return;
    if (s->control_page == 0 || s->control_shows != share->shows) {
        s->control_page = s->page;
        s->control_shows = share->shows;
    }
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void done_send(struct share *share)
{
    struct folder *folder = share->folder;
    struct serving *s = &share->serving;
    struct message m = {.kind = MSG_DONE};
    m.done.folder = folder->row.id;
    m.done.round = s->round;
    m.done.pages = s->page;
    m.done.k = folder->k.v;
    m.done.marks = marks_to_show(share, folder->engine->scratch, folder->k.v);
    m.done.gcfloor = folder->gcfloor.v;
    s->active = false;
    map_destroy(&s->ahead);
    vvbox_set(&share->told_k, folder->k.v);
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void serve_pages(struct share *share)
{
    struct serving *s = &share->serving;
    struct folder *folder = share->folder;
    approvals_send(share);
    while (s->active && s->page - s->acked < UNACKED_MAX) {
        AUTO(page_fini) struct page page;
        page_init(&page, folder->engine->scratch, PROTO_PAGE_VERSIONS_MAX, PROTO_PAGE_BYTES_HARD);
        if (folder->engine->o.page_versions > 0) page.enough = folder->engine->o.page_versions;
        bool last = page_fill(folder, s, &page);
        if (page.count > 0) page_send(share, &page);
        if (last) done_send(share);
    }
}

void pull_handle(struct share *share, const struct msg_pull *pull)
{
    struct folder *folder = share->folder;
    struct serving *s = &share->serving;
    // What R's K claims of others is R's affair; of it, we remember what is borne out.
    s->active = true;
    s->round = pull->round;
    s->catching_up = false;
    s->inc = s->counter = 0;
    s->page = s->acked = s->control_page = 0;
    map_destroy(&s->ahead);
    s->s0 = folder->row.seq;
    vvbox_set(&s->k, pull->k);
    token_use(folder, s, pull->token);
    share_said_k(share, marked_part(folder, pull->k), false);
    serve_pages(share);
}

void ack_handle(struct share *share, const struct msg_ack *ack)
{
    struct serving *s = &share->serving;
    if (delta_acked(share, ack) || share->retired) return;
    if (ack->round != s->round || ack->page > s->page) return;
    if (ack->page > s->acked) s->acked = ack->page;
    // What went before that page on its lane has come, too.
    if (ack->page == s->control_page) share->shows_sure = s->control_shows;
    serve_pages(share);
}
