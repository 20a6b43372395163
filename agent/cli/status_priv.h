// SPDX-License-Identifier: MIT
//
// agent/cli/status — a status object for people.
#ifndef AGENT_CLI_STATUS_PRIV_H
#define AGENT_CLI_STATUS_PRIV_H

#include "agent/base/json.h"
#include "agent/cli/cli.h"
#include "agent/cli/progress_priv.h"

// `pace` (NULL: only once) is how fast it went so far.
void status_print(const struct cli_context *context, const json_t *status, struct pace *pace);
int status_exit(const json_t *status); // 3 conflicts, else 5 something held, else 0

#endif
