// SPDX-License-Identifier: MIT
//
// agent/cli/status — a status object for people.
#ifndef AGENT_CLI_STATUS_PRIV_H
#define AGENT_CLI_STATUS_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/json.h"
#include "agent/cli/cli.h"
#include "agent/cli/progress_priv.h"

// `pace` (NULL: only once) is how fast it went so far.
void status_print(const struct cli_context *context, const json_t *status, struct pace *pace);
// The path in use, or when it was last seen and why it is away.
void status_link(struct buf *out, const json_t *peer, int64_t now_ms);
int status_exit(const json_t *status); // 3 conflicts, else 5 something held, else 0

#endif
