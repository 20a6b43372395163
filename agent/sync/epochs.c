// SPDX-License-Identifier: MIT
//
// Two histories of one incarnation. A device that was restored whole from a copy, index and files,
// counts on from where the copy was made and reaches the same numbers again, for other things. A
// mark therefore says from where on one process has published, its epoch: of our own we know all,
// and of the marks of others no two epochs may have a counter in common. Whoever meets two such
// marks passes both on until they reach their owner, who begins a new life (2.9).
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// ---- our own

static void epochs_clear(struct epochs *epochs, uint64_t inc)
{
    epochs->inc = inc;
    epochs->count = 0;
}

// The record is the incarnation and then the entries as they are in memory.
void epochs_load(struct folder *folder)
{
    struct epochs *epochs = &folder->epochs;
    struct slice record;
    epochs_clear(epochs, folder->row.inc);
    if (!record_get(folder, "epochs", &record) || record.size < sizeof epochs->inc) return;
    if (memcmp(record.data, &folder->row.inc, sizeof epochs->inc) != 0) return;
    size_t bytes = record.size - sizeof epochs->inc;
    if (bytes > sizeof epochs->entries || bytes % sizeof epochs->entries[0] != 0) return;
    memcpy(epochs->entries, record.data + sizeof epochs->inc, bytes);
    epochs->count = (uint32_t)(bytes / sizeof epochs->entries[0]);
}

static void epochs_put(struct folder *folder)
{
    const struct epochs *epochs = &folder->epochs;
    AUTO(buf_fini) struct buf record = {0};
    buf_append(&record, &epochs->inc, sizeof epochs->inc);
    buf_append(&record, epochs->entries, epochs->count * sizeof epochs->entries[0]);
    record_put(folder, "epochs", buf_slice(&record));
}

void epoch_begin(struct folder *folder)
{
    struct epochs *epochs = &folder->epochs;
    struct mark before = {.counter = 0};
    if (epochs->inc != folder->row.inc) epochs_clear(epochs, folder->row.inc);
    uint32_t count = epochs->count;
    if (count > 0 && epochs->entries[count - 1].number == folder->engine->boot) return;
    (void)INDEX(folder)->mark_get(INDEX(folder)->self, folder->number, folder->row.inc, &before);
    if (count == EPOCHS_MAX) { // those of long ago are not compared any more
        memmove(epochs->entries, epochs->entries + 1, (EPOCHS_MAX - 1) * sizeof *epochs->entries);
        epochs->count--;
    }
    epochs->entries[epochs->count++] = (struct epoch){before.counter + 1, folder->engine->boot};
    epochs_put(folder);
}

static const struct epoch *epoch_of(const struct folder *folder, struct dot own)
{
    const struct epochs *epochs = &folder->epochs;
    uint32_t i = epochs->inc == own.inc ? epochs->count : 0;
    while (i > 0 && epochs->entries[i - 1].first > own.counter)
        i--;
    return i > 0 ? &epochs->entries[i - 1] : NULL;
}

struct mark own_mark(const struct folder *folder, struct dot own)
{
    const struct key_port *keys = &folder->engine->o.keys;
    const struct epoch *epoch = epoch_of(folder, own);
    struct mark mark = {.inc = own.inc, .counter = own.counter, .first = own.counter};
    if (epoch != NULL) {
        mark.first = epoch->first;
        mark.epoch = epoch->number;
    }
    keys->sign(keys->self, folder->row.id, &mark);
    return mark;
}

enum err own_mark_renew(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct mark mark;
    if (folder->row.counter == 0 ||
        index->mark_get(index->self, folder->number, folder->row.inc, &mark))
        return ERR_OK;
    txn_begin(folder);
    folder->minted = true;
    return txn_end(folder);
}

bool own_epoch(const struct folder *folder, const struct mark *mark)
{
    const struct epoch *epoch = epoch_of(folder, (struct dot){mark->inc, mark->counter});
    // Of long ago, or of before there were epochs: nothing to compare.
    return mark->epoch == 0 || epoch == NULL || mark->epoch == epoch->number;
}

// What is above was published by a process that has never seen the copy, or the other way round.
uint64_t own_sound(const struct folder *folder, const struct mark *mark)
{
    const struct epochs *epochs = &folder->epochs;
    for (uint32_t i = 0; i + 1 < epochs->count; i++) {
        if (epochs->entries[i].number == mark->epoch) return epochs->entries[i + 1].first - 1;
    }
    const struct epoch *epoch = epoch_of(folder, (struct dot){mark->inc, mark->first});
    bool ours = mark->first <= folder->row.counter && epoch != NULL;
    return ours && epoch->number != mark->epoch ? epoch->first - 1 : UINT64_MAX;
}

// ---- of others

bool marks_fork(const struct mark *a, const struct mark *b)
{
    return a->inc == b->inc && a->epoch != b->epoch && a->epoch != 0 && b->epoch != 0 &&
           a->first <= b->counter && b->first <= a->counter;
}

void forks_load(struct folder *folder)
{
    struct slice record;
    folder->fork_count = 0;
    if (!record_get(folder, "forks", &record) || record.size > sizeof folder->forks ||
        record.size % sizeof folder->forks[0] != 0)
        return;
    memcpy(folder->forks, record.data, record.size);
    folder->fork_count = (uint32_t)(record.size / sizeof folder->forks[0]);
}

static void forks_put(struct folder *folder)
{
    record_put(folder, "forks",
               slice_of(folder->forks, folder->fork_count * sizeof folder->forks[0]));
}

// Both of each: nobody knows which of them the other has.
void forks_show(struct share *share)
{
    struct folder *folder = share->folder;
    struct mark both[2 * FORKS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < folder->fork_count; i++) {
        struct dot d = {folder->forks[i].inc, 1};
        owners_show(share, (struct vv){.entries = &d, .count = 1});
        both[count++] = folder->forks[i];
        count += mark_held(folder, d.inc, &both[count]);
    }
    if (count == 0) return;
    struct message m = {.kind = MSG_NEWS, .news = {.folder = folder->row.id}};
    m.news.marks = (struct marks){.entries = both, .count = count};
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static bool fork_is_known(const struct folder *folder, uint64_t inc)
{
    for (uint32_t i = 0; i < folder->fork_count; i++) {
        if (folder->forks[i].inc == inc) return true;
    }
    return false;
}

void fork_note(struct folder *folder, const struct mark *mark)
{
    if (fork_is_known(folder, mark->inc) || folder->fork_count == FORKS_MAX ||
        rolled_back(folder, mark->inc))
        return;
    log_warn(LOG_SYNC, "two histories of an incarnation", "folder=%s inc=%016llx", folder->name,
             (unsigned long long)mark->inc);
    folder->forks[folder->fork_count++] = *mark;
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->offer_sent) forks_show(share);
    }
    txn_begin(folder);
    forks_put(folder);
    if (txn_end(folder) != ERR_OK) log_warn(LOG_SYNC, "not noted", "folder=%s", folder->name);
}

void forks_clear(struct folder *folder)
{
    if (folder->fork_count == 0) return;
    folder->fork_count = 0;
    forks_put(folder);
}

void forks_drop(struct folder *folder, uint64_t inc)
{
    for (uint32_t i = folder->fork_count; i-- > 0;) {
        if (folder->forks[i].inc != inc) continue;
        folder->forks[i] = folder->forks[--folder->fork_count];
        forks_put(folder);
    }
}
