// SPDX-License-Identifier: MIT
//
// agent/cli/meant — whether a path is what a person has written: the path itself, or a pattern of
// the shell in quotes. What is there by the very name that was written is meant, and nothing else,
// also where the name could be a pattern.
#ifndef AGENT_CLI_MEANT_PRIV_H
#define AGENT_CLI_MEANT_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/json.h"

bool is_pattern(const char *word);
// How many bytes of the word are no pattern, for something on the disk or in the list (of objects
// with a "path") is called so, or is in a directory that is. Paths and words are absolute.
size_t word_plain(const char *word, const json_t *list);
bool path_meant(const char *word, size_t plain, const char *path);

#endif
