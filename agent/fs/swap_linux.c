// SPDX-License-Identifier: MIT
//
// renameat2(2).
#include <errno.h>
#include <stdio.h>

#include "agent/fs/disk_priv.h"

int names_exchange(int a_fd, const char *a, int b_fd, const char *b)
{
    return renameat2(a_fd, a, b_fd, b, RENAME_EXCHANGE) == 0 ? 0 : errno;
}

int names_move(int a_fd, const char *a, int b_fd, const char *b)
{
    return renameat2(a_fd, a, b_fd, b, RENAME_NOREPLACE) == 0 ? 0 : errno;
}
