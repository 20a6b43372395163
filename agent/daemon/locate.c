// SPDX-License-Identifier: MIT
//
// Which folder an absolute path lies in, and what the folder calls it.
#include <string.h>

#include "agent/daemon/locate_priv.h"
#include "proto/path.h"

static bool below(const char *root, const char *path, const char **out_rest)
{
    size_t size = strlen(root);
    while (size > 1 && root[size - 1] == '/')
        size--;
    if (strncmp(path, root, size) != 0) return false;
    if (path[size] != '/' && path[size] != '\0' && size > 1) return false;
    path += size;
    while (*path == '/')
        path++;
    *out_rest = path;
    return true;
}

bool locate(struct agent *agent, uint64_t request, const char *path, struct located *out)
{
    *out = (struct located){0};
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        const struct registry_folder *folder =
            registry_folder(agent->registry, agent->folders[i].name);
        const char *rest;
        if (folder == NULL || !below(folder->path, path, &rest)) continue;
        out->folder = folder;
        out->number = agent->folders[i].folder;
        if (*rest == '\0' || path_normalize(agent->scratch, slice_text(rest), &out->path) == ERR_OK)
            return true;
        break;
    }
    char escaped[LOG_ESCAPED_MAX];
    (void)log_escape(slice_text(path), escaped);
    if (out->folder == NULL)
        control_refuse(agent, request, REFUSE_BAD_PATH, "cfgsync-agent folder list shows them",
                       "%s lies in no folder", escaped);
    else
        control_refuse(agent, request, REFUSE_BAD_PATH, NULL,
                       "%s cannot be synced: not a path "
                       "of UTF-8 names within the limits",
                       escaped);
    return false;
}
