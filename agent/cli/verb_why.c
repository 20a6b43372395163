// SPDX-License-Identifier: MIT
//
// agent/cli/verb_why — why a path is or is not in sync, and with whom.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 60 };

static void show(const json_t *answer)
{
    size_t at;
    json_t *reason;
    printf("%s/%s\n", field_text(answer, "folder", "?"), field_text(answer, "path", "?"));
    json_array_foreach(json_object_get(answer, "reasons"), at, reason)
    {
        printf("  %s\n", field_text(reason, "text", "?"));
        const char *hint = field_text(reason, "hint", "");
        if (hint[0] != '\0') printf("    %s\n", hint);
    }
    int64_t saved_ms = (int64_t)field_number(answer, "saved_ms");
    if (saved_ms <= 0) return;
    AUTO(buf_fini) struct buf ago = {0};
    print_ago(&ago, saved_ms, clock_ms(CLOCK_REALTIME));
    printf("  %s by %s, %s\n", field_true(answer, "deleted") ? "deleted" : "saved",
           field_text(answer, "saved_by", "?"), buf_text(&ago));
}

static int run(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf path = {0};
    if (!path_absolute(args->words[0], &path)) {
        cli_error("the working directory is gone; give an absolute path");
        return CLI_FAILED;
    }
    json_t *body = json_object();
    (void)json_object_set_new(body, "path", json_bytes(buf_slice(&path)));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/why", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json)
        print_json(answer);
    else
        show(answer);
    return CLI_DONE;
}

const struct cli_verb verb_why = {
    .name = "why",
    .usage = "PATH",
    .summary = "why a path is or is not in sync, and with whom",
    .help =
        "Names the rule that leaves it out, what it is in conflict with, what blocks it here or\n"
        "there, whose content it waits for, and who has it. Exit 0 when it can answer.",
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_FILE},
    .run = run,
};
