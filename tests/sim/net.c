// SPDX-License-Identifier: MIT
//
// Lines between machines. A wire is one connection of one lane: in order, whole messages, each
// direction with its own delay. What is cut stalls or dies; each end learns of the end in its own
// time, and what was under way is lost from some message on.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "tests/sim/sim.h"

enum { BUDGET_CONTROL = 8 << 20, BUDGET_BULK = 4 << 20, OVERHEAD = 96 };

struct msg {
    struct msg *next;
    size_t size;
    uint8_t bytes[];
};

// End 0 dialled, end 1 was dialled.
struct end {
    struct device *device;
    uint32_t epoch;
    uint64_t id;
    bool up;                   // its engine knows of it
    bool closed;               // nothing more comes to its engine
    struct msg *first, **last; // on their way to it
    size_t queued;             // bytes of these
    int64_t last_us;
    bool full; // it has been refused
};

struct wire {
    struct wire *next;
    struct dial *dial;
    enum lane lane;
    bool dead; // what is sent is lost
    struct end ends[2];
};

struct dial {
    struct dial *next;
    struct device *from, *to;
    struct wire *lanes[2];
    uint64_t backoff_us;
    bool due; // an attempt is scheduled
};

static bool alive(const struct end *end)
{
    return end->device->running && end->device->epoch == end->epoch && !end->closed;
}

static uint64_t latency(struct world *world)
{
    return world->o.latency_us / 2 + rng_wait(&world->rng, world->o.latency_us / 2);
}

static void wire_event(struct world *world, struct wire *wire, int end, enum event_kind kind,
                       uint64_t delay)
{
    world_event(world, delay,
                (struct event){.kind = kind,
                               .device = wire->ends[end].device->index,
                               .epoch = wire->ends[end].epoch,
                               .pointer = wire,
                               .end = end});
}

// ---- dialling

static void dial_event(struct world *world, struct dial *dial, uint64_t delay)
{
    if (dial->due) return;
    dial->due = true;
    world_event(world, delay,
                (struct event){.kind = EVENT_DIAL,
                               .device = dial->from->index,
                               .epoch = dial->from->epoch,
                               .pointer = dial});
}

void net_init(struct world *world)
{
    for (uint32_t i = 0; i < world->o.devices; i++) {
        for (uint32_t k = 0; k < world->o.devices; k++) {
            if (!world->linked[i][k]) continue;
            bool dials = world->o.both_dial || (i < k) == (rng_below(&world->rng, 2) == 0);
            // At least one of the two.
            if (!dials && i > k) {
                dials = true;
                for (struct dial *d = world->dials; d != NULL; d = d->next)
                    dials &= !(d->from->index == k && d->to->index == i);
            }
            if (!dials) continue;
            struct dial *dial = mem_zalloc(1, sizeof *dial);
            *dial = (struct dial){.next = world->dials,
                                  .from = &world->devices[i],
                                  .to = &world->devices[k],
                                  .backoff_us = 100 * MS};
            world->dials = dial;
        }
    }
}

static void end_init(struct end *end, struct device *device)
{
    *end = (struct end){.device = device, .epoch = device->epoch, .id = ++device->world->conn_last};
    end->last = &end->first;
}

static struct wire *wire_new(struct dial *dial, enum lane lane)
{
    struct wire *wire = mem_zalloc(1, sizeof *wire);
    struct world *world = dial->from->world;
    wire->dial = dial;
    wire->lane = lane;
    end_init(&wire->ends[0], dial->from);
    end_init(&wire->ends[1], dial->to);
    wire->next = world->wires;
    world->wires = wire;
    dial->lanes[lane] = wire;
    wire_event(world, wire, 0, EVENT_CONN_UP, 2 * latency(world));
    return wire;
}

static bool reachable(const struct dial *dial)
{
    const struct world *world = dial->from->world;
    uint32_t a = dial->from->index, b = dial->to->index;
    return dial->to->running && !world->blocked[a][b] && !world->blocked[b][a];
}

