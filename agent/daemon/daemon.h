// SPDX-License-Identifier: MIT
//
// agent/daemon — the agent in the foreground: opens every room, wires them, runs the loop, ends
// cleanly.
//
// In:      a home made by `cfgsync-agent init`. Environment: CFGSYNC_LOG (error warn info debug).
// Out:     exit code: 0 ended by SIGTERM, SIGINT or POST /v1/stop; 1 could not start or go on,
// after
//          one line on standard error that says what to do.
// Blocks:  until it ends.
#ifndef AGENT_DAEMON_DAEMON_H
#define AGENT_DAEMON_DAEMON_H

#include <stdbool.h>

#include "agent/base/json.h"
#include "agent/store/home.h"

int daemon_run(const struct home *home);

// Reads the config file and says what is wrong with it, without an agent. 0 or 1.
int daemon_config_check(const struct home *home, bool json);
int daemon_config_show(const struct home *home, bool json); // likewise

// What of this machine, the files of the agent and its folders is well and what is not
// (agent/base/finding.h), whether or not an agent is running.
void daemon_examine(const struct home *home, json_t *findings);

#endif
