// SPDX-License-Identifier: MIT
//
// Whom to ask for contents; and when those who were asked go, come back, or do not answer.
#include <string.h>

#include "agent/sync/fetch_priv.h"

enum {
    RETIRED_MS = 3000,
    IDLE_MS = 20 * 1000,
    SLOW_MS = 120 * 1000,
    SILENT_MS = 30 * 1000,
    SILENCES_MAX = 5,
    VAIN_MS = 60 * 1000 // nothing of a large content came, and everybody has said that he has none
};

// ---- choosing whom to ask

void transfer_note_tried(struct transfer *t, struct device_id device)
{
    if (transfer_tried(t, device)) return;
    if (t->tried_count == t->tried_capacity) {
        uint32_t capacity = 2 * t->tried_capacity + 4;
        struct device_id *more = arena_alloc(t->arena, capacity, sizeof *more);
        if (t->tried_count > 0) memcpy(more, t->tried, t->tried_count * sizeof *more);
        t->tried = more;
        t->tried_capacity = capacity;
    }
    t->tried[t->tried_count++] = device;
}

void transfer_wrong(struct transfer *t, const struct peer *peer, const char *what)
{
    log_warn(LOG_SYNC, what, "folder=%s peer=%s", t->folder->name, peer->name);
    transfer_note_tried(t, peer->device);
}

bool transfer_tried(const struct transfer *t, struct device_id device)
{
    for (uint32_t i = 0; i < t->tried_count; i++) {
        if (device_equal(t->tried[i], device)) return true;
    }
    return false;
}

static bool can_be_asked(const struct share *share)
{
    return share->joined && share->folder->engine->now_ms >= share->silent_until_ms;
}

// Who lets a request go unanswered is asked less and less: what waits for it holds a place that
// what others have may need.
void source_is_silent(struct share *share)
{
    int64_t now = share->folder->engine->now_ms;
    if (now < share->silent_until_ms) return;
    uint32_t times = share->silences < SILENCES_MAX ? share->silences : SILENCES_MAX;
    share->silences++;
    share->silent_until_ms = now + ((int64_t)SILENT_MS << times);
    log_warn(LOG_SYNC, "no answer to a request", "folder=%s peer=%s", share->folder->name,
             share->session->peer->name);
}

void source_answers(struct share *share)
{
    share->silences = 0;
    share->silent_until_ms = 0;
}

static bool has_room(const struct share *share)
{
    struct engine *engine = share->folder->engine;
    return share->wanted_bytes < PROTO_WINDOW_BYTES &&
           rate_allows(engine, &engine->down, share->session);
}

// A share with room in its window; *out_any: some share could be asked later.
struct share *transfer_source_with(struct folder *folder, const struct transfer *t,
                                   uint64_t features, bool *out_any)
{
    struct share *best = NULL;
    *out_any = false;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !can_be_asked(share) || transfer_tried(t, p->device)) continue;
        if ((share->session->features & features) != features) continue;
        *out_any = true;
        if (!has_room(share)) continue;
        if (best == NULL || share->wanted_bytes < best->wanted_bytes) best = share;
    }
    return best;
}

struct share *transfer_source(struct folder *folder, const struct transfer *t, bool *out_any)
{
    return transfer_source_with(folder, t, 0, out_any);
}

bool sources_have_room(const struct folder *folder)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && can_be_asked(share) && has_room(share)) return true;
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

// What was asked for in a session that is used no more still comes, unless the other side had left
// it before it heard the request.
void fetch_share_retired(struct share *share)
{
    struct folder *folder = share->folder;
    int64_t late = folder->engine->now_ms - REQUEST_TIMEOUT_MS + RETIRED_MS;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        bool waits = t->asked == share && t->state == TRANSFER_ASKED;
        if (waits && t->asked_ms > late) t->asked_ms = late;
    }
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
        t->copy_tried = t->kept_tried = t->stored_tried = false;
        transfer_list_new(folder, t);
    }
}

void fetch_source_came(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        t->not_before_ms = 0;
        t->put_offs = 0;
        t->tried_count = 0; // what was refused before may be there now
    }
    fetch_retry_sources(folder);
}

// A large content that makes no progress gives its place to one that waits. Its leaves stay.
static bool idle_for_long(struct folder *folder, const struct transfer *t)
{
    bool open =
        t->state == TRANSFER_LIST || t->state == TRANSFER_LEAVES || t->state == TRANSFER_DELTA;
    int64_t now = folder->engine->now_ms;
    bool any = true;
    bool idle = now - t->chunk_ms >= IDLE_MS || now - t->progress_ms >= SLOW_MS;
    if (open && !idle && !parts_asked(t)) idle = transfer_source(folder, t, &any) == NULL && !any;
    return open && idle && t->jobs == 0 && folder->large_new.first != NULL;
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
            leaf |= value_is_leaf(value);
        }
        if (leaf && index->live_below(index->self, folder->number, t->paths[i])) return true;
    }
    return false;
}

void fetch_expire(struct folder *folder)
{
    int64_t now = folder->engine->now_ms, old = now - REQUEST_TIMEOUT_MS;
    // Needs that found no place among the transfers must come to theirs.
    bool full = map_count(folder->transfers) >= TRANSFERS_MAX;
    bool settled = folder->needs_done || full;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->large) parts_expire(t, old);
        if (t->state == TRANSFER_ASKED && t->asked_ms < old) {
            source_is_silent(t->asked);
            transfer_not_held(t->asked, t);
        }
        if (is_stuck(t) && !is_wanted(folder, t)) {
            if (t->more_paths) work_again(folder);
            folder->large_count--;
            staged_set(folder, &t->content, STAGED_PERHAPS); // what there is of it goes
            transfer_free(folder, t);
            continue;
        }
        if (idle_for_long(folder, t)) parts_put_off(folder, t);
        if (t->large && now - t->progress_ms >= VAIN_MS && transfer_refused_by_all(folder, t))
            emptied_review(folder, t->paths, t->path_count, t->kept_gone);
        // A content that no item needs any more is not worth waiting for.
        if (t->state == TRANSFER_NO_SOURCE && t->jobs == 0 && settled) {
            if (transfer_refused_by_all(folder, t))
                emptied_review(folder, t->paths, t->path_count, t->kept_gone);
            if (t->large) staged_set(folder, &t->content, STAGED_PERHAPS);
            transfer_free(folder, t);
            folder->needs_done = false;
        }
    }
}
