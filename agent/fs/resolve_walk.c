// SPDX-License-Identifier: MIT
//
// Resolution component by component, for systems whose kernel cannot do it in one call. Every step
// is relative to a descriptor and refuses links, which is the same guarantee at more cost.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

static int component_open(int dir_fd, const char *name, int flags, int *out_fd)
{
    int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        *out_fd = fd;
        return 0;
    }
    int code = errno;
    struct stat st;
    if (code != ENOTDIR || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return code;
    return S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
}

static bool same_device(int fd, uint64_t device)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_dev == device;
}

int resolve_walk(int root_fd, const char *path, int flags, int *out_fd)
{
    AUTO(fd_close) int at = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
    struct stat root;
    if (at < 0 || fstat(at, &root) != 0) return errno;
    for (const char *rest = path;;) {
        const char *slash = strchr(rest, '/');
        size_t size = slash ? (size_t)(slash - rest) : strlen(rest);
        char name[FS_NAME_MAX];
        if (size >= sizeof name) return ENAMETOOLONG;
        memcpy(name, rest, size);
        name[size] = '\0';
        if (strcmp(name, "..") == 0) return EXDEV;
        AUTO(fd_close) int next = -1;
        int code = component_open(at, name, slash ? dir_handle : flags, &next);
        if (code != 0) return code;
        if (!same_device(next, (uint64_t)root.st_dev)) return EXDEV;
        if (slash == NULL) {
            *out_fd = next;
            next = -1;
            return 0;
        }
        fd_close(&at);
        at = next;
        next = -1;
        rest = slash + 1;
    }
}
