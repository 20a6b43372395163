// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

DIR *dir_list(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir != NULL || fd < 0) return dir;
    int code = errno;
    fd_close(&fd);
    errno = code;
    return NULL;
}

struct dirent *dir_next(DIR *dir)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        bool dots =
            entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
        if (!dots) return entry;
    }
}

void dir_end(DIR **dir)
{
    if (*dir != NULL) closedir(*dir);
}
