// SPDX-License-Identifier: MIT
//
// Two histories of one incarnation. A device that was restored whole from a copy, index and files,
// counts on from where the copy was made and reaches the same numbers again, for other things. A
// mark therefore says from where on one process has published, its epoch. An owner knows all its
// own; everyone keeps the marks of the last epochs of each incarnation, whether they can be of one
// history or not, and shows them in each OFFER, until they reach their owner, who begins a new life
// (2.9).
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { EPOCHS_PASS_MS = 1000 };

// ---- our own

// The record is the incarnation and then the entries as they are in memory.
void epochs_load(struct folder *folder)
{
    struct epochs *epochs = &folder->epochs;
    struct slice record;
    epochs->inc = folder->row.inc;
    epochs->count = 0;
    if (!record_get(folder, "epochs", &record) || record.size < sizeof epochs->inc) return;
    if (memcmp(record.data, &folder->row.inc, sizeof epochs->inc) != 0) return;
    size_t bytes = record.size - sizeof epochs->inc;
    if (bytes > sizeof epochs->entries || bytes % sizeof epochs->entries[0] != 0) return;
    memcpy(epochs->entries, record.data + sizeof epochs->inc, bytes);
    epochs->count = (uint32_t)(bytes / sizeof epochs->entries[0]);
}

static void epochs_put(struct folder *folder)
{
    const struct epochs *epochs = &folder->epochs;
    AUTO(buf_fini) struct buf record = {0};
    buf_append(&record, &epochs->inc, sizeof epochs->inc);
    buf_append(&record, epochs->entries, epochs->count * sizeof epochs->entries[0]);
    record_put(folder, "epochs", buf_slice(&record));
}

void epoch_begin(struct folder *folder)
{
    struct epochs *epochs = &folder->epochs;
    struct mark before = {.counter = 0};
    if (epochs->inc != folder->row.inc) epochs_load(folder);
    uint32_t count = epochs->count;
    if (count > 0 && epochs->entries[count - 1].number == folder->engine->boot) return;
    (void)INDEX(folder)->mark_get(INDEX(folder)->self, folder->number, folder->row.inc, &before);
    if (count == EPOCHS_MAX) { // those of long ago are not compared any more
        memmove(epochs->entries, epochs->entries + 1, (EPOCHS_MAX - 1) * sizeof *epochs->entries);
        count--;
    }
    epochs->entries[count++] = (struct epoch){before.counter + 1, folder->engine->boot};
    epochs->count = count;
    epochs_put(folder);
}

static const struct epoch *epoch_of(const struct folder *folder, struct dot own)
{
    const struct epochs *epochs = &folder->epochs;
    uint32_t i = epochs->inc == own.inc ? epochs->count : 0;
    while (i > 0 && epochs->entries[i - 1].first > own.counter)
        i--;
    return i > 0 ? &epochs->entries[i - 1] : NULL;
}

struct mark own_mark(const struct folder *folder, struct dot own)
{
    const struct key_port *keys = &folder->engine->o.keys;
    const struct epoch *epoch = epoch_of(folder, own);
    struct mark mark = {.inc = own.inc, .counter = own.counter, .first = own.counter};
    if (epoch != NULL) {
        mark.first = epoch->first;
        mark.epoch = epoch->number;
    }
    keys->sign(keys->self, folder->row.id, &mark);
    return mark;
}

bool own_epoch(const struct folder *folder, const struct mark *mark)
{
    const struct epoch *epoch = epoch_of(folder, (struct dot){mark->inc, mark->counter});
    // Of long ago, or of before there were epochs: nothing to compare.
    return mark->epoch == 0 || epoch == NULL || mark->epoch == epoch->number;
}

uint64_t own_sound(const struct folder *folder, const struct mark *mark)
{
    const struct epochs *epochs = &folder->epochs;
    if (mark->epoch == 0) return UINT64_MAX;
    // The process that was running when the copy was made has gone on.
    for (uint32_t i = 0; i + 1 < epochs->count; i++) {
        if (epochs->entries[i].number == mark->epoch) return epochs->entries[i + 1].first - 1;
    }
    // One that has never seen the copy published what ours at that counter did, too.
    const struct epoch *epoch = epoch_of(folder, (struct dot){mark->inc, mark->first});
    bool ours = mark->first <= folder->row.counter && epoch != NULL;
    return ours && epoch->number != mark->epoch ? epoch->first - 1 : UINT64_MAX;
}

// ---- what is kept of all

static uint32_t marks_held(const struct folder *folder, uint64_t inc,
                           struct mark out[INDEX_MARK_EPOCHS])
{
    return INDEX(folder)->marks(INDEX(folder)->self, folder->number, inc, INDEX_MARK_EPOCHS, out);
}

uint64_t epoch_counter(const struct folder *folder, uint64_t inc, uint64_t epoch)
{
    struct mark held[INDEX_MARK_EPOCHS];
    for (uint32_t i = 0; i < folder->new_mark_count; i++) {
        const struct mark *learned = &folder->new_marks[i];
        if (learned->inc == inc && learned->epoch == epoch) return learned->counter;
    }
    uint32_t count = marks_held(folder, inc, held);
    for (uint32_t i = 0; i < count; i++) {
        if (held[i].epoch == epoch) return held[i].counter;
    }
    return 0;
}

// What one process has published has nothing in common with what another of that history has.
static bool contradict(const struct mark *a, const struct mark *b)
{
    return a->inc == b->inc && a->epoch != b->epoch && a->epoch != 0 && b->epoch != 0 &&
           a->first <= b->counter && b->first <= a->counter;
}

