// SPDX-License-Identifier: MIT
//
// How a directory spells a name. Linux has no call for it; file systems that fold names are rare
// there, so that reading the directory will do.
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

static void dir_end(DIR **dir)
{
    if (*dir != NULL) closedir(*dir);
}

static void arena_end(struct arena **arena)
{
    arena_destroy(arena);
}

bool name_spelled(int dir_fd, const char *name, char out[FS_NAME_MAX])
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    AUTO(dir_end) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return false;
    }
    AUTO(arena_end) struct arena *kept = arena_new();
    AUTO(arena_end) struct arena *arena = arena_new();
    struct slice folded = path_fold(kept, slice_text(name));
    bool found = false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; arena_reset(arena)) {
        bool same = strcmp(entry->d_name, name) == 0;
        if (!same && !slice_equal(path_fold(arena, slice_text(entry->d_name)), folded)) continue;
        memcpy(out, entry->d_name, strlen(entry->d_name) + 1);
        found = true;
        if (same) break;
    }
    return found;
}
