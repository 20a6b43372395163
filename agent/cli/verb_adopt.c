// SPDX-License-Identifier: MIT
//
// agent/cli/verb_adopt — the old machine is gone, this one goes on as the same device.
#include <stdio.h>

#include "agent/cli/request_priv.h"
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    int result = request_leave(context, context->home.adopt);
    if (result != CLI_DONE) return result;
    printf("the next run goes on as this device, with a new index life; start it: "
           "cfgsync-agent run\n");
    return CLI_DONE;
}

const struct cli_verb verb_adopt = {
    .name = "adopt",
    .usage = "",
    .summary = "this state was moved or restored here and the old machine is gone",
    .help = "After state was copied to another machine, or a backup was restored, run refuses to\n"
            "start until adopt or rekey says which it is. adopt keeps the device's key, so that\n"
            "peers know it; the old machine must never run again. The agent must not be running.",
    .run = run,
};