static void dial_try(struct dial *dial)
{
    struct world *world = dial->from->world;
    dial->due = false;
    if (dial->lanes[LANE_CONTROL] != NULL) return;
    if (reachable(dial)) {
        (void)wire_new(dial, LANE_CONTROL);
        return;
    }
    dial->backoff_us = dial->backoff_us * 2 < 10 * SECOND ? dial->backoff_us * 2 : 10 * SECOND;
    dial_event(world, dial, dial->backoff_us);
}

void net_device_up(struct device *device)
{
    for (struct dial *d = device->world->dials; d != NULL; d = d->next) {
        if (d->from != device) continue;
        d->due = false;
        d->backoff_us = 100 * MS;
        d->lanes[0] = d->lanes[1] = NULL;
        dial_event(device->world, d, rng_wait(&device->world->rng, 5 * MS));
    }
}

void net_redial(struct device *device, struct device_id peer)
{
    for (struct dial *d = device->world->dials; d != NULL; d = d->next) {
        bool it = d->from == device && memcmp(&d->to->id, &peer, sizeof peer) == 0;
        if (!it || d->lanes[LANE_CONTROL] != NULL) continue;
        d->backoff_us = 100 * MS;
        d->due = false;
        dial_event(device->world, d, 0);
    }
}

// ---- the end of a wire

static void end_learns(struct world *world, struct wire *wire, int end, uint64_t delay)
{
    struct end *e = &wire->ends[end];
    uint64_t wait = e->last_us > world->now_us ? (uint64_t)(e->last_us - world->now_us) : 0;
    if (!e->closed) wire_event(world, wire, end, EVENT_CONN_DOWN, wait + delay);
}

// Its own process is gone, or it dropped the wire: the other end learns of it.
static void end_close(struct wire *wire, int end)
{
    struct world *world = wire->dial->from->world;
    struct end *e = &wire->ends[end];
    if (e->closed) return;
    e->closed = true;
    bool cut = world->blocked[wire->ends[0].device->index][wire->ends[1].device->index] ||
               world->blocked[wire->ends[1].device->index][wire->ends[0].device->index];
    // Across a cut only silence tells.
    end_learns(world, wire, 1 - end, cut ? rng_wait(&world->rng, 20 * SECOND) : latency(world));
}

static void conn_down(struct wire *wire, int end)
{
    struct end *e = &wire->ends[end];
    struct device *device = e->device;
    bool was_up = e->up;
    end_close(wire, end);
    e->up = false;
    struct dial *dial = wire->dial;
    bool dialler = end == 0 && dial->lanes[wire->lane] == wire;
    if (was_up) {
        device_enter(device);
        engine_conn_down(device->engine, e->id);
        device_leave(device);
    }
    if (!dialler) return;
    // A lane went down: both are closed, and after a while both are dialled again.
    struct wire *other = dial->lanes[1 - wire->lane];
    dial->lanes[0] = dial->lanes[1] = NULL;
    if (other != NULL && !other->ends[0].closed) conn_down(other, 0);
    dial_event(device->world, dial, rng_wait(&device->world->rng, dial->backoff_us));
}

void net_device_gone(struct device *device)
{
    struct world *world = device->world;
    for (struct wire *w = world->wires; w != NULL; w = w->next) {
        for (int end = 0; end < 2; end++) {
            if (w->ends[end].device == device) end_close(w, end);
        }
    }
}

static void wire_dies(struct world *world, struct wire *wire)
{
    if (wire->dead) return;
    wire->dead = true;
    for (int end = 0; end < 2; end++) {
        // What was under way may still arrive, or not.
        if (rng_below(&world->rng, 2) == 0) {
            wire->ends[end].first = NULL;
            wire->ends[end].last = &wire->ends[end].first;
        }
        end_learns(world, wire, end, rng_wait(&world->rng, 200 * MS));
    }
}

void wire_drop(struct net *net, uint64_t conn)
{
    struct device *device = (struct device *)net;
    struct world *world = device->world;
    for (struct wire *w = world->wires; w != NULL; w = w->next) {
        for (int end = 0; end < 2; end++) {
            struct end *e = &w->ends[end];
            if (e->id != conn || e->closed) continue;
            e->up = false;
            wire_event(world, w, end, EVENT_CONN_DOWN, 0);
        }
    }
}

