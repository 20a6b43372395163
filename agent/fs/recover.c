// SPDX-License-Identifier: MIT
//
// After a crash: what lies under each step's name in staging tells how far the step had come.
//
//     x is what `before` says         it was exchanged: finish
//     x is the version's content      it was not: forget
//     x is neither                    the user's edit, displaced in the last microsecond: given
//                                     back
//     no x                            the path, or kept, tells
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/fs/apply_priv.h"

enum state { STATE_NOT, STATE_HAPPENED, STATE_RACED };

static bool is_dir(const struct fingerprint *print)
{
    return print->present && print->kind == KIND_DIR;
}

// ---- per kind of step

// False, and group->unseen: it cannot be said.
static bool holds_there(struct group *group, int dir_fd, const char *name,
                        const struct value *value)
{
    int code = version_look(dir_fd, name, value);
    if (group_let_go(group, code)) code = version_look(dir_fd, name, value);
    (void)group_unseen(group, code);
    return code == 0;
}

// The directory that the step put in its place goes if it is empty: nothing else is ours. If it had
// changed places with the leaf once more, with something in it by then, it has its name again.
static void raced_dir(struct group *group, uint32_t index, const struct place *place,
                      const struct fingerprint *now)
{
    struct fingerprint x = {0};
    bool leaf = now->present && !is_dir(now);
    if (leaf) (void)group_unseen(group, look_out(group, index, &x));
    if (leaf && is_dir(&x))
        (void)swap_exchange(group->grip->disk, group->staging_fd, group->acts[index].swap,
                            place->fd, place->name);
    else if (place->fd >= 0)
        (void)unlinkat(place->fd, place->name, AT_REMOVEDIR);
    put_back(group, index, place);
}

// Of two directories one with nothing in it gives way. True: it did.
static bool empty_gives_way(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    if (unlinkat(group->staging_fd, act->swap, AT_REMOVEDIR) == 0) {
        act->out = false;
        return true;
    }
    if (unlinkat(place->fd, place->name, AT_REMOVEDIR) != 0) return false;
    put_back(group, index, place);
    return true;
}

// Two edits met, and the crash came while they were sorted out: the later one has the better right
// to the name. What was there before the step is older than either.
static void raced_twice(struct group *group, uint32_t index, const struct place *place,
                        const struct fingerprint *now)
{
    struct fingerprint x = {0};
    const struct step *step = &group->apply->steps[index];
    bool leaf = now->present && !is_dir(now);
    bool old = leaf && step->before.present && print_is_before(step, now, place->fd, place->name);
    int code = now->present ? look_out(group, index, &x) : ENOENT;
    bool seen = code == 0;
    if (group_unseen(group, code)) return;
    if (seen && is_dir(&x) && is_dir(now) && empty_gives_way(group, index, place)) return;
    // What is in a directory that goes to kept nobody hears of; of leaves both are found in the
    // end.
    bool later =
        is_dir(&x) ? leaf || x.mtime_ns >= now->mtime_ns : leaf && x.mtime_ns > now->mtime_ns;
    if (seen && (old || later))
        (void)swap_exchange(group->grip->disk, group->staging_fd, group->acts[index].swap,
                            place->fd, place->name);
    put_back(group, index, place);
}

static enum state raced(struct group *group, uint32_t index, const struct place *place,
                        const struct fingerprint *now)
{
    struct act *act = &group->acts[index];
    const struct value *value = &group->apply->steps[index].version.value;
    if (value->kind == KIND_DIR) {
        act->out = true;
        raced_dir(group, index, place, now);
        return STATE_RACED;
    }
    bool holds = now->present && step_has_content(&group->apply->steps[index]) &&
                 holds_there(group, place->fd, place->name, value);
    if (group->unseen != 0) return STATE_NOT;
    act->out = true;
    int code = holds ? exchange_newest(group, index, place) : ENOENT;
    if (code == ENOENT) {
        raced_twice(group, index, place, now);
        return STATE_RACED;
    }
    if (code != 0) swap_unsorted(group, index);
    return STATE_RACED;
}

