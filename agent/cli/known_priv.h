// SPDX-License-Identifier: MIT
//
// agent/cli/known — devices that several peers trust and this one does not.
#ifndef AGENT_CLI_KNOWN_PRIV_H
#define AGENT_CLI_KNOWN_PRIV_H

#include "agent/base/json.h"

// `known` of GET /v1/peers, for people; nothing if there are none.
void known_print(const json_t *known);

#endif
