// SPDX-License-Identifier: MIT
//
// proto/message — the codec in the two steps that the session takes.
#ifndef PROTO_MESSAGE_PRIV_H
#define PROTO_MESSAGE_PRIV_H

#include "proto/message.h"
#include "proto/reader_priv.h"

// Reads up to the body: enough to judge whether the message is legal now. Zeroes *out first.
void message_read_head(struct reader *r, struct message *out);
void message_read_body(struct reader *r, struct message *out);

// What no single field of a message can tell: ERR_OK, or the code with *out_what.
enum err message_rules(const struct message *message, const char **out_what);

#endif
