// SPDX-License-Identifier: MIT
//
// What an event means that only a look can tell.
#include <errno.h>

#include "agent/fs/disk_priv.h"
#include "proto/path.h"

int watch_stat(struct disk *disk, uint32_t folder, struct slice path, struct slice disk_name,
               struct stat *out)
{
    struct grip grip = {.fd = -1};
    struct place place = {.fd = -1};
    int code = EIO;
    if (grip_take_unchecked(disk, folder, &grip) == ERR_OK && grip.fd >= 0)
        code = place_open(&grip, path, disk_name, &place);
    if (code == 0) code = disk_name.size > 0 ? place_stat(&place, out) : place_find(&place, out);
    place_close(&place);
    grip_drop(&grip);
    return code;
}

bool watch_reported(struct disk *disk, const struct watch_event *event, bool is_dir)
{
    if (path_fault(event->path) != NULL) return false;
    enum ignored ignored = disk_ignored_path(disk, event->folder, event->path, is_dir, NULL);
    return ignored == IGNORED_NO || ignored == IGNORED_SECRET;
}
