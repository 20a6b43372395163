// SPDX-License-Identifier: MIT
//
// Kept files that no row names: of a folder that was removed and added again, or whose index was
// lost. Only rows lead kept.c to what is old, so these are looked for on the disk. They go when
// they are as old as a kept version gets, and not before some of them have been known here for so
// long: until then a person can take out by hand what no command finds.
#include <string.h>

#include "agent/core/index.h"
#include "agent/sync/kept_priv.h"
#include "agent/sync/unread_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS  (24 * HOUR_MS)

static const char KNOWN_SINCE[] = "kept-left";

// What a step has moved there and the index has not heard of yet is in the journal.
static bool all_is_noted(struct folder *folder)
{
    struct journal_row row;
    const struct index_port *index = INDEX(folder);
    return folder->root == ROOT_OK && folder->apply_jobs == 0 && folder->resolve_jobs == 0 &&
           folder->recover_jobs == 0 && folder->index_failed_ms == 0 &&
           index->journal_list(index->self, folder->engine->scratch, folder->number, 1, &row) == 0;
}

static struct job *job_of(const struct folder *folder, int64_t before_ms)
{
    struct job *job = job_new(JOB_RECOVER, folder->number);
    job->apply.kept_before_ms = before_ms;
    job->apply.kept_after = arena_copy(job->arena, buf_slice(&folder->kept_left_after));
    return job;
}

void kept_left_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->kept_left_ms == 0) folder->kept_left_ms = now + HOUR_MS;
    if (now < folder->kept_left_ms) return;
    folder->kept_left_ms = now + HOUR_MS;
    if (all_is_noted(folder))
        kept_submit(folder, job_of(folder, age_now(folder->engine) - folder->kept_ms));
}

static bool known_for_long(struct folder *folder, int64_t before_ms)
{
    struct slice record;
    int64_t since = before_ms + folder->kept_ms;
    if (record_get(folder, KNOWN_SINCE, &record) && record.size == sizeof since) {
        memcpy(&since, record.data, sizeof since);
        return since <= before_ms;
    }
    txn_begin(folder);
    record_put(folder, KNOWN_SINCE, slice_of(&since, sizeof since));
    if (txn_end(folder) == ERR_OK)
        log_info(LOG_SYNC, "kept files without versions", "folder=%s", folder->name);
    return false;
}

// Those that nothing here knows.
static struct job *drop_of(struct folder *folder, const struct job *listed)
{
    const struct index_port *index = INDEX(folder);
    const struct job_apply *found = &listed->apply;
    struct job *job = job_of(folder, found->kept_before_ms);
    job->apply.drop_kept = arena_alloc(job->arena, found->kept_old_count, sizeof(struct slice));
    job->apply.drop_numbers = arena_alloc(job->arena, found->kept_old_count, sizeof(uint64_t));
    for (uint32_t i = 0; i < found->kept_old_count; i++) {
        struct kept_row row;
        struct slice name = found->kept_old[i];
        bool known =
            index->kept_by_file(index->self, folder->engine->scratch, folder->number, name, &row);
        if (known || late_write_waits(folder, name)) continue;
        job->apply.drop_kept[job->apply.drop_kept_count++] = arena_copy(job->arena, name);
    }
    return job;
}

static void go_on(struct folder *folder, bool more)
{
    folder->kept_left_ms = folder->engine->now_ms + (more ? 0 : DAY_MS);
    if (!more) buf_clear(&folder->kept_left_after);
}

void kept_left_done(struct folder *folder, const struct job *done)
{
    const struct job_apply *apply = &done->apply;
    folder->kept_dropping = false;
    if (done->err != ERR_OK || apply->drop_kept_count > 0) {
        go_on(folder, done->err == ERR_OK && folder->kept_left_after.size > 0);
        return;
    }
    bool more = apply->kept_old_count == KEPT_OLD_MAX;
    buf_clear(&folder->kept_left_after);
    if (more) {
        struct slice last = apply->kept_old[apply->kept_old_count - 1];
        buf_append(&folder->kept_left_after, last.data, last.size);
    }
    struct job *job = drop_of(folder, done);
    bool none = job->apply.drop_kept_count == 0;
    // An index that cannot be read knows nothing of any file.
    bool sure = !index_unread(folder->engine) && all_is_noted(folder);
    if (!none && sure && known_for_long(folder, apply->kept_before_ms)) {
        kept_submit(folder, job);
        return;
    }
    job_destroy(&job);
    go_on(folder, none && more);
}
