// SPDX-License-Identifier: MIT
//
// Folders that go one way only.
//
// Send-only: what others change is known and passed on, and not put in place here. The need for it
// is blocked for a reason of its own, so that it is named to the peers, A does not wait for it, and
// a deletion among it is not forgotten. Conflict items are nobody's tree: they are put in place.
//
// Receive-only: what is found on this disk is not minted. Nothing of it is stored, since the next
// scan finds the same again; a need for what was changed here is blocked until that is gone.
#include <string.h>

#include "agent/sync/mode_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { COUNTED_MAX = 10000 };

void mode_open(struct folder *folder)
{
    folder->changed_here = map_new();
}

void mode_clear(struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->changed_here, &at, &path, &value)) {
        struct found_here *found = map_remove(folder->changed_here, path);
        buf_fini(&found->target);
        mem_free(&found);
    }
}

void mode_close(struct folder *folder)
{
    mode_clear(folder);
    map_destroy(&folder->changed_here);
}

// ---- what is blocked for it

// The disk shows it already: only the index does not know that it is this version.
static bool is_shown(const struct item *item)
{
    if (item->head_count != 1) return false;
    const struct value *value = &item->heads[0].value;
    if (!item_local_live(item)) return value->kind == KIND_TOMB;
    return item->local.state == LOCAL_OK && value_equal(&item->local.version.value, value);
}

// Nobody has changed it: it was here, and what the disk shows since counts for nothing.
static bool is_put_back(const struct item *item)
{
    return item->head_count == 1 && item->local.state == LOCAL_OBSOLETE &&
           dots_equal(item->heads[0].dots, item->local.version.dots);
}

// Why a need is not for this disk now; NONE: it is.
enum blocked mode_blocks(const struct folder *folder, const struct item *item)
{
    if (mode_has(folder, item->path)) return BLOCKED_CHANGED_HERE;
    bool sends = folder->mode == MODE_SEND_ONLY && !path_is_conflict_item(item->path);
    return sends && !is_shown(item) && !is_put_back(item) ? BLOCKED_SEND_ONLY : BLOCKED_NONE;
}

// What this disk shows is looked at anew: it counts now.
static void publish_all(struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *value;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths = arena_alloc(arena, map_count(folder->changed_here) + 1, sizeof *paths);
    size_t count = 0;
    while (map_next(folder->changed_here, &at, &path, &value))
        paths[count++] = arena_copy(arena, path);
    mode_clear(folder);
    while (count-- > 0)
        dirty_mark(folder, paths[count], 0, true);
}

void mode_choose(struct folder *folder, enum engine_mode mode)
{
    bool news = folder->mode != mode;
    folder->mode = mode;
    folder->apply_stale |= news;
    if (news) brake_undone(folder);
    // What cannot be written is said, and tried again with the next start.
    if (mode != MODE_SEND_ONLY) (void)unblock_all(folder, BLOCKED_SEND_ONLY);
    if (mode != MODE_RECEIVE_ONLY) publish_all(folder);
    // After a restart the map is empty: what was changed is found again.
    if (news || mode != MODE_RECEIVE_ONLY) (void)unblock_all(folder, BLOCKED_CHANGED_HERE);
    work_again(folder);
}

uint64_t mode_differs(struct folder *folder, struct arena *arena)
{
    if (folder->mode != MODE_SEND_ONLY || folder->row.blocked == 0) return 0;
    struct slice *paths = arena_alloc(arena, COUNTED_MAX, sizeof *paths);
    return INDEX(folder)->blocked(INDEX(folder)->self, arena, folder->number, BLOCKED_SEND_ONLY, 0,
                                  COUNTED_MAX, paths);
}

// ---- what was changed here

bool mode_has(const struct folder *folder, struct slice path)
{
    return map_get(folder->changed_here, path) != NULL;
}

bool mode_has_as(const struct folder *folder, struct slice path, enum kind kind)
{
    const struct found_here *found = map_get(folder->changed_here, path);
    return found != NULL && found->value.kind == kind;
}

uint64_t mode_changed(const struct folder *folder)
{
    return map_count(folder->changed_here);
}

// Gone here and everywhere.
static bool is_the_end(const struct item *item, const struct version *found)
{
    return found->value.kind == KIND_TOMB && item->head_count == 1 &&
           !version_live(&item->heads[0]) && vv_le(item->local.version.vv, item->heads[0].vv);
}

bool mode_keeps(struct folder *folder, struct item *item, const struct version *found,
                const struct fingerprint *print)
{
    if (folder->mode != MODE_RECEIVE_ONLY) return false;
    (void)mode_leave(folder, item->path);
    if (is_the_end(item, found)) {
        item->local = (struct local){.state = LOCAL_OK, .version = item->heads[0]};
        item_save(folder, item, false, false);
        return true;
    }
    struct found_here *here = mem_zalloc(1, sizeof *here);
    here->value = found->value;
    here->mtime_ns = found->mtime_ns;
    here->print = *print;
    here->racy = item->local.racy;
    buf_append(&here->target, found->value.target.data, found->value.target.size);
    here->value.target = buf_slice(&here->target);
    (void)map_put(folder->changed_here, item->path, here);
    work_again(folder); // what is known of it cannot be put in place
    engine_changed(folder->engine);
    return true;
}

bool mode_leave(struct folder *folder, struct slice path)
{
    struct found_here *here = map_remove(folder->changed_here, path);
    if (here == NULL) return false;
    buf_fini(&here->target);
    mem_free(&here);
    engine_changed(folder->engine);
    return true;
}

// What others have made of it since may be what is here.
bool mode_agrees(struct folder *folder, const struct item *item)
{
    const struct found_here *here = map_get(folder->changed_here, item->path);
    bool known = item->local.state != LOCAL_NONE && !version_is_of_nothing(&item->local.version);
    return here != NULL && item->head_count == 1 &&
           value_equal(&here->value, &item->heads[0].value) &&
           (!known || vv_le(item->local.version.vv, item->heads[0].vv));
}

// Inside a transaction: a look did not find it changed any more.
void mode_looked(struct folder *folder, struct slice path)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    if (mode_has(folder, path) || item.blocked != BLOCKED_CHANGED_HERE) return;
    unblock(folder, folder->engine->scratch, path);
    work_again(folder);
}
