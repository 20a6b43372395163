// SPDX-License-Identifier: MIT
//
// Two directories under one name, both with something in them: of a step that met one of a user's,
// or two of them.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"

enum { DEPTH_MAX = 32, OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static int merge(struct group *group, int from_fd, const char *from, int to_fd, const char *to,
                 uint32_t depth)
{
    AUTO(fd_close) int out = openat(from_fd, from, OPEN_DIR);
    AUTO(fd_close) int in = out < 0 ? -1 : openat(to_fd, to, OPEN_DIR);
    AUTO(dir_end) DIR *dir = in < 0 ? NULL : dir_list(out);
    if (dir == NULL) return errno;
    int code = 0;
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL;) {
        const char *name = entry->d_name;
        int one = swap_noreplace(group->grip->disk, out, name, in, name);
        if (one == EEXIST && depth > 1) one = merge(group, out, name, in, name, depth - 1);
        if (code == 0) code = one;
    }
    if (code == 0) code = errno;
    group->touched_more = true;
    return code != 0 || unlinkat(from_fd, from, AT_REMOVEDIR) == 0 ? code : errno;
}

int dirs_merge(struct group *group, int from_fd, const char *from, int to_fd, const char *to)
{
    return merge(group, from_fd, from, to_fd, to, DEPTH_MAX);
}
