// SPDX-License-Identifier: MIT
//
// A folder that has taken another's id, by itself or because a person accepted it, and the way
// back. What the join brings here is one batch. As long as no later one has come, `undo` is not an
// ordinary change, which would reach the others: the folder first says and hears nothing any more,
// then the disk is put back by the same steps as ever, and then a life begins under the id of
// before. All of it goes on after a crash.
#include <string.h>

#include "agent/core/index.h"
#include "agent/sync/decide_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { REST_MS = 2000, RECORD_BYTES = 17, IS_OTHERS = 1, IS_LEAVING = 2 };

void join_put(struct folder *folder)
{
    const struct join *join = &folder->join;
    uint8_t record[RECORD_BYTES];
    memcpy(record, join->left.bytes, sizeof join->left.bytes);
    record[RECORD_BYTES - 1] =
        (uint8_t)((join->others ? IS_OTHERS : 0) | (join->leaving ? IS_LEAVING : 0));
    record_put(folder, "join", slice_of(record, join->known ? sizeof record : 0));
}

void join_load(struct folder *folder)
{
    struct slice record;
    folder->join = (struct join){0};
    if (!record_get(folder, "join", &record) || record.size != RECORD_BYTES) return;
    struct join *join = &folder->join;
    uint8_t flags = record.data[RECORD_BYTES - 1];
    memcpy(join->left.bytes, record.data, sizeof join->left.bytes);
    join->others = (flags & IS_OTHERS) != 0;
    // Else the life under the other id never began, or is over.
    join->known = !folder_id_equal(join->left, folder->row.id);
    join->leaving = join->known && (flags & IS_LEAVING) != 0;
}

// What it is to be from the life on that begins next: folder_start_life writes it.
void join_begin(struct folder *folder, const struct turn *turn)
{
    // Other incarnations than its own: the life that ends was not this device's alone.
    folder->join = (struct join){.others = folder->owner_count > 1, .left = folder->row.id};
    folder->join.known = turn->has_items && !turn->left;
}

bool join_leaving(const struct folder *folder)
{
    return folder->join.leaving;
}

bool join_ending(const struct folder *folder)
{
    return folder->join.leaving && !folder->join.restoring;
}

// ---- how long it lasts

static bool in_step(const struct share *share)
{
    const struct folder *folder = share->folder;
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    return !share->pulling.active && vv_le(share->said_k.v, folder->k.v) &&
           vv_le(folder->k.v, bond->a.v);
}

bool folder_at_rest(struct folder *folder)
{
    bool any = false;
    if (!folder->row.scanned || folder->scan.active || folder->row.needs > 0) return false;
    if (folder->apply_jobs > 0 || folder->resolve_jobs > 0) return false;
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->joined) continue;
        if (!in_step(share)) return false;
        any = true;
    }
    return any;
}

// Whether what is applied now belongs to the batch of the join; if not, that is over. Inside a
// transaction.
bool join_takes(struct folder *folder)
{
    struct join *join = &folder->join;
    if (!join->known) return false;
    bool over = join->rest_ms != 0 && folder->engine->now_ms - join->rest_ms > REST_MS;
    join->rest_ms = 0;
    if (!over && join_undoable(folder)) return true;
    join->known = false;
    folder->batch = 0;
    join_put(folder);
    return false;
}

// What a person decides is a batch of its own.
void join_close(struct folder *folder)
{
    if (!folder->join.known) return;
    folder->join.known = false;
    txn_begin(folder);
    join_put(folder);
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "end of a join not noted", "folder=%s", folder->name);
}

// The numbers say it, too, should the record be older than they are.
bool join_undoable(const struct folder *folder)
{
    return folder->join.known &&
           INDEX(folder)->kept_batch_last(INDEX(folder)->self, folder->number) <= JOIN_BATCH;
}

// ---- the way back

enum err join_undo(struct folder *folder, uint64_t ticket)
{
    struct join before = folder->join;
    folder->join.leaving = true;
    folder->join.ticket = ticket;
    txn_begin(folder);
    join_put(folder);
    if (txn_end(folder) != ERR_OK) {
        folder->join = before;
        return ERR_IO;
    }
    log_info(LOG_SYNC, "join is taken back", "folder=%s", folder->name);
    shares_pause(folder);
    map_clear(folder->step_paths); // what was ready to be put in place and has not begun
    folder->apply_stale = true;    // nor has what was to follow
    return ERR_OK;
}

void join_cancel(struct folder *folder, uint64_t ticket)
{
    if (folder->join.ticket == ticket) folder->join.ticket = 0;
}

// Steps that were under way have ended: what they did is to be taken back, too.
static bool may_restore(const struct folder *folder)
{
    const struct join *join = &folder->join;
    return join->leaving && !join->restoring && folder_usable(folder) && folder->row.scanned &&
           folder->jobs == 0 && folder->decides == NULL;
}

void join_tick(struct folder *folder)
{
    struct join *join = &folder->join;
    if (may_restore(folder)) {
        fetch_clear(folder);
        join->restoring = true;
        decide_leave(folder, join->ticket);
    }
    if (!join->known || join->leaving || join->rest_ms != 0 || !folder_usable(folder)) return;
    if (folder_at_rest(folder)) join->rest_ms = folder->engine->now_ms;
}

int64_t join_deadline(const struct folder *folder)
{
    return may_restore(folder) ? 0 : INT64_MAX;
}

// The disk is as it was, as far as it can be.
void join_restored(struct folder *folder)
{
    folder->turn =
        (struct turn){.wanted = true, .left = true, .id = folder->join.left, .has_items = true};
    folder_turn(folder);
}
