// SPDX-License-Identifier: MIT
//
// APPLIED: what is on this disk, what cannot be put there, and how much is still to come.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { MINDED_FIRST = 8 };

// Sizes are what peers claim: many of them come to more than a message can say.
uint64_t sum_shown(uint64_t sum)
{
    return sum < INT64_MAX ? sum : INT64_MAX;
}

// Of those that no peer minds there may be very many: they come last.
bool blocked_minded(enum blocked reason)
{
    return reason != BLOCKED_IGNORED && reason != BLOCKED_SEND_ONLY;
}

bool bond_blocked(struct arena *arena, const struct bond *bond, struct msg_applied *out)
{
    struct message m;
    struct fault fault;
    *out = (struct msg_applied){0};
    if (bond->blocked.size == 0) return true;
    if (message_decode(arena, buf_slice(&bond->blocked), &m, &fault) != ERR_OK) return false;
    *out = m.applied;
    return true;
}

const struct blocked_item *applied_names(const struct msg_applied *applied, struct slice path)
{
    for (uint32_t i = 0; i < applied->blocked_count; i++) {
        if (slice_equal(applied->blocked[i].path, path)) return &applied->blocked[i];
    }
    return NULL;
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

struct named {
    struct slice *paths;
    uint32_t count;
};

static void name(struct named *named, struct slice path)
{
    for (uint32_t i = 0; i < named->count; i++) {
        if (slice_equal(named->paths[i], path)) return;
    }
    if (named->count < PROTO_BLOCKED_MAX) named->paths[named->count++] = path;
}

static uint32_t some_blocked(struct folder *folder, struct arena *arena, enum blocked reason,
                             uint32_t skip, struct slice **out)
{
    const struct index_port *index = INDEX(folder);
    *out = arena_alloc(arena, PROTO_BLOCKED_MAX, sizeof **out);
    return index->blocked(index->self, arena, folder->number, reason, skip, PROTO_BLOCKED_MAX,
                          *out);
}

// Deletions come first among those of one reason.
static void name_live(struct folder *folder, struct arena *arena, enum blocked reason,
                      struct named *named)
{
    const struct index_port *index = INDEX(folder);
    struct slice *some;
    if (named->count >= MINDED_FIRST) return;
    uint32_t got = some_blocked(folder, arena, reason, 0, &some);
    for (uint32_t i = got; i-- > 0 && named->count < MINDED_FIRST;) {
        struct item item;
        index->item_get(index->self, arena, folder->number, some[i], &item);
        if (!heads_live(&item)) return;
        name(named, some[i]);
    }
}

static void name_all(struct folder *folder, struct arena *arena, enum blocked reason,
                     struct named *named)
{
    struct slice *some;
    if (named->count >= PROTO_BLOCKED_MAX) return;
    uint32_t got = some_blocked(folder, arena, reason, 0, &some);
    for (uint32_t i = 0; i < got; i++)
        name(named, some[i]);
}

// Whether they fit decides whether they can be forgotten elsewhere. What has no heads is not said.
static void name_deletions(struct folder *folder, struct arena *arena, struct named *named)
{
    const struct index_port *index = INDEX(folder);
    struct slice *some;
    uint32_t skip = 0, got = PROTO_BLOCKED_MAX;
    for (; got == PROTO_BLOCKED_MAX && named->count < PROTO_BLOCKED_MAX; skip += got) {
        got = some_blocked(folder, arena, BLOCKED_NONE, skip, &some);
        for (uint32_t i = 0; i < got; i++) {
            struct item item;
            index->item_get(index->self, arena, folder->number, some[i], &item);
            if (heads_live(&item)) return;
            if (item.head_count > 0) name(named, some[i]);
        }
    }
}

// As many as fit: some that matter to whoever waits, however many deletions there are; these; the
// others.
static uint32_t blocked_paths(struct folder *folder, struct arena *arena, struct slice *out)
{
    struct named named = {.paths = out};
    for (unsigned i = 1; i < BLOCKED_COUNT; i++) {
        if (blocked_minded((enum blocked)i)) name_live(folder, arena, (enum blocked)i, &named);
    }
    name_deletions(folder, arena, &named);
    for (unsigned i = 1; i < 2 * BLOCKED_COUNT; i++) {
        enum blocked reason = (enum blocked)(i % BLOCKED_COUNT);
        bool turn = blocked_minded(reason) == (i < BLOCKED_COUNT);
        if (reason != BLOCKED_NONE && turn) name_all(folder, arena, reason, &named);
    }
    return named.count;
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
    // Whoever waits for all of them to be named does not wait for what nobody knows of any more.
    if (count < PROTO_BLOCKED_MAX) applied->blocked_total = applied->blocked_count;
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
