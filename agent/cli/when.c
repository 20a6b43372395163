// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/cli/print_priv.h"
#include "agent/cli/when_priv.h"

enum { TIMEOUT_S = 60, TIMEOUT_S_MAX = 7 * 86400 };

bool timeout_read(const struct args *args, int64_t *out_s)
{
    const char *text = args_value(args, "--timeout");
    *out_s = TIMEOUT_S;
    if (text == NULL) return true;
    char *end;
    long seconds = strtol(text, &end, 10);
    if (end == text || *end != '\0' || seconds < 0 || seconds > TIMEOUT_S_MAX) {
        cli_error("--timeout: a number of seconds, at most %d", TIMEOUT_S_MAX);
        return false;
    }
    *out_s = seconds;
    return true;
}

bool when_duration(const char *text, int64_t *out_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}, {'w', 604800000}};
    char *end;
    long long count = strtoll(text, &end, 10);
    if (end == text || count < 0 || count > 100000 || end[0] == '\0' || end[1] != '\0')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit != *end) continue;
        *out_ms = (int64_t)count * units[i].ms;
        return true;
    }
    return false;
}

bool when_read(const char *text, int64_t now_ms, int64_t *out_ms)
{
    static const char *const formats[] = {
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
        "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};
    if (when_duration(text, out_ms)) {
        *out_ms = now_ms - *out_ms;
        return true;
    }
    time_t now = (time_t)(now_ms / 1000);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm tm;
        if (localtime_r(&now, &tm) == NULL) return false;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        const char *end = strptime(text, formats[i], &tm);
        if (end == NULL || *end != '\0') continue;
        tm.tm_isdst = -1;
        time_t then = mktime(&tm);
        if (then == (time_t)-1) return false;
        *out_ms = (int64_t)then * 1000;
        return true;
    }
    return false;
}

void when_print(int64_t ms, struct buf *out)
{
    char text[32];
    struct tm tm;
    time_t then = (time_t)(ms / 1000);
    if (localtime_r(&then, &tm) != NULL &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) > 0)
        buf_append_text(out, text);
}
