// SPDX-License-Identifier: MIT
//
// A machine: its disk and index outlive its processes. A process that dies leaves what it had in
// memory behind; nobody frees it, because a run is short.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/daemon/wire_rooms.h"
#include "proto/path.h"
#include "tests/sim/sim.h"

enum { SPINS_MAX = 2000, RACED_CALLS = 4, RESCAN_US = 30 * 1000 * 1000 };

#define WALL_START_S INT64_C(1750000000)

static void on_noticed(void *context)
{
    struct device *device = context;
    if (!device->running || device->watch_due) return;
    device->watch_due = true;
    world_event(
        device->world, rng_wait(&device->world->rng, device->world->o.job_us / 4 + 20),
        (struct event){.kind = EVENT_WATCH, .device = device->index, .epoch = device->epoch});
}

// At what the job is working on: there an edit is a race.
static void aim_at_job(struct device *device)
{
    const struct job *job = device->job;
    struct rng *rng = &device->world->rng;
    uint32_t count = job->kind == JOB_APPLY  ? job->apply.count
                     : job->kind == JOB_LOOK ? job->look.count
                                             : 0;
    if (count == 0 || rng_below(rng, 3) == 0) return;
    uint32_t at = rng_below(rng, count);
    struct slice path =
        job->kind == JOB_APPLY ? job->apply.steps[at].path : job->look.looks[at].path;
    // Nobody writes a file of a conflict item's name before there is one.
    if (path_is_conflict_item(path)) return;
    (void)snprintf(device->aim, sizeof device->aim, "%.*s", SLICE_ARG(path));
}

// Anything may happen between two system calls of a job.
static void on_call(void *context, const char *call, const char *object, bool changes)
{
    struct device *device = context;
    struct world *world = device->world;
    if (device->job == NULL) return;
    if (changes)
        world_say(world, "    %s job %u: %s %s", device->name, device->job->kind, call, object);
    if (!world->trouble) return;
    uint32_t edit = changes ? world->o.edit_in_job : world->o.edit_in_job / 4;
    // Where a race is won or lost.
    bool exchanges = strcmp(call, "exchange") == 0 && !world->o.plain;
    if (exchanges && edit > 0) edit = 200000;
    bool writes = world->o.writer < 0 || world->o.writer == (int)device->index;
    if (writes && rng_chance(&world->rng, edit) && world_act(world)) {
        world_say(world, "%s edits during a job, before %s", device->name, call);
        if (!world->o.plain) aim_at_job(device);
        device->raced = RACED_CALLS;
        user_act(device);
    }
    uint32_t crash = world->o.crash_in_job;
    if (device->raced > 0 && !world->o.plain && crash > 0) crash = 200000;
    if (device->raced > 0) device->raced--;
    if (changes) focus_change(device, call, object, &crash);
    if (world->crash_armed && rng_chance(&world->rng, crash) && world_act(world)) {
        world_say(world, "%s crashes in a job, before %s", device->name, call);
        longjmp(world->crash, 1);
    }
}

// What is wrong with the disk, or with us, at this call.
static int call_fails(void *context, enum posix_call what, const char *call)
{
    static const int open[] = {EIO, EMFILE};
    static const int write[] = {EIO, ENOSPC}, name[] = {EIO, ENOSPC, EACCES};
    struct device *device = context;
    struct world *world = device->world;
    if (device->job == NULL || !world->trouble) return 0;
    if (what == CALL_WRITE && rng_chance(&world->rng, world->o.short_write)) return POSIX_SHORT;
    if (!rng_chance(&world->rng, world->o.disk_error) || !world_act(world)) return 0;
    int code = EIO;
    switch (what) {
    case CALL_OPEN: code = open[rng_below(&world->rng, 2)]; break;
    case CALL_WRITE: code = write[rng_below(&world->rng, 2)]; break;
    case CALL_NAME: code = name[rng_below(&world->rng, 3)]; break;
    case CALL_LOOK:
    case CALL_READ:
    case CALL_SYNC: break;
    }
    world_say(world, "%s job %u: %s fails: %s", device->name, device->job->kind, call,
              strerror(code));
    return code;
}

void device_crash_maybe(struct device *device)
{
    struct world *world = device->world;
    if (!world->crash_armed || !world->trouble) return;
    if (!rng_chance(&world->rng, world->o.crash_in_call) || !world_act(world)) return;
    world_say(world, "%s crashes at a port call", device->name);
    longjmp(world->crash, 1);
}

