// SPDX-License-Identifier: MIT
//
// How a directory spells a name. Linux has no call for it; file systems that fold names are rare
// there, so that reading the directory will do.
#include <errno.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

int name_spelled(int dir_fd, const char *name, char out[FS_NAME_MAX])
{
    AUTO(dir_end) DIR *dir = dir_list(dir_fd);
    if (dir == NULL) return errno;
    AUTO(arena_destroy) struct arena *kept = arena_new();
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice folded = path_fold(kept, slice_text(name));
    bool found = false;
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL; arena_reset(arena)) {
        bool same = strcmp(entry->d_name, name) == 0;
        if (!same && !slice_equal(path_fold(arena, slice_text(entry->d_name)), folded)) continue;
        if (strlen(entry->d_name) >= FS_NAME_MAX) return ENAMETOOLONG;
        memcpy(out, entry->d_name, strlen(entry->d_name) + 1);
        found = true;
        if (same) return 0;
    }
    if (errno != 0) return errno;
    return found ? 0 : ENOENT;
}
