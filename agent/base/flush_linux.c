// SPDX-License-Identifier: MIT
#include <errno.h>
#include <unistd.h>

#include "agent/base/flush.h"

int flush_data(int fd)
{
    return fdatasync(fd) == 0 ? 0 : errno;
}

int flush_file(int fd)
{
    return fsync(fd) == 0 ? 0 : errno;
}
