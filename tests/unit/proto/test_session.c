// SPDX-License-Identifier: MIT
//
// The session table: every kind in every state on every lane, the numbers, and HELLO itself.
#include "make.h"
#include "proto/session.h"

enum { DIALLER_NUMBER = 1111, ACCEPTER_NUMBER = 2222 };

struct pair {
    struct lane_state dialler;
    struct lane_state accepter;
};

static struct message message_of(struct chance *c, struct arena *arena, enum message_kind kind)
{
    struct message m = make_message(c, arena, kind);
    if (kind == MSG_HELLO) m.hello.protocol = PROTO_VERSION;
    return m;
}

// Sends from one lane to the other and expects `expected`.
static void pass(struct lane_state *from, struct lane_state *to, enum message_kind kind,
                 enum err expected)
{
    struct chance c = {(uint64_t)kind};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    struct message m = message_of(&c, arena, kind);
    lane_send(from, &m, &bytes);
    struct message got;
    struct fault fault;
    bool stale = true;
    assert_int_equal(lane_receive(to, arena, buf_slice(&bytes), &got, &stale, &fault), expected);
    assert_false(stale);
    assert_int_equal(fault.code, expected);
}

// A message of `kind` with the number `session`, however illegal: the answer of `to`.
static enum err inject(struct lane_state *to, enum message_kind kind, uint64_t session,
                       enum lane hello_lane, bool *out_stale)
{
    struct chance c = {(uint64_t)kind};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    struct message m = message_of(&c, arena, kind);
    m.session = session;
    if (kind == MSG_HELLO) m.hello.lane = hello_lane;
    message_encode(&m, &bytes);
    struct message got;
    struct fault fault;
    return lane_receive(to, arena, buf_slice(&bytes), &got, out_stale, &fault);
}

static struct pair pair_new(enum lane which)
{
    struct pair p;
    lane_init(&p.dialler, which, true, DIALLER_NUMBER);
    lane_init(&p.accepter, LANE_CONTROL, false, ACCEPTER_NUMBER);
    return p;
}

static struct pair pair_open(enum lane which)
{
    struct pair p = pair_new(which);
    pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
    pass(&p.accepter, &p.dialler, MSG_HELLO, ERR_OK);
    return p;
}

static void test_hello(void **state)
{
    (void)state;
    for (enum lane which = LANE_CONTROL; which <= LANE_BULK; which++) {
        struct pair p = pair_new(which);
        pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
        assert_int_equal(p.dialler.state, SESSION_HELLO_SENT);
        assert_int_equal(p.accepter.state, SESSION_NEW);
        assert_int_equal(p.accepter.lane, which);
        assert_true(p.accepter.other_number == DIALLER_NUMBER);
        pass(&p.accepter, &p.dialler, MSG_HELLO, ERR_OK);
        assert_int_equal(p.dialler.state, SESSION_OPEN);
        assert_int_equal(p.accepter.state, SESSION_OPEN);
        assert_true(p.dialler.other_number == ACCEPTER_NUMBER);
    }
}

static bool lane_allows(enum lane lane, enum message_kind kind)
{
    bool bulk_only = kind == MSG_DATA || kind == MSG_PACK || kind == MSG_SIGNATURE ||
                     kind == MSG_DELTA || kind == MSG_PROBE;
    bool on_both = kind == MSG_HELLO || kind == MSG_VERSIONS || kind == MSG_BYE;
    return on_both || (bulk_only ? lane == LANE_BULK : lane == LANE_CONTROL);
}

