// SPDX-License-Identifier: MIT
#include "pair_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/own.h"

const struct pair_times patient = {60000, 60000, 60000, 3000};

void side_begin(struct side *side, uint8_t seed, const char *code, const char *at,
                const struct pair_times *times)
{
    static const char *const local[] = {"tcp://127.0.0.1:0"};
    uint8_t bytes[32] = {seed};
    AUTO(buf_fini) struct buf card = {0};
    struct fault fault;
    (void)signal(SIGPIPE, SIG_IGN); // as the agent does
    side->identity = identity_from_seed(bytes);
    side->events = mailbox_new(NULL, NULL);
    struct card own = {.device = identity_device(side->identity),
                       .name = slice_text(seed == 1 ? "alpha" : "beta")};
    card_write(&own, &card);
    struct pair_options options = {.identity = side->identity,
                                   .card = buf_slice(&card),
                                   .code = code,
                                   .at = at,
                                   .listen = local,
                                   .listen_count = 1,
                                   .times = times,
                                   .events = side->events};
    assert_int_equal(pair_open(&options, &side->pair, &fault), ERR_OK);
    const char *const *endpoints;
    if (pair_endpoints(side->pair, &endpoints) == 1) {
        (void)snprintf(side->at, sizeof side->at, "%s", endpoints[0]);
    }
}

void side_end(struct side *side)
{
    pair_close(&side->pair);
    for (struct pair_event *left; (left = mailbox_try(side->events)) != NULL;)
        pair_event_destroy(&left);
    mailbox_destroy(&side->events);
    identity_destroy(&side->identity);
}

struct pair_event *expect(struct side *side, enum pair_event_kind kind)
{
    struct pair_event *event = mailbox_wait(side->events);
    assert_non_null(event);
    if (event->kind != kind) print_error("kind %d end %d\n", (int)event->kind, (int)event->end);
    assert_int_equal(event->kind, kind);
    return event;
}

void expect_plain(struct side *side, enum pair_event_kind kind)
{
    AUTO(pair_event_destroy) struct pair_event *event = expect(side, kind);
    assert_int_equal(event->end, PAIR_END_NONE);
}

void expect_end(struct side *side, enum pair_end end, bool by_other)
{
    AUTO(pair_event_destroy) struct pair_event *event = expect(side, PAIR_ENDED);
    assert_int_equal(event->end, end);
    assert_int_equal(event->by_other, by_other);
    assert_null(mailbox_try(side->events));
}

void expect_met(struct side *side, const struct side *other)
{
    AUTO(pair_event_destroy) struct pair_event *event = expect(side, PAIR_MET);
    struct card card;
    struct fault fault;
    struct device_id device = identity_device(other->identity);
    assert_int_equal(card_read(buf_slice(&event->card), &card, &fault), ERR_OK);
    assert_memory_equal(card.device.bytes, device.bytes, sizeof device.bytes);
    assert_string_equal(event->host, "127.0.0.1");
}

// ---- a stranger with a socket

int stranger_dial(const char *at)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htons((uint16_t)strtoul(strrchr(at, ':') + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 30};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    (void)close(fd);
    return -1;
}

void say(int fd, enum pair_kind kind, const void *payload, size_t size)
{
    uint8_t frame[2048] = {(uint8_t)((size + 1) >> 8), (uint8_t)(size + 1), (uint8_t)kind};
    if (size > 0) memcpy(frame + 3, payload, size);
    (void)!send(fd, frame, size + 3, MSG_NOSIGNAL);
}

static bool receive(int fd, uint8_t *out, size_t size)
{
    return recv(fd, out, size, MSG_WAITALL) == (ssize_t)size;
}

// The kind of the next frame, 0 at the end.
int hear(int fd, uint8_t out[PAIR_FRAME_MAX], size_t *out_size)
{
    uint8_t head[3];
    if (!receive(fd, head, 3)) return 0;
    *out_size = ((size_t)head[0] << 8 | head[1]) - 1;
    return receive(fd, out, *out_size) ? head[2] : 0;
}

void hear_bye(int fd, enum pair_end end)
{
    uint8_t payload[PAIR_FRAME_MAX];
    size_t size = 0;
    assert_int_equal(hear(fd, payload, &size), PAIR_BYE);
    assert_int_equal(size, 1);
    assert_int_equal(payload[0], end);
    (void)close(fd);
}

int say_begin(const char *at)
{
    uint8_t begin[1 + PAIR_NONCE_BYTES] = {PAIR_VERSION, 1, 2, 3};
    int fd = stranger_dial(at);
    say(fd, PAIR_BEGIN, begin, sizeof begin);
    return fd;
}

void hear_share(int fd)
{
    uint8_t payload[PAIR_FRAME_MAX];
    size_t size = 0;
    assert_int_equal(hear(fd, payload, &size), PAIR_SHARE);
    assert_int_equal(size, 1 + PAIR_NONCE_BYTES + CPACE_SHARE_BYTES);
}

void meet(struct side *a, struct side *b)
{
    side_begin(a, 1, CODE, NULL, &patient);
    side_begin(b, 2, CODE, a->at, &patient);
    expect_met(a, b);
    expect_met(b, a);
}
