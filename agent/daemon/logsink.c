// SPDX-License-Identifier: MIT
//
// One write() per line, of less than PIPE_BUF bytes, so that lines of several threads do not mix. A
// reader that is gone or does not read is no reason to stop working: what finds no room is dropped.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/daemon/config_priv.h"
#include "agent/daemon/logsink_priv.h"

enum { LINE_BYTES_MAX = 2304, JSON_BYTES_MAX = 4096 };

static void format_time(int64_t wall_ms, char out[48])
{
    struct tm utc;
    char when[32] = "";
    time_t seconds = (time_t)(wall_ms / 1000);
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(out, 48, "%s.%03dZ", when, (int)(wall_ms % 1000));
}

// The line opens with "area: ", which has a field of its own here.
static const char *without_area(enum log_area area, const char *line)
{
    const char *text = log_area_text(area);
    size_t skip = strlen(text);
    bool opens = strncmp(line, text, skip) == 0 && strncmp(line + skip, ": ", 2) == 0;
    return opens ? line + skip + 2 : line;
}

void logsink_format(int64_t wall_ms, enum log_level level, enum log_area area, const char *line,
                    char *out, size_t size)
{
    char when[48];
    format_time(wall_ms, when);
    (void)snprintf(out, size, "[%s] [%s] [%s] %s\n", when, log_level_text(level),
                   log_area_text(area), without_area(area, line));
}

// Control bytes are gone from a line, and bytes that are no UTF-8 are escaped in it.
void logsink_format_json(int64_t wall_ms, enum log_level level, enum log_area area,
                         const char *line, char *out, size_t size)
{
    static const char end[] = "\"}\n";
    char when[48];
    format_time(wall_ms, when);
    int head =
        snprintf(out, size, "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"message\":\"",
                 when, log_level_text(level), log_area_text(area));
    size_t at = head > 0 && (size_t)head < size ? (size_t)head : 0;
    for (const char *c = without_area(area, line); *c != '\0' && at + 2 + sizeof end < size; c++) {
        if (*c == '"' || *c == '\\') out[at++] = '\\';
        out[at++] = *c;
    }
    if (at + sizeof end <= size) memcpy(out + at, end, sizeof end);
}

static void put(const char *line, size_t size)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return;
    ssize_t ignored = write(STDERR_FILENO, line, size);
    (void)ignored;
}

static void to_stderr(enum log_level level, enum log_area area, const char *line)
{
    char out[LINE_BYTES_MAX];
    logsink_format(clock_ms(CLOCK_REALTIME), level, area, line, out, sizeof out);
    size_t size = strlen(out);
    if (size > 0) out[size - 1] = '\n'; // also when the line was cut
    put(out, size);
}

static void json_to_stderr(enum log_level level, enum log_area area, const char *line)
{
    char out[JSON_BYTES_MAX];
    logsink_format_json(clock_ms(CLOCK_REALTIME), level, area, line, out, sizeof out);
    put(out, strlen(out));
}

static void set_level(enum log_level level)
{
    const char *first = getenv("CFGSYNC_LOG");
    if (first != NULL) (void)log_level_find(first, &level);
    log_set_level(level);
}

void logsink_install(void)
{
    set_level(LOG_INFO);
    log_set_sink(to_stderr);
}

void logsink_choose(const struct config *config)
{
    set_level(config->log_level);
    log_set_sink(config->log_json ? json_to_stderr : to_stderr);
}
