// SPDX-License-Identifier: MIT
//
// A group of steps: prepare all, make durable, put in place one by one, make that durable, and only
// then let displaced contents leave staging for kept. An intent is taken back as a whole when one
// of its steps cannot be done.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/fs/apply_priv.h"
#include "proto/path.h"

int group_open(const struct grip *grip, struct job *job, struct group *out)
{
    *out = (struct group){
        .grip = grip, .apply = &job->apply, .arena = job->arena, .staging_fd = -1, .kept_fd = -1};
    time_t now = (time_t)(clock_ns(CLOCK_REALTIME) / 1000000000);
    struct tm parts;
    if (gmtime_r(&now, &parts) == NULL ||
        strftime(out->time, sizeof out->time, "%Y%m%dT%H%M%SZ", &parts) == 0) {
        (void)snprintf(out->time, sizeof out->time, "0");
    }
    out->acts = arena_alloc(job->arena, (size_t)job->apply.count + 1, sizeof *out->acts);
    for (uint32_t i = 0; i < job->apply.count; i++) {
        out->acts[i].fd = -1;
        (void)snprintf(out->acts[i].swap, SWAP_NAME_MAX, "x-%" PRIu64 "-%" PRIu32,
                       job->apply.journal, i);
    }
    int code = internal_open(grip, FS_STAGING, &out->staging_fd);
    return code != 0 ? code : internal_open(grip, FS_KEPT, &out->kept_fd);
}

void group_close(struct group *group)
{
    fd_close(&group->staging_fd);
    fd_close(&group->kept_fd);
    for (uint32_t i = 0; i < group->touched_count; i++)
        fd_close(&group->touched[i]);
    for (uint32_t i = 0; group->acts != NULL && i < group->apply->count; i++)
        fd_close(&group->acts[i].fd);
}

void group_touch(struct group *group, int dir_fd)
{
    struct stat st;
    if (group->touched_more) return;
    if (fstat(dir_fd, &st) != 0 || group->touched_count == TOUCHED_MAX) {
        group->touched_more = true;
        return;
    }
    for (uint32_t i = 0; i < group->touched_count; i++) {
        if (group->touched_ino[i] == (uint64_t)st.st_ino) return;
    }
    int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        group->touched_more = true;
        return;
    }
    group->touched[group->touched_count] = fd;
    group->touched_ino[group->touched_count++] = (uint64_t)st.st_ino;
}

bool group_let_go(struct group *group, int code)
{
    bool helps = (code == EMFILE || code == ENFILE) && group->touched_count > 0;
    if (!helps) return false;
    while (group->touched_count > 0)
        fd_close(&group->touched[--group->touched_count]);
    group->touched_more = true;
    return true;
}

// A disk that fails for the moment says nothing of what is there.
bool group_unseen(struct group *group, int code)
{
    if (code == 0 || is_absence(code)) return false; // spelled otherwise: another name is there
    if (err_reaction(err_from_errno(code)) != REACT_TRY_LATER) return false;
    group->unseen = code;
    return true;
}

// The bytes were durable before they were put in place; what is new since are mode and times.
// False: some of it is not known to be on the disk, and another flush would say nothing, for after
// one that failed the kernel calls the pages clean.
static bool contents_sync(struct group *group)
{
    bool all = true;
    if (PLANTED(step_not_synced)) return true;
    for (uint32_t i = 0; i < group->apply->count; i++) {
        struct act *act = &group->acts[i];
        if (act->fd < 0 || flush_file(act->fd) == 0) continue;
        (void)log_errno(LOG_FS, "fsync", group->apply->steps[i].path);
        act->unflushed = true;
        all = false;
    }
    return all;
}

int group_sync(struct group *group)
{
    if (group->touched_more || group->apply->count >= FS_SYNC_EACH_MAX) {
        return group->touched_count > 0 || group->touched_more ? sync_all(group->staging_fd) : 0;
    }
    int code = 0;
    if (PLANTED(step_not_synced)) return 0;
    for (uint32_t i = 0; i < group->touched_count; i++) {
        int failed = dir_sync(group->touched[i]);
        // A directory that we may not read cannot be synced alone, nor one that cannot be opened.
        bool closed = failed == EACCES || failed == EMFILE || failed == ENFILE;
        if (closed) failed = sync_all(group->staging_fd);
        if (failed != 0) code = failed;
    }
    return group->touched_count > 0 && code == 0 ? dir_sync(group->staging_fd) : code;
}

// ---- the order of steps that are not an intent

struct ordered {
    const struct step *step;
    uint32_t index;
};

static int rank(const struct step *step)
{
    switch (step->version.value.kind) {
    case KIND_TOMB: return 0;
    case KIND_DIR: return 1;
    case KIND_FILE:
    case KIND_SYMLINK: return 2;
    }
    return 2;
}

