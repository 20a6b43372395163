// SPDX-License-Identifier: MIT
//
// agent/cli/verb_pause — pause and resume; both print what is paused then.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pauses_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 60 };

static int ask(const struct cli_context *context, const char *path, const struct args *args,
               int64_t for_s)
{
    const char *name = args->word_count > 0 ? args->words[0] : NULL;
    json_t *body = json_pack("{s:s*, s:s*, s:s*}", "name", name, "folder",
                             args_value(args, "--folder"), "peer", args_value(args, "--peer"));
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    if (for_s > 0) json_object_set_new(body, "for_s", json_integer(for_s));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", path, body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else if (pauses_print(json_object_get(answer, "pauses"), "") == 0) {
        (void)puts("nothing is paused");
    }
    return CLI_DONE;
}

static int run_pause(const struct cli_context *context, const struct args *args)
{
    int64_t ms = 0;
    const char *text = args_value(args, "--for");
    if (text != NULL && (!when_duration(text, &ms) || ms < 1000)) {
        cli_error("--for: for example 90s, 30m, 2h, 7d");
        return CLI_USAGE;
    }
    return ask(context, "/v1/pause", args, ms / 1000);
}

static int run_resume(const struct cli_context *context, const struct args *args)
{
    return ask(context, "/v1/resume", args, 0);
}

static const struct cli_option pause_options[] = {
    {"--for", "DURATION", "it goes on by itself after 90s, 30m, 2h, 7d"},
    {"--folder", "FOLDER", "a folder, if a peer has the same name"},
    {"--peer", "PEER", "a peer, likewise"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_pause = {
    .name = "pause",
    .usage = "[FOLDER | PEER | --folder FOLDER | --peer PEER] [--for DURATION]",
    .summary = "exchange nothing for a while: at all, of a folder, or with a peer",
    .help =
        "What changes here meanwhile is noted, and goes out when it goes on. A pause outlasts a\n"
        "restart of the agent. cfgsync-agent resume ends it.",
    .options = pause_options,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER_OR_PEER},
    .run = run_pause,
};

const struct cli_verb verb_resume = {
    .name = "resume",
    .usage = "[FOLDER | PEER | --folder FOLDER | --peer PEER]",
    .summary = "end a pause; without a name all of them, and the quiet hours that it is in",
    .help = "",
    .options = pause_options + 1,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER_OR_PEER},
    .run = run_resume,
};
