// SPDX-License-Identifier: MIT
//
// The root's marker says which folder it is. A life under another id begins in the index: until
// the marker has been seen to say so, too, one that says what was before is this folder's.
#include <string.h>

#include "agent/sync/folder_priv.h"

// Inside a transaction. All zeros: nothing was before.
void marker_put(struct folder *folder, struct folder_id before)
{
    folder->marker_before = before;
    record_put(folder, "marker", slice_of(before.bytes, sizeof before.bytes));
}

void marker_load(struct folder *folder)
{
    struct slice record;
    folder->marker_before = (struct folder_id){{0}};
    if (record_get(folder, "marker", &record) && record.size == sizeof folder->marker_before.bytes)
        memcpy(folder->marker_before.bytes, record.data, record.size);
}

void marker_write(struct folder *folder)
{
    struct job *job = job_new(JOB_HEALTH, folder->number);
    job->health.id = folder->row.id;
    job->health.write_id = true;
    folder->health_out = true;
    submit(folder, job);
}

// It was to be written, and was not.
bool marker_is_behind(const struct folder *folder, const struct job_health *health)
{
    return health->has_id && !folder_id_equal(health->found, folder->row.id) &&
           folder_id_equal(health->found, folder->marker_before);
}

void marker_seen(struct folder *folder)
{
    if (id_is_zero(folder->marker_before)) return;
    struct folder_id before = folder->marker_before;
    txn_begin(folder);
    marker_put(folder, (struct folder_id){{0}});
    if (txn_end(folder) != ERR_OK) folder->marker_before = before;
}
