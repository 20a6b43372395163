// SPDX-License-Identifier: MIT
//
// Bulk must not fill the queue of a slow line: what is edited meanwhile, on the control lane, waits
// behind it there, and most systems send until that queue is full. So while a connection sends much
// its round trips are watched. Where they take longer than at their best, the kernel is told to
// send a little slower than what arrives, until the queue is gone; then faster by and by. This is
// what LEDBAT does (RFC 6817), with the kernel's own pacing.
//
// A queue that does not go although little of it is ours is somebody else's: no regard is paid to
// it for a while, or who has none would take the line.
#include "agent/net/net_priv.h"

enum {
    PACE_MS = 50,
    PACE_MESSAGE_MIN = 16 << 10, // by one of such a size it begins,
    PACE_GOES_ON_MS = 2000,      // and so long after the last it ends
    PACE_BYTES_MIN = 8 << 10,    // a rate is told by no less
    PACE_EMPTY_LOOKS = 20,       // with nothing waiting: it is not what fills the line
    PACE_FAR_US = 5000,          // with less of a round trip the line is fast, and its queue short
    PACE_QUEUE_US = 50 * 1000,   // it may be so long
    PACE_DRAIN_US = 250 * 1000,
    PACE_SHARE_MIN = 3,    // of what arrived at best; less,
    PACE_LITTLE_MS = 1000, // for so long, is for the sake of others:
    PACE_PARDON_MS = 10 * 1000
};

static void pace_limit(struct conn *conn, uint64_t rate)
{
    if (conn->pace.rate == rate) return;
    conn->pace.rate = rate;
    flow_limit(conn->fd, rate);
}

// Little arrived although much was to be sent. Once may be that something stood still.
static bool pace_is_others(struct net *net, struct pace *pace, uint64_t arrived)
{
    bool is_little = arrived < pace->best / PACE_SHARE_MIN;
    if (!is_little) pace->little_ms = 0;
    if (is_little && pace->little_ms == 0) pace->little_ms = net->now_ms;
    return is_little && net->now_ms - pace->little_ms >= PACE_LITTLE_MS;
}

static void pace_slower(struct net *net, struct conn *conn, uint64_t arrived, uint64_t excess_us)
{
    struct pace *pace = &conn->pace;
    if (pace->rate == 0 || arrived > pace->best) pace->best = arrived;
    if (pace_is_others(net, pace, arrived)) {
        pace->pardon_ms = net->now_ms + PACE_PARDON_MS;
        pace_limit(conn, 0);
        return;
    }
    uint64_t most_us = PACE_DRAIN_US / 2, least = pace->best / (PACE_SHARE_MIN + 1);
    uint64_t less_us = excess_us < most_us ? excess_us : most_us;
    uint64_t rate = arrived - arrived * less_us / PACE_DRAIN_US;
    pace_limit(conn, rate > least ? rate : least);
}

static void pace_faster(struct conn *conn, uint64_t arrived)
{
    struct pace *pace = &conn->pace;
    pace->little_ms = 0;
    if (pace->rate == 0 || arrived < pace->rate / 4 * 3) return; // not what holds it back
    pace_limit(conn, pace->rate + pace->rate / 32 + 1);
}

// Only of one that always had more to send than it could, what arrives tells what the line takes.
static void pace_measured(struct net *net, struct conn *conn, const struct flow_sent *sent,
                          uint64_t arrived)
{
    uint64_t queue_us = sent->round_trip_us - sent->shortest_us;
    if (sent->shortest_us < PACE_FAR_US || net->now_ms < conn->pace.pardon_ms) {
        pace_limit(conn, 0);
    } else if (queue_us > PACE_QUEUE_US) {
        pace_slower(net, conn, arrived, queue_us - PACE_QUEUE_US);
    } else {
        pace_faster(conn, arrived);
    }
}

// True: it has more to send than it can.
static bool pace_look(struct net *net, struct conn *conn)
{
    struct flow_sent sent;
    struct pace *pace = &conn->pace;
    if (!flow_sent(conn->fd, &sent)) return false;
    uint64_t bytes = sent.acknowledged - pace->acknowledged;
    bool goes_on = sent.is_full && pace->full_ms != 0;
    if (goes_on && bytes < PACE_BYTES_MIN) return true; // the next look tells more
    int64_t passed_ms = net->now_ms - pace->full_ms;
    pace->acknowledged = sent.acknowledged;
    pace->full_ms = sent.is_full ? net->now_ms : 0;
    pace->empty_looks = sent.is_full ? 0 : pace->empty_looks + 1;
    if (pace->empty_looks > PACE_EMPTY_LOOKS) pace_limit(conn, 0);
    if (goes_on) pace_measured(net, conn, &sent, bytes * 1000 / (uint64_t)passed_ms);
    return sent.is_full;
}

void pace_begin(struct net *net, size_t sent)
{
    if (sent < PACE_MESSAGE_MIN) return;
    net->pace_until_ms = net->now_ms + PACE_GOES_ON_MS;
    if (net->pace_ms != INT64_MAX) return;
    net->pace_ms = net->now_ms + PACE_MS;
}

void pace_tick(struct net *net)
{
    struct slice key;
    void *value;
    if (net->now_ms < net->pace_ms) return;
    for (size_t at = 0; map_next(net->conns, &at, &key, &value);) {
        struct conn *conn = value;
        if (conn->state != CONN_UP || conn->is_gone || conn->fd < 0) continue;
        if (pace_look(net, conn)) net->pace_until_ms = net->now_ms + PACE_GOES_ON_MS;
    }
    net->pace_ms = net->now_ms < net->pace_until_ms ? net->now_ms + PACE_MS : INT64_MAX;
}