static int order_compare(const void *a, const void *b)
{
    const struct ordered *left = a;
    const struct ordered *right = b;
    int by_rank = rank(left->step) - rank(right->step);
    if (by_rank != 0) return by_rank;
    int by_path = path_compare(left->step->path, right->step->path);
    if (by_path != 0 && rank(left->step) == 0) return -by_path; // what is inside goes first
    if (by_path != 0 && rank(left->step) == 1) return by_path;
    return left->index < right->index ? -1 : 1;
}

static struct ordered *order_of(const struct group *group)
{
    uint32_t count = group->apply->count;
    struct ordered *order = arena_alloc(group->arena, (size_t)count + 1, sizeof *order);
    for (uint32_t i = 0; i < count; i++)
        order[i] = (struct ordered){&group->apply->steps[i], i};
    if (!group->apply->all_or_none && count > 0) qsort(order, count, sizeof *order, order_compare);
    return order;
}

// ---- the run

static bool prepared(const struct group *group)
{
    for (uint32_t i = 0; i < group->apply->count; i++) {
        if (group->apply->steps[i].result != STEP_DONE) return false;
    }
    return true;
}

static void undo_from(struct group *group, const struct ordered *order, uint32_t done)
{
    for (uint32_t i = group->apply->count; i-- > 0;) {
        struct step *step = &group->apply->steps[order[i].index];
        if (i < done)
            step_undo(group, order[i].index);
        else if (step->result == STEP_DONE)
            step->result = STEP_UNDONE;
    }
}

// False: an intent, and all of it was taken back.
static bool steps_run(struct group *group, const struct ordered *order)
{
    bool intent = group->apply->all_or_none;
    if (intent && !prepared(group)) {
        undo_from(group, order, 0);
        return false;
    }
    errno = intent ? mark_put(group) : 0;
    if (errno != 0) {
        (void)log_errno(LOG_FS, "mark", slice_text(FS_STAGING));
        undo_from(group, order, 0);
        return false;
    }
    for (uint32_t i = 0; i < group->apply->count; i++) {
        const struct step *step = order[i].step;
        if (step->result != STEP_DONE) continue;
        step_run(group, order[i].index);
        if (!intent || step->result == STEP_DONE) continue;
        undo_from(group, order, i);
        return false;
    }
    return true;
}

// Such a file is taken back and written anew.
static bool unflushed_undo(struct group *group, const struct ordered *order)
{
    bool intent = group->apply->all_or_none;
    if (intent) undo_from(group, order, group->apply->count);
    for (uint32_t i = 0; i < group->apply->count; i++) {
        struct step *step = &group->apply->steps[i];
        if (!group->acts[i].unflushed) continue;
        if (!intent && step->result == STEP_DONE) step_undo(group, i);
        if (step->result == STEP_UNDONE) step_failed(step, EIO);
    }
    return !intent;
}

static void dir_print_again(struct group *group, struct step *step)
{
    struct place place = {.fd = -1};
    struct stat st;
    if (place_open(group->grip, step->path, step->disk_name, &place) == 0 &&
        place_find(&place, &st) == 0 && S_ISDIR(st.st_mode)) {
        print_of(&st, &step->print);
        if (!step_left_alone(step, &step->print)) print_doubt(&step->print);
    }
    place_close(&place);
}

static void dirs_print_again(struct group *group)
{
    for (uint32_t i = 0; i < group->apply->count; i++) {
        struct step *step = &group->apply->steps[i];
        // Steps inside a directory have changed its times since.
        if (step->result == STEP_DONE && step->version.value.kind == KIND_DIR)
            dir_print_again(group, step);
    }
}

void apply_run(const struct grip *grip, struct job *job)
{
    AUTO(group_close) struct group group = {.staging_fd = -1, .kept_fd = -1};
    errno = group_open(grip, job, &group);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "open", slice_text(FS_STAGING));
        return;
    }
    group_prepare(&group);
    const struct ordered *order = order_of(&group);
    bool kept_up = steps_run(&group, order);
    if (kept_up && !contents_sync(&group)) kept_up = unflushed_undo(&group, order);
    errno = group_sync(&group);
    const char *call = errno != 0 ? "sync after apply" : "taking back";
    if (errno == 0) errno = group.unseen;
    if (errno == 0 && !kept_up) errno = mark_drop(&group);
    // In place, but perhaps not durable, or elsewhere: the journal row must stay until recovery has
    // looked.
    if (errno != 0) {
        job->err = log_errno(LOG_FS, call, slice_text(""));
        return;
    }
    job->err = steps_finish(&group);
    dirs_print_again(&group);
}
