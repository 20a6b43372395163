// SPDX-License-Identifier: MIT
//
// agent/cli/verb_ignore — rules of what is left out, written and listed.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 120 };

static bool is_folder(const json_t *folders, const char *word)
{
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(folders, "folders"), at, one)
    {
        if (strcmp(field_text(one, "name", ""), word) == 0) return true;
    }
    return false;
}

// The first word names a folder if there is one of that name and something follows.
static int ask(const struct cli_context *context, const struct args *args, const char *route,
               size_t words_after, json_t **out)
{
    AUTO(json_drop) json_t *folders = NULL;
    AUTO(buf_fini) struct buf here = {0};
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &folders);
    if (result != CLI_DONE) return result;
    bool named = args->word_count > words_after && is_folder(folders, args->words[0]);
    json_t *body = json_object();
    if (named) (void)json_object_set_new(body, "folder", json_string(args->words[0]));
    if (!named && path_absolute(".", &here))
        (void)json_object_set_new(body, "path", json_bytes(buf_slice(&here)));
    if (args_has(args, "--local")) (void)json_object_set_new(body, "local", json_true());
    json_t *rules = json_array();
    bool good = true;
    for (size_t i = named ? 1 : 0; i < args->word_count; i++)
        good &= json_array_append_new(rules, json_string(args->words[i])) == 0;
    if (words_after > 0)
        (void)json_object_set_new(body, "rules", rules);
    else
        json_drop(&rules);
    if (good) return agent_ask(context, "POST", route, body, ANSWER_S, out);
    json_drop(&body);
    cli_error("rules are UTF-8 text");
    return CLI_USAGE;
}

static void print_touched(const json_t *answer)
{
    AUTO(buf_fini) struct buf count = {0};
    uint64_t touched = field_number(answer, "touched");
    size_t at;
    json_t *one;
    if (touched == 0) return;
    print_count(&count, touched, "synced item");
    printf("%s%s from now on left as they are on each device, and stay where they are:\n",
           field_true(answer, "touched_more") ? "at least " : "", buf_text(&count));
    json_array_foreach(json_object_get(answer, "examples"), at, one)
    {
        printf("  %s\n", json_string_value(one));
    }
    if (touched > json_array_size(json_object_get(answer, "examples"))) (void)puts("  ...");
}

static int add(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = ask(context, args, "/v1/ignore/add", 1, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    AUTO(buf_fini) struct buf count = {0};
    print_count(&count, field_number(answer, "added"), "rule");
    if (field_number(answer, "added") == 0)
        printf("%s has it already\n", field_text(answer, "file", "?"));
    else
        printf("%s: %s added\n", field_text(answer, "file", "?"), buf_text(&count));
    print_touched(answer);
    return CLI_DONE;
}

static int remove_rules(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = ask(context, args, "/v1/ignore/remove", 1, &answer);
    if (result != CLI_DONE) return result;
    AUTO(buf_fini) struct buf count = {0};
    print_count(&count, field_number(answer, "removed"), "line");
    if (context->json)
        print_json(answer);
    else
        printf("%s: %s removed\n", field_text(answer, "file", "?"), buf_text(&count));
    return CLI_DONE;
}

static int list(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = ask(context, args, "/v1/ignore/list", 0, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    size_t at;
    json_t *one;
    json_t *rules = json_object_get(answer, "rules");
    json_array_foreach(rules, at, one)
    {
        printf("%s:%" PRIu64 ": %s\n", field_text(one, "file", "?"), field_number(one, "line"),
               field_text(one, "rule", "?"));
    }
    if (json_array_size(rules) == 0) (void)puts("no rules but the defaults");
    return CLI_DONE;
}

static const struct cli_option options[] = {
    {"--local", NULL, "on this device only, in .cfgsync/ignore"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_ignore = {
    .name = "ignore",
    .usage = "[FOLDER] PATTERN... [--local]",
    .summary = "leave files out, on all devices or on this one",
    .help =
        "Adds lines to .cfgsyncignore of the folder, as a .gitignore at its root would have them:\n"
        "'*.log' everywhere, '/build/' a directory at the top, '!keep.log' not this one. It says\n"
        "how many files that are synced already are left out from now on: they stay where they\n"
        "are, on every device, and are compared when the rule goes. Without FOLDER, the one that\n"
        "the working directory is in, or the only one. cfgsync-agent why PATH names the rule that\n"
        "leaves a file out. A PATTERN that is a word of these verbs: './list' or '/list'.",
    .options = options,
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_FOLDER, COMPLETE_NOTHING},
    .run = add,
};

const struct cli_verb verb_ignore_list = {
    .name = "ignore list",
    .usage = "[FOLDER]",
    .summary = "the rules of a folder, besides the defaults",
    .help = "",
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = list,
};

const struct cli_verb verb_ignore_remove = {
    .name = "ignore remove",
    .usage = "[FOLDER] PATTERN... [--local]",
    .summary = "take rules back, as they are written",
    .help = "",
    .options = options,
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_FOLDER, COMPLETE_NOTHING},
    .run = remove_rules,
};
