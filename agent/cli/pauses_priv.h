// SPDX-License-Identifier: MIT
//
// agent/cli/pauses — what is paused, a line each.
#ifndef AGENT_CLI_PAUSES_PRIV_H
#define AGENT_CLI_PAUSES_PRIV_H

#include <stddef.h>

#include "agent/base/json.h"

size_t pauses_print(const json_t *pauses, const char *indent); // returns how many

#endif
