// SPDX-License-Identifier: MIT
//
// Others on the pairing socket, and somebody in between.
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "pair_test.h"

// ---- others on the socket

static void garbage_changes_nothing(void **state)
{
    (void)state;
    struct side a, b;
    uint8_t noise[1500];
    side_begin(&a, 1, CODE, NULL, &patient);
    memset(noise, 0xff, sizeof noise);
    int fd = stranger_dial(a.at);
    (void)!send(fd, noise, sizeof noise, MSG_NOSIGNAL);
    hear_bye(fd, PAIR_END_MALFORMED);
    fd = stranger_dial(a.at);
    (void)!send(fd, "\0\0", 2, MSG_NOSIGNAL);
    hear_bye(fd, PAIR_END_MALFORMED);
    fd = stranger_dial(a.at);
    (void)!send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
    hear_bye(fd, PAIR_END_MALFORMED);
    fd = stranger_dial(a.at);
    say(fd, PAIR_PROOF, noise, 900); // out of turn: no guess
    hear_bye(fd, PAIR_END_MALFORMED);
    fd = stranger_dial(a.at);
    say(fd, PAIR_BEGIN, "\7", 1);
    hear_bye(fd, PAIR_END_VERSION);
    fd = say_begin(a.at);
    hear_share(fd);
    say(fd, PAIR_ACCEPT, noise, 17);
    hear_bye(fd, PAIR_END_MALFORMED);
    side_begin(&b, 2, CODE, a.at, &patient);
    expect_met(&a, &b);
    expect_met(&b, &a);
    side_end(&a);
    side_end(&b);
}

// Shares that are no points are a guess like any other.
static void bad_points_end_it(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte += 255) {
        struct side a;
        uint8_t proof[CPACE_SHARE_BYTES + CPACE_TAG_BYTES + 64];
        side_begin(&a, 1, CODE, NULL, &patient);
        memset(proof, byte, sizeof proof);
        int fd = say_begin(a.at);
        hear_share(fd);
        say(fd, PAIR_PROOF, proof, sizeof proof);
        hear_bye(fd, PAIR_END_WRONG_CODE);
        expect_end(&a, PAIR_END_GUESSED, false);
        side_end(&a);
    }
}

// Many who say nothing, or half a frame; then many who begin: the right one gets on all the same.
static void a_flood_keeps_nobody_out(void **state)
{
    (void)state;
    static const struct pair_times brief = {60000, 300, 60000, 3000};
    enum { FLOOD = 60 };
    int fds[2 * FLOOD];
    struct side a, b;
    side_begin(&a, 1, CODE, NULL, &brief);
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = stranger_dial(a.at);
        if (i % 2 == 0) (void)!send(fds[i], "\0", 1, MSG_NOSIGNAL);
    }
    for (int i = FLOOD; i < 2 * FLOOD; i++)
        fds[i] = say_begin(a.at);
    side_begin(&b, 2, CODE, a.at, &patient);
    expect_met(&a, &b);
    expect_met(&b, &a);
    side_end(&a);
    side_end(&b);
    for (int i = 0; i < 2 * FLOOD; i++)
        (void)close(fds[i]);
}

static void one_attempt_at_a_time(void **state)
{
    (void)state;
    struct side a;
    side_begin(&a, 1, CODE, NULL, &patient);
    int first = say_begin(a.at);
    hear_share(first);
    hear_bye(say_begin(a.at), PAIR_END_BUSY);
    (void)close(first);
    side_end(&a);
}

// ---- somebody in between

struct relay {
    pthread_t thread;
    int listener;
    char at[64];
    const char *to;
    size_t flip; // byte of what goes from the joiner (or, from the top, comes back) to change
    bool back;
    uint8_t seen[4096]; // all that the joiner sent
    size_t seen_size;
};

