// SPDX-License-Identifier: MIT
//
// Recovery of a step whose displaced file had gone to kept already.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"

static bool is_kept_of(const char *name, const char *tail, bool *met)
{
    const char *at = strchr(name, '-');
    size_t size = strlen(tail);
    if (at == NULL || strncmp(at, tail, size) != 0) return false;
    const char *rest = at + size;
    *met = strncmp(rest, KEPT_MET, sizeof KEPT_MET - 1) == 0;
    if (*met) rest += sizeof KEPT_MET - 1;
    // A number, if the name was taken.
    return *rest == '\0' ||
           (*rest == '-' && rest[1] != '\0' && strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

// A number of an older journal may come again; the inode tells. Where there are no modes (FAT),
// inodes are numbered as they are met.
static bool was_before(const struct group *group, const struct fingerprint *print,
                       const struct fingerprint *before)
{
    if (!group->grip->modeless) return print_still(print, before);
    return print->kind == before->kind && print->size == before->size &&
           print->mtime_ns == before->mtime_ns;
}

// The next file of the step in kept. `before`: it is what was there; else `met` tells whether it is
// a save that met the step.
static const char *kept_next(struct group *group, uint32_t index, DIR *dir, bool *before, bool *met)
{
    const struct step *step = &group->apply->steps[index];
    const char *tail = group->acts[index].swap + 1; // "-<journal>-<index>"
    for (struct dirent *entry; dir != NULL && (entry = dir_next(dir)) != NULL;) {
        struct stat st;
        struct fingerprint print;
        if (!is_kept_of(entry->d_name, tail, met)) continue;
        if (fstatat(group->kept_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            (void)group_unseen(group, errno);
            continue;
        }
        print_of(&st, &print);
        *before = step->before.present && was_before(group, &print, &step->before);
        return entry->d_name;
    }
    return NULL;
}

static DIR *kept_list(struct group *group)
{
    DIR *dir = dir_list(group->kept_fd);
    if (dir == NULL && group_let_go(group, errno)) dir = dir_list(group->kept_fd);
    if (dir == NULL) (void)group_unseen(group, errno);
    return dir;
}

void kept_back(struct group *group, uint32_t index, int to_fd, const char *to)
{
    const struct step *step = &group->apply->steps[index];
    bool before = false, met = false;
    if (!step->before.present || step->before.kind == KIND_DIR) return;
    AUTO(dir_end) DIR *dir = kept_list(group);
    for (const char *name; (name = kept_next(group, index, dir, &before, &met)) != NULL;) {
        if (!before) continue;
        if (swap_noreplace(group->grip->disk, group->kept_fd, name, to_fd, to) == 0) return;
    }
}

bool met_is_kept(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    bool before = false, met = false;
    AUTO(dir_end) DIR *dir = kept_list(group);
    for (const char *name; (name = kept_next(group, index, dir, &before, &met)) != NULL;) {
        if (before || !met) continue;
        step->kept = true;
        step->kept_name = arena_copy(group->arena, slice_text(name));
        group->touched_more = true; // the move may not be on the disk yet
        return true;
    }
    return false;
}
