// SPDX-License-Identifier: MIT
#include <string.h>
#include <sys/stat.h>

#include <fnmatch.h>

#include "agent/cli/agent_priv.h"
#include "agent/cli/meant_priv.h"

bool is_pattern(const char *word)
{
    return strpbrk(word, "*?[") != NULL;
}

// So much of the word is spelled out in the path: all of it, or some of its directories.
static size_t spelled_out(const char *word, const char *path)
{
    size_t at = 0, size = 0;
    for (; word[at] != '\0' && word[at] == path[at]; at++) {
        if (word[at] == '/') size = at + 1;
    }
    return word[at] == '\0' && (path[at] == '\0' || path[at] == '/') ? at : size;
}

size_t word_plain(const char *word, const json_t *list)
{
    size_t at, most = 0;
    json_t *one;
    struct stat st;
    if (lstat(word, &st) == 0) return strlen(word);
    json_array_foreach(list, at, one)
    {
        size_t size = spelled_out(word, field_text(one, "path", ""));
        if (size > most) most = size;
    }
    return most;
}

bool path_meant(const char *word, size_t plain, const char *path)
{
    if (strncmp(path, word, plain) != 0) return false;
    const char *rest = word + plain;
    if (strcmp(path + plain, rest) == 0) return true;
    return is_pattern(rest) && fnmatch(rest, path + plain, 0) == 0;
}
