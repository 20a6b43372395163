// SPDX-License-Identifier: MIT
//
// Needs that are not for this disk now: what is blocked is passed over until whatever blocks it has
// changed or may have.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 256, RETRY_MAX = 1024 };

void unblock(struct folder *folder, struct arena *arena, struct slice path)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    item.blocked = BLOCKED_NONE;
    INDEX(folder)->item_put(INDEX(folder)->self, folder->number, &item, false);
}

bool unblock_all(struct folder *folder, enum blocked reason)
{
    const struct index_port *index = INDEX(folder);
    if (folder->row.blocked == 0) return true;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (uint32_t got = PAGE; got == PAGE;) {
        arena_reset(arena);
        struct slice *paths = arena_alloc(arena, PAGE, sizeof *paths);
        txn_begin(folder);
        got = index->blocked(index->self, arena, folder->number, reason, 0, PAGE, paths);
        for (uint32_t i = 0; i < got; i++)
            unblock(folder, arena, paths[i]);
        if (txn_end(folder) != ERR_OK) return false;
    }
    return true;
}

// Of very many of one reason those that come next: the first may be blocked for good.
void blocked_retry(struct folder *folder)
{
    static const enum blocked reasons[] = {BLOCKED_NO_SPACE,  BLOCKED_CASE,      BLOCKED_SYMLINK,
                                           BLOCKED_IO,        BLOCKED_BUSY,      BLOCKED_PERMISSION,
                                           BLOCKED_NOT_EMPTY, BLOCKED_IN_THE_WAY};
    enum { ALL = sizeof reasons / sizeof reasons[0], SOON = 5 };
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct slice *paths = arena_alloc(arena, RETRY_MAX, sizeof *paths);
    uint32_t count_reasons = folder->blocked_rounds++ % 6 == 0 ? ALL : SOON;
    folder->case_blocked = false;
    txn_begin(folder);
    for (uint32_t r = 0; r < count_reasons; r++) {
        uint32_t *skip = &folder->blocked_skip[reasons[r]];
        uint32_t count =
            index->blocked(index->self, arena, folder->number, reasons[r], *skip, RETRY_MAX, paths);
        *skip = count == RETRY_MAX ? *skip + count : 0;
        for (uint32_t i = 0; i < count; i++)
            unblock(folder, arena, paths[i]);
    }
    if (txn_end(folder) == ERR_OK) work_again(folder);
}
