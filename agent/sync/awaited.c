// SPDX-License-Identifier: MIT
//
// What may still come before versions that stand against each other are resolved: the end of one of
// them, say, that is known elsewhere.
#include "agent/sync/awaited_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { BELOW_MAX = 4096, ASKED_AGAIN_MS = 1000 };

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

static bool is_known_beyond(const struct folder *folder, struct vv v)
{
    uint64_t changes, bytes;
    const struct index_port *index = INDEX(folder);
    index->owed(index->self, folder->number, v, 1, &changes, &bytes);
    return changes > 0;
}

// Versions are known here whose predecessors are not: a push left a gap, a round was cut. What is
// missing may be the end of what stands against each other. Nobody may be left to bring it, though:
// of a life that was lost with its index a dot may be left that no K ever covers.
static bool has_gap(struct folder *folder)
{
    bool even = share_any_joined(folder) && !any_share(folder, knows_more);
    int64_t old_ms = even ? GAP_EVEN_MS : GAP_OLD_MS;
    if (folder->engine->now_ms - folder->heard_ms >= old_ms) return false;
    return is_known_beyond(folder, folder->k.v) && is_known_beyond(folder, k_beyond_ends(folder));
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

// ---- the ends of a leaf and of what is below it

// He may come back and bring what else he knew; what he offers comes before his first PONG. Of who
// is no peer of this device, only when he made it is known.
static bool maker_is_away(struct folder *folder, uint64_t inc, int64_t made_ms)
{
    const struct engine *engine = folder->engine;
    const struct index_port *index = INDEX(folder);
    struct owner owner;
    if (!index->owner_get(index->self, engine->scratch, folder->number, inc, &owner)) return false;
    const struct peer *peer = peer_find(folder->engine, owner.device);
    int64_t now_ms = engine->wall_ms;
    if (peer == NULL) {
        bool gone =
            device_equal(owner.device, engine->o.device) || device_distrusted(engine, owner.device);
        return !gone && made_ms > now_ms - AWAY_MS && made_ms < now_ms + AWAY_MS;
    }
    if (!folder_shared_with(folder, owner.device)) return false;
    if (now_ms - peer->last_seen_wall_ms >= AWAY_MS) return false;
    if (peer->in_use == NULL) return true;
    const struct share *share = share_find(peer->in_use, folder);
    return (share == NULL || !share->joined) && peer->in_use->ping_sent_ms != 0;
}

// What a maker publishes below a leaf, or as a leaf above something, comes after the end of what
// was there: of each dot, whether an end may come.
struct clash {
    struct folder *folder;
    struct vv beyond_ends;
    struct leaf_dot {
        struct dot dot;
        bool ahead;
        bool ended; // something below is ahead, and came after it
    } * leaf;
    uint32_t count;
};

// K has not come to it, and may yet; nearly all end with the first look.
static bool is_ahead(const struct clash *clash, struct dot dot, const struct version *v)
{
    return !vv_covers(clash->folder->k.v, dot) && !vv_covers(clash->beyond_ends, dot) &&
           maker_is_away(clash->folder, dot.inc, v->birth.wall_ms);
}

static void clash_init(struct clash *clash, struct folder *folder, const struct item *leaf)
{
    uint32_t max = 1;
    for (uint32_t h = 0; h < leaf->head_count; h++)
        max += leaf->heads[h].dots.count;
    *clash = (struct clash){.folder = folder, .beyond_ends = k_beyond_ends(folder)};
    clash->leaf = arena_alloc(folder->engine->scratch, max, sizeof *clash->leaf);
    for (uint32_t h = 0; h < leaf->head_count; h++) {
        const struct version *v = &leaf->heads[h];
        for (uint32_t i = 0; value_is_leaf(&v->value) && i < v->dots.count; i++) {
            struct dot dot = v->dots.entries[i];
            clash->leaf[clash->count++] =
                (struct leaf_dot){.dot = dot, .ahead = is_ahead(clash, dot, v)};
        }
    }
}

// Had its maker published it before the leaf, it had ended by then.
static bool dot_has_ended(const struct clash *clash, struct dot dot)
{
    for (uint32_t i = 0; i < clash->count; i++) {
        const struct leaf_dot *leaf = &clash->leaf[i];
        if (leaf->ahead && leaf->dot.inc == dot.inc && leaf->dot.counter > dot.counter) return true;
    }
    return false;
}

static void leaf_ends_note(struct clash *clash, struct dot dot, const struct version *v)
{
    for (uint32_t i = 0; i < clash->count; i++) {
        struct leaf_dot *leaf = &clash->leaf[i];
        bool after = leaf->dot.inc == dot.inc && leaf->dot.counter < dot.counter;
        if (after && !leaf->ended) leaf->ended = is_ahead(clash, dot, v);
    }
}

static bool has_ended(struct clash *clash, const struct item *below)
{
    bool ended = true;
    for (uint32_t h = 0; h < below->head_count; h++) {
        const struct version *v = &below->heads[h];
        for (uint32_t i = 0; version_live(v) && i < v->dots.count; i++) {
            if (!dot_has_ended(clash, v->dots.entries[i])) ended = false;
            leaf_ends_note(clash, v->dots.entries[i], v);
        }
    }
    return ended;
}

static bool leaf_has_ended(const struct clash *clash)
{
    uint32_t count = 0;
    while (count < clash->count && clash->leaf[count].ended)
        count++;
    return count > 0 && count == clash->count;
}

static bool either_has_ended(struct folder *folder, const struct item *leaf)
{
    struct clash clash;
    bool below_ended = false;
    uint32_t count = 0;
    clash_init(&clash, folder, leaf);
    for (uint32_t i = 0; i < clash.count; i++)
        below_ended = below_ended || clash.leaf[i].ahead;
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, leaf->path);
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL; count++) {
        if (count == BELOW_MAX) return false;
        if (!has_ended(&clash, item)) below_ended = false;
    }
    return below_ended || leaf_has_ended(&clash);
}

// Each need below the leaf asks the same.
static bool ends_may_come(struct folder *folder, const struct item *leaf)
{
    struct ends_asked *asked = &folder->ends_asked;
    int64_t now_ms = folder->engine->now_ms;
    bool same = slice_equal(buf_slice(&asked->path), leaf->path) && asked->seq == folder->row.seq &&
                now_ms - asked->at_ms < ASKED_AGAIN_MS;
    if (same) return asked->may_come;
    buf_clear(&asked->path);
    buf_append(&asked->path, leaf->path.data, leaf->path.size);
    asked->seq = folder->row.seq;
    asked->at_ms = now_ms;
    asked->may_come = is_known_beyond(folder, folder->k.v) && either_has_ended(folder, leaf);
    return asked->may_come;
}

bool clash_may_end(struct folder *folder, const struct item *leaf)
{
    return more_may_come(folder) || ends_may_come(folder, leaf);
}
