// SPDX-License-Identifier: MIT
//
// agent/base/mailbox — a queue of pointers between threads; the only thing they share.
//
// Ownership of a message passes with it. A mailbox may have a wake function, called after a message
// was put into an empty mailbox (from the putting thread), so that a poll loop can sleep on an fd.
#ifndef AGENT_BASE_MAILBOX_H
#define AGENT_BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

struct mailbox;

struct mailbox *mailbox_new(void (*wake)(void *context), void *context); // wake may be NULL
void mailbox_destroy(struct mailbox **box); // must be empty or its messages are the caller's loss
void mailbox_put(struct mailbox *box, void *message);
void *mailbox_try(struct mailbox *box);  // NULL when empty
void *mailbox_wait(struct mailbox *box); // blocks; NULL after mailbox_close once it is empty
void mailbox_close(struct mailbox *box); // wakes all waiters
size_t mailbox_count(struct mailbox *box);

#endif
