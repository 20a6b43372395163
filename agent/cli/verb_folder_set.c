// SPDX-License-Identifier: MIT
//
// agent/cli/verb_folder_set — what a person can set of a folder.
#include <stdio.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 60 };

static int run(const struct cli_context *context, const struct args *args)
{
    json_t *settings = json_array();
    for (size_t i = 1; i < args->word_count; i++)
        (void)json_array_append_new(settings, json_bytes(slice_text(args->words[i])));
    json_t *body = json_object();
    (void)json_object_set_new(body, "name", json_bytes(slice_text(args->words[0])));
    (void)json_object_set_new(body, "settings", settings);
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/folders/set", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(answer, "settings"), key, value)
    {
        printf("%s=%s\n", key, json_string_value(value));
    }
    return CLI_DONE;
}

const struct cli_verb verb_folder_set = {
    .name = "folder set",
    .usage = "NAME [KEY=VALUE]...",
    .summary = "mode, brakes and kept versions of a folder; without KEY, how they are set",
    .help =
        "In force at once; what is held already stays so, unless brake=off. KEY=default takes a\n"
        "setting back.\n"
        "\n"
        "mode=two-way|send-only|receive-only\n"
        "                           send-only: what others change is known and not put in place\n"
        "                           here (folder override makes what is here win); receive-only:\n"
        "                           what changes here is not published (folder reset drops it)\n"
        "brake=off|normal|strict    strict: what others approved is held here all the same\n"
        "brake_deletes=20           held are more deletions than this, if they are\n"
        "brake_deletes_percent=25   more than that part of the folder, too\n"
        "brake_rewrites=50          the same of files that are rewritten\n"
        "brake_rewrites_percent=50\n"
        "keep_days=30               how long replaced and deleted files are kept,\n"
        "keep_space=10%             and what they may take: of the disk, or a size (2G)\n"
        "base_space=64M             what small files may take that are put aside, to be kept when\n"
        "                           they are overwritten here; or off",
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_FOLDER, COMPLETE_SETTING},
    .run = run,
};
