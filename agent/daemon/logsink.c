// SPDX-License-Identifier: MIT
//
// One write() per line, so that lines of several threads do not mix. A reader that is gone or does
// not read is no reason to stop working: the result is ignored.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/daemon/logsink_priv.h"

enum { LINE_BYTES_MAX = 2304 };

void logsink_format(int64_t wall_ms, enum log_level level, enum log_area area, const char *line,
                    char *out, size_t size)
{
    struct tm utc;
    char when[32] = "";
    time_t seconds = (time_t)(wall_ms / 1000);
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    // The line opens with "area: ", which has a field of its own here.
    const char *area_text = log_area_text(area);
    size_t skip = strlen(area_text);
    if (strncmp(line, area_text, skip) == 0 && strncmp(line + skip, ": ", 2) == 0) line += skip + 2;
    (void)snprintf(out, size, "[%s.%03dZ] [%s] [%s] %s\n", when, (int)(wall_ms % 1000),
                   log_level_text(level), area_text, line);
}

static void to_stderr(enum log_level level, enum log_area area, const char *line)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    char out[LINE_BYTES_MAX];
    logsink_format((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, level, area, line, out,
                   sizeof out);
    size_t size = strlen(out);
    if (size > 0) out[size - 1] = '\n'; // also when the line was cut
    ssize_t ignored = write(STDERR_FILENO, out, size);
    (void)ignored;
}

void logsink_install(const char *level)
{
    enum log_level chosen = LOG_INFO;
    for (int i = LOG_ERROR; level != NULL && i <= LOG_DEBUG; i++) {
        if (strcmp(level, log_level_text((enum log_level)i)) == 0) chosen = (enum log_level)i;
    }
    log_set_level(chosen);
    log_set_sink(to_stderr);
}