// ---- sending

static struct wire *wire_find(const struct world *world, uint64_t conn, int *out_end)
{
    for (struct wire *w = world->wires; w != NULL; w = w->next) {
        for (*out_end = 0; *out_end < 2; ++*out_end) {
            if (w->ends[*out_end].id == conn) return w;
        }
    }
    return NULL;
}

static void say_sent(struct world *world, const struct wire *wire, int end, struct slice bytes)
{
    struct message message;
    struct fault fault;
    if (!world->verbose) return;
    struct arena *arena = arena_new();
    bool known = message_decode(arena, bytes, &message, &fault) == ERR_OK;
    world_say(world, "%s -> %s %s %zu on %llu%s", wire->ends[end].device->name,
              wire->ends[1 - end].device->name, known ? message_kind_text(message.kind) : "?",
              bytes.size, (unsigned long long)wire->ends[end].id, wire->dead ? " (dead)" : "");
    const struct versions *versions = NULL;
    if (known && message.kind == MSG_PUSH) versions = &message.push.versions;
    if (known && message.kind == MSG_VERSIONS) versions = &message.versions.versions;
    for (uint32_t i = 0; versions != NULL && i < versions->count; i++) {
        const struct version *v = &versions->entries[i];
        AUTO(buf_fini) struct buf text = {0};
        print_version(&text, v);
        world_say(world, "        %.*s %s", SLICE_ARG(v->path), buf_text(&text));
    }
    arena_destroy(&arena);
}

enum err wire_send(struct net *net, uint64_t conn, struct slice bytes)
{
    struct device *device = (struct device *)net;
    struct world *world = device->world;
    int end;
    device_crash_maybe(device);
    struct wire *wire = wire_find(world, conn, &end);
    if (wire == NULL || !wire->ends[end].up || wire->ends[end].closed) return ERR_UNREACHABLE;
    struct end *to = &wire->ends[1 - end];
    size_t budget = wire->lane == LANE_CONTROL ? BUDGET_CONTROL : BUDGET_BULK;
    if (to->queued + OVERHEAD + bytes.size > budget) {
        wire->ends[end].full = true;
        return ERR_BUSY;
    }
    device->messages++;
    say_sent(world, wire, end, bytes);
    if (wire->dead || to->closed) return ERR_OK;
    struct msg *msg = mem_alloc(sizeof *msg + bytes.size);
    *msg = (struct msg){.size = bytes.size};
    memcpy(msg->bytes, bytes.data, bytes.size);
    *to->last = msg;
    to->last = &msg->next;
    to->queued += OVERHEAD + bytes.size;
    int64_t at = world->now_us + (int64_t)latency(world) + (int64_t)(bytes.size / 100);
    if (at < to->last_us) at = to->last_us;
    to->last_us = at;
    wire_event(world, wire, 1 - end, EVENT_DELIVER, (uint64_t)(at - world->now_us));
    device_crash_maybe(device);
    return ERR_OK;
}

size_t wire_queued(const struct net *net, uint64_t conn)
{
    int end;
    const struct world *world = ((const struct device *)net)->world;
    struct wire *wire = wire_find(world, conn, &end);
    return wire == NULL ? 0 : wire->ends[1 - end].queued;
}

// ---- events

static void conn_up(struct world *world, struct wire *wire)
{
    struct end *e = &wire->ends[0];
    if (!alive(e)) return;
    if (!reachable(wire->dial) || wire->ends[1].device->epoch != wire->ends[1].epoch) {
        conn_down(wire, 0);
        return;
    }
    e->up = true;
    wire->dial->backoff_us = 100 * MS;
    if (wire->lane == LANE_CONTROL) (void)wire_new(wire->dial, LANE_BULK);
    device_enter(e->device);
    engine_conn_up(e->device->engine, e->id, wire->ends[1].device->id, CONN_DIALLED, wire->lane,
                   slice_text("sim"));
    device_leave(e->device);
    (void)world;
}

