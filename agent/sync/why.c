// SPDX-License-Identifier: MIT
//
// All that is known of one path, for a person who asks why it is or is not in sync.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { WHY_CONFLICTS_MAX = 20 };

static struct slice device_name(struct folder *folder, struct arena *arena, uint64_t inc)
{
    struct engine *engine = folder->engine;
    struct owner owner = {0};
    if (!INDEX(folder)->owner_get(INDEX(folder)->self, arena, folder->number, inc, &owner))
        return (struct slice){0};
    if (device_equal(owner.device, engine->o.device)) return slice_text(engine->name);
    const struct peer *peer = peer_find(engine, owner.device);
    return arena_copy(arena, peer != NULL ? slice_text(peer->name) : owner.name);
}

static bool blocked_there(struct arena *arena, const struct bond *bond, struct slice path,
                          struct slice *out_reason)
{
    struct msg_applied said;
    if (bond->blocked_total == 0 || !bond_blocked(arena, bond, &said)) return false;
    const struct blocked_item *named = applied_names(&said, path);
    if (named != NULL) *out_reason = named->reason;
    return named != NULL;
}

static bool heads_covered(const struct item *item, struct vv v)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (!dots_covered(item->heads[i].dots, v)) return false;
    }
    return item->head_count > 0;
}

static void peer_fill(struct folder *folder, struct arena *arena, const struct peer *peer,
                      const struct item *item, struct path_peer *out)
{
    const struct bond *bond = bond_get(folder, peer->device);
    out->name = arena_copy(arena, slice_text(peer->name));
    out->connected = peer->in_use != NULL;
    out->last_seen_wall_ms = out->connected ? folder->engine->wall_ms : peer->last_seen_wall_ms;
    out->share = status_share(peer, folder);
    if (blocked_there(arena, bond, item->path, &out->reason))
        out->has = PATH_BLOCKED;
    else if (heads_covered(item, bond->a.v))
        out->has = PATH_ON_DISK;
    else
        out->has = heads_covered(item, bond->k.v) ? PATH_KNOWN : PATH_UNKNOWN;
}

static void peers_fill(struct folder *folder, struct arena *arena, const struct item *item,
                       struct path_status *out)
{
    uint32_t count = 0;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next)
        count++;
    out->peers = arena_alloc(arena, count + 1U, sizeof *out->peers);
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (!folder_shared_with(folder, p->device)) continue;
        peer_fill(folder, arena, p, item, &out->peers[out->peer_count++]);
    }
}

static bool awaits_content(struct folder *folder, const struct item *item)
{
    uint8_t key[40];
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct value *value = &item->heads[i].value;
        struct content content = value_content(value);
        if (value->kind != KIND_FILE) continue;
        if (map_get(folder->transfers, content_key(&content, key)) != NULL) return true;
    }
    return false;
}

static void conflicts_fill(struct folder *folder, struct arena *arena, struct slice path,
                           struct path_status *out)
{
    const struct index_port *index = INDEX(folder);
    out->conflicts = arena_alloc(arena, WHY_CONFLICTS_MAX, sizeof *out->conflicts);
    out->conflict_count = index->conflicts_of(index->self, arena, folder->number, path,
                                              WHY_CONFLICTS_MAX, out->conflicts);
}

static void item_fill(struct folder *folder, struct arena *arena, const struct item *item,
                      struct path_status *out)
{
    const struct version *head = &item->heads[0];
    out->known = true;
    out->heads = item->head_count;
    out->deleted = !heads_live(item);
    out->need = item->need;
    out->author = device_name(folder, arena, head->birth.inc);
    out->saved_ms = head->birth.wall_ms;
    if (item->blocked != BLOCKED_NONE) out->blocked = blocked_text(item->blocked);
    out->hint = status_hint(item->blocked);
    if (item->blocked == BLOCKED_CASE || item->blocked == BLOCKED_NORMALIZATION)
        out->clash = spelled_otherwise(folder, arena, item->path);
    out->awaits_content = item->need && awaits_content(folder, item);
}

bool engine_path(struct engine *engine, struct arena *arena, uint32_t number, struct slice path,
                 struct path_status *out)
{
    arena_reset(engine->scratch);
    *out = (struct path_status){0};
    struct folder *folder = folder_by_number(engine, number);
    if (folder == NULL || folder->gone) return false;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    const struct problem *problem = map_get(folder->problems, path);
    if (problem != NULL) out->problem = arena_text(arena, slice_text(problem_what(problem)));
    out->held = mode_has(folder, path) ? "receive-only" : brake_of(folder, path);
    out->looking = (out->held == NULL && dirty_has(folder, path)) ||
                   map_get(folder->busy, path) != NULL || folder->scan.active ||
                   !folder->row.scanned;
    if (item.head_count > 0) item_fill(folder, arena, &item, out);
    // A directory may be there only because of what is in it.
    out->implied = (!out->known || out->deleted) &&
                   INDEX(folder)->live_below(INDEX(folder)->self, folder->number, path);
    struct orphan orphan;
    if (orphan_of(folder, arena, path, &orphan) && orphan.left_ms == 0)
        out->sought = orphan_sought(arena, &orphan);
    conflicts_fill(folder, arena, path, out);
    peers_fill(folder, arena, &item, out);
    out->no_source = out->awaits_content;
    for (uint32_t i = 0; i < out->peer_count; i++) {
        if (out->peers[i].connected && out->peers[i].has == PATH_ON_DISK) out->no_source = false;
    }
    return true;
}
