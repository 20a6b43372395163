// SPDX-License-Identifier: MIT
#include "agent/base/check.h"
#include "tests/unit/sync/lan_priv.h"

enum { REDIAL_MS = 1000, STALL_MS = 150 * 1000 };

struct parcel {
    struct parcel *next;
    uint64_t conn; // at the end it goes to
    size_t size;
    uint8_t bytes[];
};

struct spot {
    struct line *line;
    int lane, end;
};

static bool spot_find(struct lan *lan, uint64_t conn, struct spot *out)
{
    for (uint32_t i = 0; i < lan->line_count; i++) {
        for (int at = 0; at < 4; at++) {
            *out = (struct spot){&lan->lines[i], at / 2, at % 2};
            if (out->line->conns[out->lane][out->end] == conn) return true;
        }
    }
    return false;
}

static size_t queued_to(const struct lan *lan, uint64_t conn)
{
    size_t size = 0;
    for (const struct parcel *p = lan->first; p != NULL; p = p->next)
        size += p->conn == conn ? p->size : 0;
    return size;
}

enum err line_send(struct net *net, uint64_t conn, struct slice bytes)
{
    struct machine *m = (struct machine *)(void *)net;
    struct lan *lan = m->lan;
    struct spot at;
    if (!spot_find(lan, conn, &at)) return ERR_UNREACHABLE;
    uint64_t to = at.line->conns[at.lane][1 - at.end];
    if (to == 0) return ERR_OK; // the other end has dropped it: lost
    size_t queued = queued_to(lan, to);
    if (queued > 0 && queued + bytes.size > lan->queue_max[at.lane]) return ERR_BUSY;
    struct parcel *p = mem_alloc(sizeof *p + bytes.size);
    *p = (struct parcel){.conn = to, .size = bytes.size};
    memcpy(p->bytes, bytes.data, bytes.size);
    *lan->last = p;
    lan->last = &p->next;
    return ERR_OK;
}

size_t line_queued(const struct net *net, uint64_t conn)
{
    const struct machine *m = (const struct machine *)(const void *)net;
    struct spot at;
    if (!spot_find(m->lan, conn, &at)) return 0;
    return queued_to(m->lan, at.line->conns[at.lane][1 - at.end]);
}

// ---- up and down

static void parcels_drop(struct lan *lan, uint64_t conn)
{
    for (struct parcel **at = &lan->first; *at != NULL;) {
        struct parcel *p = *at;
        if (p->conn == conn) {
            *at = p->next;
            mem_free(&p);
        } else {
            at = &p->next;
        }
    }
    lan->last = &lan->first;
    while (*lan->last != NULL)
        lan->last = &(*lan->last)->next;
}

// Whoever is not `but` is told. What was under way is lost.
static void line_down(struct lan *lan, struct line *line, uint64_t but)
{
    for (int at = 0; at < 4; at++) {
        uint64_t conn = line->conns[at / 2][at % 2];
        struct machine *m = &lan->machines[line->ends[at % 2]];
        if (conn == 0) continue;
        line->conns[at / 2][at % 2] = 0;
        parcels_drop(lan, conn);
        if (conn != but && !m->down && m->engine != NULL) engine_conn_down(m->engine, conn);
    }
    line->redial_ms = lan->now_ms + REDIAL_MS;
    line->stalled_ms = 0;
}

// The engine is not called back: what is left of the line goes in the next turn.
void line_drop(struct net *net, uint64_t conn)
{
    struct machine *m = (struct machine *)(void *)net;
    struct spot at;
    if (!spot_find(m->lan, conn, &at)) return;
    parcels_drop(m->lan, conn);
    at.line->conns[at.lane][at.end] = 0;
}

static bool half_down(const struct line *line)
{
    int up = 0;
    for (int at = 0; at < 4; at++)
        up += line->conns[at / 2][at % 2] != 0;
    return up > 0 && up < 4;
}

static void line_up(struct lan *lan, struct line *line)
{
    for (int at = 0; at < 4; at++)
        line->conns[at / 2][at % 2] = ++lan->last_conn;
    for (int at = 0; at < 4; at++) {
        struct machine *m = &lan->machines[line->ends[at % 2]];
        const struct machine *other = &lan->machines[line->ends[1 - at % 2]];
        uint64_t conn = line->conns[at / 2][at % 2];
        if (conn == 0) continue; // dropped already
        engine_conn_up(m->engine, conn, other->id, at % 2 == 0 ? CONN_DIALLED : CONN_ACCEPTED,
                       (enum lane)(at / 2), slice_text("tcp://lan"));
    }
}

