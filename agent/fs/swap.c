// SPDX-License-Identifier: MIT
//
// Exchanging two names, and moving to a name nobody has, with the nearest thing where a file system
// lacks it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/fs/disk_priv.h"

int swap_exchange(const struct disk *disk, int a_fd, const char *a, int b_fd, const char *b)
{
    return disk->without_exchange ? EINVAL : names_exchange(a_fd, a, b_fd, b);
}

// A hard link refuses an existing name just as atomically; the old name goes afterwards.
static int link_and_unlink(int a_fd, const char *a, int b_fd, const char *b)
{
    if (linkat(a_fd, a, b_fd, b, 0) != 0) return errno;
    return unlinkat(a_fd, a, 0) == 0 ? 0 : errno;
}

int swap_noreplace(const struct disk *disk, int a_fd, const char *a, int b_fd, const char *b)
{
    int code = disk->without_exchange ? EINVAL : names_move(a_fd, a, b_fd, b);
    if (code != EINVAL && code != ENOSYS) return code;
    code = link_and_unlink(a_fd, a, b_fd, b);
    if (!link_lacks(code)) return code;
    // Neither exists here (FAT): what is left is to look first.
    struct stat st;
    if (fstatat(b_fd, b, &st, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    return renameat(a_fd, a, b_fd, b) == 0 ? 0 : errno;
}

void swap_settle(int dir_fd, const char *name, struct fingerprint *a, const struct fingerprint *b)
{
    bool same = a->present && b->present && a->kind != KIND_DIR && a->device == b->device &&
                a->ino == b->ino;
    if (same && unlinkat(dir_fd, name, 0) == 0) *a = (struct fingerprint){0};
}
