// SPDX-License-Identifier: MIT
#include "tests/sim/posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "tests/sim/posix_priv.h"

struct posix *posix_here; // whose calls are answered

void posix_enter(struct posix *posix)
{
    posix_here = posix;
}

void posix_reset(struct posix *posix)
{
    memset(posix->fds, 0, sizeof posix->fds);
    vfs_watch_end(posix->vfs);
}

int posix_fail(int code)
{
    errno = code;
    return code == 0 ? 0 : -1;
}

int posix_hook(const char *call, const char *object, bool changes, enum posix_call what)
{
    if (posix_here->hook != NULL) posix_here->hook(posix_here->context, call, object, changes);
    return posix_here->fails != NULL ? posix_here->fails(posix_here->context, what, call) : 0;
}

static bool is_ours(int fd)
{
    return fd >= POSIX_FD_BASE && fd < POSIX_FD_BASE + POSIX_FDS_MAX;
}

struct posix_fd *posix_fd(int fd)
{
    CHECK(posix_here != NULL);
    struct posix_fd *f = is_ours(fd) ? &posix_here->fds[fd - POSIX_FD_BASE] : NULL;
    return f != NULL && (f->inode != NULL || f->inotify) ? f : NULL;
}

static int fd_new(struct inode *inode, bool writes)
{
    for (int i = 0; i < POSIX_FDS_MAX; i++) {
        if (posix_here->fds[i].inode != NULL || posix_here->fds[i].inotify) continue;
        posix_here->fds[i] = (struct posix_fd){.inode = inode, .writes = writes};
        return POSIX_FD_BASE + i;
    }
    return posix_fail(EMFILE);
}

int posix_dir(int fd, struct inode **out)
{
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return EBADF;
    if (!S_ISDIR(f->inode->mode)) return ENOTDIR;
    *out = f->inode;
    return 0;
}

// Resolves all but the last component; links on the way are not followed by anything of agent/fs.
static int resolve(struct inode *dir, const char *path, struct inode **out_dir, char *out_name)
{
    for (const char *rest = path;;) {
        const char *slash = strchr(rest, '/');
        size_t size = slash ? (size_t)(slash - rest) : strlen(rest);
        if (size == 0) return ENOENT;
        if (size >= VFS_NAME_MAX) return ENAMETOOLONG;
        memcpy(out_name, rest, size);
        out_name[size] = 0;
        *out_dir = dir;
        if (slash == NULL) return 0;
        struct inode *next = strcmp(out_name, ".") == 0 ? dir : vfs_child(dir, out_name);
        if (next == NULL) return ENOENT;
        if (S_ISLNK(next->mode)) return ELOOP;
        if (!S_ISDIR(next->mode)) return ENOTDIR;
        dir = next;
        rest = slash + 1;
    }
}

int posix_at(int fd, const char *path, struct at *out)
{
    struct inode *dir;
    int code = posix_dir(fd, &dir);
    if (code == 0) code = resolve(dir, path, &out->dir, out->name);
    if (code != 0) return code;
    out->inode = strcmp(out->name, ".") == 0 ? out->dir : vfs_child(out->dir, out->name);
    return 0;
}

// ---- opening

static int open_inode(struct inode *inode, int flags)
{
    if (S_ISLNK(inode->mode) && (flags & O_PATH) == 0) return posix_fail(ELOOP);
    if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(inode->mode)) return posix_fail(ENOTDIR);
    bool writes = (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0;
    if (writes && S_ISDIR(inode->mode)) return posix_fail(EISDIR);
    return fd_new(inode, writes);
}

static int open_at(int fd, const char *path, int flags, mode_t mode)
{
    struct at at;
    bool makes = (flags & O_CREAT) != 0;
    int code = posix_hook("openat", path, makes, makes ? CALL_NAME : CALL_OPEN);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code != 0) return posix_fail(code);
    if (at.inode != NULL && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
        return posix_fail(EEXIST);
    if (at.inode == NULL && (flags & O_CREAT) == 0) return posix_fail(ENOENT);
    if (at.inode == NULL) {
        code = vfs_create(posix_here->vfs, at.dir, at.name, S_IFREG | (mode & 07777), &at.inode);
        if (code != 0) return posix_fail(code);
    }
    return open_inode(at.inode, flags);
}

int __wrap_openat(int fd, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
    va_end(list);
    return open_at(fd, path, flags, mode);
}

// Without a device: files of the coverage runtime, when all is over.
static int open_real(const char *path, int flags, va_list list)
{
    return __real_open(path, flags, va_arg(list, mode_t));
}

