// SPDX-License-Identifier: MIT
//
// One step on the disk. Whatever is displaced is looked at after it was taken out: if it is not
// what was expected, somebody wrote in the last microsecond, and it goes back.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/fs/apply_priv.h"
#include "proto/path.h"

static void block(struct step *step, enum blocked reason)
{
    step->result = STEP_BLOCKED;
    step->blocked = reason;
}

void step_blocked(struct step *step, int code)
{
    char escaped[LOG_ESCAPED_MAX];
    switch (code) {
    case ENOSPC:
    case EDQUOT: block(step, BLOCKED_NO_SPACE); break;
    case ENAMETOOLONG: block(step, BLOCKED_NAME_TOO_LONG); break;
    case EACCES:
    case EPERM:
    case EROFS: block(step, BLOCKED_PERMISSION); break;
    case EBUSY:
    case ETXTBSY:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EINTR:
    case EAGAIN: block(step, BLOCKED_BUSY); break;
    case EEXIST: block(step, BLOCKED_IN_THE_WAY); break;
    case SPELLED_OTHERWISE: block(step, BLOCKED_CASE); break;
    case ENOTEMPTY: block(step, BLOCKED_NOT_EMPTY); break;
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EILSEQ: block(step, BLOCKED_TYPE); break;
    case ELOOP:
        log_warn(LOG_FS, "symbolic link in the path of an item", "path=%s",
                 log_escape(step->path, escaped));
        block(step, BLOCKED_SYMLINK);
        break;
    case ENOTDIR: step->result = STEP_WAIT; break;
    case ENOENT: step->result = STEP_CHANGED; break;
    default: block(step, BLOCKED_IO); break;
    }
}

void step_failed(struct step *step, int code)
{
    if (code != ENOENT) step_blocked(step, code);
    step->result = STEP_FAILED;
}

