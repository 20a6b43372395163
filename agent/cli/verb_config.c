// SPDX-License-Identifier: MIT
//
// agent/cli/verb_config — reading the config file is the daemon's, so these are, too.
#include "agent/cli/verb_priv.h"

static int check(const struct cli_context *context, const struct args *args)
{
    (void)args;
    return context->hooks->config_check(context);
}

static int show(const struct cli_context *context, const struct args *args)
{
    (void)args;
    return context->hooks->config_show(context);
}

const struct cli_verb verb_config_check = {
    .name = "config check",
    .usage = "",
    .summary = "say what is wrong in the config file, with file and line",
    .help = "",
    .run = check,
};

const struct cli_verb verb_config_show = {
    .name = "config show",
    .usage = "",
    .summary = "all that can stand in the config file, as it is set, defaults included",
    .help = "Also what was added by command. A running agent reads the file again when it changes, "
            "and\n"
            "on SIGHUP; cfgsync-agent.conf(5) describes it.",
    .run = show,
};
