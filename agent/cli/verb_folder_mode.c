// SPDX-License-Identifier: MIT
//
// agent/cli/verb_folder_mode — what a person decides about a folder that goes one way only.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/confirm_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 120 };

// How many items it is about; false: said on stderr.
static bool count_of(const struct cli_context *context, const char *name, const char *key,
                     uint64_t *out, int *out_result)
{
    AUTO(json_drop) json_t *status = NULL;
    size_t at;
    json_t *folder;
    *out_result = agent_ask(context, "GET", "/v1/status", NULL, ANSWER_S, &status);
    if (*out_result != CLI_DONE) return false;
    *out = 0;
    json_array_foreach(json_object_get(status, "folders"), at, folder)
    {
        if (strcmp(field_text(folder, "name", ""), name) == 0) *out = field_number(folder, key);
    }
    return true;
}

static int decide(const struct cli_context *context, const struct args *args, const char *path,
                  const char *done)
{
    json_t *body = json_pack("{s:s}", "name", args->words[0]);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", path, body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    uint64_t left = field_number(answer, "left_alone");
    if (context->json) {
        print_json(answer);
    } else {
        AUTO(buf_fini) struct buf text = {0};
        print_count(&text, field_number(answer, "changed"), "path");
        printf("%s: %s\n", done, buf_text(&text));
        if (left > 0)
            cli_error("%llu left as they are: being changed, or their content is not to be had now",
                      (unsigned long long)left);
    }
    return left > 0 ? CLI_FAILED : CLI_DONE;
}

static int run_override(const struct cli_context *context, const struct args *args)
{
    uint64_t count;
    int result;
    AUTO(buf_fini) struct buf question = {0};
    if (!count_of(context, args->words[0], "differs", &count, &result)) return result;
    buf_printf(&question,
               "%llu items differ from what the peers have. What is here replaces them everywhere; "
               "what is not here is deleted there. Go on?",
               (unsigned long long)count);
    if (count > 0 && !confirm(args, buf_text(&question))) return CLI_FAILED;
    return decide(context, args, "/v1/folders/override", "made to win");
}

static int run_reset(const struct cli_context *context, const struct args *args)
{
    uint64_t count;
    int result;
    AUTO(buf_fini) struct buf question = {0};
    if (!count_of(context, args->words[0], "changed_here", &count, &result)) return result;
    buf_printf(&question,
               "%llu items were changed only here. They become what the peers have, and what they "
               "were is kept (cfgsync-agent kept). Go on?",
               (unsigned long long)count);
    if (count > 0 && !confirm(args, buf_text(&question))) return CLI_FAILED;
    return decide(context, args, "/v1/folders/reset", "reset");
}

static const struct cli_option options[] = {
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_folder_override = {
    .name = "folder override",
    .usage = "NAME [--yes]",
    .summary = "of a send-only folder: make what is here win everywhere",
    .help =
        "What others have changed is replaced on all devices by what is here, what is not here\n"
        "is deleted there. They keep what they had (cfgsync-agent kept).",
    .options = options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = run_override,
};

const struct cli_verb verb_folder_reset = {
    .name = "folder reset",
    .usage = "NAME [--yes]",
    .summary = "of a receive-only folder: drop what only this device has changed",
    .help = "Files become what the peers have; what they were, and files that are only here, are\n"
            "kept (cfgsync-agent kept).",
    .options = options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = run_reset,
};