// A power cut may have kept the new name and lost the mode that came with it.
static void dress_again(struct group *group, uint32_t index, const struct place *place)
{
    const struct step *step = &group->apply->steps[index];
    uint32_t mode = step->version.value.mode & 0777;
    struct fingerprint *ours = &group->acts[index].ours;
    if (step->version.value.kind != KIND_FILE || !ours->present || ours->kind != KIND_FILE) return;
    bool bare = (ours->mode & 0777) == 0600 && mode != 0600;
    if (!bare) return;
    int code = mode_set(place->fd, place->name, mode);
    // It stays ours: what cannot be told from an edit would not be taken back with the intent.
    if (code == 0) ours->mode = (ours->mode & ~0777U) | mode;
    (void)group_unseen(group, code);
}

bool lacks_exchange(struct group *group)
{
    int code = disk_exchanges(group->grip, group->staging_fd);
    if (group_let_go(group, code)) code = disk_exchanges(group->grip, group->staging_fd);
    return code == EINVAL || code == ENOSYS || group_unseen(group, code);
}

// Where names cannot be exchanged the old file is in kept before the new one has the name; and a
// power cut may have taken that from x as well, unless a mark says that it was durable there. Then
// what has the name may be an edit of either: if of the old one nothing is lost.
static bool is_over_in_doubt(struct group *group, bool holds)
{
    return !holds && !group->marked && lacks_exchange(group);
}

static enum state content_state(struct group *group, uint32_t index, const struct place *place,
                                const struct fingerprint *now, const struct fingerprint *x,
                                bool is_before)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    const struct value *value = &step->version.value;
    bool replaces = step->before.present && !is_dir(&step->before);
    act->ours = *now;
    // What has the name may be a save of after the crash: nobody may take that back, nor dress it.
    bool holds = now->present && holds_there(group, place->fd, place->name, value);
    if (group->unseen != 0) return STATE_NOT;
    if (!holds) act->ours = (struct fingerprint){0};
    if (PLANTED(recovery_looks_at_path) && replaces) return holds ? STATE_HAPPENED : STATE_NOT;
    bool trusted = PLANTED(recovery_trusts_name);
    if (x->present && replaces && (trusted || is_before)) {
        act->out = true;
        if (is_over_in_doubt(group, holds)) return STATE_NOT;
        act->did = DID_EXCHANGE;
        if (holds) dress_again(group, index, place);
        return STATE_HAPPENED;
    }
    bool unused = x->present && holds_there(group, group->staging_fd, act->swap, value);
    if (group->unseen != 0) return STATE_NOT;
    if (x->present && !unused) return raced(group, index, place, now);
    if (x->present) {
        act->ours = *x;
        act->ready = true;
        // Between the two moves of a replacement without an exchange: a save may have met it.
        if (replaces && !now->present) kept_back(group, index, place->fd, place->name, true);
        if (is_dir(&step->before) && !now->present)
            (void)dir_create(group, place, step->before.mode);
        return STATE_NOT;
    }
    if (group->apply->all_or_none ? !group->marked : !holds) return STATE_NOT;
    if (holds) dress_again(group, index, place);
    if (!step->before.present)
        act->did = DID_CREATE;
    else if (is_dir(&step->before))
        act->did = DID_DIR_TO_FILE;
    return STATE_HAPPENED;
}

static enum state remove_state(struct group *group, uint32_t index, const struct place *place,
                               const struct fingerprint *now, const struct fingerprint *x,
                               bool is_before, bool hidden)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    if (x->present && !is_before) return raced(group, index, place, now);
    if (x->present) {
        act->out = true;
        act->did = DID_REMOVE;
        return STATE_HAPPENED;
    }
    // Nothing was to be removed: what is there came since.
    bool nothing = group->marked && !step->before.present;
    if ((now->present || hidden) && !nothing) return STATE_NOT;
    if (is_dir(&step->before)) act->did = DID_RMDIR;
    return STATE_HAPPENED;
}

