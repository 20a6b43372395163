// SPDX-License-Identifier: MIT
//
// Before anything is put in place: each new content under the step's own name, with its mode and
// time, durable; and the ways such a file leaves again: back to staging, or, when it is somebody's
// bytes, to kept.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"

bool step_has_content(const struct step *step)
{
    if (step->dir_implied_mode) return false;
    return step->version.value.kind == KIND_FILE || step->version.value.kind == KIND_SYMLINK;
}

int kept_as(struct group *group, int dir_fd, const char *name, const char *as, char **out)
{
    int code = EEXIST;
    for (int i = 0; code == EEXIST && i < 100; i++) {
        *out = arena_printf(group->arena, i == 0 ? "%s-%s" : "%s-%s-%d", group->time, as, i);
        code = swap_noreplace(group->grip->disk, dir_fd, name, group->kept_fd, *out);
    }
    // It stays where it is; the clean-up tries again and loses nothing.
    group->apply->left_over |= code != 0;
    return code;
}

int kept_take(struct group *group, uint32_t index, int dir_fd, const char *name)
{
    struct step *step = &group->apply->steps[index];
    const char *met = step->unsorted ? KEPT_MET : "";
    char *text = NULL;
    char *as = arena_printf(group->arena, "%" PRIu64 "-%u%s", group->apply->journal, index, met);
    int code = kept_as(group, dir_fd, name, as, &text);
    if (code != 0) {
        errno = code;
        (void)log_errno(LOG_FS, "rename to kept", step->path);
        return code;
    }
    step->kept = true;
    step->kept_name = slice_text(text);
    // Its row is what leads to a save: the name is on the disk before the row is.
    group->touched_more |= step->unsorted;
    return 0;
}

int swap_to_kept(struct group *group, uint32_t index)
{
    struct act *act = &group->acts[index];
    if (group->unseen != 0) return 0; // under x recovery finds it, and looks again
    int code = kept_take(group, index, group->staging_fd, act->swap);
    act->out = code != 0;
    return code;
}

