// SPDX-License-Identifier: MIT
//
// agent/cli — finds the verb (one word or two), sorts its arguments, runs it.
#include "agent/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

struct command {
    const char *home_option;
    bool json;
    bool help;
    bool version;
    const struct cli_verb *verb; // NULL: none was given
    int rest;                    // index of the first argument behind it
};

static int group_usage(const char *group, const char *word)
{
    if (word != NULL) {
        AUTO(buf_fini) struct buf name = {0};
        buf_printf(&name, "%s %s", group, word);
        return verb_unknown(buf_text(&name));
    }
    cli_error("%s needs to know what to do", group);
    (void)fprintf(stderr, "cfgsync-agent help %s lists it\n", group);
    return CLI_USAGE;
}

// argv[at] is the first word. Fills verb and rest, or says what is wrong.
static int find_verb(int argc, char **argv, int at, struct command *out)
{
    const char *second = at + 1 < argc && argv[at + 1][0] != '-' ? argv[at + 1] : NULL;
    if (verb_is_group(argv[at])) {
        if (second == NULL && verb_find(argv[at]) != NULL) {
            out->verb = verb_find(argv[at]);
            out->rest = at + 1;
            return CLI_DONE;
        }
        if (second == NULL) {
            out->help = out->help || (at + 1 < argc && (strcmp(argv[at + 1], "--help") == 0 ||
                                                        strcmp(argv[at + 1], "-h") == 0));
            if (out->help) return verb_print_help(argv[at]) ? -1 : CLI_FAILED;
            return group_usage(argv[at], NULL);
        }
        AUTO(buf_fini) struct buf name = {0};
        buf_printf(&name, "%s %s", argv[at], second);
        out->verb = verb_find(buf_text(&name));
        out->rest = at + 2;
        const struct cli_verb *alone = verb_find(argv[at]);
        if (out->verb == NULL && alone != NULL && alone->words_max > 0) {
            out->verb = alone;
            out->rest = at + 1;
        }
        return out->verb != NULL ? CLI_DONE : group_usage(argv[at], second);
    }
    out->verb = verb_find(argv[at]);
    out->rest = at + 1;
    return out->verb != NULL ? CLI_DONE : verb_unknown(argv[at]);
}

// The options before the verb, then the verb. -1: done already.
static int read_command(int argc, char **argv, struct command *out)
{
    for (int at = 1; at < argc; at++) {
        const char *text = argv[at];
        if (strcmp(text, "--json") == 0) {
            out->json = true;
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            out->help = true;
        } else if (strcmp(text, "--version") == 0) {
            out->version = true;
        } else if (strncmp(text, "--home=", 7) == 0) {
            out->home_option = text + 7;
        } else if (strcmp(text, "--home") == 0) {
            if (++at == argc) {
                cli_error("--home needs a value: --home DIR");
                return CLI_USAGE;
            }
            out->home_option = argv[at];
        } else if (text[0] == '-') {
            cli_error("unknown option %s before the verb; cfgsync-agent help lists the verbs",
                      text);
            return CLI_USAGE;
        } else {
            return find_verb(argc, argv, at, out);
        }
    }
    return CLI_DONE;
}

static int usage_error(const struct cli_verb *verb, const char *message)
{
    cli_error("%s: %s", verb->name, message);
    (void)fprintf(stderr, "usage: cfgsync-agent %s%s%s\n", verb->name,
                  verb->usage[0] != '\0' ? " " : "", verb->usage);
    return CLI_USAGE;
}

static int run_verb(const struct command *command, const struct args *args,
                    const struct cli_hooks *hooks)
{
    const char *option = args_value(args, "--home");
    struct cli_context context = {
        .home_option = option != NULL ? option : command->home_option,
        .json = command->json || args_has(args, "--json"),
        .color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL,
        .hooks = hooks,
    };
    if (context.home_option != NULL && context.home_option[0] == '\0') {
        return usage_error(command->verb, "--home needs a directory");
    }
    AUTO(buf_fini) struct buf message = {0};
    int result = CLI_FAILED;
    if (home_init(&context.home, context.home_option, &message) == ERR_OK) {
        result = command->verb->run(&context, args);
    } else {
        cli_error("%s", buf_text(&message));
    }
    home_fini(&context.home);
    if (fflush(stdout) != 0 && result == CLI_DONE) result = CLI_FAILED;
    return result;
}

int cli_main(int argc, char **argv, const struct cli_hooks *hooks)
{
    struct command command = {0};
    int result = read_command(argc, argv, &command);
    if (result != CLI_DONE) return result < 0 ? CLI_DONE : result;
    if (command.version) command.verb = &verb_version;
    if (command.verb == NULL) {
        verb_print_list();
        return command.help ? CLI_DONE : CLI_USAGE;
    }
    struct args args;
    AUTO(buf_fini) struct buf message = {0};
    const struct cli_verb *verb = command.verb;
    int count = command.version ? 0 : argc - command.rest;
    if (!args_parse(count, argv + argc - count, verb->options, &args, &message)) {
        return usage_error(verb, buf_text(&message));
    }
    if (command.help || args_has(&args, "--help")) {
        return verb_print_help(verb->name) ? CLI_DONE : CLI_FAILED;
    }
    if (args.word_count < verb->words_min) return usage_error(verb, "something is missing");
    if (args.word_count > verb->words_max) {
        buf_printf(&message, "unexpected argument %s", args.words[verb->words_max]);
        return usage_error(verb, buf_text(&message));
    }
    return run_verb(&command, &args, hooks);
}
