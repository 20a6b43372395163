// SPDX-License-Identifier: MIT
//
// agent/daemon/invites — invitations: the side that gives them, and the side that uses one.
//
// An invitation's secret is the seed of a key of its own. The inviter admits that key to its
// ordinary listening socket like a peer's; what comes over it goes here and never to the engine.
#ifndef AGENT_DAEMON_INVITES_PRIV_H
#define AGENT_DAEMON_INVITES_PRIV_H

#include "agent/daemon/agent_priv.h"
#include "agent/store/invites.h"

#define JOIN_TAG "cfgsync-join1"

// The answer to a JOIN: one byte, and behind JOIN_OK the inviter's card.
enum join_answer { JOIN_OK = 0, JOIN_USED_UP = 1, JOIN_EXPIRED = 2, JOIN_FAILED = 3 };

// A connection that came with an invitation's key.
struct guest {
    conn_id conn;
    struct device_id key;
    char *host;
};

// ---- invites.c
enum err invites_start(struct agent *agent, struct buf *out_message) MUST_USE;
// True: it was a guest's.
bool invites_net(struct agent *agent, const struct net_event *event);
void invites_expire(struct agent *agent);
int64_t invites_deadline(const struct agent *agent);
enum err invites_revoke(struct agent *agent, struct device_id key) MUST_USE;
// All by which that device has come.
enum err invites_revoke_of(struct agent *agent, struct device_id device) MUST_USE;
void invites_end(struct agent *agent);

// ---- redeem.c: an invitation that `init --join-file` has left, used in a thread of its own
void redeem_start(struct agent *agent);
void redeem_take(struct agent *agent); // what the thread has to say
int64_t redeem_deadline(const struct agent *agent);
void redeem_end(struct agent *agent);
// What is to be shown of it: a code of status' errors, or NULL.
const char *redeem_problem(const struct agent *agent, const char **out_message,
                           const char **out_hint);

#endif