static bool pump(struct relay *relay, int from, int to, size_t *passed, bool is_back)
{
    uint8_t bytes[2048];
    ssize_t size = recv(from, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    if (!is_back) {
        assert_true(relay->seen_size + (size_t)size <= sizeof relay->seen);
        memcpy(relay->seen + relay->seen_size, bytes, (size_t)size);
        relay->seen_size += (size_t)size;
    }
    if (relay->back == is_back && relay->flip >= *passed && relay->flip < *passed + (size_t)size) {
        bytes[relay->flip - *passed] ^= 1;
    }
    *passed += (size_t)size;
    return send(to, bytes, (size_t)size, MSG_NOSIGNAL) == size;
}

static void *relay_run(void *context)
{
    struct relay *relay = context;
    size_t there = 0, back = 0;
    int in = accept(relay->listener, NULL, NULL);
    int out = stranger_dial(relay->to);
    for (bool is_open = true; is_open;) {
        struct pollfd fds[] = {{.fd = in, .events = POLLIN}, {.fd = out, .events = POLLIN}};
        if (poll(fds, 2, 30000) <= 0) break;
        if (fds[0].revents != 0) is_open = pump(relay, in, out, &there, false);
        if (is_open && fds[1].revents != 0) is_open = pump(relay, out, in, &back, true);
    }
    (void)close(in);
    (void)close(out);
    return NULL;
}

static int listen_local(char at[64])
{
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t size = sizeof local;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof local), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &size), 0);
    (void)snprintf(at, 64, "tcp://127.0.0.1:%u", ntohs(local.sin_port));
    return fd;
}

static void relay_begin(struct relay *relay, const char *to, bool back, size_t flip)
{
    *relay = (struct relay){.to = to, .back = back, .flip = flip};
    relay->listener = listen_local(relay->at);
    assert_int_equal(pthread_create(&relay->thread, NULL, relay_run, relay), 0);
}

static void relay_end(struct relay *relay)
{
    (void)pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
}

static bool contains(const uint8_t *bytes, size_t size, const void *what, size_t what_size)
{
    for (size_t i = 0; i + what_size <= size; i++)
        if (memcmp(bytes + i, what, what_size) == 0) return true;
    return false;
}

enum { NO_FLIP = 1 << 20 };

// Who passes everything on learns nothing: no id, no name, no code.
static void a_relay_learns_nothing(void **state)
{
    (void)state;
    struct side a, b;
    struct relay relay;
    side_begin(&a, 1, CODE, NULL, &patient);
    relay_begin(&relay, a.at, false, NO_FLIP);
    side_begin(&b, 2, CODE, relay.at, &patient);
    expect_met(&a, &b);
    expect_met(&b, &a);
    struct device_id device = identity_device(b.identity);
    side_end(&a);
    side_end(&b);
    relay_end(&relay);
    assert_true(relay.seen_size > 200);
    assert_false(contains(relay.seen, relay.seen_size, device.bytes, 8));
    assert_false(contains(relay.seen, relay.seen_size, "beta", 4));
    assert_false(contains(relay.seen, relay.seen_size, "amber", 5));
}

// Whatever byte of nonces, shares, tags and cards is changed on the way: they do not meet.
static void a_relay_alters_nothing(void **state)
{
    (void)state;
    static const struct {
        bool back;
        size_t flip;
    } places[] = {
        {false, 4},   // the joiner's nonce
        {false, 25},  // its share
        {false, 60},  // its tag
        {false, 130}, // its card
        {true, 4},    // the offerer's nonce
        {true, 25},   // its share
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct side a, b;
        struct relay relay;
        side_begin(&a, 1, CODE, NULL, &patient);
        relay_begin(&relay, a.at, places[i].back, places[i].flip);
        side_begin(&b, 2, CODE, relay.at, &patient);
        AUTO(pair_event_destroy) struct pair_event *at_a = expect(&a, PAIR_ENDED);
        AUTO(pair_event_destroy) struct pair_event *at_b = expect(&b, PAIR_ENDED);
        assert_true(at_a->end == PAIR_END_GUESSED);
        assert_true(at_b->end == PAIR_END_WRONG_CODE || at_b->end == PAIR_END_MALFORMED);
        side_end(&a);
        side_end(&b);
        relay_end(&relay);
    }
}

