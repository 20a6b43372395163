// SPDX-License-Identifier: MIT
#include "agent/core/heads.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

uint32_t items_standing(struct arena *arena, struct item *items, uint32_t count, struct vv floor)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &items[i];
        uint32_t heads = 0;
        for (uint32_t h = 0; h < item->head_count; h++) {
            struct version head = item->heads[h];
            struct dots left = {.entries = arena_alloc(arena, head.dots.count, sizeof(struct dot))};
            for (uint32_t d = 0; d < head.dots.count; d++) {
                if (version_live(&head) || !vv_covers(floor, head.dots.entries[d]))
                    left.entries[left.count++] = head.dots.entries[d];
            }
            head.dots = left;
            if (left.count > 0) item->heads[heads++] = head;
        }
        item->head_count = heads;
        if (heads > 0) items[kept++] = *item;
    }
    return kept;
}
