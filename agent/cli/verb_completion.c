// SPDX-License-Identifier: MIT
//
// agent/cli/verb_completion — the scripts for the shells (agent/cli/texts). All they do is ask
// `completion words` what may come (complete_priv.h) and hand it on.
#include <stdio.h>
#include <string.h>

#include "agent/cli/complete_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/texts_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    const char *shell = args->words[0];
    if (strcmp(shell, "words") == 0) {
        complete_words(context, args->words + 1, args->word_count - 1);
        return CLI_DONE;
    }
    const char *script = strcmp(shell, "bash") == 0   ? text_completion_bash
                         : strcmp(shell, "zsh") == 0  ? text_completion_zsh
                         : strcmp(shell, "fish") == 0 ? text_completion_fish
                                                      : NULL;
    if (script == NULL || args->word_count > 1) {
        cli_error("completion takes bash, zsh or fish");
        return CLI_USAGE;
    }
    (void)fputs(script, stdout);
    return CLI_DONE;
}

const struct cli_verb verb_completion = {
    .name = "completion",
    .usage = "bash | zsh | fish",
    .summary = "a script by which the shell completes verbs, options and names",
    .help = "Names of peers, folders and files in conflict come from the running agent.\n"
            "  bash, in ~/.bashrc:            eval \"$(cfgsync-agent completion bash)\"\n"
            "  zsh, in ~/.zshrc after compinit: source <(cfgsync-agent completion zsh)\n"
            "  fish, once:  cfgsync-agent completion fish "
            ">~/.config/fish/completions/cfgsync-agent.fish",
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_SHELL},
    .run = run,
};
