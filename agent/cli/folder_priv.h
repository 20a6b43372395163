// SPDX-License-Identifier: MIT
//
// agent/cli/folder — what adding and sharing a folder have in common.
#ifndef AGENT_CLI_FOLDER_PRIV_H
#define AGENT_CLI_FOLDER_PRIV_H

#include "agent/base/json.h"
#include "agent/cli/args_priv.h"

// Sets "with" and "with_all" in body from every --with and from `asked` (may be NULL).
void folder_with(const struct args *args, const char *asked, json_t *body);
void folder_print_shared(const json_t *answer);

#endif