static void test_open_table(void **state)
{
    (void)state;
    for (enum lane which = LANE_CONTROL; which <= LANE_BULK; which++)
        for (enum message_kind kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
            struct pair p = pair_open(which);
            bool legal = kind != MSG_HELLO && lane_allows(which, kind);
            bool stale = true;
            enum err err = inject(&p.accepter, kind, ACCEPTER_NUMBER, which, &stale);
            assert_int_equal(err, legal ? ERR_OK : ERR_ILLEGAL);
            assert_false(stale);
            err = inject(&p.dialler, kind, DIALLER_NUMBER, which, &stale);
            assert_int_equal(err, legal ? ERR_OK : ERR_ILLEGAL);
            assert_int_equal(p.dialler.state, kind == MSG_BYE ? SESSION_CLOSED : SESSION_OPEN);
            if (!legal) continue;
            struct pair q = pair_open(which);
            pass(&q.dialler, &q.accepter, kind, ERR_OK);
            q = pair_open(which);
            pass(&q.accepter, &q.dialler, kind, ERR_OK);
        }
}

static void test_before_open(void **state)
{
    (void)state;
    for (enum message_kind kind = MSG_OFFER; kind < MSG_BYE; kind++) {
        struct pair p = pair_new(LANE_CONTROL);
        bool stale = false;
        assert_int_equal(inject(&p.accepter, kind, ACCEPTER_NUMBER, 0, &stale), ERR_ILLEGAL);
        pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
        assert_int_equal(inject(&p.accepter, kind, ACCEPTER_NUMBER, 0, &stale), ERR_ILLEGAL);
        assert_int_equal(inject(&p.dialler, kind, DIALLER_NUMBER, 0, &stale), ERR_ILLEGAL);
        assert_int_equal(p.dialler.state, SESSION_HELLO_SENT);
    }
}

static void test_stale(void **state)
{
    (void)state;
    struct pair p = pair_new(LANE_CONTROL);
    bool stale = false;
    // leftovers before the HELLO, and a HELLO that answers somebody else's
    assert_int_equal(inject(&p.accepter, MSG_PUSH, 77, 0, &stale), ERR_OK);
    assert_true(stale);
    assert_int_equal(inject(&p.accepter, MSG_HELLO, 77, 0, &stale), ERR_OK);
    assert_true(stale);
    assert_int_equal(p.accepter.state, SESSION_NEW);
    assert_true(p.accepter.other_number == 0);
    p = pair_open(LANE_CONTROL);
    for (enum message_kind kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
        assert_int_equal(inject(&p.accepter, kind, 77, 0, &stale), ERR_OK);
        assert_true(stale);
        assert_int_equal(p.accepter.state, SESSION_OPEN);
    }
    assert_int_equal(inject(&p.accepter, MSG_PING, 0, 0, &stale), ERR_OK);
    assert_true(stale);
    assert_int_equal(inject(&p.accepter, MSG_BYE, 0, 0, &stale), ERR_OK);
    assert_true(stale);
}

static void test_second_hello(void **state)
{
    (void)state;
    bool stale = false;
    struct pair p = pair_new(LANE_CONTROL);
    pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
    assert_int_equal(inject(&p.accepter, MSG_HELLO, 0, 0, &stale), ERR_ILLEGAL);
    assert_int_equal(inject(&p.accepter, MSG_HELLO, ACCEPTER_NUMBER, 0, &stale), ERR_ILLEGAL);
    p = pair_open(LANE_CONTROL);
    assert_int_equal(inject(&p.accepter, MSG_HELLO, 0, 0, &stale), ERR_ILLEGAL);
    assert_int_equal(inject(&p.accepter, MSG_HELLO, ACCEPTER_NUMBER, 0, &stale), ERR_ILLEGAL);
    assert_int_equal(inject(&p.dialler, MSG_HELLO, DIALLER_NUMBER, 0, &stale), ERR_ILLEGAL);
    assert_false(stale);
    // an accepter that speaks first
    p = pair_new(LANE_CONTROL);
    assert_int_equal(inject(&p.dialler, MSG_HELLO, 0, 0, &stale), ERR_ILLEGAL);
}

static void test_hello_lane(void **state)
{
    (void)state;
    bool stale = false;
    struct pair p = pair_new(LANE_BULK);
    pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
    assert_int_equal(inject(&p.dialler, MSG_HELLO, DIALLER_NUMBER, LANE_CONTROL, &stale),
                     ERR_ILLEGAL);
    assert_int_equal(p.dialler.state, SESSION_HELLO_SENT);
}

