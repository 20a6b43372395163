// SPDX-License-Identifier: MIT
//
// fsync(2) stops at the drive's cache there; F_FULLFSYNC does not, where the file system has it.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/flush.h"

int flush_file(int fd)
{
    if (fcntl(fd, F_FULLFSYNC) == 0) return 0;
    return fsync(fd) == 0 ? 0 : errno;
}

int flush_data(int fd)
{
    return flush_file(fd);
}
