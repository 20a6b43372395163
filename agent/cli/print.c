// SPDX-License-Identifier: MIT
//
// agent/cli/print — everything that may hold text from elsewhere loses its control bytes here.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/print_priv.h"

void cli_error(const char *format, ...)
{
    char line[2048];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) *at = '?';
    }
    (void)fflush(stdout);
    (void)fprintf(stderr, "cfgsync-agent: %s\n", line);
}

void print_json(const json_t *value)
{
    AUTO(mem_free) char *text = json_dumps(value, JSON_INDENT(2));
    CHECK(text != NULL);
    (void)puts(text);
}

void print_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        buf_printf(out, "%" PRIu64 " B", bytes);
        return;
    }
    double value = (double)bytes / 1000;
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    buf_printf(out, "%.1f %s", value, units[unit]);
}

void print_count(struct buf *out, uint64_t count, const char *noun)
{
    buf_printf(out, "%" PRIu64 " %s%s", count, noun, count == 1 ? "" : "s");
}

void print_ago(struct buf *out, int64_t then_ms, int64_t now_ms)
{
    int64_t seconds = now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
    if (seconds < 5) {
        buf_append_text(out, "just now");
    } else if (seconds < 120) {
        buf_printf(out, "%" PRId64 " s ago", seconds);
    } else if (seconds < 120 * 60) {
        buf_printf(out, "%" PRId64 " min ago", seconds / 60);
    } else if (seconds < 48 * 3600) {
        buf_printf(out, "%" PRId64 " h ago", seconds / 3600);
    } else {
        buf_printf(out, "%" PRId64 " days ago", seconds / 86400);
    }
}

void table_init(struct table *table, size_t columns)
{
    CHECK(columns > 0 && columns <= TABLE_COLUMNS_MAX);
    memset(table, 0, sizeof *table);
    table->columns = columns;
}

void table_fini(struct table *table)
{
    buf_fini(&table->cells);
}

// Code points: right for names in most scripts, near enough for the others.
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        if (((unsigned char)*text & 0xc0) != 0x80) width++;
    }
    return width;
}

void table_cell(struct table *table, const char *text)
{
    size_t column = table->cell_count % table->columns;
    size_t width = width_of(text);
    if (width > table->widths[column]) table->widths[column] = width;
    buf_append(&table->cells, text, strlen(text) + 1);
    table->cell_count++;
}

void table_print(const struct table *table, const char *indent)
{
    const char *cell = (const char *)table->cells.data;
    AUTO(buf_fini) struct buf line = {0};
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->columns;
        if (column == 0) buf_append_text(&line, indent);
        buf_append_text(&line, cell);
        buf_printf(&line, "%*s", (int)(table->widths[column] - width_of(cell) + 2), "");
        cell += strlen(cell) + 1;
        if (column + 1 < table->columns) continue;
        while (line.size > 0 && line.data[line.size - 1] == ' ')
            line.size--;
        (void)puts(buf_text(&line));
        buf_clear(&line);
    }
}

bool ask_line(const char *question, struct buf *out)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s ", question);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = getline(&line, &capacity, stdin);
    if (size > 0) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == ' '))
            size--;
        buf_append(out, line, (size_t)size);
    }
    free(line);
    return size >= 0;
}
