// SPDX-License-Identifier: MIT
//
// agent/cli/verb_rekey — this is a second machine: a device of its own.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/request_priv.h"
#include "agent/cli/verb_priv.h"

static int confirm(const struct args *args)
{
    if (args_has(args, "--yes")) return CLI_DONE;
    AUTO(buf_fini) struct buf answer = {0};
    if (!ask_line("This gives up the device's id; every peer must add the new one. Type yes:",
                  &answer)) {
        cli_error("rekey gives up the device's id; confirm it with --yes");
        return CLI_USAGE;
    }
    if (strcmp(buf_text(&answer), "yes") == 0) return CLI_DONE;
    cli_error("nothing was changed");
    return CLI_FAILED;
}

static int run(const struct cli_context *context, const struct args *args)
{
    int result = confirm(args);
    if (result == CLI_DONE) result = request_leave(context, context->home.rekey);
    if (result != CLI_DONE) return result;
    printf("the next run draws a new id; start it: cfgsync-agent run\n"
           "then cfgsync-agent id prints what the peers must add\n");
    return CLI_DONE;
}

static const struct cli_option options[] = {
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_rekey = {
    .name = "rekey",
    .usage = "[--yes]",
    .summary = "this state was copied here and the other machine goes on: become a new device",
    .help = "The next run draws a new key. Peers do not know it until they have added the new id\n"
            "(cfgsync-agent id). The agent must not be running.",
    .options = options,
    .run = run,
};
