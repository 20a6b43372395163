// SPDX-License-Identifier: MIT
//
// Whom to ask for contents; and when those who were asked go, come back, or do not answer.
#include "agent/sync/fetch_priv.h"

// ---- choosing whom to ask

void transfer_note_tried(struct transfer *t, struct device_id device)
{
    if (transfer_tried(t, device) || t->tried_count == sizeof t->tried / sizeof t->tried[0]) return;
    t->tried[t->tried_count++] = device;
}

bool transfer_tried(const struct transfer *t, struct device_id device)
{
    for (uint32_t i = 0; i < t->tried_count; i++) {
        if (device_equal(t->tried[i], device)) return true;
    }
    return false;
}

// A share with room in its window; *out_any: some share could be asked later.
struct share *transfer_source(struct folder *folder, const struct transfer *t, bool *out_any)
{
    struct share *best = NULL;
    *out_any = false;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->joined || transfer_tried(t, p->device)) continue;
        *out_any = true;
        if (share->wanted_bytes >= PROTO_WINDOW_BYTES) continue;
        if (best == NULL || share->wanted_bytes < best->wanted_bytes) best = share;
    }
    return best;
}

bool sources_have_room(const struct folder *folder)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->joined && share->wanted_bytes < PROTO_WINDOW_BYTES) return true;
    }
    return false;
}

// ---- those who go, come back, or do not answer

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

// A large content that makes no progress gives its place to one that waits. Its leaves stay.
static bool idle_for_long(const struct folder *folder, const struct transfer *t)
{
    bool open = t->state == TRANSFER_LIST || t->state == TRANSFER_LEAVES;
    return open && t->jobs == 0 && folder->large_new.first != NULL &&
           folder->engine->now_ms - t->progress_ms >= 2 * REQUEST_TIMEOUT_MS;
}

static bool is_stuck(const struct transfer *t)
{
    if (t->jobs > 0 || t->asked != NULL) return false;
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count; i++) {
        if (t->parts[i].asked != NULL) return false;
    }
    return t->state == TRANSFER_LIST || t->state == TRANSFER_LEAVES;
}

static bool is_content(const struct value *value, const struct content *content)
{
    return value->kind == KIND_FILE && value->size == content->size &&
           digest_equal(value->content, content->id);
}

// Newer versions may have come since it was asked for. Where a file and what is below it clash, the
// contents below are wanted for the file's path.
static bool is_wanted(struct folder *folder, const struct transfer *t)
{
    const struct index_port *index = &folder->engine->o.index;
    for (uint32_t i = 0; i < t->path_count; i++) {
        struct item item;
        bool leaf = false;
        index->item_get(index->self, folder->engine->scratch, folder->number, t->paths[i], &item);
        for (uint32_t k = 0; k < item.head_count; k++) {
            const struct value *value = &item.heads[k].value;
            if (item.need && is_content(value, &t->content)) return true;
            leaf |= value->kind == KIND_FILE || value->kind == KIND_SYMLINK;
        }
        if (leaf && index->live_below(index->self, folder->number, t->paths[i])) return true;
    }
    return false;
}

void fetch_expire(struct folder *folder)
{
    int64_t old = folder->engine->now_ms - REQUEST_TIMEOUT_MS;
    // Needs that found no place among the transfers must come to theirs.
    bool full = map_count(folder->transfers) >= TRANSFERS_MAX;
    bool settled = folder->needs_done || full;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->large) parts_expire(t, old);
        if (idle_for_long(folder, t)) parts_put_off(folder, t);
        if (t->state == TRANSFER_ASKED && t->asked_ms < old) transfer_not_held(t->asked, t);
        if (is_stuck(t) && !is_wanted(folder, t)) {
            folder->large_count--;
            transfer_free(folder, t);
            continue;
        }
        // A content that no item needs any more is not worth waiting for.
        if (t->state == TRANSFER_NO_SOURCE && t->jobs == 0 && settled) {
            transfer_free(folder, t);
            folder->needs_done = false;
        }
    }
}
