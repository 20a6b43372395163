// SPDX-License-Identifier: MIT
//
// The index cannot be read. Whoever went on would tell peers that what it did not see is not there:
// they take its K for theirs, and never ask for the rest. So every session ends, and none begins
// until what is kept in memory of the index was read once more.
#include "agent/sync/engine_priv.h"

bool index_unread(struct engine *engine)
{
    const struct index_port *index = &engine->o.index;
    if (!index->unread(index->self)) return engine->unread;
    if (!engine->unread) log_error(LOG_SYNC, "index not read", "again_ms=%d", INDEX_FAILED_MS);
    engine->unread = true;
    engine->unread_ms = engine->now_ms;
    for (struct folder *f = engine->folders; f != NULL; f = f->next)
        f->index_failed_ms = engine->now_ms;
    engine_changed(engine);
    return true;
}

void unread_settle(struct engine *engine)
{
    if (!index_unread(engine)) return;
    while (engine->sessions != NULL)
        session_end(engine->sessions, BYE_STOPPING, "the index cannot be read");
}

void unread_tick(struct engine *engine)
{
    if (!engine->unread || engine->now_ms < engine->unread_ms + INDEX_FAILED_MS) return;
    engine->unread = false;
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!f->gone) folder_reload(f);
    }
    if (index_unread(engine)) return;
    log_info(LOG_SYNC, "index read again", "after_ms=%d", INDEX_FAILED_MS);
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!folder_usable(f)) continue;
        scan_start(f);
        work_again(f);
    }
}

int64_t unread_deadline(const struct engine *engine)
{
    if (!engine->unread) return INT64_MAX;
    return engine->sessions != NULL ? 0 : engine->unread_ms + INDEX_FAILED_MS;
}