static int kept_finish(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    struct stat st;
    struct fingerprint print;
    int code = group->acts[index].out ? swap_to_kept(group, index) : 0;
    if (!step->kept) return code;
    const char *name = arena_text(group->arena, step->kept_name);
    if (fstatat(group->kept_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return code;
    print_of(&st, &print);
    step->written_late = print.size != step->before.size || print.mtime_ns != step->before.mtime_ns;
    return code;
}

static int staged_back(struct group *group, uint32_t index)
{
    struct act *act = &group->acts[index];
    const struct value *value = &group->apply->steps[index].version.value;
    const struct content content = {value->content, value->size};
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    char name[STAGE_NAME_MAX];
    struct fingerprint x;
    stage_name(&content, name);
    int code = look_out(group, index, &x);
    // To set a mode takes a descriptor, and perhaps there are no more.
    fd_close(&act->fd);
    if (code == 0 && x.mode != 0600)
        code = mode_put(group->grip, group->staging_fd, act->swap, 0600);
    // Staging is cleaned by age: this one is young again.
    (void)utimensat(group->staging_fd, act->swap, now, AT_SYMLINK_NOFOLLOW);
    if (code == 0)
        code = swap_noreplace(group->grip->disk, group->staging_fd, act->swap, group->staging_fd,
                              name);
    return code;
}

void swap_return(struct group *group, uint32_t index)
{
    struct act *act = &group->acts[index];
    const struct step *step = &group->apply->steps[index];
    struct fingerprint print;
    if (!act->ready) return;
    act->ready = false;
    if (look_out(group, index, &print) != 0) return;
    if (print.ino != act->ours.ino || print.size != act->ours.size) {
        (void)swap_to_kept(group, index);
        return;
    }
    bool again = step->version.value.kind == KIND_FILE && step->result != STEP_FAILED;
    if (again && staged_back(group, index) == 0) return;
    (void)unlinkat(group->staging_fd, act->swap, 0);
}

enum err steps_finish(struct group *group)
{
    int code = 0;
    for (uint32_t i = 0; i < group->apply->count; i++) {
        swap_return(group, i);
        int failed = kept_finish(group, i);
        if (failed != 0) code = failed;
        if (failed == ENOSPC || failed == EDQUOT) break; // nor is there room for the next
    }
    return code == 0 ? ERR_OK : err_from_errno(code);
}

static bool wanted_later(const struct group *group, uint32_t index)
{
    const struct value *value = &group->apply->steps[index].version.value;
    for (uint32_t i = index + 1; i < group->apply->count; i++) {
        const struct step *other = &group->apply->steps[i];
        if (!step_has_content(other) || other->version.value.kind != KIND_FILE) continue;
        if (other->version.value.size != value->size) continue;
        if (memcmp(&other->version.value.content, &value->content, sizeof value->content) == 0)
            return true;
    }
    return false;
}

// A copy under a temporary name first: under x there is never half a content.
static int staged_copy(struct group *group, const char *staged, const char *swap)
{
    char temp[STAGE_NAME_MAX];
    temp_name(group->grip->disk, temp);
    AUTO(fd_close)
    int source = openat(group->staging_fd, staged, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) return errno;
    AUTO(fd_close)
    int target = openat(group->staging_fd, temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target < 0) return errno;
    int code = fd_copy(group->grip->disk, source, target);
    if (code == 0 && renameat(group->staging_fd, temp, group->staging_fd, swap) != 0) code = errno;
    if (code != 0) (void)unlinkat(group->staging_fd, temp, 0);
    return code;
}

static void old_xattrs(struct group *group, const struct step *step, int target_fd)
{
    struct place place = {.fd = -1};
    struct stat st;
    struct fingerprint print;
    if (!step->before.present || step->before.kind != KIND_FILE) return;
    if (place_open(group->grip, step->path, step->disk_name, &place) != 0) return;
    (void)place_find(&place, &st);
    AUTO(fd_close)
    int fd = openat(place.fd, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    place_close(&place);
    if (fd < 0 || fstat(fd, &st) != 0) return;
    print_of(&st, &print);
    if (print_equal(&print, &step->before)) xattr_copy(fd, target_fd);
}

static struct timespec time_of(int64_t ns)
{
    int64_t seconds = ns / 1000000000;
    int64_t rest = ns % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    return (struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)rest};
}

static int file_dress(struct group *group, const struct step *step, struct act *act)
{
    int fd = act->fd = openat(group->staging_fd, act->swap, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    struct timespec t = time_of(step->version.mtime_ns);
    const struct timespec times[2] = {t, t};
    if (fd < 0) return errno;
    acl_drop(fd); // of what it was to replace before
    old_xattrs(group, step, fd);
    mode_t mode = (mode_t)(step->version.value.mode & 0777);
    if (!group->grip->modeless && fchmod(fd, mode) != 0) return errno;
    // A time this file system cannot hold is no reason not to have the content.
    (void)futimens(fd, times);
    if (fstat(fd, &st) != 0) return errno;
    print_of(&st, &act->ours);
    return act->ours.size == step->version.value.size ? 0 : EIO;
}

static int file_prepare(struct group *group, uint32_t index)
{
    const struct step *step = &group->apply->steps[index];
    const struct content content = {step->version.value.content, step->version.value.size};
    struct act *act = &group->acts[index];
    char staged[STAGE_NAME_MAX];
    stage_name(&content, staged);
    int code = 0;
    if (wanted_later(group, index))
        code = staged_copy(group, staged, act->swap);
    else if (renameat(group->staging_fd, staged, group->staging_fd, act->swap) != 0)
        code = errno;
    if (code != 0) return code;
    code = file_dress(group, step, act);
    if (group->apply->count >= FS_SYNC_EACH_MAX) fd_close(&act->fd);
    // Only what is not to be trusted any more has to come again.
    if (code != 0 && (code == EIO || staged_back(group, index) != 0)) {
        fd_close(&act->fd);
        (void)unlinkat(group->staging_fd, act->swap, 0);
    }
    return code;
}

static int link_prepare(struct group *group, uint32_t index)
{
    const struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    struct slice target = step->version.value.target;
    struct timespec t = time_of(step->version.mtime_ns);
    const struct timespec times[2] = {t, t};
    if (target.size == 0 || memchr(target.data, 0, target.size) != NULL) return EINVAL;
    char *text = arena_text(group->arena, target);
    // In a directory of ours EPERM says that the file system has no links.
    if (symlinkat(text, group->staging_fd, act->swap) != 0)
        return errno == EPERM ? EOPNOTSUPP : errno;
    (void)utimensat(group->staging_fd, act->swap, times, AT_SYMLINK_NOFOLLOW);
    return look_out(group, index, &act->ours);
}

static void step_prepare(struct group *group, uint32_t index)
{
    struct step *step = &group->apply->steps[index];
    struct act *act = &group->acts[index];
    struct fingerprint stale;
    // Left by a run that was never recovered: perhaps somebody's bytes.
    int code = look_out(group, index, &stale);
    if (code == 0 && unlinkat(group->staging_fd, act->swap, AT_REMOVEDIR) != 0 &&
        kept_take(group, index, group->staging_fd, act->swap) != 0)
        code = EBUSY;
    if (code == ENOENT) code = 0;
    step->kept = false;
    step->kept_name = slice_of("", 0);
    if (code == 0 && !step_has_content(step)) return;
    if (code == 0)
        code = step->version.value.kind == KIND_FILE ? file_prepare(group, index)
                                                     : link_prepare(group, index);
    act->ready = code == 0;
    if (code == 0) return;
    errno = code;
    (void)log_errno(LOG_FS, "prepare", step->path);
    if (code == ENOENT || code == EIO)
        step_failed(step, code);
    else
        step_blocked(step, code);
}

void group_prepare(struct group *group)
{
    for (uint32_t i = 0; i < group->apply->count; i++) {
        // Until something happened, nothing did.
        group->apply->steps[i].result = STEP_DONE;
        group->apply->steps[i].blocked = BLOCKED_NONE;
        step_prepare(group, i);
    }
}
