// SPDX-License-Identifier: MIT
//
// agent/cli/device — this device's identity, for the verbs that need no agent.
#ifndef AGENT_CLI_DEVICE_PRIV_H
#define AGENT_CLI_DEVICE_PRIV_H

#include "agent/cli/cli.h"
#include "crypto/identity.h"

// The id of the identity in the state directory; makes one if out_made is not NULL and there is
// none. Anything but CLI_DONE was explained on stderr.
int device_read(const struct cli_context *context, char out[DEVICE_ID_TEXT_MAX], bool *out_made);

#endif