int __wrap_open(const char *path, int flags, ...)
{
    static struct inode index = {.mode = S_IFREG | 0600};
    va_list list;
    va_start(list, flags);
    int real = posix_here == NULL ? open_real(path, flags, list) : -1;
    va_end(list);
    if (posix_here == NULL) return real;
    if (strcmp(path, POSIX_INDEX) == 0) return open_inode(&index, flags);
    CHECK(strcmp(path, POSIX_ROOT) == 0);
    return open_inode(posix_here->vfs->root, flags);
}

static long openat2_call(va_list list)
{
    int fd = va_arg(list, int);
    const char *path = va_arg(list, const char *);
    const struct open_how *how = va_arg(list, const struct open_how *);
    struct at at;
    int code = posix_hook("openat2", path, false, CALL_OPEN);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0 && at.inode == NULL) code = ENOENT;
    bool through = code == 0 && S_ISLNK(at.inode->mode) && (how->flags & O_DIRECTORY) != 0;
    if (through) code = ELOOP;
    if (code != 0) return posix_fail(code);
    return open_inode(at.inode, (int)how->flags);
}

long __wrap_syscall(long number, ...)
{
    CHECK(number == SYS_openat2);
    va_list list;
    va_start(list, number);
    long result = openat2_call(list);
    va_end(list);
    return result;
}

int __wrap_close(int fd)
{
    if (!is_ours(fd)) return __real_close(fd);
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    if (f->dirty) vfs_closed(posix_here->vfs, f->inode);
    *f = (struct posix_fd){0};
    return 0;
}

int __wrap_fcntl(int fd, int command, ...)
{
    if (!is_ours(fd)) {
        va_list list;
        va_start(list, command);
        int real = __real_fcntl(fd, command, va_arg(list, void *));
        va_end(list);
        return real;
    }
    if (command == F_SETSIG) return posix_fail(EINVAL); // no leases
    CHECK(command == F_DUPFD_CLOEXEC);
    struct posix_fd *f = posix_fd(fd);
    return f == NULL ? posix_fail(EBADF) : fd_new(f->inode, false);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    (void)fd, (void)request;
    return posix_fail(EOPNOTSUPP);
}

// ---- looking

int __wrap_fstat(int fd, struct stat *out)
{
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    vfs_stat(posix_here->vfs, f->inode, out);
    return 0;
}

int __wrap_fstatat(int fd, const char *path, struct stat *out, int flags)
{
    struct at at;
    CHECK((flags & AT_SYMLINK_NOFOLLOW) != 0);
    int code = posix_hook("fstatat", path, false, CALL_LOOK);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0 && at.inode == NULL) code = ENOENT;
    if (code == 0) vfs_stat(posix_here->vfs, at.inode, out);
    return posix_fail(code);
}

int __wrap_stat(const char *path, struct stat *out)
{
    CHECK(posix_here != NULL && strcmp(path, POSIX_ROOT) == 0);
    vfs_stat(posix_here->vfs, posix_here->vfs->root, out);
    return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *out)
{
    (void)fd;
    *out = (struct statvfs){.f_frsize = 4096,
                            .f_blocks = posix_here->total / 4096,
                            .f_bavail = posix_here->available / 4096};
    return 0;
}

ssize_t __wrap_readlinkat(int fd, const char *path, char *out, size_t size)
{
    struct at at;
    int code = posix_hook("readlinkat", path, false, CALL_LOOK);
    if (code == 0) code = posix_at(fd, path, &at);
    if (code == 0 && at.inode == NULL) code = ENOENT;
    if (code == 0 && !S_ISLNK(at.inode->mode)) code = EINVAL;
    if (code != 0) return posix_fail(code);
    size_t part = at.inode->size < size ? at.inode->size : size;
    memcpy(out, at.inode->data, part);
    return (ssize_t)part;
}

ssize_t __wrap_readlink(const char *path, char *out, size_t size)
{
    (void)path, (void)out, (void)size;
    return posix_fail(ENOENT);
}

struct listing {
    char **names;
    uint32_t count, next;
    int fd;
    struct dirent entry;
};

static void listing_take(struct listing *list, const struct inode *dir)
{
    list->count = dir->count;
    list->names = mem_zalloc(dir->count + 1, sizeof *list->names);
    for (uint32_t i = 0; i < dir->count; i++)
        list->names[i] = mem_strdup(dir->entries[i].name);
}

static void listing_drop(struct listing *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    list->count = list->next = 0;
}

DIR *__wrap_fdopendir(int fd)
{
    struct inode *dir;
    int code = posix_hook("readdir", "", false, CALL_READ);
    if (code == 0) code = posix_dir(fd, &dir);
    if (code != 0) {
        (void)posix_fail(code);
        return NULL;
    }
    struct listing *list = mem_zalloc(1, sizeof *list);
    list->fd = fd;
    listing_take(list, dir);
    return (DIR *)list;
}

