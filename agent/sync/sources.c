// SPDX-License-Identifier: MIT
//
// When those who were asked for contents go, come back, or do not answer.
#include "agent/sync/fetch_priv.h"

void fetch_share_gone(struct share *share)
{
    struct folder *folder = share->folder;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->asked == share) {
            bool waiting = t->state == TRANSFER_ASKED;
            t->asked = NULL;
            if (waiting) transfer_list_new(folder, t);
        }
        if (t->large) parts_share_gone(t, share);
    }
    share->wanted_bytes = 0;
}

void fetch_retry_sources(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->state == TRANSFER_LEAVES || t->state == TRANSFER_LIST) t->tried_count = 0;
        if (t->state != TRANSFER_NO_SOURCE) continue;
        t->tried_count = 0;
        t->copy_tried = t->kept_tried = false;
        transfer_list_new(folder, t);
    }
}

void fetch_expire(struct folder *folder)
{
    int64_t old = folder->engine->now_ms - REQUEST_TIMEOUT_MS;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->large) parts_expire(t, old);
        if (t->state == TRANSFER_ASKED && t->asked_ms < old) transfer_not_held(t->asked, t);
        // A content that no item needs any more is not worth waiting for.
        if (t->state == TRANSFER_NO_SOURCE && t->jobs == 0 && folder->needs_done) {
            transfer_free(folder, t);
            folder->needs_done = false;
            folder->needs_cursor_set = false;
        }
    }
}
