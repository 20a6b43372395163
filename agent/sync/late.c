// SPDX-License-Identifier: MIT
//
// Contents that were asked for while the file that holds them was being moved by a step of ours, or
// had just been: a peer that is told NOT_HELD turns elsewhere, or waits for long.
#include "agent/sync/delta_priv.h"

enum { LATE_TRIES = 20, LATE_MS = 25, LATE_MAX = 4096, LATE_NEEDS_MAX = 256 };

struct late {
    struct ask ask;
    int64_t due_ms;
    struct late *next;
};

bool late_add(struct share *share, const struct ask *ask)
{
    const struct folder *folder = share->folder;
    // Who lacks much itself does not get just this in a moment; the asker must not wait for it.
    bool lacks_some = folder->row.needs > 0 && folder->row.needs <= LATE_NEEDS_MAX;
    bool may_come = folder->jobs > 0 || map_count(folder->dirty) > 0 || lacks_some;
    if (!may_come || ask->tries >= LATE_TRIES || share->late_count >= LATE_MAX) return false;
    struct late *late = mem_zalloc(1, sizeof *late);
    late->ask = *ask;
    late->ask.tries++;
    late->due_ms = folder->engine->now_ms + LATE_MS;
    *share->late_end = late;
    share->late_end = &late->next;
    share->late_count++;
    return true;
}

static bool late_take(struct share *share, struct ask *out)
{
    struct late *late = share->late;
    if (late == NULL || late->due_ms > share->folder->engine->now_ms) return false;
    share->late = late->next;
    if (share->late == NULL) share->late_end = &share->late;
    share->late_count--;
    *out = late->ask;
    mem_free(&late);
    return true;
}

void late_serve(struct share *share)
{
    uint32_t count = 0, max = share->late_count;
    if (max == 0 || !folder_usable(share->folder)) return;
    struct ask *whole = arena_alloc(share->folder->engine->scratch, max, sizeof *whole);
    struct ask ask;
    for (uint32_t i = 0; i < max && late_take(share, &ask); i++) {
        if (ask.leaf == JOB_READ_WHOLE)
            whole[count++] = ask;
        else if (ask.leaf == ASK_DELTA)
            deltas_more(share);
        else
            serve_leaf(share, &ask);
    }
    if (count > 0) serve_whole(share, whole, count);
}

int64_t late_deadline(const struct share *share)
{
    bool waits = share->late != NULL && folder_usable(share->folder);
    return waits ? share->late->due_ms : INT64_MAX;
}

void late_clear(struct share *share)
{
    while (share->late != NULL) {
        struct late *late = share->late;
        share->late = late->next;
        mem_free(&late);
    }
    share->late_end = &share->late;
    share->late_count = 0;
}
