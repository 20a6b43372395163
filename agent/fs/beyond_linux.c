// SPDX-License-Identifier: MIT
//
// What Linux does for files beyond POSIX: handles, cloning, extended attributes, flushing a file
// system, and changing a mode without ever following a link.
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

const int dir_handle = O_PATH | O_DIRECTORY;

void stat_times(const struct stat *st, struct timespec *out_modified, struct timespec *out_changed)
{
    *out_modified = st->st_mtim;
    *out_changed = st->st_ctim;
}

int dir_path(int dir_fd, char *out, size_t size)
{
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    ssize_t got = readlink(link, out, size - 1);
    if (got < 0) return errno;
    out[got] = '\0';
    return 0;
}

int sync_all(int fd)
{
    return syncfs(fd) == 0 ? 0 : errno;
}

// A read lease is refused while there is a writer. Who comes meanwhile gets it broken, which is a
// signal that by default is ignored.
bool has_writer(int dir_fd, const char *name)
{
    AUTO(fd_close)
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_SETSIG, SIGURG) != 0) return false;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) return errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

bool clone_file(int source_fd, int target_fd)
{
    return ioctl(target_fd, FICLONE, source_fd) == 0;
}

bool clone_range(int source_fd, uint64_t source_at, int target_fd, uint64_t target_at,
                 uint64_t size)
{
    struct file_clone_range range = {
        .src_fd = source_fd, .src_offset = source_at, .src_length = size, .dest_offset = target_at};
    return ioctl(target_fd, FICLONERANGE, &range) == 0;
}

// That it cannot be done here or may not be is no error of the disk's.
static int range(int fd, uint64_t offset, uint64_t size, unsigned flags)
{
    if (sync_file_range(fd, (off_t)offset, (off_t)size, flags) == 0) return 0;
    bool none = errno == ENOSYS || errno == EPERM || errno == EINVAL || errno == ESPIPE ||
                errno == EOPNOTSUPP;
    return none ? 0 : errno;
}

int write_begin(int fd, uint64_t offset, uint64_t size)
{
    return range(fd, offset, size, SYNC_FILE_RANGE_WRITE);
}

int write_end(int fd, uint64_t offset, uint64_t size)
{
    return range(fd, offset, size, SYNC_FILE_RANGE_WAIT_BEFORE);
}

static const char acl[] = "system.posix_acl_access";

// Only what users set themselves, and who else may have the file: capabilities and labels belong to
// the old content.
static bool is_of_user(const char *name)
{
    return strncmp(name, "user.", 5) == 0 || strcmp(name, acl) == 0;
}

void acl_drop(int fd)
{
    (void)fremovexattr(fd, acl);
}

void xattr_copy(int source_fd, int target_fd)
{
    enum { NAMES_MAX = 1 << 16, VALUE_MAX = 1 << 16 }; // the kernel's own
    AUTO(mem_free) char *names = mem_alloc(NAMES_MAX);
    ssize_t size = flistxattr(source_fd, names, NAMES_MAX);
    if (size <= 0) return;
    AUTO(mem_free) char *value = mem_alloc(VALUE_MAX);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        if (!is_of_user(names + at)) continue;
        ssize_t bytes = fgetxattr(source_fd, names + at, value, VALUE_MAX);
        if (bytes >= 0) (void)fsetxattr(target_fd, names + at, value, (size_t)bytes, 0);
    }
}

int mode_set_fd(int fd, uint32_t mode)
{
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return chmod(link, (mode_t)mode) == 0 ? 0 : errno;
}

int mode_set(int dir_fd, const char *name, uint32_t mode)
{
    AUTO(fd_close) int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return errno;
    return S_ISLNK(st.st_mode) ? ELOOP : mode_set_fd(fd, mode);
}
