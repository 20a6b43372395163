// SPDX-License-Identifier: MIT
//
// The system calls that change the tree, and those that watch it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "agent/base/check.h"
#include "tests/sim/posix_priv.h"

// ---- changing

int __wrap_mkdirat(int fd, const char *path, mode_t mode)
{
    struct at at;
    int code = posix_hook("mkdirat", path, true, CALL_NAME);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0)
        code = vfs_create(posix_here->vfs, at.dir, at.name, S_IFDIR | (mode & 07777), NULL);
    return posix_fail(code);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)path, (void)mode;
    return posix_fail(EEXIST);
}

int __wrap_symlinkat(const char *target, int fd, const char *path)
{
    struct at at;
    int code = posix_hook("symlinkat", path, true, CALL_NAME);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0) code = vfs_symlink(posix_here->vfs, at.dir, at.name, target);
    return posix_fail(code);
}

int __wrap_linkat(int a_fd, const char *a, int b_fd, const char *b, int flags)
{
    struct at from, to;
    (void)flags;
    int code = posix_hook("linkat", b, true, CALL_NAME);
    if (code == 0) code = posix_at(a_fd, a, &from);
    if (code == 0) code = posix_at(b_fd, b, &to);
    if (code == 0 && from.inode == NULL) code = ENOENT;
    if (code == 0) code = vfs_link(posix_here->vfs, to.dir, to.name, from.inode);
    return posix_fail(code);
}

int __wrap_unlinkat(int fd, const char *path, int flags)
{
    struct at at;
    int code = posix_hook("unlinkat", path, true, CALL_NAME);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0)
        code = (flags & AT_REMOVEDIR) != 0 ? vfs_rmdir(posix_here->vfs, at.dir, at.name)
                                           : vfs_unlink(posix_here->vfs, at.dir, at.name);
    return posix_fail(code);
}

static int rename_at(int a_fd, const char *a, int b_fd, const char *b, enum vfs_rename how)
{
    struct at from, to;
    bool swap = how == VFS_EXCHANGE;
    int code = posix_hook(swap ? "exchange" : "renameat", strncmp(b, "x-", 2) == 0 ? a : b, true,
                          CALL_NAME);
    if (code == 0 && swap && posix_here->no_exchange) code = EINVAL;
    if (code == 0) code = posix_at(a_fd, a, &from);
    if (code == 0) code = posix_at(b_fd, b, &to);
    if (code == 0) code = vfs_rename(posix_here->vfs, from.dir, from.name, to.dir, to.name, how);
    return posix_fail(code);
}

int __wrap_renameat(int a_fd, const char *a, int b_fd, const char *b)
{
    return rename_at(a_fd, a, b_fd, b, VFS_REPLACE);
}

int __wrap_renameat2(int a_fd, const char *a, int b_fd, const char *b, unsigned flags)
{
    CHECK(flags == RENAME_EXCHANGE || flags == RENAME_NOREPLACE);
    return rename_at(a_fd, a, b_fd, b, flags == RENAME_EXCHANGE ? VFS_EXCHANGE : VFS_NOREPLACE);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    int code = posix_hook("fchmod", "", true, CALL_NAME);
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    if (code != 0) return posix_fail(code);
    vfs_chmod(posix_here->vfs, f->inode, mode);
    return 0;
}

static int proc_fd(const char *path)
{
    static const char prefix[] = "/proc/self/fd/";
    CHECK(strncmp(path, prefix, sizeof prefix - 1) == 0);
    return (int)strtol(path + sizeof prefix - 1, NULL, 10);
}

int __wrap_chmod(const char *path, mode_t mode)
{
    return __wrap_fchmod(proc_fd(path), mode);
}

static int64_t ns_of(struct timespec t)
{
    return t.tv_nsec == UTIME_NOW ? posix_here->wall_ns
                                  : (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int __wrap_futimens(int fd, const struct timespec times[2])
{
    int code = posix_hook("futimens", "", true, CALL_NAME);
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    if (code != 0) return posix_fail(code);
    vfs_mtime(posix_here->vfs, f->inode, ns_of(times[1]));
    return 0;
}

int __wrap_utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
    struct at at;
    (void)flags;
    int code = posix_hook("utimensat", path, true, CALL_NAME);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0 && at.inode == NULL) code = ENOENT;
    if (code == 0) vfs_mtime(posix_here->vfs, at.inode, ns_of(times[1]));
    return posix_fail(code);
}

// ---- watching

int __wrap_inotify_init1(int flags)
{
    (void)flags;
    for (int i = 0; i < POSIX_FDS_MAX; i++) {
        if (posix_here->fds[i].inode != NULL || posix_here->fds[i].inotify) continue;
        posix_here->fds[i] = (struct posix_fd){.inotify = true};
        posix_here->vfs->watching = true;
        return POSIX_FD_BASE + i;
    }
    return posix_fail(EMFILE);
}

int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    struct inode *dir;
    (void)fd, (void)mask;
    int code = posix_hook("inotify_add_watch", path, false, CALL_LOOK);
    if (code == 0) code = posix_dir(proc_fd(path), &dir);
    if (code != 0) return posix_fail(code);
    if (posix_here->watches_max > 0 && dir->wd == 0 && dir->ino % posix_here->watches_max == 0)
        return posix_fail(ENOSPC);
    return vfs_watch(posix_here->vfs, dir);
}

int __wrap_inotify_rm_watch(int fd, int wd)
{
    (void)fd;
    vfs_unwatch(posix_here->vfs, wd);
    return 0;
}
