// SPDX-License-Identifier: MIT
//
// Pauses, and folders that only send or only receive, while there is trouble. With peace all goes
// both ways again: then nothing of what was saved meanwhile may be missing, and all must have the
// same.
#include "tests/sim/sim.h"

void modes_apply(struct device *device)
{
    struct world *world = device->world;
    engine_pause(device->engine, device->paused);
    engine_folder_pause(device->engine, "f", device->folder_paused);
    for (uint32_t i = 0; i < world->o.devices; i++)
        engine_peer_pause(device->engine, world->devices[i].id, device->peer_paused[i]);
}

static void put(struct device *device)
{
    if (!device->running) return;
    device_enter(device);
    device_folder_put(device);
    modes_apply(device);
    device_leave(device);
}

void modes_event(struct world *world)
{
    static const char *const modes[] = {"two-way", "send-only", "receive-only"};
    struct rng *rng = &world->rng;
    struct device *device = &world->devices[rng_below(rng, world->o.devices)];
    uint32_t other = rng_below(rng, world->o.devices), what = rng_below(rng, 6);
    enum engine_mode mode = (enum engine_mode)rng_below(rng, 3);
    if (!world->trouble) return;
    world_event(world, rng_wait(rng, world->o.modes_us), (struct event){.kind = EVENT_MODES});
    if (!world_act(world)) return;
    if (what == 0)
        device->paused = !device->paused;
    else if (what == 1)
        device->folder_paused = !device->folder_paused;
    else if (what == 2)
        device->peer_paused[other] = !device->peer_paused[other];
    else
        device->mode = mode;
    world_say(world, "%s: %s%s%s%s", device->name, modes[device->mode],
              device->paused ? ", paused" : "", device->folder_paused ? ", folder paused" : "",
              what == 2 ? ", a peer's pause begins or ends" : "");
    put(device);
}

void modes_end(struct device *device)
{
    bool any = device->paused || device->folder_paused || device->mode != MODE_TWO_WAY;
    device->paused = device->folder_paused = false;
    device->mode = MODE_TWO_WAY;
    for (uint32_t i = 0; i < DEVICES_MAX; i++) {
        any |= device->peer_paused[i];
        device->peer_paused[i] = false;
    }
    if (any) put(device);
}
