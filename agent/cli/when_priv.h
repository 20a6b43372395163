// SPDX-License-Identifier: MIT
//
// agent/cli/when — moments as people write them: "2026-03-01 14:05", "14:05", "2h" (ago).
#ifndef AGENT_CLI_WHEN_PRIV_H
#define AGENT_CLI_WHEN_PRIV_H

#include <stdint.h>

#include "agent/base/bytes.h"

bool when_read(const char *text, int64_t now_ms, int64_t *out_ms); // local time
void when_print(int64_t ms, struct buf *out);

#endif
