// SPDX-License-Identifier: MIT
//
// renameatx_np(2): APFS and HFS+ have both flags.
#include <errno.h>
#include <stdio.h>

#include "agent/fs/disk_priv.h"

static int rename_with(int a_fd, const char *a, int b_fd, const char *b, unsigned flags)
{
    if (renameatx_np(a_fd, a, b_fd, b, flags) == 0) return 0;
    return errno == ENOTSUP ? ENOSYS : errno;
}

int names_exchange(int a_fd, const char *a, int b_fd, const char *b)
{
    return rename_with(a_fd, a, b_fd, b, RENAME_SWAP);
}

int names_move(int a_fd, const char *a, int b_fd, const char *b)
{
    return rename_with(a_fd, a, b_fd, b, RENAME_EXCL);
}