bool epoch_contradicted(const struct folder *folder, const struct mark *mark)
{
    struct mark held[INDEX_MARK_EPOCHS];
    uint32_t count = marks_held(folder, mark->inc, held);
    bool found = false;
    for (uint32_t i = 0; i < folder->new_mark_count; i++)
        found |= contradict(&folder->new_marks[i], mark);
    for (uint32_t i = 0; i < count; i++)
        found |= contradict(&held[i], mark);
    return found;
}

bool epoch_has_room(const struct folder *folder, const struct mark *mark)
{
    struct mark held[INDEX_MARK_EPOCHS];
    uint32_t count = marks_held(folder, mark->inc, held);
    return count < INDEX_MARK_EPOCHS || held[count - 1].counter < mark->counter;
}

static bool is_among(const struct marks *marks, const struct mark *mark)
{
    for (uint32_t i = 0; i < marks->count; i++) {
        if (marks->entries[i].inc == mark->inc && marks->entries[i].epoch == mark->epoch)
            return true;
    }
    return false;
}

// All that the peer itself has made, in K or not: it may be the one who does not know it.
static void epochs_of_peer(struct share *share, uint32_t most, struct marks *marks)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct mark *held = arena_alloc(arena, EPOCH_MARKS_MAX, sizeof *held);
    uint32_t count = INDEX(folder)->marks_of(INDEX(folder)->self, folder->number,
                                             share->session->peer->device, EPOCH_MARKS_MAX, held);
    struct vv incs = {0};
    for (uint32_t i = 0; i < count && marks->count < most; i++) {
        if (is_among(marks, &held[i])) continue;
        if (vv_get(incs, held[i].inc) == 0)
            incs = vv_with(arena, incs, (struct dot){held[i].inc, 1});
        marks->entries[marks->count++] = held[i];
    }
    owners_show(share, incs); // before the OFFER
}

// Besides the highest one, which is shown with K.
static void epochs_of(struct folder *folder, struct dot k, uint32_t most, struct marks *marks)
{
    struct mark held[INDEX_MARK_EPOCHS];
    uint32_t count = marks_held(folder, k.inc, held);
    for (uint32_t i = 1; i < count && marks->count < most; i++) {
        // Of our own nothing that was not told of.
        if (k.inc != folder->row.inc || held[i].counter < k.counter)
            marks->entries[marks->count++] = held[i];
    }
}

// Those of the peer come first: there may be more than there is room for.
void epochs_to_show(struct share *share, struct vv k, struct marks *marks)
{
    struct folder *folder = share->folder;
    uint32_t most = marks->count + EPOCH_MARKS_MAX;
    struct mark *all = arena_alloc(folder->engine->scratch, most, sizeof *all);
    if (marks->count > 0) memcpy(all, marks->entries, marks->count * sizeof *all);
    marks->entries = all;
    epochs_of_peer(share, most, marks);
    for (uint32_t i = 0; i < k.count && marks->count < most; i++) {
        if (!inc_is_of(folder, k.entries[i].inc, share->session->peer->device))
            epochs_of(folder, k.entries[i], most, marks);
    }
}

static bool epochs_tell(struct session *session, struct folder *folder, struct vv incs,
                        struct marks marks)
{
    struct share *share = session != NULL ? share_find(session, folder) : NULL;
    if (share == NULL || !share->joined || !folder_shared_with(folder, session->peer->device))
        return false;
    owners_show(share, incs); // they may be of a life that was lost
    struct message m = {.kind = MSG_NEWS, .news = {.folder = folder->row.id, .marks = marks}};
    (void)session_send(session, LANE_CONTROL, &m);
    return true;
}

void epochs_pass_on(struct folder *folder, uint64_t inc)
{
    struct engine *engine = folder->engine;
    struct owner owner;
    struct mark held[INDEX_MARK_EPOCHS];
    struct dot d = {inc, 1};
    if (!INDEX(folder)->owner_get(INDEX(folder)->self, engine->scratch, folder->number, inc,
                                  &owner))
        return;
    struct marks marks = {.entries = held, .count = marks_held(folder, inc, held)};
    struct vv incs = {.entries = &d, .count = 1};
    if (epochs_tell(peer_session(engine, owner.device), folder, incs, marks) || marks.count < 2)
        return;
    if (folder->epochs_passed.v.count == 0)
        folder->epochs_pass_ms = engine->now_ms + EPOCHS_PASS_MS;
    vvbox_raise(&folder->epochs_passed, d);
}

// Who told is no nearer to the owner than the others: one of two marks that contradict each other
// may have come from there, and the other not. One message for all: whoever is paired can make up
// any number of lives.
void epochs_tick(struct folder *folder)
{
    struct arena *arena = folder->engine->scratch;
    struct vv all = folder->epochs_passed.v;
    if (all.count == 0 || folder->engine->now_ms < folder->epochs_pass_ms) return;
    struct mark *held = arena_alloc(arena, EPOCH_MARKS_MAX, sizeof *held);
    struct marks marks = {.entries = held};
    struct vv incs = {.entries = all.entries};
    while (incs.count < all.count && marks.count + INDEX_MARK_EPOCHS <= EPOCH_MARKS_MAX)
        marks.count += marks_held(folder, all.entries[incs.count++].inc, held + marks.count);
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next)
        (void)epochs_tell(s, folder, incs, marks);
    vvbox_set(&folder->epochs_passed,
              (struct vv){.entries = all.entries + incs.count, .count = all.count - incs.count});
    folder->epochs_pass_ms = folder->engine->now_ms + EPOCHS_PASS_MS;
}

int64_t epochs_deadline(const struct folder *folder)
{
    return folder->epochs_passed.v.count > 0 ? folder->epochs_pass_ms : INT64_MAX;
}
