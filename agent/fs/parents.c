// SPDX-License-Identifier: MIT
//
// The directories that steps make, for themselves and for what is to be in them, and permissions.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"
#include "proto/path.h"

// What a version says of permissions is put where there are any.
int mode_put(const struct grip *grip, int dir_fd, const char *name, uint32_t mode)
{
    return grip->modeless ? 0 : mode_set(dir_fd, name, mode);
}

bool mode_is(const struct grip *grip, uint32_t mode, uint32_t wanted)
{
    return grip->modeless || (mode & 0777) == (wanted & 0777);
}

int dir_create(struct group *group, const struct place *place, uint32_t mode)
{
    const struct grip *grip = group->grip;
    struct stat st = {.st_mode = 0};
    if (mkdirat(place->fd, place->name, mode & 0777) != 0) return errno;
    bool known = place_stat(place, &st) == 0;
    uint32_t want = (mode & 07777) | (st.st_mode & 07000);
    if (known && (grip->modeless || (st.st_mode & 07777) == want)) return 0;
    // A default ACL of the directory above took some of it away, or it had more than permissions.
    int code = mode_put(grip, place->fd, place->name, want);
    if (code == 0) code = place_sync(group, place);
    if (code != 0) (void)unlinkat(place->fd, place->name, AT_REMOVEDIR);
    return code;
}

static int dir_make(struct group *group, struct slice path, uint32_t mode)
{
    struct place place;
    int code = place_open(group->grip, path, slice_of("", 0), &place);
    if (code != 0) return code;
    code = dir_create(group, &place, mode);
    if (code == 0)
        group_touch(group, place.fd);
    else if (code == EEXIST)
        code = place.clash[0] != '\0' ? SPELLED_OTHERWISE : 0;
    place_close(&place);
    return code;
}

static int parents_make(struct group *group, const struct step *step)
{
    struct slice parent = path_parent(step->path);
    uint32_t mode = step->parent_mode != 0 ? step->parent_mode & 0777 : 0755;
    for (size_t at = 1; at <= parent.size; at++) {
        if (at < parent.size && parent.data[at] != '/') continue;
        struct slice prefix = slice_of(parent.data, at);
        int fd = -1;
        int code = dir_open(group->grip, prefix, &fd);
        fd_close(&fd);
        if (code == ENOENT) code = dir_make(group, prefix, mode);
        if (code != 0) return code;
    }
    return 0;
}

int parent_open(struct group *group, const struct step *step, bool make, struct place *out)
{
    int code = place_open(group->grip, step->path, step->disk_name, out);
    if (code != ENOENT || !make) return code;
    code = parents_make(group, step);
    return code != 0 ? code : place_open(group->grip, step->path, step->disk_name, out);
}
