// SPDX-License-Identifier: MIT
//
// agent/net/pair — two devices that do not know each other yet get to know each other by a code
// that a person carries from one to the other (docs/PROTOCOL.md "Pairing").
//
// One pairing, in a thread of its own, on a TCP socket of its own that speaks nothing else and is
// open only while somebody may still come. Who offers has the code first and listens; who joins
// dials. What happens arrives in the caller's mailbox; whatever is decided goes back by pair_*.
//
//     offering or joining -> MET -> pair_answer on both sides -> AGREED -> pair_stored on both
//         -> DONE;   ENDED instead of any of them
#ifndef AGENT_NET_PAIR_H
#define AGENT_NET_PAIR_H

#include "agent/base/err.h"
#include "agent/base/mailbox.h"
#include "proto/card.h"

struct pair;
struct identity;

enum {
    PAIR_PORT = 7576, // of who listens nowhere; else the one after the agent's own
    PAIR_HOST_MAX = 300,
    PAIR_CODE_MS = 120 * 1000, // a code's life
};

enum pair_end {
    PAIR_END_NONE,
    // said by the other side, with these numbers
    PAIR_END_BUSY = 1,       // another attempt is in flight
    PAIR_END_WRONG_CODE = 2, // the one guess was wrong, or somebody is in between
    PAIR_END_EXPIRED = 3,
    PAIR_END_DECLINED = 4,
    PAIR_END_VERSION = 5,
    PAIR_END_FAILED = 6, // it could not store its new peer
    PAIR_END_MALFORMED = 7,
    // seen here
    PAIR_END_UNKNOWN_HOST = 32,
    PAIR_END_REFUSED, // nobody listens there
    PAIR_END_UNREACHABLE,
    PAIR_END_LOST,        // the connection, or no answer in time
    PAIR_END_NOBODY_CAME, // the code is too old
    PAIR_END_GUESSED,     // somebody came with a wrong code
    PAIR_END_DECLINED_HERE,
    PAIR_END_NOT_ANSWERED, // nobody answered in time, here or there
};

struct pair_times {
    int64_t code_ms;    // how long somebody may come
    int64_t step_ms;    // for a message that needs no person
    int64_t answer_ms;  // for the people
    int64_t connect_ms; // per address
};

struct pair_options {
    const struct identity *identity; // outlives the pairing
    struct slice card;               // own, encoded; copied, as all below
    const char *code;                // as code_valid says
    const char *at;                  // joins there: "tcp://host:port"; NULL: offers
    const char *const *listen;       // offers: where the agent itself listens; it listens there,
    uint32_t listen_count;           // too, a port higher if that is free. None: all addresses
    const struct pair_times *times;  // NULL: those of docs/PROTOCOL.md
    struct mailbox *events;          // struct pair_event, the receiver's; outlives the pairing
};

enum pair_event_kind { PAIR_MET, PAIR_AGREED, PAIR_DONE, PAIR_ENDED };

struct pair_event {
    enum pair_event_kind kind;
    enum pair_end end;        // ENDED
    bool by_other;            // ENDED: the other side said so
    struct buf card;          // MET: the other's, proven to be its own
    char host[PAIR_HOST_MAX]; // MET: where it is: as typed by who joined, numeric for who offers
};

void pair_event_destroy(struct pair_event **event);

// CONFIG with fault->what: no address to listen on, or `at` is none.
enum err pair_open(const struct pair_options *options, struct pair **out,
                   struct fault *fault) MUST_USE;
// Ends it, if it still goes on, without another event.
void pair_close(struct pair **pair);

// Where it listens while it offers: "tcp://*:7576", "tcp://127.0.0.1:40001".
uint32_t pair_endpoints(const struct pair *pair, const char *const **out);

// What another device could dial, given what is listened on ("tcp://*:7575"): this machine's
// addresses in the place of "*", and then the port that all of them have.
struct reach {
    uint32_t port; // 0: none of them is "*"
    uint32_t count;
    char addresses[CARD_ADDRESSES_MAX][CARD_TEXT_MAX + 1];
};

void reach_of(const char *const *endpoints, uint32_t count, struct reach *out);

void pair_answer(struct pair *pair, bool yes); // after MET
void pair_stored(struct pair *pair, bool ok);  // after AGREED

#endif