static bool may_dial(const struct lan *lan, const struct line *line)
{
    bool both = !lan->machines[line->ends[0]].down && !lan->machines[line->ends[1]].down;
    return !lan->cut && both && line->conns[0][0] == 0;
}

void lines_of_end(struct machine *m)
{
    for (uint32_t i = 0; i < m->lan->line_count; i++) {
        struct line *line = &m->lan->lines[i];
        if (line->ends[0] == m->index || line->ends[1] == m->index) line_down(m->lan, line, 0);
    }
}

void lan_cut(struct lan *lan)
{
    lan->cut = true;
    for (uint32_t i = 0; i < lan->line_count; i++)
        line_down(lan, &lan->lines[i], 0);
}

void lan_join(struct lan *lan)
{
    lan->cut = false;
    for (uint32_t i = 0; i < lan->line_count; i++)
        lan->lines[i].redial_ms = lan->now_ms;
}

void lines_clear(struct lan *lan)
{
    while (lan->first != NULL)
        parcels_drop(lan, lan->first->conn);
}

// ---- messages

static void drained(struct lan *lan, const struct spot *at, size_t before)
{
    size_t now = queued_to(lan, at->line->conns[at->lane][at->end]);
    size_t half = lan->queue_max[at->lane] / 2;
    uint64_t sender = at->line->conns[at->lane][1 - at->end];
    struct machine *m = &lan->machines[at->line->ends[1 - at->end]];
    if (before >= half && now < half && sender != 0 && !m->down) engine_drained(m->engine, sender);
}

// What it says now; as it was unless it is this one that lies.
static struct slice as_told(struct lan *lan, const struct machine *m, const struct parcel *p,
                            struct buf *out)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    const struct slice bytes = slice_of(p->bytes, p->size);
    struct message message;
    struct fault fault;
    if (lan->fault.kind != FAULT_LIE || lan->fault.machine != m->index) return bytes;
    bool sound = message_decode(arena, bytes, &message, &fault) == ERR_OK;
    if (!sound || !lan->fault.lie(arena, &message) || !fault_now(lan, m, FAULT_LIE)) return bytes;
    message_encode(&message, out);
    return buf_slice(out);
}

static bool parcel_deliver(struct lan *lan)
{
    for (struct parcel **slot = &lan->first; *slot != NULL; slot = &(*slot)->next) {
        struct parcel *p = *slot;
        struct spot at;
        CHECK(spot_find(lan, p->conn, &at));
        struct machine *m = &lan->machines[at.line->ends[at.end]];
        if (fault_now(lan, m, FAULT_STALL)) at.line->stalled_ms = lan->now_ms + STALL_MS;
        if (lan->now_ms < at.line->stalled_ms) continue;
        if (fault_now(lan, m, FAULT_CUT)) {
            line_down(lan, at.line, 0);
            return true;
        }
        size_t before = queued_to(lan, p->conn);
        *slot = p->next;
        if (*slot == NULL) lan->last = slot;
        AUTO(buf_fini) struct buf lie = {0};
        engine_message(m->engine, p->conn, as_told(lan, m, p, &lie));
        if (spot_find(lan, p->conn, &at)) drained(lan, &at, before);
        mem_free(&p);
        return true;
    }
    return false;
}

bool lines_turn(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        const struct machine *m = &lan->machines[i];
        if (!m->down) engine_now(m->engine, lan->now_ms, lan->wall_ms + lan->now_ms);
    }
    for (uint32_t i = 0; i < lan->line_count; i++) {
        struct line *line = &lan->lines[i];
        if (half_down(line)) {
            line_down(lan, line, 0);
            return true;
        }
        if (may_dial(lan, line) && lan->now_ms >= line->redial_ms) {
            line_up(lan, line);
            return true;
        }
    }
    return parcel_deliver(lan);
}

int64_t lines_deadline(const struct lan *lan)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < lan->line_count; i++) {
        const struct line *line = &lan->lines[i];
        if (may_dial(lan, line) && line->redial_ms < next) next = line->redial_ms;
        if (line->stalled_ms > lan->now_ms && line->stalled_ms < next) next = line->stalled_ms;
    }
    return next;
}
