// SPDX-License-Identifier: MIT
//
// agent/cli/join_file — the invitation that `init` is given.
#ifndef AGENT_CLI_JOIN_FILE_PRIV_H
#define AGENT_CLI_JOIN_FILE_PRIV_H

#include "agent/base/bytes.h"
#include "agent/cli/cli.h"

// The token in the file, as it is written. Anything but CLI_DONE was explained on stderr.
int join_file_check(const char *path, struct buf *out);
// Leaves it in the state directory, for the next run.
int join_file_leave(const struct cli_context *context, const struct buf *token);

#endif
