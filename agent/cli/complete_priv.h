// SPDX-License-Identifier: MIT
//
// agent/cli/complete — what may stand in the last of some words. The scripts for the shells ask
// this; they know nothing themselves, so that they fit every version of the program.
//
// Printed: first how the rest is meant, ":words" (complete ones follow), ":paths" (likewise, to be
// quoted as file names), ":files" or ":dirs" (whatever is on the disk; nothing follows). Then a
// line for each: the word, a tab, and what it is.
#ifndef AGENT_CLI_COMPLETE_PRIV_H
#define AGENT_CLI_COMPLETE_PRIV_H

#include "agent/cli/verb_priv.h"

// `words` are those behind the program's name, the last one as far as it is typed.
void complete_words(const struct cli_context *context, const char *const *words, size_t count);

struct candidates {
    const struct cli_context *context;
    const char *kind;  // ":words"; static
    const char *typed; // what candidates must begin with
    struct slice lead; // stands before each: "--with=a,"
    struct buf lines;
};

void candidate_add(struct candidates *candidates, const char *text, const char *what);

// agent/cli/complete_names: from the running agent; nothing if there is none. `folder` is the
// verb's first word, or NULL.
void complete_names(struct candidates *candidates, enum complete what, const char *folder);

#endif
