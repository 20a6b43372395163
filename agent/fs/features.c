// SPDX-License-Identifier: MIT
//
// What the file system of a root can do, found out in its staging directory.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

enum { CLONED_BYTES = 4096, NAME_MAX_BYTES = 64 };

struct trial {
    int dir_fd;
    char names[2][NAME_MAX_BYTES];
    int fds[2];
};

static bool is_there(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int trial_make(struct trial *trial)
{
    for (int i = 0; i < 2; i++) {
        (void)snprintf(trial->names[i], NAME_MAX_BYTES, "Trial-\xc3\xa9-%d-%ld", i, (long)getpid());
        trial->fds[i] = openat(trial->dir_fd, trial->names[i],
                               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (trial->fds[i] < 0) return errno;
    }
    static const char content[CLONED_BYTES];
    return fd_write_at(trial->fds[0], content, sizeof content, 0);
}

static void trial_end(struct trial *trial)
{
    for (int i = 0; i < 2; i++) {
        if (trial->fds[i] >= 0) (void)unlinkat(trial->dir_fd, trial->names[i], 0);
        fd_close(&trial->fds[i]);
    }
}

static void trial_run(const struct trial *trial, struct disk_features *out)
{
    const struct disk plain = {0};
    char name[NAME_MAX_BYTES];
    (void)snprintf(name, sizeof name, "tRIAL-\xc3\xa9-0-%ld", (long)getpid());
    out->folds_case = is_there(trial->dir_fd, name);
    (void)snprintf(name, sizeof name, "Trial-e\xcc\x81-0-%ld", (long)getpid());
    out->folds_spelling = is_there(trial->dir_fd, name);
    out->clones = clone_file(trial->fds[0], trial->fds[1]);
    out->exchanges =
        swap_exchange(&plain, trial->dir_fd, trial->names[0], trial->dir_fd, trial->names[1]) == 0;
}

int disk_exchanges(const struct grip *grip, int dir_fd)
{
    char names[2][STAGE_NAME_MAX];
    int code = 0;
    for (int i = 0; i < 2; i++) {
        temp_name(grip->disk, names[i]);
        AUTO(fd_close)
        int fd =
            openat(dir_fd, names[i], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && code == 0) code = errno;
    }
    if (code == 0) code = swap_exchange(grip->disk, dir_fd, names[0], dir_fd, names[1]);
    for (int i = 0; i < 2; i++)
        (void)unlinkat(dir_fd, names[i], 0);
    return code;
}

enum err disk_features(const struct disk_root_options *root, struct disk_features *out)
{
    *out = (struct disk_features){0};
    AUTO(fd_close) int root_fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct statvfs space;
    if (root_fd < 0 || fstatvfs(root_fd, &space) != 0) return err_from_errno(errno);
    out->free_bytes = (uint64_t)space.f_bavail * space.f_frsize;
    out->total_bytes = (uint64_t)space.f_blocks * space.f_frsize;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    AUTO(fd_close) int own_fd = openat(root_fd, ".cfgsync", flags);
    if (own_fd < 0) return err_from_errno(errno);
    AUTO(fd_close) int staging_fd = openat(own_fd, "staging", flags);
    if (staging_fd < 0) return err_from_errno(errno);
    struct trial trial = {.dir_fd = staging_fd, .fds = {-1, -1}};
    int code = trial_make(&trial);
    if (code == 0) trial_run(&trial, out);
    trial_end(&trial);
    return code == 0 ? ERR_OK : err_from_errno(code);
}