int look_out(const struct group *group, uint32_t index, struct fingerprint *out)
{
    struct stat st;
    if (fstatat(group->staging_fd, group->acts[index].swap, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    print_of(&st, out);
    return 0;
}

// A save of the same size in the same tick of the clock leaves the fingerprint as it was.
int before_look(const struct step *step, const struct fingerprint *print, int dir_fd,
                const char *name)
{
    if (PLANTED(not_looked_at_again)) return 0;
    if (!print_still(print, &step->before)) return ESTALE;
    bool believed = !step->before_racy || PLANTED(racy_times_believed);
    return believed ? 0 : content_look(dir_fd, name, &step->was);
}

bool print_is_before(const struct step *step, const struct fingerprint *print, int dir_fd,
                     const char *name)
{
    return before_look(step, print, dir_fd, name) == 0;
}

bool out_is_before(const struct group *group, uint32_t index, const struct fingerprint *out)
{
    return print_is_before(&group->apply->steps[index], out, group->staging_fd,
                           group->acts[index].swap);
}

// ---- what the steps are made of

static bool is_dir(const struct fingerprint *print)
{
    return print->present && print->kind == KIND_DIR;
}

// A directory's times and size are its children's doing.
static bool is_before(const struct group *group, const struct step *step,
                      const struct fingerprint *now)
{
    bool mode = group->grip->modeless || now->mode == step->before.mode;
    if (is_dir(&step->before)) return is_dir(now) && mode;
    return print_equal(now, &step->before);
}

// The path goes to x and is looked at there. ESTALE: it was not that, and is back.
static int take_out(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    struct fingerprint out;
    int code =
        swap_noreplace(group->grip->disk, place->fd, place->name, group->staging_fd, act->swap);
    if (code != 0) return code;
    act->out = true;
    if (look_out(group, index, &out) == 0 && out_is_before(group, index, &out)) return 0;
    put_back(group, index, place);
    return ESTALE;
}

static int rmdir_at(const struct place *place)
{
    if (unlinkat(place->fd, place->name, AT_REMOVEDIR) == 0) return 0;
    return errno == EEXIST ? ENOTEMPTY : errno;
}

int place_sync(struct group *group, const struct place *place)
{
    if (group->apply->count >= FS_SYNC_EACH_MAX) return 0;
    AUTO(fd_close)
    int fd = openat(place->fd, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) return flush_file(fd);
    group->touched_more = true; // unreadable for us: it cannot be flushed alone
    return 0;
}

static int mode_change(struct group *group, uint32_t index, const struct place *place,
                       const struct fingerprint *now)
{
    struct act *act = &group->acts[index];
    uint32_t special = now->kind == KIND_DIR ? now->mode & 07000 : 0;
    uint32_t mode = (group->apply->steps[index].version.value.mode & 0777) | special;
    if (mode == now->mode || group->grip->modeless) return 0;
    int code = mode_set(place->fd, place->name, mode);
    if (code != 0) return code;
    act->did = DID_MODE;
    act->old_mode = now->mode;
    return place_sync(group, place);
}

// ---- the steps. 0: done; ESTALE: the disk is not what was expected; else an errno.

static int remove_do(struct group *group, uint32_t index, const struct place *place,
                     const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    if (!now->present) return 0;
    if (!is_before(group, step, now)) return ESTALE;
    bool dir = is_dir(now);
    int code = dir ? rmdir_at(place) : take_out(group, index, place);
    if (code == 0) act->did = dir ? DID_RMDIR : DID_REMOVE;
    return code;
}

static int mode_do(struct group *group, uint32_t index, const struct place *place,
                   const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    if (!now->present || now->kind != step->version.value.kind) return ESTALE;
    if (step->before.present ? !is_before(group, step, now) : !is_dir(now)) return ESTALE;
    if (now->kind == KIND_SYMLINK) return 0; // has no mode of its own
    return mode_change(group, index, place, now);
}

// Without an exchange: for a moment nothing is there, and whoever makes something then has it.
static int leaf_out_dir_in(struct group *group, uint32_t index, const struct place *place)
{
    int code = take_out(group, index, place);
    if (code != 0) return code;
    code = dir_create(group, place, group->apply->steps[index].version.value.mode);
    if (code != 0) put_back(group, index, place);
    return code;
}

// An empty directory changes places with the leaf: the name is never free.
static int leaf_to_dir(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    const struct disk *disk = group->grip->disk;
    struct fingerprint out;
    struct place x = {.fd = group->staging_fd};
    (void)snprintf(x.name, sizeof x.name, "%s", act->swap);
    uint32_t mode = group->apply->steps[index].version.value.mode;
    int code = dir_create(group, &x, mode);
    if (code != 0) return code;
    code = swap_exchange(disk, x.fd, x.name, place->fd, place->name);
    if (code != 0) (void)rmdir_at(&x);
    // One that may not be written to cannot go elsewhere: what is above it is noted in it.
    bool stays = code == EACCES && (mode & 0200) == 0;
    if (stays || code == EINVAL || code == ENOSYS) code = leaf_out_dir_in(group, index, place);
    if (code != 0) return code == ENOENT ? ESTALE : code;
    act->out = true;
    if (look_out(group, index, &out) == 0 && out_is_before(group, index, &out)) {
        act->did = DID_FILE_TO_DIR;
        return 0;
    }
    (void)rmdir_at(place);
    put_back(group, index, place);
    return ESTALE;
}

static int dir_do(struct group *group, uint32_t index, const struct place *place,
                  const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    uint32_t mode = step->version.value.mode;
    if (is_dir(now)) {
        if (step->before.present ? is_before(group, step, now) : false)
            return mode_change(group, index, place, now);
        return mode_is(group->grip, now->mode, mode) && !step->before.present ? 0 : ESTALE;
    }
    if (now->present && !step->before.present) return EEXIST;
    if (now->present != step->before.present || (now->present && !is_before(group, step, now)))
        return ESTALE;
    if (now->present) return leaf_to_dir(group, index, place);
    int code = dir_create(group, place, mode);
    if (code == 0) act->did = DID_MKDIR;
    return code;
}

// Somebody saved just before the exchange.
static int exchange_back(struct group *group, uint32_t index, const struct place *place)
{
    int code = exchange_newest(group, index, place);
    struct fingerprint out;
    bool dir = code == ESTALE && look_out(group, index, &out) == 0 && is_dir(&out);
    if (code == ENOENT || dir) // what is in a directory may be later than that
        put_back(group, index, place);
    else if (code != 0)
        swap_unsorted(group, index); // of ESTALE: a later save has taken its place
    return ESTALE;
}

static int replace_do(struct group *group, uint32_t index, const struct place *place,
                      const struct fingerprint *now)
{
    struct act *act = &group->acts[index];
    struct fingerprint out;
    const struct step *step = &group->apply->steps[index];
    if (step->before.kind == 0) return EINVAL;
    if (!is_before(group, step, now)) return ESTALE;
    int code =
        swap_exchange(group->grip->disk, group->staging_fd, act->swap, place->fd, place->name);
    if (code == EINVAL || code == ENOSYS) return replace_over(group, index, place);
    if (code != 0) return code == ENOENT ? ESTALE : code;
    act->ready = false;
    act->out = true;
    if (look_out(group, index, &out) != 0 || !out_is_before(group, index, &out))
        return exchange_back(group, index, place);
    act->did = DID_EXCHANGE;
    return 0;
}

static int create_do(struct group *group, uint32_t index, const struct place *place)
{
    struct act *act = &group->acts[index];
    int code =
        swap_noreplace(group->grip->disk, group->staging_fd, act->swap, place->fd, place->name);
    if (code != 0) return code;
    act->ready = false;
    act->did = DID_CREATE;
    return 0;
}

static int dir_to_file_do(struct group *group, uint32_t index, const struct place *place,
                          const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    if (!is_before(group, step, now)) return ESTALE;
    int code = rmdir_at(place);
    if (code != 0) return code;
    code = create_do(group, index, place);
    if (code == 0)
        group->acts[index].did = DID_DIR_TO_FILE;
    else
        (void)dir_create(group, place, step->before.mode);
    return code;
}

static int content_do(struct group *group, uint32_t index, const struct place *place,
                      const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    if (!step->before.present) return now->present ? EEXIST : create_do(group, index, place);
    if (is_dir(&step->before)) return dir_to_file_do(group, index, place, now);
    return replace_do(group, index, place, now);
}

static int step_do(struct group *group, uint32_t index, const struct place *place,
                   const struct fingerprint *now)
{
    const struct step *step = &group->apply->steps[index];
    switch (step->version.value.kind) {
    case KIND_TOMB:
        if (step->dir_implied_mode) return is_dir(now) ? 0 : ESTALE;
        return remove_do(group, index, place, now);
    case KIND_DIR:
        if (step->dir_implied_mode) return mode_do(group, index, place, now);
        return dir_do(group, index, place, now);
    case KIND_FILE:
    case KIND_SYMLINK:
        if (step->dir_implied_mode) return mode_do(group, index, place, now);
        return content_do(group, index, place, now);
    }
    return EINVAL;
}

static int now_of(struct place *place, struct fingerprint *out)
{
    struct stat st;
    *out = (struct fingerprint){0};
    int code = place_find(place, &st);
    if (code == 0) print_of(&st, out);
    return code == ENOENT ? 0 : code;
}

static int step_try(struct group *group, uint32_t index, struct place *place)
{
    struct fingerprint now;
    uint32_t mode;
    int code = now_of(place, &now);
    if (code == 0) code = step_do(group, index, place, &now);
    if (code != EACCES) return code;
    code = dir_unlock(group, index, place, &mode);
    if (code != 0) return code;
    code = now_of(place, &now);
    if (code == 0) code = step_do(group, index, place, &now);
    dir_lock(group, index, place, mode);
    return code;
}

// A step without a content of its own: but for the mode, which is the step's now, it is what it
// was.
bool step_left_alone(const struct step *step, const struct fingerprint *now)
{
    const struct fingerprint *before = &step->before;
    if (!step_mode_stands(step, now)) return false;
    if (step->version.value.kind == KIND_DIR) return is_dir(now);
    return before->present && now->kind == before->kind && now->device == before->device &&
           now->ino == before->ino && now->size == before->size &&
           now->mtime_ns == before->mtime_ns;
}

// False: somebody has changed it since the step.
bool step_mode_stands(const struct step *step, const struct fingerprint *now)
{
    const struct value *value = &step->version.value;
    if (value->kind != KIND_FILE && value->kind != KIND_DIR) return true;
    return (now->mode & 0777) == (value->mode & 0777);
}

static void print_after(struct group *group, uint32_t index, const struct place *place)
{
    struct step *step = &group->apply->steps[index];
    const struct act *act = &group->acts[index];
    struct stat st;
    step->print = (struct fingerprint){0};
    if (step->version.value.kind == KIND_TOMB || place_stat(place, &st) != 0) return;
    print_of(&st, &step->print);
    bool ours = step_has_content(step) ? print_still(&step->print, &act->ours)
                                       : step_left_alone(step, &step->print);
    if (!ours) print_doubt(&step->print); // written by somebody since
    step->racy = step_has_content(step) && print_racy_put(&step->print, clock_ns(CLOCK_REALTIME));
}

// Its directory was renamed while it ran: the step was done to what has another path now. Where it
// cannot be seen what has the path, recovery finds out.
static bool parent_moved(struct group *group, const struct step *step, const struct place *place)
{
    struct place again = {.fd = -1};
    struct stat then, now;
    if (path_parent(step->path).size == 0) return false;
    int code = parent_open(group, step, false, &again);
    if (group_unseen(group, code)) return false;
    bool same = code == 0 && fstat(place->fd, &then) == 0 && fstat(again.fd, &now) == 0 &&
                then.st_dev == now.st_dev && then.st_ino == now.st_ino;
    place_close(&again);
    return !same;
}

void step_run(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    bool removal = step->version.value.kind == KIND_TOMB;
    struct place place = {.fd = -1};
    int code = parent_open(group, step, !removal, &place);
    if (code == 0)
        code = step_try(group, index, &place);
    else if (removal && is_absence(code))
        code = 0;
    bool did = group->acts[index].did != DID_NOTHING;
    if (did && parent_moved(group, step, &place)) {
        // What was made there may have been moved along by somebody who saw it; who takes away or
        // replaces what could not be taken back perhaps never saw it.
        enum did what = group->acts[index].did;
        bool made = what == DID_CREATE || what == DID_DIR_TO_FILE || what == DID_MKDIR;
        if (!made) (void)step_take_back(group, index, &place);
        code = ESTALE;
    }
    if (code == EEXIST && place.fd >= 0 && place.clash[0] != '\0') code = SPELLED_OTHERWISE;
    step->result = STEP_DONE;
    step->blocked = BLOCKED_NONE;
    if (code == ESTALE)
        step->result = STEP_CHANGED;
    else if (code != 0)
        step_blocked(step, code);
    if (place.fd >= 0) {
        if (code == 0) print_after(group, index, &place);
        if (did) group_touch(group, place.fd);
    }
    place_close(&place);
}