static void deliver(struct world *world, struct wire *wire, int end)
{
    struct end *e = &wire->ends[end];
    struct end *from = &wire->ends[1 - end];
    if (!alive(e) || e->first == NULL) return;
    if (world->blocked[from->device->index][e->device->index]) {
        uint64_t later = 20 * MS;
        wire_event(world, wire, end, EVENT_DELIVER, later);
        e->last_us = world->now_us + (int64_t)later;
        return;
    }
    struct msg *msg = e->first;
    e->first = msg->next;
    if (e->first == NULL) e->last = &e->first;
    e->queued -= OVERHEAD + msg->size;
    if (from->full && e->queued < (4 << 20) / 2 && alive(from)) {
        from->full = false;
        wire_event(world, wire, 1 - end, EVENT_DRAINED, 0);
    }
    bool first = end == 1 && !e->up;
    e->up |= first;
    if (!e->up) return; // dropped by its engine
    device_enter(e->device);
    if (first) {
        engine_conn_up(e->device->engine, e->id, from->device->id, CONN_ACCEPTED, LANE_CONTROL,
                       slice_text("sim"));
    }
    // A wire that the engine dropped just now takes no more.
    if (world->verbose)
        world_say(world, "%s gets %zu bytes on %llu", e->device->name, msg->size,
                  (unsigned long long)e->id);
    if (e->up) engine_message(e->device->engine, e->id, slice_of(msg->bytes, msg->size));
    device_leave(e->device);
    free(msg);
}

void net_event(struct world *world, const struct event *event)
{
    struct wire *wire = event->pointer;
    if (event->kind == EVENT_DIAL) {
        dial_try(event->pointer);
        return;
    }
    struct end *e = &wire->ends[event->end];
    if (event->kind == EVENT_CONN_UP) conn_up(world, wire);
    if (event->kind == EVENT_DELIVER) deliver(world, wire, event->end);
    if (event->kind == EVENT_CONN_DOWN && !e->closed) conn_down(wire, event->end);
    if (event->kind == EVENT_DRAINED && alive(e) && e->up) {
        device_enter(e->device);
        engine_drained(e->device->engine, e->id);
        device_leave(e->device);
    }
}

// ---- faults

void net_lose(struct world *world)
{
    uint32_t count = 0;
    struct wire *chosen = NULL;
    for (struct wire *w = world->wires; w != NULL; w = w->next) {
        if (w->dead || !w->ends[0].up) continue;
        if (rng_below(&world->rng, ++count) == 0) chosen = w;
    }
    if (chosen == NULL) return;
    world_say(world, "line %s-%s is lost", chosen->ends[0].device->name,
              chosen->ends[1].device->name);
    wire_dies(world, chosen);
}

// A line that is cut for long dies.
static void cut_wires(struct world *world, uint32_t a, uint32_t b)
{
    for (struct wire *w = world->wires; w != NULL; w = w->next) {
        uint32_t x = w->ends[0].device->index, y = w->ends[1].device->index;
        bool it = (x == a && y == b) || (x == b && y == a);
        if (!it || w->dead || rng_below(&world->rng, 2) == 0) continue;
        world_event(world, rng_wait(&world->rng, 5 * SECOND),
                    (struct event){.kind = EVENT_LINE_DIES, .pointer = w});
    }
}

void net_cut(struct world *world, bool oneway)
{
    uint32_t a = rng_below(&world->rng, world->o.devices);
    uint32_t b = rng_below(&world->rng, world->o.devices);
    if (!world->linked[a][b]) return;
    world_say(world, "d%u and d%u are cut%s", a, b, oneway ? " one way" : "");
    world->blocked[a][b] = true;
    if (!oneway) world->blocked[b][a] = true;
    cut_wires(world, a, b);
    world_event(world, rng_wait(&world->rng, world->o.down_us),
                (struct event){.kind = EVENT_HEAL, .device = a, .end = (int)b});
}

void net_heal_all(struct world *world)
{
    memset(world->blocked, 0, sizeof world->blocked);
}

void net_line_dies(struct world *world, struct wire *wire)
{
    uint32_t x = wire->ends[0].device->index, y = wire->ends[1].device->index;
    if (world->blocked[x][y] || world->blocked[y][x]) wire_dies(world, wire);
}
