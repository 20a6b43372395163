// SPDX-License-Identifier: MIT
//
// The queue of events, and the course of a run: trouble for so many steps, then peace, then the
// oracle.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "tests/sim/sim.h"

enum { SETTLE_S = 300, KNOWLEDGE_EVERY = 200, VERIFY_EVERY = 20 };

void world_fail(struct world *world, const char *format, ...)
{
    if (world->failure[0] != 0) return;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(world->failure, sizeof world->failure, format, list);
    va_end(list);
}

void world_say(struct world *world, const char *format, ...)
{
    if (!world->verbose) return;
    va_list list;
    va_start(list, format);
    printf("%10.3f ms  ", (double)world->now_us / 1000);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
}

bool world_act(struct world *world)
{
    uint64_t number = world->acts++;
    return number >= world->drops.count || !world->drops.dropped[number];
}

// ---- the heap

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void world_event(struct world *world, uint64_t delay_us, struct event event)
{
    event.at_us = world->now_us + (int64_t)delay_us;
    event.number = ++world->event_number;
    if (world->event_count == world->event_room) {
        world->event_room = world->event_room == 0 ? 256 : 2 * world->event_room;
        world->events = mem_realloc(world->events, world->event_room * sizeof *world->events);
    }
    size_t at = world->event_count++;
    while (at > 0 && sooner(&event, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = event;
}

static struct event heap_take(struct world *world)
{
    struct event top = world->events[0];
    struct event last = world->events[--world->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->event_count) break;
        if (child + 1 < world->event_count &&
            sooner(&world->events[child + 1], &world->events[child]))
            child++;
        if (!sooner(&world->events[child], &last)) break;
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return top;
}

// ---- trouble

static void user_event(struct world *world)
{
    if (!world->trouble) return;
    uint64_t wait = rng_wait(&world->rng, world->o.user_us);
    if (rng_chance(&world->rng, world->o.bursts)) wait = rng_below(&world->rng, 2000);
    world_event(world, wait, (struct event){.kind = EVENT_USER});
    uint32_t who =
        world->o.writer >= 0 ? (uint32_t)world->o.writer : rng_below(&world->rng, world->o.devices);
    if (world_act(world)) user_act(&world->devices[who]);
}

void device_down(struct device *device, bool crash)
{
    struct world *world = device->world;
    if (!device->running) return;
    if (crash)
        device_crash(device);
    else
        device_stop(device);
    world_event(world, rng_wait(&world->rng, world->o.down_us),
                (struct event){.kind = EVENT_START, .device = device->index});
}

static void fault_event(struct world *world)
{
    const struct options *o = &world->o;
    if (!world->trouble) return;
    world_event(world, rng_wait(&world->rng, o->fault_us), (struct event){.kind = EVENT_FAULT});
    uint32_t sum = o->crash_weight + o->stop_weight + o->cut_weight + o->loss_weight +
                   o->oneway_weight + o->backup_weight + o->restore_weight + o->lose_weight;
    uint32_t at = rng_below(&world->rng, sum);
    struct device *device = &world->devices[rng_below(&world->rng, o->devices)];
    if (sum == 0 || !world_act(world)) return;
    if (at < o->crash_weight) {
        device_down(device, true);
        return;
    }
    at -= o->crash_weight;
    if (at < o->stop_weight) {
        device_down(device, false);
        return;
    }
    at -= o->stop_weight;
    if (at < o->backup_weight) {
        backup_take(device);
        return;
    }
    at -= o->backup_weight;
    if (at < o->restore_weight) {
        if (backup_restore(device))
            world_event(world, rng_wait(&world->rng, o->down_us),
                        (struct event){.kind = EVENT_START, .device = device->index});
        return;
    }
    at -= o->restore_weight;
    if (at < o->lose_weight) {
        if (index_lose(device))
            world_event(world, rng_wait(&world->rng, o->down_us),
                        (struct event){.kind = EVENT_START, .device = device->index});
        return;
    }
    at -= o->lose_weight;
    if (at < o->cut_weight + o->oneway_weight)
        net_cut(world, at >= o->cut_weight);
    else
        net_lose(world);
}

// ---- events

static bool is_stale(const struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_START:
    case EVENT_USER:
    case EVENT_FAULT:
    case EVENT_MODES:
    case EVENT_HEAL:
    case EVENT_LINE_DIES: return false;
    case EVENT_JOB_RUN:
    case EVENT_JOB_DONE:
    case EVENT_WATCH:
    case EVENT_DELIVER:
    case EVENT_CONN_UP:
    case EVENT_CONN_DOWN:
    case EVENT_DRAINED:
    case EVENT_DIAL: break;
    }
    const struct device *device = &world->devices[event->device];
    return !device->running || device->epoch != event->epoch;
}

static void event_do(struct world *world, const struct event *event)
{
    struct device *device = &world->devices[event->device];
    switch (event->kind) {
    case EVENT_JOB_RUN: device_job_run(device, event->pointer); break;
    case EVENT_JOB_DONE: device_job_done(device, event->pointer); break;
    case EVENT_WATCH: device_watch(device); break;
    case EVENT_DELIVER:
    case EVENT_CONN_UP:
    case EVENT_CONN_DOWN:
    case EVENT_DRAINED:
    case EVENT_DIAL: net_event(world, event); break;
    case EVENT_START: device_start(device); break;
    case EVENT_USER: user_event(world); break;
    case EVENT_FAULT: fault_event(world); break;
    case EVENT_MODES: modes_event(world); break;
    case EVENT_HEAL:
        world->blocked[event->device][event->end] = false;
        world->blocked[event->end][event->device] = false;
        break;
    case EVENT_LINE_DIES: net_line_dies(world, event->pointer); break;
    }
}

static struct device *next_tick(struct world *world)
{
    struct device *first = NULL;
    for (uint32_t i = 0; i < world->o.devices; i++) {
        struct device *device = &world->devices[i];
        if (device->running && (first == NULL || device->tick_us < first->tick_us)) first = device;
    }
    return first != NULL && first->tick_us != INT64_MAX ? first : NULL;
}

// One thing happens. False: not before `until_us`.
static bool step(struct world *world, int64_t until_us)
{
    if (world->late) world_fail(world, "takes too long: the same again and again");
    struct device *tick = next_tick(world);
    int64_t at = world->event_count > 0 ? world->events[0].at_us : INT64_MAX;
    bool ticks = tick != NULL && tick->tick_us < at;
    if (ticks) at = tick->tick_us;
    if (at > until_us) return false;
    if (at > world->now_us) world->now_us = at;
    if (ticks) {
        device_tick(tick);
        if (world->token != 0) oracle_token(world);
        return true;
    }
    struct event event = heap_take(world);
    if (is_stale(world, &event)) return true;
    event_do(world, &event);
    world->steps++;
    if (world->token != 0) oracle_token(world);
    return true;
}

// A process that dies does so from the depth of a call; this is where it lands.
static bool step_guarded(struct world *world, int64_t until_us)
{
    bool more = true;
    world->crash_armed = true;
    if (setjmp(world->crash) == 0) {
        more = step(world, until_us);
        world->crash_armed = false;
        return more;
    }
    world->crash_armed = false;
    struct device *device = world->current;
    CHECK(device != NULL);
    device_crash(device);
    world_event(world, rng_wait(&world->rng, world->o.down_us),
                (struct event){.kind = EVENT_START, .device = device->index});
    return true;
}

void world_settle(struct world *world, int64_t until_us)
{
    while (world->failure[0] == 0 && step_guarded(world, until_us)) {
    }
    if (world->now_us < until_us) world->now_us = until_us;
}

// ---- the run

static void link_all(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        for (uint32_t k = 0; k < world->o.devices; k++) {
            bool next = i + 1 == k || k + 1 == i;
            bool star = i == 0 || k == 0;
            bool linked = world->o.topology == MESH || (world->o.topology == CHAIN ? next : star);
            world->linked[i][k] = i != k && linked;
        }
    }
}

