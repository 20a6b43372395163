// SPDX-License-Identifier: MIT
//
// agent/cli/args — a verb's words and options, checked against what it declares.
#ifndef AGENT_CLI_ARGS_PRIV_H
#define AGENT_CLI_ARGS_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/bytes.h"

enum { ARGS_WORDS_MAX = 64, ARGS_OPTIONS_MAX = 64 };

struct cli_option {
    const char *name;  // "--with"; an array of them ends with NULL
    const char *value; // what stands for its value in a usage line; NULL: it has none
    const char *help;
};

struct args_given {
    const char *name;
    const char *value; // NULL for a flag
};

struct args {
    const char *words[ARGS_WORDS_MAX];
    size_t word_count;
    struct args_given given[ARGS_OPTIONS_MAX];
    size_t given_count;
};

// Sorts argv into words and options; those of every verb (--home, --json, --help) are known, too.
// "--" ends the options. False, with a sentence in *out_message: not declared, no value, too many.
bool args_parse(int argc, char *const *argv, const struct cli_option *options, struct args *out,
                struct buf *out_message);

bool args_has(const struct args *args, const char *name);
const char *args_value(const struct args *args, const char *name); // the last one given, or NULL
// The value given at or after *at; moves *at behind it. NULL: no more.
const char *args_next(const struct args *args, const char *name, size_t *at);

extern const struct cli_option args_global[];

#endif
