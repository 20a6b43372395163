// SPDX-License-Identifier: MIT
//
// A round: R asks S for all versions its K does not cover, S sends them in pages, found by their
// dots; DONE moves R's K. No snapshot is held open.
//
//     R -> S  PULL(K, token)
//     S -> R  VERSIONS 1, 2, ... (at most two unacknowledged)      R -> S  ACK n
//     S -> R  last VERSIONS and DONE(K of S), from one moment
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE_ROWS = 1024, UNACKED_MAX = 2, BUNDLE_SPAN = 4096, TOKEN_BYTES = 32 };

// ---- receiving side

void pull_start(struct share *share)
{
    struct pulling *pulling = &share->pulling;
    struct folder *folder = share->folder;
    if (!share->joined || !folder->row.scanned || folder->stopped != NULL) return;
    if (pulling->active) {
        pulling->again = true;
        return;
    }
    struct bond *bond = bond_get(folder, share->session->peer->device);
    pulling->active = true;
    pulling->again = false;
    pulling->ahead = pulling->done_came = false;
    pulling->contiguous = 0;
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

static bool versions_honest(struct share *share, const struct versions *versions)
{
    struct arena *arena = share->folder->engine->scratch;
    for (uint32_t i = 0; i < versions->count; i++) {
        const struct version *v = &versions->entries[i];
        if (v->value.kind != KIND_SYMLINK || symlink_is_honest(&v->value)) continue;
        session_end(share->session, BYE_PROTOCOL, "a link whose content id is not its target's");
        return false;
    }
    return counters_marked(share, versions_vv(arena, versions, (struct vv){0}));
}

// Inside a transaction. False: the peer lies; the caller rolls back.
bool ingest_versions(struct share *share, const struct versions *versions)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    for (uint32_t i = 0; i < versions->count; i++) {
        const struct version *w = &versions->entries[i];
        struct item item;
        index->item_get(index->self, arena, folder->number, w->path, &item);
        bool was_live = heads_live(&item);
        struct ingested in = heads_ingest(arena, &item, w, folder->row.inc);
        if (!in.changed) continue;
        if (heads_too_many(&item)) return false;
        if (in.lost_own > folder->lost_own) folder->lost_own = in.lost_own;
        item_save(folder, &item, true, was_live);
        folder->engine->counters.versions_in++;
    }
    folder->row.ever_had_items = folder->row.ever_had_items || versions->count > 0;
    return true;
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

static void pull_finish(struct share *share)
{
    struct pulling *p = &share->pulling;
    struct folder *folder = share->folder;
    struct bond *bond = bond_get(folder, share->session->peer->device);
    txn_begin(folder);
    for (uint32_t i = 0; i < p->done_k.v.count; i++)
        k_raise(folder, p->done_k.v.entries[i]);
    enum err err = txn_end(folder);
    p->active = false;
    buf_clear(&bond->token);
    if (err != ERR_OK) return;
    share_said_k(share, p->done_k.v, false);
    waits_round_done(share, p->done_k.v);
    share_due(folder);
    work_again(folder);
    if (p->again || !vv_le(share->said_k.v, folder->k.v)) pull_start(share);
}

void versions_handle(struct share *share, const struct msg_versions *page)
{
    struct pulling *p = &share->pulling;
    struct folder *folder = share->folder;
    if (!p->active || page->round != p->round) return; // of a round that was given up
    if (!marks_learn(share, &page->marks) || !versions_honest(share, &page->versions)) return;
    txn_begin(folder);
    if (!ingest_versions(share, &page->versions)) {
        INDEX(folder)->rollback(INDEX(folder)->self);
        folder->in_txn = false;
        folder_reload(folder);
        session_end(share->session, BYE_PROTOCOL, "more heads than incarnations");
        return;
    }
    if (txn_end(folder) != ERR_OK) {
        session_end(share->session, BYE_STOPPING, "the index cannot be written");
        return;
    }
    if (!page_note(share, page)) {
        session_end(share->session, BYE_PROTOCOL, "a page out of order");
        return;
    }
    page_ack(share, page->page);
    work_again(folder);
    share->applied_due = true;
    if (p->done_came && p->contiguous == p->done_pages) pull_finish(share);
}

void done_handle(struct share *share, const struct msg_done *done)
{
    struct pulling *p = &share->pulling;
    if (!p->active || done->round != p->round) return;
    if (!marks_learn(share, &done->marks) || !counters_marked(share, done->k)) return;
    p->done_came = true;
    p->done_pages = done->pages;
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

static bool owed(const struct version *v, struct vv k)
{
    return !dots_covered(v->dots, k);
}

// A bundle's members carry neighbouring dots of one incarnation: they were drawn in one
// transaction.
void versions_collect_bundle(struct folder *folder, struct arena *arena, struct version *list,
                             uint32_t *count, uint32_t max)
{
    const struct index_port *index = INDEX(folder);
    for (uint32_t i = 0; i < *count; i++) {
        for (uint32_t b = 0; b < list[i].bundle.count; b++) {
            struct dot d = list[i].bundle.entries[b];
            struct path_row *rows = arena_alloc(arena, BUNDLE_SPAN, sizeof *rows);
            uint64_t from = d.counter > BUNDLE_SPAN ? d.counter - BUNDLE_SPAN : 0;
            uint32_t got = index->dots_after(index->self, arena, folder->number, d.inc, from,
                                             d.counter + 1, BUNDLE_SPAN, rows);
            for (uint32_t r = 0; r < got; r++) {
                struct item item;
                bool present = false;
                for (uint32_t k = 0; k < *count && !present; k++)
                    present = slice_equal(list[k].path, rows[r].path);
                if (present) continue;
                index->item_get(index->self, arena, folder->number, rows[r].path, &item);
                for (uint32_t h = 0; h < item.head_count && *count < max; h++) {
                    if (dots_contain(item.heads[h].bundle, d)) list[(*count)++] = item.heads[h];
                }
            }
        }
    }
}

struct page {
    struct version *list;
    uint32_t count, max;
    size_t bytes;
};

static bool page_full(const struct page *page)
{
    return page->bytes >= PROTO_PAGE_BYTES_MAX * 3 / 4 ||
           page->count >= PROTO_PAGE_VERSIONS_MAX * 3 / 4;
}

static bool page_has(const struct page *page, struct slice path)
{
    for (uint32_t i = page->count; i-- > 0;) {
        if (slice_equal(page->list[i].path, path)) return true;
    }
    return false;
}

static void page_add(struct folder *folder, struct page *page, const struct item *item, struct vv k)
{
    struct arena *arena = folder->engine->scratch;
    uint32_t from = page->count;
    for (uint32_t h = 0; h < item->head_count && page->count < page->max; h++) {
        if (owed(&item->heads[h], k)) page->list[page->count++] = item->heads[h];
    }
    bool bundled = false;
    for (uint32_t i = from; i < page->count; i++)
        bundled |= item->heads != NULL && page->list[i].bundle.count > 0;
    if (bundled) versions_collect_bundle(folder, arena, page->list, &page->count, page->max);
    for (uint32_t i = from; i < page->count; i++)
        page->bytes += version_encoded_size(&page->list[i]);
}

// An item goes out at the first of its owed dots; if that one is new, the catch-up pages have it.
static bool first_owed_dot(const struct item *item, struct dot at, struct vv k)
{
    for (uint32_t h = 0; h < item->head_count; h++) {
        for (uint32_t i = 0; i < item->heads[h].dots.count; i++) {
            struct dot d = item->heads[h].dots.entries[i];
            if (vv_covers(k, d)) continue;
            if (d.inc < at.inc || (d.inc == at.inc && d.counter < at.counter)) return false;
        }
    }
    return true;
}

// Fills the page from one incarnation; returns true when that incarnation is exhausted.
static bool scan_inc(struct folder *folder, struct serving *s, uint64_t inc, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PAGE_ROWS, sizeof *rows);
    uint64_t after = vv_get(s->k.v, inc);
    if (s->inc == inc && s->counter > after) after = s->counter;
    s->inc = inc;
    for (;;) {
        uint32_t got = index->dots_after(index->self, arena, folder->number, inc, after,
                                         PROTO_COUNTER_MAX, PAGE_ROWS, rows);
        for (uint32_t i = 0; i < got; i++) {
            if (page_full(page)) return false;
            struct item item;
            after = s->counter = rows[i].counter;
            index->item_get(index->self, arena, folder->number, rows[i].path, &item);
            if (!first_owed_dot(&item, (struct dot){inc, rows[i].counter}, s->k.v)) continue;
            page_add(folder, page, &item, s->k.v);
        }
        if (got < PAGE_ROWS) return true;
    }
}

// The dots in order of (incarnation, counter); true when all have been seen.
static bool scan_dots(struct folder *folder, struct serving *s, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    uint64_t *incs;
    uint32_t count = index->dot_incs(index->self, folder->engine->scratch, folder->number, &incs);
    for (;;) {
        bool found = false;
        uint64_t next = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (incs[i] >= s->inc && (!found || incs[i] < next)) {
                next = incs[i];
                found = true;
            }
        }
        if (!found) return true;
        if (!scan_inc(folder, s, next, page)) return false;
        if (next == UINT64_MAX) return true;
        s->inc = next + 1;
        s->counter = 0;
    }
}

