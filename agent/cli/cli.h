// SPDX-License-Identifier: MIT
//
// agent/cli — the verbs. main() hands its arguments to cli_main together with what only the daemon
// can do; everything else is a client of the agent's socket and never opens the index.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 conflicts exist (status only), 4 peers not
// reachable in time, 5 something is held for a decision, 6 no agent is running.
#ifndef AGENT_CLI_CLI_H
#define AGENT_CLI_CLI_H

#include <stdbool.h>

#include "agent/base/json.h"
#include "agent/store/home.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_CONFLICTS = 3,
    CLI_UNREACHED = 4,
    CLI_HELD = 5,
    CLI_NO_AGENT = 6,
};

struct cli_context;

// Return an exit code; print their own messages. home is resolved, nothing of it need exist.
struct cli_hooks {
    int (*run)(const struct cli_context *context);
    int (*config_check)(const struct cli_context *context); // of context->home.config
    int (*config_show)(const struct cli_context *context);
    void (*examine)(const struct cli_context *context, json_t *findings); // for `doctor`
};

struct cli_context {
    const char *home_option; // --home as given, or NULL
    struct home home;
    bool json;
    bool color; // standard output is a terminal, and NO_COLOR is not set
    const struct cli_hooks *hooks;
};

int cli_main(int argc, char **argv, const struct cli_hooks *hooks);

#endif
