// SPDX-License-Identifier: MIT
//
// agent/cli/verb_id — alone on a line, for scripts.
#include <stdio.h>

#include "agent/base/own.h"
#include "agent/cli/device_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    char id[DEVICE_ID_TEXT_MAX];
    int result = device_read(context, id, NULL);
    if (result != CLI_DONE) return result;
    if (context->json) {
        AUTO(json_drop) json_t *value = json_pack("{s:s}", "id", id);
        print_json(value);
    } else {
        (void)puts(id);
    }
    return CLI_DONE;
}

const struct cli_verb verb_id = {
    .name = "id",
    .usage = "",
    .summary = "this device's id, alone on a line",
    .help = "It is public: another machine needs it for peer add.",
    .run = run,
};
