// SPDX-License-Identifier: MIT
//
// agent/daemon/logsink — the log on standard error: [TIME] [LEVEL] [AREA] phrase key=value.
#ifndef AGENT_DAEMON_LOGSINK_PRIV_H
#define AGENT_DAEMON_LOGSINK_PRIV_H

#include <stddef.h>

#include "agent/base/log.h"

// For people, with all from `info` on; CFGSYNC_LOG (error, warn, info, debug) decides before
// anything else.
void logsink_install(void);
struct config;
void logsink_choose(const struct config *config); // what the config file wants

// `wall_ms` since 1970; UTC with milliseconds, e.g. 2026-01-02T03:04:05.678Z.
void logsink_format(int64_t wall_ms, enum log_level level, enum log_area area, const char *line,
                    char *out, size_t size);
// The same as one JSON object: time, level, area, message.
void logsink_format_json(int64_t wall_ms, enum log_level level, enum log_area area,
                         const char *line, char *out, size_t size);

#endif