void device_init(struct world *world, uint32_t index)
{
    struct device *device = &world->devices[index];
    uint8_t seed[32] = {0};
    rng_fill(&world->rng, seed, sizeof seed);
    *device = (struct device){.world = world, .index = index, .tick_us = INT64_MAX};
    (void)snprintf(device->name, sizeof device->name, "d%u", index);
    device->identity = identity_from_seed(seed);
    device->id = identity_device(device->identity);
    device->skew_us = world->o.skew_max_us == 0 ? 0 : rng_u64(&world->rng) % world->o.skew_max_us;
    vfs_init(&device->vfs, 7);
    device->vfs.grain_ns = world->o.grain_ns;
    vfs_names(&device->vfs, world->o.names);
    device->vfs.respells = world->o.respells;
    device->vfs.notices_max = world->o.overflow;
    device->vfs.noticed = on_noticed;
    device->vfs.context = device;
    device->posix = (struct posix){.vfs = &device->vfs,
                                   .hook = on_call,
                                   .fails = call_fails,
                                   .no_exchange = world->o.no_exchange,
                                   .context = device,
                                   .total = UINT64_C(1) << 40,
                                   .available = UINT64_C(1) << 39,
                                   .watches_max = world->o.watches_max};
    device->index_here = world->o.index_file;
    device_index_open(device);
    if (world->o.power_cut > 0) power_init(&device->vfs);
    if (world->o.preset_id) memset(device->folder_id.bytes, 0x42, sizeof device->folder_id.bytes);
}

static int64_t wall_us(const struct device *device)
{
    return WALL_START_S * 1000000 + device->world->now_us + (int64_t)device->skew_us;
}

void device_enter(struct device *device)
{
    struct world *world = device->world;
    CHECK(world->current == NULL);
    world->current = device;
    device->posix.monotonic_ns = (world->now_us + 1000000) * 1000;
    device->posix.wall_ns = wall_us(device) * 1000;
    if (device->vfs.now_ns < device->posix.wall_ns) device->vfs.now_ns = device->posix.wall_ns;
    posix_enter(&device->posix);
    index_disk_use(&device->index_disk);
    if (device->engine != NULL)
        engine_now(device->engine, (world->now_us + 1000000) / 1000, wall_us(device) / 1000);
}

static void spin_check(struct device *device)
{
    struct world *world = device->world;
    if (device->spin_us != world->now_us) {
        device->spin_us = world->now_us;
        device->spins = 0;
    }
    if (++device->spins == SPINS_MAX)
        world_fail(world, "%s: the engine is due again and again without time going on",
                   device->name);
}

// As the agent's loop does.
static void rescan_unwatched(struct device *device)
{
    int64_t now_us = device->world->now_us;
    if (now_us >= device->rescan_us) {
        device->rescan_us = INT64_MAX;
        engine_watch(device->engine, device->folder, ENGINE_RESCAN, slice_text(""));
    }
    if (device->rescan_us == INT64_MAX && disk_unwatched(device->disk, device->folder) > 0)
        device->rescan_us = now_us + RESCAN_US;
}

void device_leave(struct device *device)
{
    struct world *world = device->world;
    if (device->running) {
        rescan_unwatched(device);
        if (!rng_chance(&world->rng, world->trouble ? world->o.tick_skipped : 0))
            engine_tick(device->engine);
        int64_t due = engine_deadline(device->engine);
        int64_t us = due == INT64_MAX ? INT64_MAX : due * 1000 - 1000000;
        if (device->rescan_us < us) us = device->rescan_us;
        device->tick_us = us < world->now_us ? world->now_us : us;
        if (device->tick_us <= world->now_us) spin_check(device);
    }
    posix_enter(NULL);
    world->current = NULL;
}

void device_tick(struct device *device)
{
    device_enter(device);
    engine_tick(device->engine);
    device_leave(device);
}

void device_folder_put(struct device *device)
{
    struct folder_row row;
    struct arena *arena = arena_new();
    static const struct folder_id none;
    bool known = store_folder_get(device->store, arena, slice_text("f"), &row);
    bool fresh =
        known ? !row.scanned
              : memcmp(&device->folder_id, &none, sizeof none) == 0 || !device->started_before;
    struct engine_folder put = {.name = "f",
                                .path = POSIX_ROOT,
                                .id = device->folder_id,
                                .with_all = true,
                                .base_bytes_max = SIM_BASE_BYTES,
                                .brake = {.off = true}, // nobody is there to approve
                                .mode = device->mode,
                                .new_root = fresh};
    CHECK(engine_folder_put(device->engine, &put, &device->folder) == ERR_OK);
    arena_destroy(&arena);
}

