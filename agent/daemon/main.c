// SPDX-License-Identifier: MIT
//
// One program: the command line, and behind `run` the agent itself.
#include "agent/cli/cli.h"
#include "agent/daemon/daemon.h"

static int run(const struct cli_context *context)
{
    return daemon_run(&context->home);
}

static int config_check(const struct cli_context *context)
{
    return daemon_config_check(&context->home, context->json);
}

static void examine(const struct cli_context *context, json_t *findings)
{
    daemon_examine(&context->home, findings);
}

static int config_show(const struct cli_context *context)
{
    return daemon_config_show(&context->home, context->json);
}

int main(int argc, char **argv)
{
    static const struct cli_hooks hooks = {
        .run = run, .config_check = config_check, .config_show = config_show, .examine = examine};
    return cli_main(argc, argv, &hooks);
}
