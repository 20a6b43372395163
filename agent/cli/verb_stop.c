// SPDX-License-Identifier: MIT
//
// agent/cli/verb_stop — returns when the agent has ended: when the lock is free.
#include <stdio.h>
#include <time.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 30, END_MS = 30000, LOOK_MS = 10 };

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/stop", json_object(), ANSWER_S, &answer);
    if (result != CLI_DONE) return result;

    const struct timespec nap = {0, LOOK_MS * 1000000L};
    for (int waited = 0; waited < END_MS; waited += LOOK_MS) {
        AUTO(fd_close) int lock = -1;
        pid_t owner = 0;
        if (home_lock(&context->home, &lock, &owner) != ERR_BUSY) {
            if (context->json) print_json(answer);
            return CLI_DONE;
        }
        (void)nanosleep(&nap, NULL);
    }
    cli_error("the agent was told to end and still runs after %d s", END_MS / 1000);
    return CLI_FAILED;
}

const struct cli_verb verb_stop = {
    .name = "stop",
    .usage = "",
    .summary = "end the agent cleanly",
    .help = "Returns when it has ended.",
    .run = run,
};
