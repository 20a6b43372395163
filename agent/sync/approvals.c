// SPDX-License-Identifier: MIT
//
// Approvals: a person's word, signed by the device it was said at, that what a span of changes
// takes away is meant. They are kept, go out before the versions they cover, and are passed on by
// whoever believes them: a signer that is nobody's peer counts for what he counts for there.
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static uint32_t distrusted_at(const struct engine *engine, struct device_id device)
{
    uint32_t at = 0;
    while (at < engine->distrusted_count && !device_equal(engine->distrusted[at], device))
        at++;
    return at;
}

bool device_distrusted(const struct engine *engine, struct device_id device)
{
    return distrusted_at(engine, device) < engine->distrusted_count;
}

// A signer that is no peer here, and was none, is trusted if a peer that may approve has passed it
// on.
static bool trusted(const struct engine *engine, const struct approval_row *row)
{
    struct device_id signer = row->approval.signer;
    if (device_equal(signer, engine->o.device)) return true;
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        if (device_equal(signer, p->device)) return !p->approves_not;
    }
    return row->vouched && !device_distrusted(engine, signer);
}

static bool believed(const struct folder *folder, const struct approval_row *row)
{
    bool own = device_equal(row->approval.signer, folder->engine->o.device);
    return own || (!folder->brake->limits.strict && trusted(folder->engine, row));
}

static void approvals_load(struct folder *folder)
{
    struct brake *b = folder->brake;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct approval_row *rows = arena_alloc(arena, PROTO_APPROVALS_MAX, sizeof *rows);
    uint32_t count =
        index->approvals(index->self, arena, folder->number, 0, PROTO_APPROVALS_MAX, rows);
    b->approvals = mem_realloc(b->approvals, (count + 1U) * sizeof *rows);
    b->approval_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (believed(folder, &rows[i])) b->approvals[b->approval_count++] = rows[i];
    }
}

bool approvals_cover(const struct folder *folder, struct dot dot)
{
    const struct brake *b = folder->brake;
    for (uint32_t i = 0; i < b->approval_count; i++) {
        const struct span *span = &b->approvals[i].approval.span;
        if (span->inc == dot.inc && span->from <= dot.counter && dot.counter <= span->to)
            return true;
    }
    return false;
}

// ---- sending

void approvals_send(struct share *share)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    if (!share->joined || share->approvals_sent >= folder->brake->approvals_last) return;
    struct approval_row *rows = arena_alloc(arena, PROTO_APPROVALS_MAX, sizeof *rows);
    uint32_t count = index->approvals(index->self, arena, folder->number, share->approvals_sent,
                                      PROTO_APPROVALS_MAX, rows);
    if (count == 0) return;
    struct message m = {.kind = MSG_APPROVALS};
    m.approvals.folder = folder->row.id;
    m.approvals.approvals = arena_alloc(arena, count, sizeof *m.approvals.approvals);
    for (uint32_t i = 0; i < count; i++) {
        if (trusted(folder->engine, &rows[i]))
            m.approvals.approvals[m.approvals.count++] = rows[i].approval;
    }
    if (m.approvals.count == 0 || session_send(share->session, LANE_CONTROL, &m))
        share->approvals_sent = rows[count - 1].number;
}

static void send_all(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL) approvals_send(share);
    }
}

static void last_read(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct approval_row *rows = arena_alloc(arena, PROTO_APPROVALS_MAX, sizeof *rows);
    uint32_t count =
        index->approvals(index->self, arena, folder->number, 0, PROTO_APPROVALS_MAX, rows);
    folder->brake->approvals_last = count > 0 ? rows[count - 1].number : 0;
}

void approvals_sign(struct folder *folder, struct span span)
{
    const struct key_port *keys = &folder->engine->o.keys;
    struct approval_row row = {.vouched = true};
    row.approval = keys->approve(keys->self, folder->row.id, span);
    (void)INDEX(folder)->approval_put(INDEX(folder)->self, folder->number, &row);
}

void approvals_signed(struct folder *folder)
{
    approvals_load(folder);
    last_read(folder);
    send_all(folder);
    brake_in_approved(folder);
}

void brake_sign(struct folder *folder, uint64_t first, uint64_t last)
{
    approvals_sign(folder, (struct span){folder->row.inc, first, last});
}

void brake_signed(struct folder *folder)
{
    approvals_signed(folder);
}

