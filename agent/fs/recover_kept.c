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

// A program that had it open has gone on writing; or the disk has another number since a restart.
// An inode in kept is nobody else's, but on FAT it may have been another's before a restart.
static bool was_written_to(const struct group *group, const struct fingerprint *print,
                           const struct fingerprint *before)
{
    bool device = !group->grip->modeless || print->device == before->device;
    return print->kind == before->kind && print->ino == before->ino && device;
}

enum found {
    FOUND_BEFORE,  // what was there, and nobody has written to it since
    FOUND_WRITTEN, // the same file, written to since
    FOUND_MET,     // a save that met the step
    FOUND_OTHER,   // of an older journal, as far as can be told
};

static enum found found_of(const struct group *group, const struct step *step,
                           const struct fingerprint *print, bool met)
{
    const struct fingerprint *before = &step->before;
    if (before->present && was_before(group, print, before)) return FOUND_BEFORE;
    if (met) return FOUND_MET;
    return before->present && was_written_to(group, print, before) ? FOUND_WRITTEN : FOUND_OTHER;
}

// The next file of the step in kept. NULL: there is none, or group->unseen.
static const char *kept_next(struct group *group, uint32_t index, DIR *dir, enum found *out)
{
    const struct step *step = &group->apply->steps[index];
    const char *tail = group->acts[index].swap + 1; // "-<journal>-<index>"
    bool met;
    if (dir == NULL) return NULL;
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL;) {
        struct stat st;
        struct fingerprint print;
        if (!is_kept_of(entry->d_name, tail, &met)) continue;
        if (fstatat(group->kept_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            (void)group_unseen(group, errno);
            continue;
        }
        print_of(&st, &print);
        *out = found_of(group, step, &print, met);
        return entry->d_name;
    }
    (void)group_unseen(group, errno); // a list that broke off says nothing of the rest
    return NULL;
}

static DIR *kept_list(struct group *group)
{
    DIR *dir = dir_list(group->kept_fd);
    if (dir == NULL && group_let_go(group, errno)) dir = dir_list(group->kept_fd);
    if (dir == NULL) (void)group_unseen(group, errno);
    return dir;
}

// Its name. Empty: there is none. `between` the two moves of a replacement without an exchange it
// may be one that nobody can tell: the youngest.
static struct slice kept_find(struct group *group, uint32_t index, bool between)
{
    enum found found;
    const char *youngest = "";
    AUTO(dir_end) DIR *dir = kept_list(group);
    for (const char *name; (name = kept_next(group, index, dir, &found)) != NULL;) {
        if (found == FOUND_BEFORE || found == FOUND_WRITTEN)
            return arena_copy(group->arena, slice_text(name));
        bool younger = found == FOUND_OTHER && strcmp(name, youngest) > 0; // a time comes first
        if (between && younger) youngest = arena_text(group->arena, slice_text(name));
    }
    return slice_text(youngest[0] != '\0' && lacks_exchange(group) ? youngest : "");
}

void kept_back(struct group *group, uint32_t index, int to_fd, const char *to, bool between)
{
    const struct step *step = &group->apply->steps[index];
    if (to_fd < 0 || !step->before.present || step->before.kind == KIND_DIR) return;
    struct slice name = kept_find(group, index, between);
    if (name.size == 0 || group->unseen != 0) return;
    int code = swap_noreplace(group->grip->disk, group->kept_fd, arena_text(group->arena, name),
                              to_fd, to);
    (void)group_unseen(group, code);
}

bool met_is_kept(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    enum found found;
    AUTO(dir_end) DIR *dir = kept_list(group);
    for (const char *name; (name = kept_next(group, index, dir, &found)) != NULL;) {
        if (found != FOUND_MET) continue;
        step->kept = true;
        step->kept_name = arena_copy(group->arena, slice_text(name));
        group->touched_more = true; // the move may not be on the disk yet
        return true;
    }
    return false;
}