static void peace(struct world *world)
{
    world->trouble = false;
    world->o.tick_skipped = 0;
    world->o.latency_us = world->o.latency_us > 40 * MS ? 40 * MS : world->o.latency_us;
    world->o.job_us = world->o.job_us > 2 * MS ? 2 * MS : world->o.job_us;
    net_heal_all(world);
    for (uint32_t i = 0; i < world->o.devices; i++) {
        device_clean_up(&world->devices[i]);
        modes_end(&world->devices[i]);
        device_start(&world->devices[i]);
    }
    world_say(world, "---- peace");
}

static bool settles(struct world *world, char *why, size_t size)
{
    int64_t end = world->now_us + (int64_t)SETTLE_S * 1000000;
    int good = 0;
    uint32_t turns = 0;
    while (world->now_us < end && world->failure[0] == 0 && good < 3) {
        // Where counters caught up before anybody compared, only an audit tells.
        bool compare = world->restored && good == 0 && ++turns % VERIFY_EVERY == 0;
        if (compare) device_verify(&world->devices[turns / VERIFY_EVERY % world->o.devices]);
        world_settle(world, world->now_us + 500000);
        good = oracle_settled(world, why, size) ? good + 1 : 0;
    }
    return good == 3;
}

static bool converge(struct world *world)
{
    char why[400] = "";
    bool settled = world->failure[0] == 0 && settles(world, why, sizeof why);
    // What went down with a disk or an index is needed for ever, until a person gives it up.
    for (uint32_t i = 0; i < world->o.devices && !settled && world->failure[0] == 0; i++) {
        if (!world->restored || !contents_orphaned(world)) break;
        device_abandon(&world->devices[i]);
        settled = settles(world, why, sizeof why);
    }
    if (!settled && world->failure[0] == 0) world_fail(world, "not settled: %s", why);
    return world->failure[0] == 0;
}

