// SPDX-License-Identifier: MIT
//
// agent/cli/request — a file in the state directory that the next run acts on.
#ifndef AGENT_CLI_REQUEST_PRIV_H
#define AGENT_CLI_REQUEST_PRIV_H

#include "agent/cli/cli.h"

// Takes the lock, makes the empty file, durably. Explains what is in the way.
int request_leave(const struct cli_context *context, const char *path);

#endif
