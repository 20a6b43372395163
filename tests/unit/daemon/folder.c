// SPDX-License-Identifier: MIT
#include "tests/unit/daemon/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>

int folder_make(void **state)
{
    char *path = strdup("/tmp/cfgsync-daemon-XXXXXX");
    *state = path;
    return path != NULL && mkdtemp(path) != NULL ? 0 : -1;
}

static int drop_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

int folder_drop(void **state)
{
    int result = nftw(*state, drop_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return result;
}

const char *folder_path(void **state, const char *name, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s", (const char *)*state, name);
    return out;
}

void folder_write(void **state, const char *name, const char *text)
{
    char path[512];
    int fd = open(folder_path(state, name, path, sizeof path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

void folder_read(void **state, const char *name, char *out, size_t size)
{
    char path[512];
    int fd = open(folder_path(state, name, path, sizeof path), O_RDONLY);
    assert_true(fd >= 0);
    ssize_t got = read(fd, out, size - 1);
    assert_true(got >= 0);
    out[got] = '\0';
    assert_int_equal(close(fd), 0);
}
