// SPDX-License-Identifier: MIT
//
// proto/card — what a device says of itself when it becomes a peer, and what an invitation to
// become one holds (docs/PROTOCOL.md, sections 17 and 18).
//
// Errors:  MALFORMED, LIMIT with *out_fault; strings borrow from the input.
#ifndef PROTO_CARD_H
#define PROTO_CARD_H

#include "agent/base/err.h"
#include "proto/types.h"

enum {
    CARD_BYTES_MAX = 832,
    CARD_TEXT_MAX = 64, // name, platform, program, and each address
    CARD_ADDRESSES_MAX = 8,
};

struct card {
    struct device_id device;
    struct slice name;
    struct slice platform; // "Linux x86_64", may be empty
    struct slice program;
    uint32_t port; // it listens there on all its addresses; 0: it does not
    uint32_t address_count;
    struct slice addresses[CARD_ADDRESSES_MAX]; // "tcp://10.0.0.2:7575"
};

void card_write(const struct card *card, struct buf *out);
enum err card_read(struct slice bytes, struct card *out, struct fault *out_fault) MUST_USE;

// What an invitation carries: whom to reach and where, and the secret that admits.
struct ticket {
    struct device_id device;
    uint8_t seed[32];
    uint32_t address_count;
    struct slice addresses[CARD_ADDRESSES_MAX];
};

void ticket_write(const struct ticket *ticket, struct buf *out);
enum err ticket_read(struct slice bytes, struct ticket *out, struct fault *out_fault) MUST_USE;

#endif
