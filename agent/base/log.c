// SPDX-License-Identifier: MIT
//
// Formats "area: phrase tail" into a fixed buffer and hands it to the sink. The sink pointer and
// the level are the only mutable file-scope state of this room; both are atomic.
#include "agent/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/utf8_priv.h"

enum { LOG_LINE_MAX = 2048 };

static _Atomic(log_sink *) current_sink;
static atomic_int current_level = LOG_INFO;

void log_set_sink(log_sink *sink)
{
    atomic_store(&current_sink, sink);
}

void log_set_level(enum log_level level)
{
    atomic_store(&current_level, (int)level);
}

const char *log_level_text(enum log_level level)
{
    switch (level) {
    case LOG_ERROR: return "error";
    case LOG_WARN: return "warn";
    case LOG_INFO: return "info";
    case LOG_DEBUG: return "debug";
    }
    return "unknown";
}

bool log_level_find(const char *text, enum log_level *out)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(text, log_level_text((enum log_level)i)) != 0) continue;
        *out = (enum log_level)i;
        return true;
    }
    return false;
}

const char *log_area_text(enum log_area area)
{
    switch (area) {
    case LOG_BASE: return "base";
    case LOG_CRYPTO: return "crypto";
    case LOG_PROTO: return "proto";
    case LOG_CORE: return "core";
    case LOG_DELTA: return "delta";
    case LOG_STORE: return "store";
    case LOG_FS: return "fs";
    case LOG_NET: return "net";
    case LOG_SYNC: return "sync";
    case LOG_API: return "api";
    case LOG_DISCOVERY: return "discovery";
    case LOG_DAEMON: return "daemon";
    case LOG_CLI: return "cli";
    }
    return "unknown";
}

// A sink takes one line for one record, so a caller who forgot log_escape cannot forge a second.
static void defuse(char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)line[i];
        if (byte < 0x20 || byte == 0x7f) line[i] = '?';
    }
}

// Adds what vsnprintf reported, or fills the buffer up with a final "..." if that was too much.
static size_t line_grow(char *line, size_t size, int added)
{
    if (added < 0) return size;
    if ((size_t)added < LOG_LINE_MAX - size) return size + (size_t)added;
    memcpy(line + LOG_LINE_MAX - 4, "...", 4);
    return LOG_LINE_MAX - 1;
}

// errno survives, so that a line may be logged between a failed call and its report.
void log_line(enum log_level level, enum log_area area, const char *phrase, const char *format, ...)
{
    log_sink *sink = atomic_load(&current_sink);
    if (!sink || (int)level > atomic_load(&current_level)) return;
    int saved = errno;
    char line[LOG_LINE_MAX];
    int added = snprintf(line, sizeof line, "%s: %s ", log_area_text(area), phrase);
    size_t size = line_grow(line, 0, added);
    va_list list;
    va_start(list, format);
    added = vsnprintf(line + size, sizeof line - size, format, list);
    va_end(list);
    size = line_grow(line, size, added);
    if (size && line[size - 1] == ' ') line[--size] = '\0';
    defuse(line, size);
    sink(level, area, line);
    errno = saved;
}

enum err log_errno(enum log_area area, const char *call, struct slice object)
{
    int number = errno;
    char escaped[LOG_ESCAPED_MAX];
    log_escape(object, escaped);
    log_line(LOG_WARN, area, "system call failed", "call=%s object=\"%s\" error=\"%s\"", call,
             escaped, strerror(number));
    errno = number;
    return err_from_errno(number);
}

// One character of the text in its escaped form; returns how many bytes of the text it took.
static size_t escape_one(struct slice text, size_t at, char unit[5], size_t *out_size)
{
    size_t length = utf8_printable(text, at);
    uint8_t byte = text.data[at];
    if (length == 0 || byte == '"' || byte == '\'' || byte == '\\') {
        (void)snprintf(unit, 5, "\\x%02x", (unsigned)byte);
        *out_size = 4;
        return 1;
    }
    memcpy(unit, text.data + at, length);
    *out_size = length;
    return length;
}

// `whole` remembers the last end of a character that leaves room for "...", so that a cut never
// goes through a character or an escape.
const char *log_escape(struct slice text, char out[LOG_ESCAPED_MAX])
{
    size_t size = 0;
    size_t whole = 0;
    for (size_t at = 0; at < text.size;) {
        char unit[5];
        size_t unit_size = 0;
        at += escape_one(text, at, unit, &unit_size);
        if (size + unit_size >= LOG_ESCAPED_MAX) {
            memcpy(out + whole, "...", 4);
            return out;
        }
        memcpy(out + size, unit, unit_size);
        size += unit_size;
        if (size + 3 < LOG_ESCAPED_MAX) whole = size;
    }
    out[size] = '\0';
    return out;
}
