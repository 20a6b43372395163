// SPDX-License-Identifier: MIT
//
// agent/cli/verb_run — the daemon's door, so that help and usage know it.
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    return context->hooks->run(context);
}

const struct cli_verb verb_run = {
    .name = "run",
    .usage = "",
    .summary = "the agent, in the foreground; its log goes to standard error",
    .help = "Ends cleanly on SIGTERM, SIGINT or cfgsync-agent stop. Run init first.",
    .run = run,
};