// The offerer's own proof altered: it has met, the joiner has not, and says so.
static void an_altered_answer_is_noticed(void **state)
{
    (void)state;
    struct side a, b;
    struct relay relay;
    side_begin(&a, 1, CODE, NULL, &patient);
    relay_begin(&relay, a.at, true, 3 + 1 + PAIR_NONCE_BYTES + CPACE_SHARE_BYTES + 3 + 10);
    side_begin(&b, 2, CODE, relay.at, &patient);
    expect_met(&a, &b);
    expect_end(&b, PAIR_END_WRONG_CODE, false);
    expect_end(&a, PAIR_END_WRONG_CODE, true);
    side_end(&a);
    side_end(&b);
    relay_end(&relay);
}

// What a joiner once said is worth nothing to the same code again: the offerer draws anew.
static void a_replay_is_a_wrong_guess(void **state)
{
    (void)state;
    struct side a, b;
    struct relay relay;
    side_begin(&a, 1, CODE, NULL, &patient);
    relay_begin(&relay, a.at, false, NO_FLIP);
    side_begin(&b, 2, CODE, relay.at, &patient);
    expect_met(&a, &b);
    expect_met(&b, &a);
    side_end(&a);
    side_end(&b);
    relay_end(&relay);
    side_begin(&a, 1, CODE, NULL, &patient);
    int fd = stranger_dial(a.at);
    size_t begin = 3 + 1 + PAIR_NONCE_BYTES;
    size_t proof = 2 + ((size_t)relay.seen[begin] << 8 | relay.seen[begin + 1]);
    (void)!send(fd, relay.seen, begin, MSG_NOSIGNAL);
    hear_share(fd);
    (void)!send(fd, relay.seen + begin, proof, MSG_NOSIGNAL);
    hear_bye(fd, PAIR_END_WRONG_CODE);
    expect_end(&a, PAIR_END_GUESSED, false);
    side_end(&a);
}

// Whoever answers in the offerer's place can test one code by the joiner's proof, and no second.
static void busy_after_the_proof_is_the_end(void **state)
{
    (void)state;
    struct side b;
    char at[64];
    uint8_t payload[PAIR_FRAME_MAX];
    uint8_t busy = PAIR_END_BUSY;
    size_t size = 0;
    AUTO(fd_close) int listener = listen_local(at);
    side_begin(&b, 2, CODE, at, &patient);
    for (int i = 0; i < 2; i++) { // busy before the share: it comes again
        int fd = accept(listener, NULL, NULL);
        assert_int_equal(hear(fd, payload, &size), PAIR_BEGIN);
        if (i == 1) {
            // Any point of the group will do: that of the values in PROTOCOL 17.
            static const uint8_t share[] = {0xf6, 0xb0, 0xeb, 0x37, 0x59, 0x51, 0x41, 0x98,
                                            0xde, 0x4c, 0x11, 0x3b, 0xb2, 0x18, 0x0e, 0xef,
                                            0x7c, 0xb3, 0xe7, 0x80, 0x20, 0x53, 0xb9, 0xf1,
                                            0xc7, 0x55, 0xc4, 0x2e, 0x2d, 0x80, 0x13, 0x4b};
            uint8_t answer[1 + PAIR_NONCE_BYTES + CPACE_SHARE_BYTES] = {PAIR_VERSION};
            memcpy(answer + 1 + PAIR_NONCE_BYTES, share, sizeof share);
            say(fd, PAIR_SHARE, answer, sizeof answer);
            assert_int_equal(hear(fd, payload, &size), PAIR_PROOF);
        }
        say(fd, PAIR_BYE, &busy, 1);
        (void)close(fd);
    }
    expect_end(&b, PAIR_END_MALFORMED, false);
    side_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_changes_nothing),
        cmocka_unit_test(bad_points_end_it),
        cmocka_unit_test(a_flood_keeps_nobody_out),
        cmocka_unit_test(one_attempt_at_a_time),
        cmocka_unit_test(a_relay_learns_nothing),
        cmocka_unit_test(a_relay_alters_nothing),
        cmocka_unit_test(an_altered_answer_is_noticed),
        cmocka_unit_test(a_replay_is_a_wrong_guess),
        cmocka_unit_test(busy_after_the_proof_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
