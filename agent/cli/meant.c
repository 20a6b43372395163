// SPDX-License-Identifier: MIT
#include <string.h>

#include <fnmatch.h>

#include "agent/cli/meant_priv.h"

bool is_pattern(const char *word)
{
    return strpbrk(word, "*?[") != NULL;
}

bool path_meant(const char *word, const char *path)
{
    return strcmp(path, word) == 0 || (is_pattern(word) && fnmatch(word, path, 0) == 0);
}
