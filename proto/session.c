// SPDX-License-Identifier: MIT
#include "proto/session.h"

#include <string.h>

#include "agent/base/check.h"
#include "proto/message_priv.h"

enum {
    ON_CONTROL = 1 << LANE_CONTROL,
    ON_BULK = 1 << LANE_BULK,
    IN_NEW = 1 << SESSION_NEW,
    IN_HELLO_SENT = 1 << SESSION_HELLO_SENT,
    IN_OPEN = 1 << SESSION_OPEN,
};

// docs/PROTOCOL.md prints this table.
static const struct {
    uint8_t lanes;
    uint8_t states;
} legal[MSG_KIND_COUNT] = {
    [MSG_HELLO] = {ON_CONTROL | ON_BULK, IN_NEW | IN_HELLO_SENT},
    [MSG_OFFER] = {ON_CONTROL, IN_OPEN},
    [MSG_OWNERS] = {ON_CONTROL, IN_OPEN},
    [MSG_PULL] = {ON_CONTROL, IN_OPEN},
    [MSG_ACK] = {ON_CONTROL, IN_OPEN},
    [MSG_DONE] = {ON_CONTROL, IN_OPEN},
    [MSG_VERSIONS] = {ON_CONTROL | ON_BULK, IN_OPEN},
    [MSG_PUSH] = {ON_CONTROL, IN_OPEN},
    [MSG_NEWS] = {ON_CONTROL, IN_OPEN},
    [MSG_APPLIED] = {ON_CONTROL, IN_OPEN},
    [MSG_WANT] = {ON_CONTROL, IN_OPEN},
    [MSG_NOT_HELD] = {ON_CONTROL, IN_OPEN},
    [MSG_DATA] = {ON_BULK, IN_OPEN},
    [MSG_PACK] = {ON_BULK, IN_OPEN},
    [MSG_SIGNATURE] = {ON_BULK, IN_OPEN},
    [MSG_DELTA] = {ON_BULK, IN_OPEN},
    [MSG_HELD] = {ON_CONTROL, IN_OPEN},
    [MSG_APPROVALS] = {ON_CONTROL, IN_OPEN},
    [MSG_RANGES] = {ON_CONTROL, IN_OPEN},
    [MSG_ROLLBACK] = {ON_CONTROL, IN_OPEN},
    [MSG_PING] = {ON_CONTROL, IN_OPEN},
    [MSG_PONG] = {ON_CONTROL, IN_OPEN},
    [MSG_PROBE] = {ON_BULK, IN_OPEN},
    [MSG_PEERS] = {ON_CONTROL, IN_OPEN},
    [MSG_BYE] = {ON_CONTROL | ON_BULK, IN_NEW | IN_HELLO_SENT | IN_OPEN},
};

void lane_init(struct lane_state *lane, enum lane which, bool dialled, uint64_t own_number)
{
    CHECK(own_number != 0);
    *lane = (struct lane_state){SESSION_NEW, which, dialled, own_number, 0};
}

static bool in_table(const struct lane_state *lane, enum message_kind kind)
{
    bool state = (legal[kind].states >> lane->state & 1) != 0;
    // An accepted lane does not know which one it is before the dialler's HELLO.
    bool unknown = !lane->dialled && lane->other_number == 0;
    return state && (unknown || (legal[kind].lanes >> lane->lane & 1) != 0);
}

// HELLO goes once each way, the dialler's first: an accepted lane waits for it in NEW, a dialled
// one in HELLO_SENT.
static bool hello_awaited(const struct lane_state *lane)
{
    return lane->dialled ? lane->state == SESSION_HELLO_SENT
                         : lane->state == SESSION_NEW && lane->other_number == 0;
}

// Does the number say that the message belongs to this connection? Before OPEN a sender may not
// know our number yet: then it is 0 in a dialler's HELLO and in a BYE.
static bool number_right(const struct lane_state *lane, const struct message *message)
{
    if (message->kind == MSG_HELLO && !lane->dialled && hello_awaited(lane))
        return message->session == 0;
    if (message->kind == MSG_BYE && lane->state != SESSION_OPEN && message->session == 0)
        return true;
    return message->session == lane->own_number;
}

static void guard(const struct lane_state *lane, struct reader *r, const struct message *message,
                  bool *out_stale)
{
    if (!reader_ok(r)) return;
    bool is_hello = message->kind == MSG_HELLO;
    if (!number_right(lane, message)) {
        // A HELLO without a number is nobody's leftover, it is the start of a connection.
        if (is_hello && message->session == 0)
            reader_fail(r, ERR_ILLEGAL, 0, "a HELLO that was not awaited");
        else
            *out_stale = true;
        return;
    }
    if (!in_table(lane, message->kind))
        reader_fail(r, ERR_ILLEGAL, 0, "not allowed in this state or on this lane");
    else if (is_hello && !hello_awaited(lane))
        reader_fail(r, ERR_ILLEGAL, 0, "a HELLO that was not awaited");
}

static void hello_taken(struct lane_state *lane, struct reader *r, const struct msg_hello *hello)
{
    if (lane->dialled && hello->lane != lane->lane) {
        reader_fail(r, ERR_ILLEGAL, 0, "HELLO names the other lane");
        return;
    }
    lane->lane = hello->lane;
    lane->other_number = hello->session;
    if (hello->protocol != PROTO_VERSION)
        reader_fail(r, ERR_VERSION, 0, "speaks another protocol version");
    else if (lane->dialled)
        lane->state = SESSION_OPEN; // an accepted lane opens when it has answered
}

enum err lane_receive(struct lane_state *lane, struct arena *arena, struct slice bytes,
                      struct message *out, bool *out_stale, struct fault *fault)
{
    *out_stale = false;
    if (lane->state == SESSION_CLOSED) { // it crossed a BYE on the way
        *out_stale = true;
        return ERR_OK;
    }
    struct reader r;
    reader_init(&r, arena, bytes, 0);
    message_read_head(&r, out);
    guard(lane, &r, out, out_stale);
    if (!*out_stale) message_read_body(&r, out);
    if (reader_ok(&r) && !*out_stale && out->kind == MSG_HELLO) hello_taken(lane, &r, &out->hello);
    if (reader_ok(&r) && !*out_stale && out->kind == MSG_BYE) lane->state = SESSION_CLOSED;
    *fault = r.fault;
    return r.fault.code;
}

void lane_send(struct lane_state *lane, struct message *message, struct buf *out)
{
    CHECK(message->kind > 0 && message->kind < MSG_KIND_COUNT);
    CHECK(in_table(lane, message->kind));
    message->session = lane->other_number;
    if (message->kind == MSG_HELLO) {
        // The dialler speaks first, the other side answers.
        CHECK(lane->state == SESSION_NEW && lane->dialled == (lane->other_number == 0));
        message->hello.session = lane->own_number;
        message->hello.lane = lane->lane;
    }
    message_encode(message, out);
    if (message->kind == MSG_HELLO)
        lane->state = lane->dialled ? SESSION_HELLO_SENT : SESSION_OPEN;
    else if (message->kind == MSG_BYE)
        lane->state = SESSION_CLOSED;
}
