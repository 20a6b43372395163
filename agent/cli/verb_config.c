// SPDX-License-Identifier: MIT
//
// agent/cli/verb_config — reading the config file is the daemon's, so the check is, too.
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    return context->hooks->config_check(context);
}

const struct cli_verb verb_config_check = {
    .name = "config check",
    .usage = "",
    .summary = "say what is wrong in the config file, with file and line",
    .help = "",
    .run = run,
};
