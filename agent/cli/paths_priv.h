// SPDX-License-Identifier: MIT
//
// agent/cli/paths — what a person calls a file, as the agent knows it.
#ifndef AGENT_CLI_PATHS_PRIV_H
#define AGENT_CLI_PATHS_PRIV_H

#include "agent/base/bytes.h"

// Absolute, with the links above the last name resolved; the file itself need not exist. False: the
// working directory is gone.
bool path_absolute(const char *path, struct buf *out);

#endif