// Folders of one name become one before anybody has put anything into them.
static void meet(struct world *world)
{
    bool same = false;
    int64_t end = world->now_us + (int64_t)(60 * SECOND);
    while (!same && world->now_us < end && world->failure[0] == 0) {
        world_settle(world, world->now_us + 100000);
        same = true;
        for (uint32_t i = 0; i < world->o.devices; i++) {
            const struct device *device = &world->devices[i];
            same &= memcmp(&device->folder_id, &world->devices[0].folder_id,
                           sizeof device->folder_id) == 0;
            same &= engine_folder_scanned(device->engine, device->folder);
        }
    }
    if (!same) world_fail(world, "empty folders of one name did not become one");
}

static void trouble(struct world *world)
{
    world_event(world, rng_wait(&world->rng, world->o.user_us), (struct event){.kind = EVENT_USER});
    world_event(world, rng_wait(&world->rng, world->o.fault_us),
                (struct event){.kind = EVENT_FAULT});
    if (world->o.modes_us > 0)
        world_event(world, rng_wait(&world->rng, world->o.modes_us),
                    (struct event){.kind = EVENT_MODES});
    uint64_t checked = 0;
    while (world->steps < world->steps_max && world->failure[0] == 0 &&
           step_guarded(world, INT64_MAX)) {
        if (world->steps / KNOWLEDGE_EVERY == checked) continue;
        checked = world->steps / KNOWLEDGE_EVERY;
        oracle_knowledge(world);
    }
}

void world_run(struct world *world)
{
    rng_seed(&world->rng, world->seed);
    options_draw(&world->o, &world->rng);
    options_draw_apart(&world->o, world->seed);
    if (world->focus != NULL) focus_draw(world->focus, &world->o, world->seed);
    world->drawn = map_new();
    link_all(world);
    for (uint32_t i = 0; i < world->o.devices; i++)
        device_init(world, i);
    net_init(world);
    for (uint32_t i = 0; i < world->o.devices; i++)
        device_start(&world->devices[i]);
    if (!world->o.preset_id) meet(world);
    world->steps = 0;
    world->trouble = true;
    if (world->focus != NULL && world->focus->script != NULL)
        world->focus->script(world);
    else
        trouble(world);
    if (world->failure[0] == 0) peace(world);
    if (converge(world)) oracle_final(world);
    if (world->failure[0] != 0 && world->verbose) oracle_dump(world);
}
