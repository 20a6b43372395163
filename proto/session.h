// SPDX-License-Identifier: MIT
//
// proto/session — the grammar of one lane's conversation: which message is legal now. Pure.
//
// The dialler sends its HELLO first, with number 0; an accepted lane stays NEW until it has
// answered with its own. A BYE may carry 0 as long as the lane is not OPEN. After ERR_VERSION only
// BYE is still sent.
//
// One `struct lane_state` per connection (a lane of a session). It knows nothing of folders or
// policy. States: NEW -> (HELLO both ways) -> OPEN -> CLOSED. docs/PROTOCOL.md prints the same
// table.
#ifndef PROTO_SESSION_H
#define PROTO_SESSION_H

#include "proto/message.h"

enum session_state { SESSION_NEW, SESSION_HELLO_SENT, SESSION_OPEN, SESSION_CLOSED };

struct lane_state {
    enum session_state state;
    enum lane lane;
    bool dialled;          // we opened the connection
    uint64_t own_number;   // what the other must send
    uint64_t other_number; // what we must send; 0 until its HELLO
};

void lane_init(struct lane_state *lane, enum lane which, bool dialled, uint64_t own_number);

// Guard, then decode. On ERR_OK *out is a message that is legal in this state on this lane, with
// the right session number, and the state has moved (HELLO, BYE). *out_stale: the message carries
// another session's number, or the lane is closed: drop it silently, nothing else is said. On error
// the session must end.
enum err lane_receive(struct lane_state *lane, struct arena *arena, struct slice bytes,
                      struct message *out, bool *out_stale, struct fault *fault) MUST_USE;

// Stamps the session number (and a HELLO's own fields `session` and `lane`) and encodes; moves the
// state for HELLO and BYE. CHECKs legality.
void lane_send(struct lane_state *lane, struct message *message, struct buf *out);

#endif
