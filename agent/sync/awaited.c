// SPDX-License-Identifier: MIT
//
// What may still come before versions that stand against each other are resolved: the end of one of
// them, say, that is known elsewhere.
#include "agent/sync/awaited_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { BELOW_MAX = 4096 };

static const int64_t AWAY_MS = INT64_C(24) * 3600 * 1000;

static bool knows_more(const struct share *share)
{
    return share->joined && !vv_le(share->said_k.v, share->folder->k.v);
}

// What somebody connected has said to know more than we do comes in a moment, or never.
static bool is_awaited(const struct share *share)
{
    const struct folder *folder = share->folder;
    if (pull_is_young(share)) return true;
    bool fresh = folder->engine->now_ms - share->said_ms < NEWS_AWAITED_MS;
    return fresh && knows_more(share);
}

static bool any_share(const struct folder *folder, bool (*is)(const struct share *))
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && is(share)) return true;
    }
    return false;
}

// Versions are known here whose predecessors are not: a push left a gap, a round was cut. What is
// missing may be the end of what stands against each other. Nobody may be left to bring it, though:
// of a life that was lost with its index a dot may be left that no K ever covers.
static bool has_gap(struct folder *folder)
{
    uint64_t changes, bytes;
    const struct index_port *index = INDEX(folder);
    bool even = share_any_joined(folder) && !any_share(folder, knows_more);
    int64_t old_ms = even ? GAP_EVEN_MS : GAP_OLD_MS;
    if (folder->engine->now_ms - folder->heard_ms >= old_ms) return false;
    index->owed(index->self, folder->number, folder->k.v, 1, &changes, &bytes);
    if (changes == 0) return false;
    index->owed(index->self, folder->number, k_beyond_ends(folder), 1, &changes, &bytes);
    return changes > 0;
}

bool more_may_come(struct folder *folder)
{
    return any_share(folder, is_awaited) || has_gap(folder);
}

// It has forgotten deletions that we may not know of: what stands against each other here may be
// what was deleted and what was made since. Which it is shows when this round ends.
static bool may_have_forgotten(const struct share *share)
{
    return pull_is_young(share) && !vv_le(share->said_floor.v, share->folder->k.v);
}

bool deletions_may_come(const struct folder *folder)
{
    return any_share(folder, may_have_forgotten);
}

// ---- the ends of what is below a leaf

// He may come back and bring what else he knew; what he offers comes before his first PONG.
static bool maker_is_away(struct folder *folder, uint64_t inc)
{
    const struct engine *engine = folder->engine;
    const struct index_port *index = INDEX(folder);
    struct owner owner;
    if (!index->owner_get(index->self, engine->scratch, folder->number, inc, &owner)) return false;
    const struct peer *peer = peer_find(folder->engine, owner.device);
    if (peer == NULL || !folder_shared_with(folder, owner.device)) return false;
    if (engine->wall_ms - peer->last_seen_wall_ms >= AWAY_MS) return false;
    if (peer->in_use == NULL) return true;
    const struct share *share = share_find(peer->in_use, folder);
    return (share == NULL || !share->joined) && peer->in_use->ping_sent_ms != 0;
}

// K has not come to it, and may yet; nearly all end with the first look.
static bool is_ahead(struct folder *folder, struct dot dot)
{
    return !vv_covers(folder->k.v, dot) && maker_is_away(folder, dot.inc) &&
           !vv_covers(k_beyond_ends(folder), dot);
}

static struct dots dots_ahead(struct folder *folder, const struct item *leaf)
{
    struct arena *arena = folder->engine->scratch;
    struct dots ahead = {0};
    for (uint32_t h = 0; h < leaf->head_count; h++) {
        const struct version *v = &leaf->heads[h];
        if (v->value.kind != KIND_FILE && v->value.kind != KIND_SYMLINK) continue;
        for (uint32_t i = 0; i < v->dots.count; i++) {
            struct dot d = v->dots.entries[i];
            if (is_ahead(folder, d)) ahead = dots_union(arena, ahead, (struct dots){&d, 1});
        }
    }
    return ahead;
}

// Had its maker published it before the leaf, it had ended by then.
static bool dot_has_ended(struct dots ahead, struct dot dot)
{
    for (uint32_t i = 0; i < ahead.count; i++) {
        struct dot d = ahead.entries[i];
        if (d.inc == dot.inc && d.counter > dot.counter) return true;
    }
    return false;
}

static bool has_ended(struct dots ahead, const struct item *below)
{
    for (uint32_t h = 0; h < below->head_count; h++) {
        const struct version *v = &below->heads[h];
        for (uint32_t i = 0; version_live(v) && i < v->dots.count; i++) {
            if (!dot_has_ended(ahead, v->dots.entries[i])) return false;
        }
    }
    return true;
}

static bool all_below_has_ended(struct folder *folder, struct slice path, struct dots ahead)
{
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, path);
    uint32_t count = 0;
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL; count++) {
        if (count == BELOW_MAX || !has_ended(ahead, item)) return false;
    }
    return true;
}

// Each need below the leaf asks the same.
static bool ends_may_come(struct folder *folder, const struct item *leaf)
{
    struct ends_asked *asked = &folder->ends_asked;
    struct dots ahead = dots_ahead(folder, leaf);
    if (ahead.count == 0) return false;
    bool same = slice_equal(buf_slice(&asked->path), leaf->path) && asked->seq == folder->row.seq &&
                asked->ahead == ahead.count;
    if (same) return asked->may_come;
    buf_clear(&asked->path);
    buf_append(&asked->path, leaf->path.data, leaf->path.size);
    asked->seq = folder->row.seq;
    asked->ahead = ahead.count;
    asked->may_come = all_below_has_ended(folder, leaf->path, ahead);
    return asked->may_come;
}

bool clash_may_end(struct folder *folder, const struct item *leaf)
{
    return more_may_come(folder) || ends_may_come(folder, leaf);
}
