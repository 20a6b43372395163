// SPDX-License-Identifier: MIT
//
// The door: which function carries out which job. Everything else is in the file of that job.
#include "agent/fs/disk_priv.h"

static void dispatch(const struct grip *grip, struct job *job)
{
    switch (job->kind) {
    case JOB_SCAN: walk_run(grip, job); break;
    case JOB_LOOK: look_run(grip, job); break;
    case JOB_STAGE: stage_run(grip, job); break;
    case JOB_PART: part_run(grip, job); break;
    case JOB_REUSE: reuse_run(grip, job); break;
    case JOB_SIGN: sign_run(grip, job); break;
    case JOB_PATCH: patch_run(grip, job); break;
    case JOB_DIFF: diff_run(grip, job); break;
    case JOB_LEAF: leaf_run(grip, job); break;
    case JOB_FINISH: finish_run(grip, job); break;
    case JOB_COPY: copy_run(grip, job); break;
    case JOB_READ: read_run(grip, job); break;
    case JOB_APPLY: apply_run(grip, job); break;
    case JOB_RECOVER: recover_run(grip, job); break;
    case JOB_HEALTH: health_run(grip, job); break;
    case JOB_BASE: base_run(grip, job); break;
    }
}

void disk_run(struct disk *disk, struct job *job)
{
    struct grip grip = {.fd = -1};
    if (job->kind == JOB_BASE && job->base.emptied.size > 0) {
        base_root_empty(job);
        return;
    }
    job->err = job->kind == JOB_HEALTH ? grip_take_unchecked(disk, job->folder, &grip)
                                       : grip_take(disk, job->folder, &grip);
    if (job->err == ERR_OK) dispatch(&grip, job);
    grip_drop(&grip);
}

int disk_watch_fd(const struct disk *disk)
{
    return watcher_fd(disk->watcher);
}

bool disk_watch_next(struct disk *disk, struct watch_event *out)
{
    return watcher_next(disk->watcher, out);
}

uint32_t disk_unwatched(const struct disk *disk, uint32_t folder)
{
    return watcher_unwatched(disk->watcher, folder);
}

uint32_t disk_watched(const struct disk *disk)
{
    return watcher_watched(disk->watcher);
}

uint64_t disk_watches_max(void)
{
    return watcher_watches_max();
}
