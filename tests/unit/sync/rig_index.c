// SPDX-License-Identifier: MIT
//
// The index of a rig: a real one, of which commits and reads can be made to fail. Its functions
// have no context but the store.
#include "agent/daemon/wire_rooms.h"
#include "tests/unit/sync/rig.h"

static struct {
    uint32_t commits_to_pass, commits_to_fail;
    bool reads_fail, unread;
} hidden;

void rig_fail_commits(uint32_t after, uint32_t count)
{
    hidden.commits_to_pass = after;
    hidden.commits_to_fail = count;
}

bool rig_commits_failed(void)
{
    return hidden.commits_to_fail == 0;
}

void rig_fail_reads(bool fail)
{
    hidden.reads_fail = fail;
    hidden.unread = false;
}

static enum err commit_or_fail(struct store *store)
{
    if (hidden.commits_to_fail == 0) return store_commit(store);
    if (hidden.commits_to_pass > 0) {
        hidden.commits_to_pass--;
        return store_commit(store);
    }
    hidden.commits_to_fail--;
    store_rollback(store);
    return ERR_NO_SPACE;
}

// ---- reads that look as if there was nothing

static bool read_fails(void)
{
    hidden.unread |= hidden.reads_fail;
    return hidden.reads_fail;
}

static bool unread_or_fail(struct store *store)
{
    bool unread = hidden.unread;
    hidden.unread = false;
    return store_unread(store) || unread;
}

static uint32_t dots_or_fail(struct store *store, struct arena *arena, uint32_t folder,
                             uint64_t inc, uint64_t after, uint64_t upto, uint32_t max,
                             struct path_row *out)
{
    return read_fails() ? 0 : store_dots_after(store, arena, folder, inc, after, upto, max, out);
}

static uint32_t items_or_fail(struct store *store, struct arena *arena, uint32_t folder,
                              struct slice prefix, struct slice after, bool from_start,
                              uint32_t max, struct item *out)
{
    return read_fails()
               ? 0
               : store_items_after(store, arena, folder, prefix, after, from_start, max, out);
}

static uint32_t needs_or_fail(struct store *store, uint32_t folder, uint32_t max, uint64_t *out)
{
    return read_fails() ? 0 : store_need_incs(store, folder, max, out);
}

static uint32_t journal_or_fail(struct store *store, struct arena *arena, uint32_t folder,
                                uint32_t max, struct journal_row *out)
{
    return read_fails() ? 0 : store_journal_list(store, arena, folder, max, out);
}

struct index_port rig_index(struct store *store)
{
    struct index_port index = wire_index(store);
    index.commit = commit_or_fail;
    index.unread = unread_or_fail;
    index.dots_after = dots_or_fail;
    index.items_after = items_or_fail;
    index.need_incs = needs_or_fail;
    index.journal_list = journal_or_fail;
    return index;
}
