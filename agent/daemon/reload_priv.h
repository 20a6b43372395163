// SPDX-License-Identifier: MIT
//
// agent/daemon/reload — the config file is read again, on SIGHUP and when it has changed, and what
// is new in it takes effect; connections and folders that it does not touch are not touched.
//
// Errors:  a file that is wrong changes nothing; status shows what is wrong until it is right.
#ifndef AGENT_DAEMON_RELOAD_PRIV_H
#define AGENT_DAEMON_RELOAD_PRIV_H

#include "agent/daemon/agent_priv.h"

void reload_start(struct agent *agent); // the file has been read: watches it
void reload_end(struct agent *agent);
void reload_noticed(struct agent *agent); // its directory has changed
void reload_settle(struct agent *agent);
int64_t reload_deadline(const struct agent *agent);
void reload_now(struct agent *agent); // whether it has changed or not
// What is to be shown: codes of status' errors. The texts may be NULL.
const char *reload_problem(const struct agent *agent); // why the file is not in force
const char *reload_later(const struct agent *agent);   // what waits for the next start

// False, with a sentence: what waits for the next start has its root there.
bool reload_leaves(const struct agent *agent, const char *name, const char *path, struct buf *out);

#endif
