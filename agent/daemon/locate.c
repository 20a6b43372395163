// SPDX-License-Identifier: MIT
//
// Which folder an absolute path lies in, and what the folder calls it.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/locate_priv.h"
#include "agent/daemon/roots_priv.h"
#include "proto/path.h"

bool locate_find(struct agent *agent, const char *path, struct located *out)
{
    size_t longest = 0;
    *out = (struct located){0};
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        const struct registry_folder *folder =
            registry_folder(agent->registry, agent->folders[i].name);
        if (folder == NULL) continue;
        AUTO(mem_free) char *root = root_real(folder->path);
        size_t size = strlen(root);
        if (!root_contains(root, path) || size < longest) continue;
        longest = size;
        out->folder = folder;
        out->number = agent->folders[i].folder;
        const char *rest = path + (strcmp(root, "/") == 0 ? 0 : size);
        out->path = arena_copy(agent->scratch, slice_text(rest + strspn(rest, "/")));
    }
    struct slice normal;
    out->is_item =
        out->path.size == 0 || (path_normalize(agent->scratch, out->path, &normal) == ERR_OK &&
                                path_fault(normal) == NULL);
    if (out->is_item && out->path.size > 0) out->path = normal;
    return out->folder != NULL;
}

bool locate(struct agent *agent, uint64_t request, const char *path, struct located *out)
{
    char escaped[LOG_ESCAPED_MAX];
    if (path[0] != '/') {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "path: must be absolute");
        return false;
    }
    if (locate_find(agent, path, out)) return true;
    control_refuse(agent, request, REFUSE_UNKNOWN_FOLDER, "cfgsync-agent folder list shows all",
                   "%s is in no folder", log_escape(slice_text(path), escaped));
    return false;
}
