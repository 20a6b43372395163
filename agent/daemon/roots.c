// SPDX-License-Identifier: MIT
//
// Real paths are compared, so that a symbolic link or a second spelling hides nothing.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/roots_priv.h"

// Leaves "/" and "/a/b": no trailing slashes.
static void trim(char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = '\0';
}

char *root_real(const char *path)
{
    AUTO(mem_free) char *head = mem_strdup(path);
    trim(head);
    // Cuts components off until the rest exists, then puts them back behind its real path.
    for (;;) {
        AUTO(mem_free) char *real = realpath(head, NULL);
        if (real != NULL) {
            const char *tail = path + strlen(head);
            AUTO(buf_fini) struct buf whole = {0};
            buf_append_text(&whole, real);
            while (*tail == '/')
                tail++;
            if (*tail != '\0' && strcmp(real, "/") != 0) buf_append_text(&whole, "/");
            buf_append_text(&whole, tail);
            char *out = mem_strdup(buf_text(&whole));
            trim(out);
            return out;
        }
        char *slash = strrchr(head, '/');
        if (slash == NULL) break;
        if (slash == head) {
            if (head[1] == '\0') break;
            head[1] = '\0';
        } else {
            *slash = '\0';
            trim(head);
        }
    }
    char *out = mem_strdup(path);
    trim(out);
    return out;
}

bool root_contains(const char *a, const char *b)
{
    size_t size = strlen(a);
    if (strcmp(a, "/") == 0) return b[0] == '/';
    return strncmp(a, b, size) == 0 && (b[size] == '\0' || b[size] == '/');
}

static const char *relation(const char *root, const char *other)
{
    if (strcmp(root, other) == 0) return "is";
    if (root_contains(root, other)) return "contains";
    return root_contains(other, root) ? "is inside" : NULL;
}

static enum err own_state_apart(const struct home *home, const char *real, struct buf *out)
{
    // The config file may be in a folder: it holds no secret, and ~/.config is worth syncing.
    const char *dirs[] = {home->state_dir, home->socket_dir};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        AUTO(mem_free) char *own = root_real(dirs[i]);
        const char *how = relation(real, own);
        if (how == NULL) continue;
        buf_printf(out, "%s %s the agent's own directory %s, in which its secret key is", real, how,
                   dirs[i]);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

enum err root_allowed(const struct registry *registry, const struct home *home, const char *name,
                      const char *path, struct buf *out_message)
{
    AUTO(mem_free) char *real = root_real(path);
    enum err err = own_state_apart(home, real, out_message);
    if (err) return err;
    const struct registry_folder *folders;
    uint32_t count = registry_folders(registry, &folders);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(folders[i].name, name) == 0) continue;
        AUTO(mem_free) char *other = root_real(folders[i].path);
        const char *how = relation(real, other);
        if (how == NULL) continue;
        buf_printf(out_message,
                   "%s %s the root of folder %s (%s); two roots may not contain each other", path,
                   how, folders[i].name, folders[i].path);
        return ERR_CONFIG;
    }
    return ERR_OK;
}

bool roots_apart(const char *path, const char *other)
{
    AUTO(mem_free) char *real = root_real(path);
    AUTO(mem_free) char *real_other = root_real(other);
    return relation(real, real_other) == NULL;
}
