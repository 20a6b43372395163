// SPDX-License-Identifier: MIT
//
// agent/cli/verb_version — the three numbers that decide what works together.
#include <stdio.h>

#include "agent/base/own.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/store/store.h"
#include "proto/limits.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    if (context->json) {
        AUTO(json_drop)
        json_t *value = json_pack("{s:s, s:i, s:i}", "program", CFGSYNC_VERSION, "protocol",
                                  (int)PROTO_VERSION, "schema", STORE_SCHEMA_VERSION);
        print_json(value);
        return CLI_DONE;
    }
    printf("cfgsync-agent %s (protocol %d, schema %d)\n", CFGSYNC_VERSION, (int)PROTO_VERSION,
           STORE_SCHEMA_VERSION);
    return CLI_DONE;
}

const struct cli_verb verb_version = {
    .name = "version",
    .usage = "",
    .summary = "the versions of the program, its protocol and its index",
    .help = "",
    .run = run,
};