// What this transaction has minted of what a person approved: in it, so that both are there or
// none.
void brake_publish(struct folder *folder)
{
    struct brake *b = folder->brake;
    if (!b->approved_minted || folder->row.counter < b->approve_from) return;
    approvals_sign(folder, (struct span){folder->row.inc, b->approve_from, folder->row.counter});
}

// Before the versions go out.
void brake_published(struct folder *folder)
{
    struct brake *b = folder->brake;
    if (b->approved_minted) approvals_signed(folder);
    brake_passed(b);
    if (map_count(b->admitted) == 0) b->approve_from = 0;
}

// ---- receiving

static bool known(const struct approval_row *rows, uint32_t count, const struct approval *a,
                  bool vouched)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct approval *r = &rows[i].approval;
        if (device_equal(r->signer, a->signer) && r->span.inc == a->span.inc &&
            r->span.from <= a->span.from && r->span.to >= a->span.to &&
            (rows[i].vouched || !vouched))
            return true;
    }
    return false;
}

// ---- a table that is full lets go of the oldest: two that hold different ones would send each
// other's back for ever

enum { SEEN_MAX = 4096, SEEN_BYTES = sizeof(struct signature) + 1 };

static struct slice seen_key(const struct approval *a, bool vouched, uint8_t out[SEEN_BYTES])
{
    memcpy(out, a->signature.bytes, SEEN_BYTES - 1);
    out[SEEN_BYTES - 1] = vouched;
    return slice_of(out, SEEN_BYTES);
}

static bool was_seen(const struct folder *folder, const struct approval *a, bool vouched)
{
    uint8_t key[SEEN_BYTES];
    return map_get(folder->approvals_seen, seen_key(a, vouched, key)) != NULL;
}

static void note_seen(struct folder *folder, const struct msg_approvals *m, bool vouched)
{
    if (map_count(folder->approvals_seen) >= SEEN_MAX) map_clear(folder->approvals_seen);
    for (uint32_t i = 0; i < m->count; i++) {
        uint8_t key[SEEN_BYTES];
        map_add(folder->approvals_seen, seen_key(&m->approvals[i], vouched, key));
    }
}

void approvals_handle(struct share *share, const struct msg_approvals *m)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    bool vouched = !share->session->peer->approves_not;
    struct approval_row *rows = arena_alloc(arena, PROTO_APPROVALS_MAX, sizeof *rows);
    uint32_t count =
        index->approvals(index->self, arena, folder->number, 0, PROTO_APPROVALS_MAX, rows);
    bool added = false;
    txn_begin(folder);
    for (uint32_t i = 0; i < m->count; i++) {
        struct approval_row row = {.approval = m->approvals[i], .vouched = vouched};
        if (known(rows, count, &row.approval, vouched) || was_seen(folder, &row.approval, vouched))
            continue;
        if (!folder->engine->o.keys.approved(folder->row.id, &row.approval)) {
            txn_undo(folder);
            session_refuse(share->session, "an approval that its signer has not signed");
            return;
        }
        added |= index->approval_put(index->self, folder->number, &row);
    }
    if (txn_end(folder) != ERR_OK) return;
    note_seen(folder, m, vouched);
    if (added) approvals_signed(folder);
}

// ---- who is believed

void approvals_review(struct engine *engine)
{
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        for (struct share *share = s->shares; share != NULL; share = share->next)
            share->approvals_sent = 0; // what was not passed on may be now
    }
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (f->gone) continue;
        approvals_signed(f);
        brake_undone(f); // what was believed until now may be counted again
    }
}

void engine_peer_approves(struct engine *engine, struct device_id device, bool approves)
{
    struct peer *peer = peer_find(engine, device);
    arena_reset(engine->scratch);
    if (peer == NULL) return;
    peer->approves_not = !approves;
    known_dirty(engine);
    engine_changed(engine);
    approvals_review(engine); // it may have been distrusted until now
}

void engine_peer_distrust(struct engine *engine, struct device_id device)
{
    uint32_t at = distrusted_at(engine, device);
    arena_reset(engine->scratch);
    if (at < engine->distrusted_count) return;
    engine->distrusted = mem_realloc(engine->distrusted, (at + 1U) * sizeof device);
    engine->distrusted[engine->distrusted_count++] = device;
    approvals_review(engine);
}

void approvals_trust(struct engine *engine, struct device_id device)
{
    uint32_t at = distrusted_at(engine, device);
    if (at < engine->distrusted_count)
        engine->distrusted[at] = engine->distrusted[--engine->distrusted_count];
}

// Those of a former run, or of a life that has just begun.
void approvals_open(struct folder *folder)
{
    approvals_load(folder);
    last_read(folder);
}