// What has changed since the scan began; true when this page holds all that is left.
static bool scan_seq(struct folder *folder, struct serving *s, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PAGE_ROWS, sizeof *rows);
    for (;;) {
        uint32_t got = index->seq_after(index->self, arena, folder->number, s->s0, PAGE_ROWS, rows);
        for (uint32_t i = 0; i < got; i++) {
            if (page_full(page)) return false;
            struct item item;
            index->item_get(index->self, arena, folder->number, rows[i].path, &item);
            if (!page_has(page, item.path)) page_add(folder, page, &item, s->k.v);
            s->s0 = rows[i].counter;
        }
        if (got < PAGE_ROWS) return true;
    }
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
    // Marks and owners go first and on the control lane; a page that needs them must not overtake
    // them.
    bool small = page->bytes <= PROTO_CONTROL_PAGE_BYTES_MAX || m.versions.marks.count > 0;
    (void)session_send(share->session, small ? LANE_CONTROL : LANE_BULK, &m);
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
    vvbox_set(&share->told_k, folder->k.v);
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void serve_pages(struct share *share)
{
    struct serving *s = &share->serving;
    struct folder *folder = share->folder;
    while (s->active && s->page - s->acked < UNACKED_MAX) {
        struct page page = {.max = PROTO_PAGE_VERSIONS_MAX};
        page.list = arena_alloc(folder->engine->scratch, page.max, sizeof *page.list);
        if (!s->catching_up && scan_dots(folder, s, &page)) s->catching_up = true;
        bool last = s->catching_up && !page_full(&page) && scan_seq(folder, s, &page);
        if (page.count > 0) page_send(share, &page);
        if (last) done_send(share);
    }
}

void pull_handle(struct share *share, const struct msg_pull *pull)
{
    struct folder *folder = share->folder;
    struct serving *s = &share->serving;
    // What R's K claims of others is R's affair; only what we learn from it is checked.
    s->active = true;
    s->round = pull->round;
    s->catching_up = false;
    s->inc = s->counter = 0;
    s->page = s->acked = 0;
    s->s0 = folder->row.seq;
    vvbox_set(&s->k, pull->k);
    token_use(folder, s, pull->token);
    share_said_k(share, pull->k, false);
    serve_pages(share);
}

void ack_handle(struct share *share, const struct msg_ack *ack)
{
    struct serving *s = &share->serving;
    if (ack->round != s->round || ack->page > s->page) return;
    if (ack->page > s->acked) s->acked = ack->page;
    serve_pages(share);
}
