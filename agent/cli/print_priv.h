// SPDX-License-Identifier: MIT
//
// agent/cli/print — lines for people: messages, aligned tables, sizes, times.
#ifndef AGENT_CLI_PRINT_PRIV_H
#define AGENT_CLI_PRINT_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/json.h"

// "cfgsync-agent: ..." on stderr, without control bytes.
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

void print_json(const json_t *value); // one document, sorted as it came, with a newline
void print_bytes(struct buf *out, uint64_t bytes);                   // "900 B", "5.0 MB"
void print_count(struct buf *out, uint64_t count, const char *noun); // "1 file", "2 files"
void print_ago(struct buf *out, int64_t then_ms, int64_t now_ms);    // "3 min ago"

enum { TABLE_COLUMNS_MAX = 6 };

// Rows of text cells, printed with their columns aligned.
struct table {
    struct buf cells; // NUL-terminated, one after the other
    size_t columns;
    size_t cell_count;
    size_t widths[TABLE_COLUMNS_MAX];
};

void table_init(struct table *table, size_t columns);
void table_fini(struct table *table);
void table_cell(struct table *table, const char *text); // from left to right, row by row
void table_print(const struct table *table, const char *indent);

// Asks on the terminal. False: standard input or standard error is none, or no answer.
bool ask_line(const char *question, struct buf *out);

#endif
