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

bool names_refused(int dir_fd)
{
    return faccessat(dir_fd, ".", W_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES;
}

// The old name could not be taken away: the new one goes, as long as it is not the only one.
static int link_undo(int a_fd, const char *a, int b_fd, const char *b, int code)
{
    struct stat at_a, at_b;
    if (fstatat(a_fd, a, &at_a, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : code;
    if (fstatat(b_fd, b, &at_b, AT_SYMLINK_NOFOLLOW) != 0) return code;
    if (at_a.st_dev == at_b.st_dev && at_a.st_ino == at_b.st_ino) (void)unlinkat(b_fd, b, 0);
    return code;
}

// A hard link refuses an existing name just as atomically; the old name goes afterwards. A link
// changes the file's times, which are compared: none is made where the old name is to stay.
static int link_and_unlink(int a_fd, const char *a, int b_fd, const char *b)
{
    if (names_refused(a_fd)) return EACCES;
    if (linkat(a_fd, a, b_fd, b, 0) != 0) return errno;
    return unlinkat(a_fd, a, 0) == 0 ? 0 : link_undo(a_fd, a, b_fd, b, errno);
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
