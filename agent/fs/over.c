// SPDX-License-Identifier: MIT
//
// Replacing a file where two names cannot be exchanged. Its old content is in kept before the new
// one has the name.
//
//     a second name in kept, looked at; x renamed over the path        the name is never free
//     without hard links: renamed to kept, looked at; x to the path    for a moment it is
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/fs/apply_priv.h"

bool link_lacks(int code)
{
    return code == EPERM || code == EOPNOTSUPP || code == ENOSYS || code == EMLINK;
}

static int kept_is_before(struct group *group, uint32_t index, const char *kept,
                          struct fingerprint *out)
{
    struct stat st;
    if (fstatat(group->kept_fd, kept, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    print_of(&st, out);
    const struct step *step = &group->apply->steps[index];
    return print_is_before(step, out, group->kept_fd, kept) ? 0 : ESTALE;
}

static void over_done(struct group *group, uint32_t index, const char *kept)
{
    struct step *step = &group->apply->steps[index];
    group->acts[index].ready = false;
    group->acts[index].did = DID_OVER;
    step->kept = true;
    step->kept_name = slice_text(kept);
}

// Whoever makes something while the name is free has it: the old file stays in kept then, and the
// new one is put aside.
static int replace_apart(struct group *group, uint32_t index, const struct place *place,
                         const char *kept)
{
    const struct disk *disk = group->grip->disk;
    const struct act *act = &group->acts[index];
    struct step *step = &group->apply->steps[index];
    struct fingerprint print;
    int code = swap_noreplace(disk, place->fd, place->name, group->kept_fd, kept);
    if (code != 0) return code == ENOENT ? ESTALE : code;
    code = kept_is_before(group, index, kept, &print);
    bool met = code != 0; // a save, or perhaps one: nobody else would look for it there
    if (code == 0)
        code = swap_noreplace(disk, group->staging_fd, act->swap, place->fd, place->name);
    if (code == 0) {
        over_done(group, index, kept);
        return 0;
    }
    step->kept = swap_noreplace(disk, group->kept_fd, kept, place->fd, place->name) != 0;
    step->unsorted = step->kept && met;
    if (step->kept) step->kept_name = slice_text(kept);
    return code == EEXIST || step->kept ? ESTALE : code;
}

// An error may be of the answer alone, on a file system of another machine: then the second name is
// the only one that the old file has.
static int over_failed(struct group *group, uint32_t index, const struct place *place,
                       const struct fingerprint *old, const char *kept, int code)
{
    struct step *step = &group->apply->steps[index];
    const struct act *act = &group->acts[index];
    struct stat st;
    int seen = place_stat(place, &st);
    if (seen == 0 && (uint64_t)st.st_ino == old->ino) {
        (void)unlinkat(group->kept_fd, kept, 0);
        return code;
    }
    if (seen == 0 && (uint64_t)st.st_ino == act->ours.ino) {
        over_done(group, index, kept);
        return 0;
    }
    (void)group_unseen(group, seen);
    step->kept = true;
    step->kept_name = slice_text(kept);
    return ESTALE;
}

int replace_over(struct group *group, uint32_t index, const struct place *place)
{
    const struct act *act = &group->acts[index];
    struct stat st;
    struct fingerprint print;
    char *kept = arena_printf(group->arena, "%s-%llu-%u", group->time,
                              (unsigned long long)group->apply->journal, index);
    // A link alone changes the file's ctime: the step would begin anew, without end.
    if (names_refused(place->fd)) return EACCES;
    int code = linkat(place->fd, place->name, group->kept_fd, kept, 0) == 0 ? 0 : errno;
    if (link_lacks(code)) return replace_apart(group, index, place, kept);
    if (code != 0) return code;
    code = kept_is_before(group, index, kept, &print);
    if (code == 0) code = place_stat(place, &st);
    if (code == 0 && (uint64_t)st.st_ino != print.ino) code = ESTALE;
    if (code != 0) {
        (void)unlinkat(group->kept_fd, kept, 0);
        return code;
    }
    if (renameat(group->staging_fd, act->swap, place->fd, place->name) != 0)
        return over_failed(group, index, place, &print, kept, errno);
    over_done(group, index, kept);
    return 0;
}