static enum err hello_of_version(struct lane_state *to, uint32_t protocol)
{
    struct chance c = {1};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    struct message m = make_message(&c, arena, MSG_HELLO);
    m.hello.protocol = protocol;
    m.session = 0;
    message_encode(&m, &bytes);
    struct fault fault;
    bool stale = false;
    struct message got;
    return lane_receive(to, arena, buf_slice(&bytes), &got, &stale, &fault);
}

static void test_version(void **state)
{
    (void)state;
    struct pair p = pair_new(LANE_CONTROL);
    assert_int_equal(hello_of_version(&p.accepter, PROTO_VERSION + 1), ERR_VERSION);
    assert_int_equal(p.accepter.state, SESSION_NEW);
    // its number is known, so that BYE finds its way
    assert_true(p.accepter.other_number != 0);
}

static void test_bye(void **state)
{
    (void)state;
    bool stale = false;
    struct pair p = pair_new(LANE_CONTROL);
    pass(&p.dialler, &p.accepter, MSG_HELLO, ERR_OK);
    pass(&p.accepter, &p.dialler, MSG_BYE, ERR_OK);
    assert_int_equal(p.accepter.state, SESSION_CLOSED);
    assert_int_equal(p.dialler.state, SESSION_CLOSED);
    assert_int_equal(inject(&p.dialler, MSG_PING, DIALLER_NUMBER, 0, &stale), ERR_OK);
    assert_true(stale); // on its way when the BYE was sent
    stale = false;
    // before numbers are known a BYE carries 0
    p = pair_new(LANE_CONTROL);
    assert_int_equal(inject(&p.accepter, MSG_BYE, 0, 0, &stale), ERR_OK);
    assert_false(stale);
    assert_int_equal(p.accepter.state, SESSION_CLOSED);
}

static void test_garbage(void **state)
{
    (void)state;
    struct pair p = pair_open(LANE_CONTROL);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message got;
    struct fault fault;
    bool stale = true;
    struct slice bytes = slice_text("GET / HTTP/1.1");
    assert_int_equal(lane_receive(&p.accepter, arena, bytes, &got, &stale, &fault), ERR_MALFORMED);
    assert_false(stale);
    assert_int_equal(lane_receive(&p.accepter, arena, slice_of(NULL, 0), &got, &stale, &fault),
                     ERR_MALFORMED);
    assert_int_equal(p.accepter.state, SESSION_OPEN);
}

static void test_sizes(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    buf_reserve(&bytes, PROTO_MESSAGE_BYTES_MAX + 1);
    memset(bytes.data, 0xc0, PROTO_MESSAGE_BYTES_MAX + 1);
    memcpy(bytes.data, "\x93\xa5HELLO\x00\x81\xa1x\xc5\x41\x00", 14);
    struct message got;
    struct fault fault;
    bool stale = false;
    struct pair p = pair_new(LANE_CONTROL);
    // a HELLO over 16 KiB, judged by its size before its body is looked at
    bytes.size = 14 + 0x4100;
    assert_int_equal(lane_receive(&p.accepter, arena, buf_slice(&bytes), &got, &stale, &fault),
                     ERR_LIMIT);
    bytes.size = PROTO_MESSAGE_BYTES_MAX + 1;
    assert_int_equal(lane_receive(&p.accepter, arena, buf_slice(&bytes), &got, &stale, &fault),
                     ERR_LIMIT);
    assert_int_equal(fault.offset, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),        cmocka_unit_test(test_open_table),
        cmocka_unit_test(test_before_open),  cmocka_unit_test(test_stale),
        cmocka_unit_test(test_second_hello), cmocka_unit_test(test_hello_lane),
        cmocka_unit_test(test_version),      cmocka_unit_test(test_bye),
        cmocka_unit_test(test_garbage),      cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
