// SPDX-License-Identifier: MIT
//
// A lane is fed frames and sends what it may; beside it goes the grammar once more, written down
// from docs/PROTOCOL.md in another way: what was said so far tells what may come.
#include "proto/session.h"
#include "tests/fuzz/fuzz.h"

enum { OWN_NUMBER = 7, FRAMES_MAX = 64 };

struct talk {
    struct lane_state lane;
    bool hello_in, hello_out, over;
};

static bool on_bulk(enum message_kind kind)
{
    return kind == MSG_HELLO || kind == MSG_BYE || kind == MSG_VERSIONS || kind == MSG_DATA ||
           kind == MSG_PACK || kind == MSG_SIGNATURE || kind == MSG_DELTA || kind == MSG_PROBE;
}

static bool on_control(enum message_kind kind)
{
    return kind != MSG_DATA && kind != MSG_PACK && kind != MSG_SIGNATURE && kind != MSG_DELTA;
}

static bool is_open(const struct talk *talk)
{
    return talk->hello_in && talk->hello_out && !talk->over;
}

static void taken(struct talk *talk, const struct message *m)
{
    CHECK(!talk->over);
    if (m->kind == MSG_HELLO) {
        CHECK(!talk->hello_in && talk->hello_out == talk->lane.dialled);
        CHECK(m->hello.protocol == PROTO_VERSION && m->hello.session != 0);
        CHECK(talk->lane.other_number == m->hello.session && talk->lane.lane == m->hello.lane);
        talk->hello_in = true;
    } else if (m->kind == MSG_BYE) {
        CHECK(m->session == OWN_NUMBER || (m->session == 0 && !is_open(talk)));
        talk->over = true;
    } else {
        CHECK(is_open(talk) && m->session == OWN_NUMBER);
    }
    bool knows = talk->lane.dialled || talk->hello_in;
    CHECK(!knows || (talk->lane.lane == LANE_BULK ? on_bulk(m->kind) : on_control(m->kind)));
}

static bool may_come(const struct talk *talk, const struct message *m)
{
    const struct lane_state *lane = &talk->lane;
    if (m->kind == MSG_BYE) return m->session == OWN_NUMBER || (m->session == 0 && !is_open(talk));
    if (m->kind != MSG_HELLO)
        return is_open(talk) && m->session == OWN_NUMBER &&
               (lane->lane == LANE_BULK ? on_bulk(m->kind) : on_control(m->kind));
    bool fits =
        lane->dialled ? m->session == OWN_NUMBER && m->hello.lane == lane->lane : m->session == 0;
    return fits && !talk->hello_in && talk->hello_out == lane->dialled &&
           m->hello.protocol == PROTO_VERSION;
}

// What is refused says so of something that the grammar has not, or is no message.
static void refused(const struct talk *talk, struct arena *arena, struct slice frame, enum err err,
                    const struct fault *fault)
{
    struct message m;
    struct fault of_frame;
    CHECK(err_reaction(err) == REACT_DROP_PEER && fault->code == err && fault->what != NULL);
    CHECK(message_decode(arena, frame, &m, &of_frame) != ERR_OK || !may_come(talk, &m));
}

// False: the lane must end.
static bool receive(struct talk *talk, struct arena *arena, struct slice frame)
{
    struct lane_state before = talk->lane;
    struct message m;
    struct fault fault = {0};
    bool stale = false;
    enum err err = lane_receive(&talk->lane, arena, frame, &m, &stale, &fault);
    if (talk->over) { // it crossed a BYE on the way
        CHECK(err == ERR_OK && stale && talk->lane.state == SESSION_CLOSED);
        return true;
    }
    if (err != ERR_OK) {
        CHECK(talk->lane.state == before.state);
        talk->lane = before;
        refused(talk, arena, frame, err, &fault);
        return false;
    }
    if (stale) {
        CHECK(!may_come(talk, &m));
        CHECK(talk->lane.state == before.state && talk->lane.other_number == before.other_number);
        bool first = m.kind == MSG_HELLO && !talk->lane.dialled && !talk->hello_in;
        CHECK(m.session != (first ? 0 : OWN_NUMBER));
        return true;
    }
    taken(talk, &m);
    return true;
}

static void say(struct talk *talk, enum message_kind kind)
{
    AUTO(buf_fini) struct buf frame = {0};
    struct message m = {.kind = kind};
    bool may = kind == MSG_BYE ? !talk->over
               : kind == MSG_HELLO
                   ? !talk->hello_out && !talk->over && talk->hello_in != talk->lane.dialled
                   : is_open(talk) && talk->lane.lane == LANE_CONTROL;
    if (!may) return;
    m.hello.protocol = PROTO_VERSION;
    m.hello.program = m.hello.name = slice_text("x");
    if (kind == MSG_BYE) m.bye = (struct msg_bye){BYE_STOPPING, slice_text("")};
    if (kind == MSG_PING) m.ping = (struct msg_ping){1, 2};
    lane_send(&talk->lane, &m, &frame);
    if (kind == MSG_HELLO) talk->hello_out = true;
    if (kind == MSG_BYE) talk->over = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum message_kind said[] = {MSG_HELLO, MSG_PING, MSG_BYE};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct feed feed = {data, size};
    struct talk talk = {.hello_in = false};
    uint8_t how = feed_byte(&feed);
    lane_init(&talk.lane, how & 1 ? LANE_BULK : LANE_CONTROL, (how & 2) != 0, OWN_NUMBER);
    for (int i = 0; i < FRAMES_MAX && feed.size > 0; i++) {
        uint8_t next = feed_byte(&feed);
        if (next % 4 < 3)
            say(&talk, said[next % 4]);
        else if (!receive(&talk, arena, feed_record(&feed)))
            return 0;
        CHECK((talk.lane.state == SESSION_CLOSED) == talk.over);
        CHECK((talk.lane.state == SESSION_OPEN) == is_open(&talk));
    }
    return 0;
}