static enum state dir_state(struct group *group, uint32_t index, const struct place *place,
                            const struct fingerprint *now, const struct fingerprint *x,
                            bool is_before)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    uint32_t mode = step->version.value.mode & 0777;
    bool from_file = step->before.present && !is_dir(&step->before);
    // Ours, and empty: it was to change places with the leaf, or has done so again.
    if (is_dir(x) && unlinkat(group->staging_fd, act->swap, AT_REMOVEDIR) == 0) return STATE_NOT;
    if (x->present && !is_before) return raced(group, index, place, now);
    act->out = x->present;
    // Out of the way, and the directory in its place: what is there now, or above, came since.
    bool gone_since = place->fd < 0 || (now->present && !is_dir(now));
    if (x->present && gone_since) return STATE_HAPPENED;
    if (x->present && !is_dir(now)) {
        put_back(group, index, place);
        return step->kept ? STATE_RACED : STATE_NOT; // somebody took the name just now
    }
    if (!is_dir(now)) return STATE_NOT;
    // Made, but the crash came before its mode was set.
    const struct grip *grip = group->grip;
    bool half = !is_dir(&step->before) && (now->mode & 0777) == 0700 && mode != 0700;
    int code = half ? mode_put(grip, place->fd, place->name, mode) : 0;
    (void)group_unseen(group, code);
    if (code != 0) return STATE_NOT;
    if (!half && !mode_is(grip, now->mode, mode)) return x->present ? STATE_HAPPENED : STATE_NOT;
    if (from_file && x->present)
        act->did = DID_FILE_TO_DIR;
    else
        act->did = is_dir(&step->before) ? DID_MODE : DID_MKDIR;
    act->old_mode = step->before.mode;
    return STATE_HAPPENED;
}

static enum state mode_state(struct group *group, uint32_t index, const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    if (!now->present) return STATE_NOT;
    if (step->version.value.kind == KIND_SYMLINK)
        return now->kind == KIND_SYMLINK ? STATE_HAPPENED : STATE_NOT;
    if (!mode_is(group->grip, now->mode, step->version.value.mode)) return STATE_NOT;
    act->did = step->before.present ? DID_MODE : DID_NOTHING;
    act->old_mode = step->before.mode;
    return STATE_HAPPENED;
}

static bool was_before_step(struct group *group, uint32_t index, const struct fingerprint *x)
{
    const struct step *step = &group->apply->steps[index];
    const char *swap = group->acts[index].swap;
    int code = before_look(step, x, group->staging_fd, swap);
    if (group_let_go(group, code)) code = before_look(step, x, group->staging_fd, swap);
    (void)group_unseen(group, code);
    return code == 0;
}

static enum state state_at(struct group *group, uint32_t index, const struct place *place,
                           const struct fingerprint *now, bool hidden)
{
    const struct step *step = &group->apply->steps[index];
    struct fingerprint x = {0};
    if (group->unseen != 0) return STATE_NOT;
    int code = look_out(group, index, &x);
    if (code == ENOENT) {
        if (met_is_kept(group, index)) return STATE_RACED;
        kept_back(group, index, group->staging_fd, group->acts[index].swap, false);
        code = look_out(group, index, &x);
    }
    (void)group_unseen(group, code);
    swap_settle(group->staging_fd, group->acts[index].swap, &x, now);
    bool is_before = x.present && was_before_step(group, index, &x);
    if (group->unseen != 0) return STATE_NOT;
    bool removes = step->version.value.kind == KIND_TOMB;
    if (removes && step->dir_implied_mode) return is_dir(now) ? STATE_HAPPENED : STATE_NOT;
    if (removes) return remove_state(group, index, place, now, &x, is_before, hidden);
    if (step->dir_implied_mode) return mode_state(group, index, now);
    if (step->version.value.kind == KIND_DIR)
        return dir_state(group, index, place, now, &x, is_before);
    return content_state(group, index, place, now, &x, is_before);
}

static void print_recovered(struct group *group, uint32_t index, const struct place *place)
{
    struct step *step = &group->apply->steps[index];
    struct stat st;
    if (step->version.value.kind == KIND_TOMB || place_stat(place, &st) != 0) return;
    print_of(&st, &step->print);
    bool same = step_has_content(step)
                    ? step_mode_stands(step, &step->print) &&
                          holds_version(place->fd, place->name, &step->version.value)
                    : step_left_alone(step, &step->print);
    // The step may not have come to its flush: the index must not know a mode that the next power
    // cut takes back.
    if (!same)
        print_doubt(&step->print); // edited since
    else if (step->print.kind != KIND_SYMLINK)
        (void)group_unseen(group, place_sync(group, place));
    step->racy = step_has_content(step) && print_racy_put(&step->print, clock_ns(CLOCK_REALTIME));
}

