// SPDX-License-Identifier: MIT
//
// Three devices that are nothing but agent/core; the input is what users and messages do. Whatever
// it was, in the end all have the same and nothing is lost.
#include "tests/fuzz/fuzz.h"
#include "tests/unit/core/world.h"

enum { ACTS_MAX = 40 };

static void act(struct world *world, struct feed *feed)
{
    uint32_t what = feed_below(feed, 16);
    uint32_t device = feed_below(feed, world->device_count);
    uint32_t path = feed_below(feed, WORLD_PATHS);
    uint32_t other = (device + 1 + path) % world->device_count, skip;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: (void)world_save(world, device, path); break;
    case 5: (void)world_save_kind(world, device, path, KIND_DIR); break;
    case 6:
    case 7: (void)world_delete(world, device, path); break;
    case 8:
    case 9: (void)world_resolve(world, device, path); break;
    case 10:
        skip = feed_below(feed, 6);
        if (other != device) (void)world_pull_part(world, device, other, skip, feed_below(feed, 4));
        break;
    default:
        if (other != device) (void)world_pull(world, device, other);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(mem_free) struct world *world = mem_alloc(sizeof *world);
    struct feed feed = {data, size};
    world_init(world, arena, 2 + feed_below(&feed, WORLD_DEVICES_MAX - 1));
    for (int i = 0; i < ACTS_MAX && feed.size > 0; i++) {
        act(world, &feed);
        CHECK(world_fault(world) == NULL);
    }
    const char *fault = world_settle(world);
    if (fault != NULL) check_failed(fault, __FILE__, __LINE__);
    return 0;
}
