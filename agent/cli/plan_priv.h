// SPDX-License-Identifier: MIT
//
// agent/cli/plan — asking for a plan, and the part of it that is about folders to be joined.
#ifndef AGENT_CLI_PLAN_PRIV_H
#define AGENT_CLI_PLAN_PRIV_H

#include "agent/base/json.h"
#include "agent/cli/cli.h"

// Returns when all has been compared; how far it is is shown at a terminal. `folder` NULL: all.
int plan_ask(const struct cli_context *context, const char *folder, json_t **out);
void plan_join_print(const json_t *folder, const json_t *peer);

#endif
