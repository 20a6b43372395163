// SPDX-License-Identifier: MIT
//
// agent/daemon/pausing — pauses of a person and the quiet hours of the config file, as switches of
// the engine; what ends by itself is ended.
//
// By the wall clock, which may jump: while something is to end it is looked at every minute.
#ifndef AGENT_DAEMON_PAUSING_PRIV_H
#define AGENT_DAEMON_PAUSING_PRIV_H

#include "agent/daemon/control_priv.h"
#include "agent/store/pauses.h"

enum err pausing_open(struct agent *agent, struct buf *out_message) MUST_USE;
void pausing_end(struct agent *agent);
void pausing_settle(struct agent *agent);  // what is over
void pausing_changed(struct agent *agent); // folders, peers or the config file did
int64_t pausing_deadline(const struct agent *agent);
// A folder or a peer that is removed takes its pause along.
void pausing_forget(struct agent *agent, const struct pause *like);
json_t *pausing_json(const struct agent *agent); // for status

#endif
