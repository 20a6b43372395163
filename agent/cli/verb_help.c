// SPDX-License-Identifier: MIT
//
// agent/cli/verb_help — help, help VERB, help GROUP.
#include "agent/base/own.h"
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    (void)context;
    if (args->word_count == 0) {
        verb_print_list();
        return CLI_DONE;
    }
    AUTO(buf_fini) struct buf name = {0};
    buf_append_text(&name, args->words[0]);
    if (args->word_count > 1) buf_printf(&name, " %s", args->words[1]);
    return verb_print_help(buf_text(&name)) ? CLI_DONE : verb_unknown(buf_text(&name));
}

const struct cli_verb verb_help = {
    .name = "help",
    .usage = "[VERB]",
    .summary = "describe the verbs, or one of them",
    .help = "",
    .words_max = 2,
    .completes = {COMPLETE_VERB, COMPLETE_VERB},
    .run = run,
};
