// SPDX-License-Identifier: MIT
//
// agent/base/log — a line is an area, a fixed phrase and a key=value tail.
//
//     log_info(LOG_NET, "peer up", "name=%s rtt_ms=%u", name, rtt);
//
// which becomes "net: peer up name=... rtt_ms=...": the line that the sink gets names the area.
// The phrase is greppable and never contains data. The line is formatted into a fixed buffer and
// handed to one sink; the daemon installs one for stderr, tests install a recorder. Text from
// outside (file names, peers) goes through log_escape first. Threads: any; the sink must cope.
#ifndef AGENT_BASE_LOG_H
#define AGENT_BASE_LOG_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_area {
    LOG_BASE,
    LOG_CRYPTO,
    LOG_PROTO,
    LOG_CORE,
    LOG_DELTA,
    LOG_STORE,
    LOG_FS,
    LOG_NET,
    LOG_SYNC,
    LOG_API,
    LOG_DISCOVERY,
    LOG_DAEMON,
    LOG_CLI,
};

typedef void log_sink(enum log_level level, enum log_area area, const char *line);

void log_set_sink(log_sink *sink); // NULL: drop everything
void log_set_level(enum log_level level);
const char *log_level_text(enum log_level level);
bool log_level_find(const char *text, enum log_level *out);
const char *log_area_text(enum log_area area);

void log_line(enum log_level level, enum log_area area, const char *phrase, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define log_error(area, phrase, ...) log_line(LOG_ERROR, area, phrase, __VA_ARGS__)
#define log_warn(area, phrase, ...)  log_line(LOG_WARN, area, phrase, __VA_ARGS__)
#define log_info(area, phrase, ...)  log_line(LOG_INFO, area, phrase, __VA_ARGS__)
#define log_debug(area, phrase, ...) log_line(LOG_DEBUG, area, phrase, __VA_ARGS__)

// Logs the current errno for `call` on `object` (escaped here) and returns the code it maps to.
enum err log_errno(enum log_area area, const char *call, struct slice object);

// Escapes control bytes, quotes, backslashes and invalid UTF-8 as \xNN into `out` (NUL-terminated,
// cut to fit with a final "..."). Returns out.
#define LOG_ESCAPED_MAX 512
const char *log_escape(struct slice text, char out[LOG_ESCAPED_MAX]);

#endif
