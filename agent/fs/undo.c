// SPDX-License-Identifier: MIT
//
// Taking steps back: only where the disk still holds what we put there. Whatever somebody else
// wrote meanwhile keeps its place, and what cannot go back goes to kept.
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"
#include "proto/vv.h"

enum {
    EXCHANGES_MAX = 16, // who saves that often in microseconds has the rest in kept
    EDIT_READ_MAX = 1 << 20
};

void swap_unsorted(struct group *group, uint32_t index)
{
    group->apply->steps[index].unsorted = true;
    int code = swap_to_kept(group, index);
    (void)group_unseen(group, code);
}

void put_back(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    int code = ENOENT; // without its directory
    if (place->fd >= 0)
        code =
            swap_noreplace(group->grip->disk, group->staging_fd, act->swap, place->fd, place->name);
    // What is in a directory that goes to kept nobody hears of.
    if (code == EEXIST)
        code = dirs_merge(group, group->staging_fd, act->swap, place->fd, place->name);
    if (code == 0) {
        act->out = false;
        return;
    }
    (void)group_unseen(group, code);
    swap_unsorted(group, index);
}

int version_look(int dir_fd, const char *name, const struct value *value)
{
    if (value->kind == KIND_FILE) {
        const struct content content = {value->content, value->size};
        return content_look(dir_fd, name, &content);
    }
    char target[PROTO_STRING_BYTES_MAX + 1];
    ssize_t size = readlinkat(dir_fd, name, target, sizeof target);
    if (size < 0) return errno == EINVAL ? ESTALE : errno; // it is no link
    return slice_equal(slice_of(target, (size_t)size), value->target) ? 0 : ESTALE;
}

bool holds_version(int dir_fd, const char *name, const struct value *value)
{
    return version_look(dir_fd, name, value) == 0;
}

// What is at x. A save of the same size in the same tick of the clock shows in the bytes alone.
struct edit {
    struct fingerprint print;
    struct content content; // of one that is small
    bool known;
};

static int edit_look(const struct group *group, uint32_t index, struct edit *out)
{
    *out = (struct edit){.known = false};
    int code = look_out(group, index, &out->print);
    if (code == 0 && out->print.kind == KIND_FILE && out->print.size <= EDIT_READ_MAX)
        out->known = content_read(group->staging_fd, group->acts[index].swap, out->print.size,
                                  &out->content) == 0;
    return code;
}

// Other permissions, or a touch, are no other save.
static bool edit_equal(const struct edit *a, const struct edit *b)
{
    struct fingerprint print = a->print;
    bool known = a->known && b->known;
    print.mode = b->print.mode;
    if (known) print.mtime_ns = b->print.mtime_ns;
    return print_still(&print, &b->print) && (!known || digest_equal(a->content.id, b->content.id));
}

enum whose { OURS, THEIRS, NOBODY_KNOWS };

// A touch is no save; a save within the tick of the clock that our time is of may not show in it.
static enum whose whose(struct group *group, uint32_t index, const struct edit *out)
{
    const struct act *act = &group->acts[index];
    const struct value *value = &group->apply->steps[index].version.value;
    struct content found = out->content;
    if (print_still(&out->print, &act->ours) &&
        !print_racy_put(&out->print, clock_ns(CLOCK_REALTIME)))
        return OURS;
    bool link = value->kind != KIND_FILE;
    if (!link && (out->print.kind != KIND_FILE || out->print.size != value->size)) return THEIRS;
    int code = 0;
    if (link)
        code = version_look(group->staging_fd, act->swap, value);
    else if (!out->known)
        code = content_read(group->staging_fd, act->swap, value->size, &found);
    if (code == ESTALE) return THEIRS; // another target, or no link; or it grows
    (void)group_unseen(group, code);
    if (code != 0) return NOBODY_KNOWS;
    bool ours = link || digest_equal(found.id, value->content);
    return ours ? OURS : THEIRS;
}

// What is in a directory that goes to kept nobody hears of, and it does not show in its
// fingerprint; a leaf is found there.
static bool dir_has_the_path(const struct edit *in, const struct edit *out)
{
    return in->print.kind == KIND_DIR && out->print.kind != KIND_DIR;
}

// Two edits met: what comes out, if it is not what was put there, is a later save over that, and
// has the better right to the name; while it is given back the same may happen again.
int exchange_newest(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    struct edit there = {.known = false}, in, out;
    int code = edit_look(group, index, &in);
    if (code != ENOENT) code = 0; // also what cannot be looked at now is to have its name back
    for (int tries = 0; code == 0 && tries < EXCHANGES_MAX; tries++) {
        code =
            swap_exchange(group->grip->disk, group->staging_fd, act->swap, place->fd, place->name);
        if (code == 0) code = edit_look(group, index, &out);
        (void)group_unseen(group, code); // a later save, perhaps; or a directory
        if (code != 0) return code;
        enum whose is = tries == 0 ? whose(group, index, &out) : THEIRS;
        if (is == NOBODY_KNOWS) return EIO; // the edit that was seen keeps the name
        if (is == OURS) {
            act->ours = out.print; // perhaps with another time
            act->ready = true;
            act->out = false;
            return 0;
        }
        if (tries > 0 && !there.print.present) {
            group->unseen = EIO; // which of them is later nobody knows
            return EIO;
        }
        if (edit_equal(&out, &there)) return ESTALE;
        if (dir_has_the_path(&in, &out)) return EISDIR;
        there = in;
        in = out;
    }
    return code != 0 ? code : ESTALE;
}

