// SPDX-License-Identifier: MIT
//
// agent/cli/when — times as people write them: moments as "2026-03-01 14:05", "14:05", "2h" (ago),
// and how long to wait.
#ifndef AGENT_CLI_WHEN_PRIV_H
#define AGENT_CLI_WHEN_PRIV_H

#include <stdint.h>

#include "agent/cli/args_priv.h"

bool when_read(const char *text, int64_t now_ms, int64_t *out_ms); // local time
// The option --timeout in seconds, 60 when it is not given. False: said on stderr.
bool timeout_read(const struct args *args, int64_t *out_s);
bool when_duration(const char *text, int64_t *out_ms); // "90s", "30m", "1h", "7d", "2w"
void when_print(int64_t ms, struct buf *out);

#endif
