// SPDX-License-Identifier: MIT
//
// The mark of an intent: all its contents lie under their names in staging, and its steps may have
// begun. While it stands, what is no longer under its x was put in place, whatever the path holds
// now: the user may have saved there since.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/fs/apply_priv.h"

static void mark_name(uint64_t journal, char out[SWAP_NAME_MAX])
{
    (void)snprintf(out, SWAP_NAME_MAX, "r-%" PRIu64, journal);
}

// Durable before the first step, and not before the contents have their names in staging: without
// these it would say that they are in place.
int mark_put(struct group *group)
{
    char name[SWAP_NAME_MAX];
    int code = PLANTED(prepared_not_synced) ? 0 : dir_sync(group->staging_fd);
    if (code != 0) return code;
    mark_name(group->apply->journal, name);
    AUTO(fd_close)
    int fd = openat(group->staging_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (PLANTED(mark_not_synced) && fd >= 0) return 0;
    return fd < 0 ? errno : dir_sync(group->staging_fd);
}

// Durable before what was prepared leaves its x again: or it would pass for put in place.
int mark_drop(struct group *group)
{
    char name[SWAP_NAME_MAX];
    mark_name(group->apply->journal, name);
    if (unlinkat(group->staging_fd, name, 0) != 0) return errno == ENOENT ? 0 : errno;
    return dir_sync(group->staging_fd);
}

bool mark_there(struct group *group)
{
    struct stat st;
    char name[SWAP_NAME_MAX];
    mark_name(group->apply->journal, name);
    return fstatat(group->staging_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void mark_remove(int staging_fd, uint64_t journal)
{
    char name[SWAP_NAME_MAX];
    mark_name(journal, name);
    (void)unlinkat(staging_fd, name, 0);
}
