// SPDX-License-Identifier: MIT
//
// agent/cli/verb_sync — the agent decides when it is done and with which exit code; this prints.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

static void print_lines(const json_t *lines)
{
    size_t at;
    json_t *line;
    json_array_foreach((json_t *)(uintptr_t)lines, at, line)
    {
        const char *text = field_text(line, "text", "");
        if (strcmp(field_text(line, "level", "info"), "info") == 0) {
            (void)puts(text);
        } else {
            cli_error("%s", text);
        }
    }
}

static int show(const struct cli_context *context, const json_t *answer, bool waited)
{
    uint64_t result = field_number(answer, "exit");
    if (context->json) {
        print_json(answer);
    } else {
        print_lines(json_object_get(answer, "lines"));
        if (result == 0 && waited && json_array_size(json_object_get(answer, "lines")) == 0) {
            printf("in sync (%.1f s)\n", (double)field_number(answer, "elapsed_ms") / 1000);
        }
    }
    return result < 126 ? (int)result : CLI_FAILED;
}

static int run(const struct cli_context *context, const struct args *args)
{
    int64_t timeout;
    bool wait = args_has(args, "--wait");
    if (!timeout_read(args, &timeout)) return CLI_USAGE;
    if (!wait && args_has(args, "--timeout")) {
        cli_error("--timeout is for --wait");
        return CLI_USAGE;
    }
    const char *folder = args->word_count > 0 ? args->words[0] : NULL;
    json_t *body =
        json_pack("{s:s*, s:s*, s:b, s:I}", "folder", folder, "peer", args_value(args, "--peer"),
                  "wait", (int)wait, "timeout_s", (json_int_t)timeout);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_await(context, "/v1/sync", body, &answer);
    return result != CLI_DONE ? result : show(context, answer, wait);
}

static const struct cli_option options[] = {
    {"--wait", NULL, "until everything saved here before is on the peers' disks, and theirs here"},
    {"--timeout", "SECONDS", "with --wait: give up after that long (default: 60)"},
    {"--peer", "PEER", "with this peer only"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_sync = {
    .name = "sync",
    .usage = "[FOLDER] [--wait [--timeout SECONDS]] [--peer PEER]",
    .summary = "look at the disk and exchange with the peers now",
    .help = "With --wait: exit 0 when everything saved here before the call is on the disk of the\n"
            "folder's peers and everything the connected ones knew is here; 4 if a peer was not\n"
            "reachable in time; 5 if something is held for a decision; 1 if a peer cannot take an\n"
            "item. Each is named.",
    .options = options,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = run,
};
