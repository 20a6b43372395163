// SPDX-License-Identifier: MIT
//
// Resolution by the kernel: openat2(2) checks every component while it walks, so that nobody can
// swap a directory for a link in between.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/fs/disk_priv.h"

// No O_NOFOLLOW: it would answer ENOTDIR for a link at the end, where NO_SYMLINKS says ELOOP.
int resolve_kernel(int root_fd, const char *path, int flags, int *out_fd)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    for (int tries = 0; tries < 8; tries++) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
        if (fd >= 0) {
            *out_fd = (int)fd;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR) break;
    }
    // A sandbox may answer EPERM for a system call it does not know.
    return errno == EPERM && (flags & O_PATH) != 0 ? ENOSYS : errno;
}
