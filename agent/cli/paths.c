// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/paths_priv.h"

// "a/./b/../c" is a/c, as far as nobody has to be asked.
static void tidy(const char *path, struct buf *out)
{
    while (*path != '\0') {
        size_t size = strcspn(path, "/");
        bool up = size == 2 && memcmp(path, "..", 2) == 0;
        bool here = size == 0 || (size == 1 && path[0] == '.');
        while (up && out->size > 0 && out->data[--out->size] != '/') {
        }
        if (!up && !here) {
            buf_append_text(out, "/");
            buf_append(out, path, size);
        }
        path += size;
        path += strspn(path, "/");
    }
}

// The real path of what contains it: a symbolic link is asked about itself.
bool path_absolute(const char *path, struct buf *out)
{
    AUTO(mem_free) char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    if (path[0] != '/' && cwd == NULL) return false;
    AUTO(buf_fini) struct buf whole = {0};
    AUTO(buf_fini) struct buf plain = {0};
    if (cwd != NULL) buf_printf(&whole, "%s/", cwd);
    buf_append_text(&whole, path);
    tidy(buf_text(&whole), &plain);
    if (plain.size == 0) buf_append_text(&plain, "/");
    char *text = (char *)(uintptr_t)buf_text(&plain);
    char *base = strrchr(text, '/');
    // Cuts off what does not exist, then puts it back behind the real path of the rest.
    for (char *end = base; end != NULL;) {
        char cut = *end;
        *end = '\0';
        AUTO(mem_free) char *real = realpath(text[0] != '\0' ? text : "/", NULL);
        *end = cut;
        if (real != NULL) {
            buf_printf(out, "%s%s", strcmp(real, "/") == 0 ? "" : real, end);
            return true;
        }
        char *above = end;
        while (above > text && *--above != '/') {
        }
        end = above == end ? NULL : above;
    }
    buf_append_text(out, text);
    return true;
}
