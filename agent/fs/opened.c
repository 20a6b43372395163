// SPDX-License-Identifier: MIT
//
// A directory of ours that forbids writing is opened for the moment of one step. Meanwhile an empty
// file in staging, `o-<journal>-<index>`, has the mode that the directory is to have again: after a
// crash the other one would pass for its user's doing. It is not flushed: a file system that may
// keep the mode in a power cut and not this name, which came first, is none that has a journal.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"

static void note_name(const struct group *group, uint32_t index, char out[SWAP_NAME_MAX])
{
    (void)snprintf(out, SWAP_NAME_MAX, "o%s", group->acts[index].swap + 1);
}

void opened_forget(const struct group *group, uint32_t index)
{
    char name[SWAP_NAME_MAX];
    note_name(group, index, name);
    (void)unlinkat(group->staging_fd, name, 0);
}

static int note_put(const struct group *group, uint32_t index, uint32_t mode)
{
    char name[SWAP_NAME_MAX];
    opened_forget(group, index); // of an older journal
    note_name(group, index, name);
    AUTO(fd_close)
    int fd = openat(group->staging_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    return fd < 0 ? errno : mode_set_fd(fd, mode & 0777);
}

int dir_unlock(struct group *group, uint32_t index, const struct place *place, uint32_t *mode)
{
    struct stat dir;
    if (fstat(place->fd, &dir) != 0) return errno;
    *mode = dir.st_mode & 07777;
    if (dir.st_uid != geteuid() || (*mode & 0300) == 0300) return EACCES;
    int code = note_put(group, index, *mode);
    if (code == 0) code = mode_set_fd(place->fd, *mode | 0300);
    if (code != 0) opened_forget(group, index);
    return code;
}

void dir_lock(struct group *group, uint32_t index, const struct place *place, uint32_t mode)
{
    int code = mode_set_fd(place->fd, mode);
    group_touch(group, place->fd);
    if (code == 0) {
        opened_forget(group, index);
        return;
    }
    log_warn(LOG_FS, "mode of a directory not restored", "errno=%d", code);
    (void)group_unseen(group, code); // recovery tries again
}

// Another mode than the step's is somebody's.
static int lock_again(struct group *group, const struct place *place, uint32_t mode)
{
    struct stat dir;
    if (fstat(place->fd, &dir) != 0) return errno;
    bool opened = (mode & 0300) != 0300 && (dir.st_mode & 0777) == (mode | 0300);
    if (!opened || dir.st_uid != geteuid()) return 0;
    group_touch(group, place->fd);
    return mode_set_fd(place->fd, (dir.st_mode & 07000) | mode);
}

void dir_lock_after(struct group *group, uint32_t index)
{
    char name[SWAP_NAME_MAX];
    struct stat st;
    struct place place = {.fd = -1};
    note_name(group, index, name);
    int code = fstatat(group->staging_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
    (void)group_unseen(group, code);
    if (code != 0) return;
    group->acts[index].was_open = true;
    code = parent_open(group, &group->apply->steps[index], false, &place);
    if (code == 0) code = lock_again(group, &place, st.st_mode & 0777);
    place_close(&place);
    (void)group_unseen(group, code);
}
