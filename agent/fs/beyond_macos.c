// SPDX-License-Identifier: MIT
//
// What macOS does for files beyond POSIX: handles, extended attributes, flushing, and changing a
// mode without ever following a link.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#include <copyfile.h>

#include "agent/base/flush.h"
#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

const int dir_handle = O_SEARCH;

void stat_times(const struct stat *st, struct timespec *out_modified, struct timespec *out_changed)
{
    *out_modified = st->st_mtimespec;
    *out_changed = st->st_ctimespec;
}

int dir_path(int dir_fd, char *out, size_t size)
{
    char path[MAXPATHLEN];
    if (fcntl(dir_fd, F_GETPATH, path) != 0) return errno;
    if (strlen(path) >= size) return ENAMETOOLONG;
    memcpy(out, path, strlen(path) + 1);
    return 0;
}

bool has_writer(int dir_fd, const char *name)
{
    (void)dir_fd;
    (void)name;
    return false;
}

// All that was written, on this file system and the others: F_FULLFSYNC of one file empties the
// drive's cache of what sync(2) has handed to it.
int sync_all(int fd)
{
    sync();
    return flush_file(fd);
}

// There only a name that is not there yet can be a clone.
bool clone_file(int source_fd, int target_fd)
{
    (void)source_fd;
    (void)target_fd;
    return false;
}

bool clone_range(int source_fd, uint64_t source_at, int target_fd, uint64_t target_at,
                 uint64_t size)
{
    (void)source_fd, (void)source_at, (void)target_fd, (void)target_at, (void)size;
    return false;
}

int write_begin(int fd, uint64_t offset, uint64_t size)
{
    (void)fd, (void)offset, (void)size;
    return 0;
}

int write_end(int fd, uint64_t offset, uint64_t size)
{
    (void)fd, (void)offset, (void)size;
    return 0;
}

// None is copied.
void acl_drop(int fd)
{
    (void)fd;
}

void xattr_copy(int source_fd, int target_fd)
{
    (void)fcopyfile(source_fd, target_fd, NULL, COPYFILE_XATTR);
}

int mode_set_fd(int fd, uint32_t mode)
{
    return fchmod(fd, (mode_t)mode) == 0 ? 0 : errno;
}

int mode_set(int dir_fd, const char *name, uint32_t mode)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    if (S_ISLNK(st.st_mode)) return ELOOP;
    return fchmodat(dir_fd, name, (mode_t)mode, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}