void __wrap_rewinddir(DIR *dir)
{
    struct listing *list = (struct listing *)dir;
    struct inode *inode;
    listing_drop(list);
    if (posix_dir(list->fd, &inode) == 0) listing_take(list, inode);
}

int __wrap_dirfd(DIR *dir)
{
    return ((struct listing *)dir)->fd;
}

struct dirent *__wrap_readdir(DIR *dir)
{
    struct listing *list = (struct listing *)dir;
    if (list->next == list->count) return NULL;
    const char *name = list->names[list->next++];
    memcpy(list->entry.d_name, name, strlen(name) + 1);
    return &list->entry;
}

int __wrap_closedir(DIR *dir)
{
    struct listing *list = (struct listing *)dir;
    int fd = list->fd;
    listing_drop(list);
    free(list);
    return __wrap_close(fd);
}

// ---- contents

ssize_t __wrap_pread(int fd, void *out, size_t size, off_t offset)
{
    int code = posix_hook("pread", "", false, CALL_READ);
    struct posix_fd *f = posix_fd(fd);
    if (code != 0) return posix_fail(code);
    if (f == NULL) return posix_fail(EBADF);
    size_t at = (size_t)offset;
    if (at >= f->inode->size) return 0;
    size_t part = f->inode->size - at < size ? f->inode->size - at : size;
    memcpy(out, f->inode->data + at, part);
    return (ssize_t)part;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    int code = posix_hook("pwrite", "", true, CALL_WRITE);
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL || !f->writes) return posix_fail(EBADF);
    if (code == POSIX_SHORT && size > 1) size /= 2;
    if (code != 0 && code != POSIX_SHORT) return posix_fail(code);
    vfs_write(posix_here->vfs, f->inode, data, size, (size_t)offset);
    f->dirty = true;
    return (ssize_t)size;
}

int __wrap_ftruncate(int fd, off_t size)
{
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    vfs_truncate(posix_here->vfs, f->inode, (size_t)size);
    f->dirty = true;
    return 0;
}

// inotify's events as the kernel lays them out.
ssize_t __wrap_read(int fd, void *out, size_t size)
{
    if (!is_ours(fd)) return __real_read(fd, out, size);
    size_t at = 0;
    struct vfs_notice notice;
    while (size - at >= sizeof(struct inotify_event) + VFS_NAME_MAX &&
           vfs_notice_next(posix_here->vfs, &notice)) {
        struct inotify_event event = {.wd = notice.wd, .mask = notice.mask};
        size_t name = strlen(notice.name);
        if (name > 0) event.len = (uint32_t)((name + 16) / 16 * 16);
        memcpy((char *)out + at, &event, sizeof event);
        at += sizeof event;
        memset((char *)out + at, 0, event.len);
        memcpy((char *)out + at, notice.name, name);
        at += event.len;
    }
    return at == 0 ? posix_fail(EAGAIN) : (ssize_t)at;
}

static int sync_one(int fd, bool all)
{
    int code = posix_hook("fsync", "", true, CALL_SYNC);
    struct posix_fd *f = posix_fd(fd);
    if (f == NULL) return posix_fail(EBADF);
    if (code != 0) return posix_fail(code);
    power_sync(posix_here->vfs, f->inode, all);
    return 0;
}

int __wrap_fsync(int fd)
{
    return sync_one(fd, true);
}

int __wrap_fdatasync(int fd)
{
    return sync_one(fd, false);
}

int __wrap_syncfs(int fd)
{
    int code = posix_hook("syncfs", "", true, CALL_SYNC);
    if (posix_fd(fd) == NULL) return posix_fail(EBADF);
    if (code != 0) return posix_fail(code);
    power_sync_all(posix_here->vfs);
    return 0;
}

// Promises nothing: what of it outlives a cut is the power's affair.
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    (void)offset, (void)size, (void)flags;
    return posix_fd(fd) == NULL ? posix_fail(EBADF) : 0;
}

ssize_t __wrap_flistxattr(int fd, char *names, size_t size)
{
    (void)fd, (void)names, (void)size;
    return 0;
}

// ---- the rest

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (posix_here == NULL) return __real_clock_gettime(clock, out);
    int64_t ns = clock == CLOCK_REALTIME ? posix_here->wall_ns : posix_here->monotonic_ns;
    *out = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return 0;
}

pid_t __wrap_getpid(void)
{
    return posix_here == NULL ? 1 : posix_here->pid;
}

uid_t __wrap_geteuid(void)
{
    return 1000;
}