static bool holds_ours(struct group *group, uint32_t index, const struct place *place)
{
    struct stat st;
    struct fingerprint now;
    int code = place_stat(place, &st);
    (void)group_unseen(group, code);
    if (code != 0) return false;
    print_of(&st, &now);
    return print_still(&now, &group->acts[index].ours);
}

static bool undo_create(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    struct edit out;
    if (!holds_ours(group, index, place)) return false;
    if (swap_noreplace(group->grip->disk, place->fd, place->name, group->staging_fd, act->swap) !=
        0)
        return false;
    if (edit_look(group, index, &out) != 0 || whose(group, index, &out) != OURS) {
        act->out = true; // saved just now: it keeps the name
        put_back(group, index, place);
        return false;
    }
    act->ours = out.print; // perhaps with another time
    act->ready = true;
    if (act->did == DID_DIR_TO_FILE)
        return dir_create(group, place, group->apply->steps[index].before.mode) == 0;
    return true;
}

static bool undo_exchange(struct group *group, uint32_t index, const struct place *place)
{
    struct fingerprint out;
    if (!holds_ours(group, index, place)) return false;
    int code = exchange_newest(group, index, place);
    bool old =
        code == ESTALE && look_out(group, index, &out) == 0 && out_is_before(group, index, &out);
    if (code != 0 && !old) swap_unsorted(group, index);
    return code == 0;
}

static bool undo_over(struct group *group, uint32_t index, const struct place *place)
{
    struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    if (!undo_create(group, index, place)) return false;
    const char *kept = arena_text(group->arena, step->kept_name);
    int code = swap_noreplace(group->grip->disk, group->kept_fd, kept, place->fd, place->name);
    step->kept = code != 0;
    act->did = DID_NOTHING;
    return code == 0;
}

static bool undo_mode(struct group *group, uint32_t index, const struct place *place)
{
    struct stat st;
    const struct step *step = &group->apply->steps[index];
    int code = place_stat(place, &st);
    (void)group_unseen(group, code);
    if (code != 0 || (st.st_mode & 0777) != (step->version.value.mode & 0777)) return false;
    if (mode_set(place->fd, place->name, group->acts[index].old_mode) != 0) return false;
    (void)group_unseen(group, place_sync(group, place));
    return true;
}

static bool undo_mkdir(struct group *group, uint32_t index, const struct place *place)
{
    bool gone = unlinkat(place->fd, place->name, AT_REMOVEDIR) == 0;
    if (group->acts[index].did == DID_FILE_TO_DIR) put_back(group, index, place);
    return gone;
}

// The leaf takes its name back in one move, unless somebody has put something into the directory.
static bool undo_leaf_to_dir(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    const struct disk *disk = group->grip->disk;
    if (swap_exchange(disk, group->staging_fd, act->swap, place->fd, place->name) != 0)
        return undo_mkdir(group, index, place);
    if (unlinkat(group->staging_fd, act->swap, AT_REMOVEDIR) == 0) {
        act->out = false;
        return true;
    }
    int code = swap_exchange(disk, group->staging_fd, act->swap, place->fd, place->name);
    (void)group_unseen(group, code); // what is in a directory that goes to kept nobody hears of
    return false;
}

static bool undo_at(struct group *group, uint32_t index, const struct place *place)
{
    switch (group->acts[index].did) {
    case DID_NOTHING: return true;
    case DID_CREATE:
    case DID_DIR_TO_FILE: return undo_create(group, index, place);
    case DID_EXCHANGE: return undo_exchange(group, index, place);
    case DID_OVER: return undo_over(group, index, place);
    case DID_REMOVE: put_back(group, index, place); return !group->apply->steps[index].kept;
    case DID_MKDIR: return undo_mkdir(group, index, place);
    case DID_FILE_TO_DIR: return undo_leaf_to_dir(group, index, place);
    case DID_RMDIR: return dir_create(group, place, group->apply->steps[index].before.mode) == 0;
    case DID_MODE: return undo_mode(group, index, place);
    }
    return false;
}

bool step_take_back(struct group *group, uint32_t index, const struct place *place)
{
    bool undone = undo_at(group, index, place);
    if (undone) group->acts[index].did = DID_NOTHING;
    return undone;
}

void step_undo(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    struct place place = {.fd = -1};
    struct stat st;
    uint32_t mode = 0;
    int code = parent_open(group, step, false, &place);
    (void)group_unseen(group, code);
    if (code == 0) (void)group_unseen(group, place_find(&place, &st)); // under its spelling
    bool did = code == 0 && group->acts[index].did != DID_NOTHING;
    int unlocked = did ? dir_unlock(group, index, &place, &mode) : EACCES;
    (void)group_unseen(group, unlocked);
    bool undone = code == 0 && step_take_back(group, index, &place);
    if (unlocked == 0) dir_lock(group, index, &place, mode);
    if (code == 0) group_touch(group, place.fd);
    place_close(&place);
    // What could not go back is somebody's work: whoever asked must look at the path again.
    step->result = undone ? STEP_UNDONE : STEP_CHANGED;
    if (group->acts[index].out) swap_unsorted(group, index);
    group->acts[index].did = DID_NOTHING;
    step->print = (struct fingerprint){0};
}