static enum state step_examine(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    struct place place = {.fd = -1};
    struct stat st;
    struct fingerprint now = {0};
    uint32_t mode = 0;
    int seen = 0;
    step->kept = false;
    step->print = (struct fingerprint){0};
    int code = parent_open(group, step, false, &place);
    if (group_let_go(group, code)) code = parent_open(group, step, false, &place);
    // Without its directory the path holds nothing; what was displaced from it has to go to kept.
    if (code != 0) place.fd = -1;
    (void)group_unseen(group, code);
    // What the crash has interrupted in it may have to be taken back.
    bool was_open = code == 0 && group->acts[index].was_open;
    int unlocked = was_open ? dir_unlock(group, index, &place, &mode) : EACCES;
    (void)group_unseen(group, unlocked);
    if (code == 0) seen = place_find(&place, &st);
    if (group_let_go(group, seen)) seen = place_find(&place, &st);
    if (code == 0 && seen == 0) print_of(&st, &now);
    (void)group_unseen(group, seen);
    enum state state = state_at(group, index, &place, &now, is_hidden(code) || is_hidden(seen));
    if (code == 0 && state == STATE_HAPPENED) print_recovered(group, index, &place);
    if (unlocked == 0) dir_lock(group, index, &place, mode);
    if (was_open && group->unseen == 0) opened_forget(group, index);
    if (code == 0) group_touch(group, place.fd);
    place_close(&place);
    step->result = state == STATE_HAPPENED ? STEP_DONE
                   : state == STATE_NOT    ? STEP_UNDONE
                                           : STEP_CHANGED;
    return state;
}

// ---- the run

static bool is_certain(const struct group *group, uint32_t index)
{
    const struct step *step = &group->apply->steps[index];
    if (step->result != STEP_DONE || step->dir_implied_mode) return false;
    if (step->version.value.kind == KIND_TOMB) return group->acts[index].did == DID_REMOVE;
    return step_has_content(step);
}

// Its x tells. A power cut may have kept what a later step did and not what this one did.
static bool leaves_trace(const struct step *step)
{
    bool leaf = step->before.present && !is_dir(&step->before);
    bool removes = step->version.value.kind == KIND_TOMB && !step->dir_implied_mode;
    return step_has_content(step) || (removes && leaf);
}

// Steps go in order: what came before one that has certainly happened has happened too, though a
// directory may have been made again since, or a mode set.
static void earlier_too(struct group *group)
{
    uint32_t end = group->apply->count;
    while (end > 0 && !is_certain(group, end - 1))
        end--;
    for (uint32_t i = 0; i < end; i++) {
        struct step *step = &group->apply->steps[i];
        if (step->result != STEP_UNDONE || leaves_trace(step)) continue;
        step->result = STEP_DONE; // with no fingerprint: the next look reads it
    }
}

static void unseen_note(struct group *group, uint32_t index)
{
    struct job_apply *apply = group->apply;
    if (group->unseen == 0 || apply->unread.size > 0) return;
    apply->unread = apply->steps[index].path;
    errno = group->unseen;
    (void)log_errno(LOG_FS, "recovery", apply->unread);
}

// True: an intent, and it was taken back.
static bool steps_recover(struct group *group)
{
    uint32_t count = group->apply->count;
    bool intent = group->apply->all_or_none, all = true;
    group->marked = intent && mark_there(group);
    for (uint32_t i = 0; i < count && group->unseen == 0; i++) {
        dir_lock_after(group, i);
        unseen_note(group, i);
    }
    for (uint32_t i = 0; i < count && group->unseen == 0; i++) {
        (void)step_examine(group, i);
        unseen_note(group, i);
    }
    if (group->unseen != 0) return false;
    if (group->marked) earlier_too(group);
    for (uint32_t i = 0; i < count; i++)
        all = all && group->apply->steps[i].result == STEP_DONE;
    if (!intent || all) return false;
    for (uint32_t i = count; i-- > 0;) {
        if (group->apply->steps[i].result == STEP_DONE) step_undo(group, i);
        unseen_note(group, i);
    }
    return true;
}

void recover_run(const struct grip *grip, struct job *job)
{
    AUTO(group_close) struct group group = {.staging_fd = -1, .kept_fd = -1};
    errno = group_open(grip, job, &group);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "open", slice_text(FS_STAGING));
        return;
    }
    if (job->apply.count == 0) {
        left_over_drop(&group);
        return;
    }
    bool undone = steps_recover(&group);
    errno = group.unseen != 0 ? group.unseen : group_sync(&group);
    if (errno == 0 && undone) errno = mark_drop(&group);
    if (errno != 0) {
        job->err = group.unseen != 0 ? err_from_errno(errno)
                                     : log_errno(LOG_FS, "recovery", slice_text(""));
        return;
    }
    job->err = steps_finish(&group);
}
