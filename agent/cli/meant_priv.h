// SPDX-License-Identifier: MIT
//
// agent/cli/meant — whether a path is what a person has written: the path itself, or a pattern of
// the shell in quotes.
#ifndef AGENT_CLI_MEANT_PRIV_H
#define AGENT_CLI_MEANT_PRIV_H

#include <stdbool.h>

bool is_pattern(const char *word);
bool path_meant(const char *word, const char *path); // both absolute

#endif
