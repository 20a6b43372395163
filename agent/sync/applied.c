// SPDX-License-Identifier: MIT
//
// APPLIED: what is on this disk, what cannot be put there, and how much is still to come.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// Sizes are what peers claim: many of them come to more than a message can say.
uint64_t sum_shown(uint64_t sum)
{
    return sum < INT64_MAX ? sum : INT64_MAX;
}

// Deletions of all reasons: whether they fit decides whether they can be forgotten elsewhere.
static uint32_t blocked_tombs(struct folder *folder, struct arena *arena, struct slice *out)
{
    const struct index_port *index = INDEX(folder);
    uint32_t count =
        index->blocked(index->self, arena, folder->number, BLOCKED_NONE, 0, PROTO_BLOCKED_MAX, out);
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        index->item_get(index->self, arena, folder->number, out[i], &item);
        if (heads_live(&item)) return i;
    }
    return count;
}

// Of those that no peer minds there may be very many: they come last.
bool blocked_minded(enum blocked reason)
{
    return reason != BLOCKED_IGNORED && reason != BLOCKED_SEND_ONLY;
}

bool applied_minded(struct slice reason)
{
    for (int i = 0; i < BLOCKED_COUNT; i++) {
        enum blocked known = (enum blocked)i;
        if (!blocked_minded(known) && slice_equal(reason, slice_text(blocked_text(known))))
            return false;
    }
    return true;
}

// As many as fit.
static uint32_t blocked_paths(struct folder *folder, struct arena *arena, struct slice *out)
{
    const struct index_port *index = INDEX(folder);
    uint32_t count = blocked_tombs(folder, arena, out), tombs = count;
    struct slice *some = arena_alloc(arena, PROTO_BLOCKED_MAX, sizeof *some);
    for (unsigned i = 1; i < 2 * BLOCKED_COUNT && count < PROTO_BLOCKED_MAX; i++) {
        enum blocked reason = (enum blocked)(i % BLOCKED_COUNT);
        bool minded = blocked_minded(reason);
        if (reason == BLOCKED_NONE || minded != (i < BLOCKED_COUNT)) continue;
        uint32_t got =
            index->blocked(index->self, arena, folder->number, reason, 0, PROTO_BLOCKED_MAX, some);
        for (uint32_t k = 0; k < got && count < PROTO_BLOCKED_MAX; k++) {
            bool named = false;
            for (uint32_t t = 0; t < tombs && !named; t++)
                named = slice_equal(out[t], some[k]);
            if (!named) out[count++] = some[k];
        }
    }
    return count;
}

static void blocked_fill(struct folder *folder, struct arena *arena, struct msg_applied *applied)
{
    const struct index_port *index = INDEX(folder);
    applied->blocked_total = folder->row.blocked;
    if (folder->row.blocked == 0) return;
    struct slice *paths = arena_alloc(arena, PROTO_BLOCKED_MAX, sizeof *paths);
    uint32_t count = blocked_paths(folder, arena, paths);
    applied->blocked = arena_alloc(arena, count + 1U, sizeof *applied->blocked);
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        index->item_get(index->self, arena, folder->number, paths[i], &item);
        if (item.head_count == 0) continue;
        struct blocked_item *b = &applied->blocked[applied->blocked_count++];
        b->path = item.path;
        b->reason = slice_text(blocked_text(item.blocked));
        for (uint32_t h = 0; h < item.head_count; h++)
            b->dots = dots_union(arena, b->dots, item.heads[h].dots);
    }
}

void applied_send(struct share *share)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct message m = {.kind = MSG_APPLIED, .applied = {.folder = folder->row.id}};
    m.applied.a = folder_applied(folder, arena);
    marks_show(share, m.applied.a);
    m.applied.need_changes = sum_shown(folder->row.needs);
    m.applied.need_bytes = sum_shown(folder->row.need_bytes);
    blocked_fill(folder, arena, &m.applied);
    AUTO(buf_fini) struct buf encoded = {0};
    message_encode(&m, &encoded);
    if (slice_equal(buf_slice(&encoded), buf_slice(&share->applied_sent))) return;
    buf_clear(&share->applied_sent);
    buf_append(&share->applied_sent, encoded.data, encoded.size);
    (void)session_send(share->session, LANE_CONTROL, &m);
}
