// SPDX-License-Identifier: MIT
//
// agent/cli/args — "--name value", "--name=value", flags and words in any order.
#include <string.h>

#include "agent/base/suggest.h"
#include "agent/cli/args_priv.h"

const struct cli_option args_global[] = {
    {"--home", "DIR", "keep everything below DIR (or: CFGSYNC_HOME)"},
    {"--json", NULL, "answer in JSON"},
    {"--help", NULL, "describe the verb"},
    {NULL, NULL, NULL},
};

static const struct cli_option *find_in(const struct cli_option *options, const char *name,
                                        size_t size)
{
    for (const struct cli_option *at = options; at != NULL && at->name != NULL; at++) {
        if (strlen(at->name) == size && memcmp(at->name, name, size) == 0) return at;
    }
    return NULL;
}

static void say_unknown(const struct cli_option *options, const char *name, size_t size,
                        struct buf *out_message)
{
    struct suggestion best;
    suggest_begin(&best, name, size);
    const struct cli_option *const lists[] = {options, args_global};
    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *at = lists[i]; at != NULL && at->name != NULL; at++) {
            suggest_offer(&best, at->name);
        }
    }
    buf_printf(out_message, "unknown option %.*s", (int)size, name);
    if (best.text != NULL) buf_printf(out_message, "; did you mean %s?", best.text);
}

// One option at argv[*at]; *at moves over its value.
static bool parse_option(int argc, char *const *argv, int *at, const struct cli_option *options,
                         struct args *out, struct buf *out_message)
{
    const char *text = argv[*at];
    size_t size = strcspn(text, "=");
    const struct cli_option *option = find_in(options, text, size);
    if (option == NULL) option = find_in(args_global, text, size);
    if (strcmp(text, "-h") == 0) option = find_in(args_global, "--help", strlen("--help"));
    if (option == NULL) {
        say_unknown(options, text, size, out_message);
        return false;
    }
    const char *value = text[size] == '=' ? text + size + 1 : NULL;
    if (option->value == NULL && value != NULL) {
        buf_printf(out_message, "%s takes no value", option->name);
        return false;
    }
    if (option->value != NULL && value == NULL) {
        if (*at + 1 >= argc) {
            buf_printf(out_message, "%s needs a value: %s %s", option->name, option->name,
                       option->value);
            return false;
        }
        value = argv[++*at];
    }
    if (out->given_count == ARGS_OPTIONS_MAX) {
        buf_append_text(out_message, "too many options");
        return false;
    }
    out->given[out->given_count++] = (struct args_given){option->name, value};
    return true;
}

bool args_parse(int argc, char *const *argv, const struct cli_option *options, struct args *out,
                struct buf *out_message)
{
    memset(out, 0, sizeof *out);
    bool ended = false;
    for (int at = 0; at < argc; at++) {
        const char *text = argv[at];
        if (!ended && strcmp(text, "--") == 0) {
            ended = true;
        } else if (!ended && text[0] == '-' && text[1] != '\0') {
            if (!parse_option(argc, argv, &at, options, out, out_message)) return false;
        } else if (out->word_count == ARGS_WORDS_MAX) {
            buf_append_text(out_message, "too many arguments");
            return false;
        } else {
            out->words[out->word_count++] = text;
        }
    }
    return true;
}

bool args_has(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].name, name) == 0) return true;
    }
    return false;
}

const char *args_value(const struct args *args, const char *name)
{
    const char *value = NULL;
    size_t at = 0;
    for (const char *next; (next = args_next(args, name, &at)) != NULL;)
        value = next;
    return value;
}

const char *args_next(const struct args *args, const char *name, size_t *at)
{
    while (*at < args->given_count) {
        const struct args_given *given = &args->given[(*at)++];
        if (strcmp(given->name, name) == 0) return given->value;
    }
    return NULL;
}
