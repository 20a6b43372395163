// SPDX-License-Identifier: MIT
//
// agent/cli/verb_prompt — snippets (agent/cli/texts) that show the status icon in a shell's prompt.
#include <stdio.h>
#include <string.h>

#include "agent/cli/print_priv.h"
#include "agent/cli/texts_priv.h"
#include "agent/cli/verb_priv.h"

static int run(const struct cli_context *context, const struct args *args)
{
    static const struct {
        const char *name;
        const char *text;
    } snippets[] = {
        {"bash", text_prompt_bash},
        {"zsh", text_prompt_zsh},
        {"fish", text_prompt_fish},
        {"starship", text_prompt_starship},
    };
    (void)context;
    for (size_t i = 0; i < sizeof snippets / sizeof snippets[0]; i++) {
        if (strcmp(snippets[i].name, args->words[0]) != 0) continue;
        (void)fputs(snippets[i].text, stdout);
        return CLI_DONE;
    }
    cli_error("prompt takes bash, zsh, fish or starship");
    return CLI_USAGE;
}

const struct cli_verb verb_prompt = {
    .name = "prompt",
    .usage = "bash | zsh | fish | starship",
    .summary = "a snippet that shows the status icon in the shell's prompt",
    .help = "It reads a file and starts no program, so that it costs less than a millisecond.\n"
            "  bash, last in ~/.bashrc:    eval \"$(cfgsync-agent prompt bash)\"\n"
            "  zsh, last in ~/.zshrc:      source <(cfgsync-agent prompt zsh)\n"
            "  fish, last in config.fish:  cfgsync-agent prompt fish | source\n"
            "  starship: what it prints goes to ~/.config/starship.toml, and says the rest",
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_PROMPT},
    .run = run,
};
