// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/paths_priv.h"

// Cuts the last component off; false when only the root is left.
static bool cut_last(char *path, struct buf *rest)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash[1] == '\0') return false;
    struct buf longer = {0};
    buf_printf(&longer, "%s%s%s", slash + 1, rest->size > 0 ? "/" : "",
               rest->size > 0 ? buf_text(rest) : "");
    buf_fini(rest);
    *rest = longer;
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

static bool has_dots(const char *path)
{
    for (const char *at = path; (at = strchr(at, '.')) != NULL; at++) {
        bool starts = at == path || at[-1] == '/';
        size_t size = strspn(at, ".");
        if (starts && size <= 2 && (at[size] == '/' || at[size] == '\0')) return true;
    }
    return false;
}

bool path_absolute(const char *word, struct buf *out)
{
    AUTO(buf_fini) struct buf full = {0};
    AUTO(buf_fini) struct buf rest = {0};
    if (word[0] != '/') {
        AUTO(mem_free) char *cwd = getcwd(NULL, 0);
        if (cwd == NULL) return false;
        buf_printf(&full, "%s/", cwd);
    }
    buf_append_text(&full, word);
    while (full.size > 1 && full.data[full.size - 1] == '/')
        full.size--;
    AUTO(mem_free) char *path = mem_strdup(buf_text(&full));
    // The last name is what is meant, even if it is a link; above it, what exists is resolved.
    AUTO(mem_free) char *real = NULL;
    bool dots = has_dots(path);
    if (dots) real = realpath(path, NULL);
    while (real == NULL && cut_last(path, &rest))
        real = realpath(path, NULL);
    if (real == NULL || has_dots(rest.size > 0 ? buf_text(&rest) : "")) return false;
    buf_append_text(out, real);
    if (rest.size > 0) buf_printf(out, "%s%s", strcmp(real, "/") == 0 ? "" : "/", buf_text(&rest));
    return true;
}
