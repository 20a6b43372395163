// SPDX-License-Identifier: MIT
//
// Pairings over real sockets on 127.0.0.1: two sides in this process, and strangers with a socket.
#ifndef TESTS_UNIT_NET_PAIR_TEST_H
#define TESTS_UNIT_NET_PAIR_TEST_H

#include "agent/net/pair_priv.h"

#define CODE  "42-amber-river"
#define OTHER "42-amber-rabbit"

extern const struct pair_times patient;

struct side {
    struct identity *identity;
    struct mailbox *events;
    struct pair *pair;
    char at[64]; // of who offers
};

void side_begin(struct side *side, uint8_t seed, const char *code, const char *at,
                const struct pair_times *times);
void side_end(struct side *side);
struct pair_event *expect(struct side *side, enum pair_event_kind kind);
void expect_plain(struct side *side, enum pair_event_kind kind);
void expect_end(struct side *side, enum pair_end end, bool by_other);
void expect_met(struct side *side, const struct side *other);
int stranger_dial(const char *at);
void say(int fd, enum pair_kind kind, const void *payload, size_t size);
int hear(int fd, uint8_t out[PAIR_FRAME_MAX], size_t *out_size);
void hear_bye(int fd, enum pair_end end);
int say_begin(const char *at);
void hear_share(int fd);
void meet(struct side *a, struct side *b);

#endif