static void folder_open(struct device *device)
{
    struct disk_root_options root = {.path = POSIX_ROOT};
    device_folder_put(device);
    CHECK(disk_root_add(device->disk, device->folder, &root) == ERR_OK);
    device->started_before = true;
    if (device->world->o.modes_us > 0) modes_apply(device);
}

void device_start(struct device *device)
{
    struct world *world = device->world;
    if (device->running) return;
    world_say(world, "%s starts", device->name);
    device->epoch++;
    device->posix.pid = (pid_t)(1000 + device->epoch);
    device->jobs = 0;
    device->watch_due = false;
    device->rescan_us = INT64_MAX;
    device->engine = NULL;
    device_enter(device);
    device->disk = disk_new();
    struct engine_options options = device_options(device);
    device->engine = engine_new(&options);
    engine_now(device->engine, (world->now_us + 1000000) / 1000, wall_us(device) / 1000);
    for (uint32_t i = 0; i < world->o.devices; i++) {
        if (world->linked[device->index][i])
            engine_peer_put(device->engine, world->devices[i].id, world->devices[i].name);
    }
    folder_open(device);
    device->running = true;
    device_leave(device);
    net_device_up(device);
}

static void process_gone(struct device *device)
{
    device->running = false;
    device->epoch++;
    device->engine = NULL;
    device->disk = NULL;
    device->job = NULL;
    device->tick_us = INT64_MAX;
    posix_reset(&device->posix);
    net_device_gone(device);
}

void device_crash(struct device *device)
{
    bool is_up = device->running || device->world->current == device; // or about to start
    if (!is_up) return;
    world_say(device->world, "%s crashed", device->name);
    posix_enter(NULL);
    device->world->current = NULL;
    saved_excuse_moved(device);
    if (device->in_txn && !device->index_here) store_rollback(device->store);
    device->in_txn = false;
    pending_drop(device);
    process_gone(device);
    if (rng_chance(&device->world->rng, device->world->o.power_cut)) device_power_cut(device);
    if (device->index_here) device_index_open(device);
    device_abandons_cut(device);
}

void device_stop(struct device *device)
{
    if (!device->running) return;
    world_say(device->world, "%s stops", device->name);
    device_enter(device);
    device->running = false; // no tick after this
    engine_destroy(&device->engine);
    device_leave(device);
    process_gone(device);
    device_abandons_cut(device);
}

void device_job_run(struct device *device, struct job *job)
{
    struct world *world = device->world;
    device_enter(device);
    device->job = job;
    disk_run(device->disk, job);
    device->job = NULL;
    posix_enter(NULL);
    world->current = NULL;
    saved_excuse_taken_back(device);
    uint64_t wait = rng_wait(&world->rng, world->o.job_us / 2);
    if (!focus_job_ran(device, job, &wait)) return;
    world_event(world, wait,
                (struct event){.kind = EVENT_JOB_DONE,
                               .device = device->index,
                               .epoch = device->epoch,
                               .pointer = job});
}

void device_job_done(struct device *device, struct job *job)
{
    device_enter(device);
    device->jobs--;
    engine_job_done(device->engine, job);
    device_leave(device);
}

static void watches_drain(struct device *device)
{
    struct watch_event event;
    device->watch_due = false;
    while (disk_watch_next(device->disk, &event))
        engine_watch(device->engine, event.folder, wire_watch(event.what), event.path);
}

void device_watch(struct device *device)
{
    device_enter(device);
    watches_drain(device);
    device_leave(device);
}

void device_sync(struct device *device)
{
    if (!device->running || device->world->current != NULL) return;
    struct sync_request request = {.wait = rng_below(&device->world->rng, 2) == 0,
                                   .timeout_ms = 20000};
    device_enter(device);
    watches_drain(device);
    engine_sync(device->engine, ++device->ticket, &request);
    device_leave(device);
}

void device_verify(struct device *device)
{
    if (!device->running || device->world->current != NULL) return;
    struct verify_request request = {.timeout_ms = 20000};
    device->verify_exit = -1;
    device_enter(device);
    watches_drain(device);
    engine_verify(device->engine, ++device->ticket, &request);
    device_leave(device);
}
