// SPDX-License-Identifier: MIT
//
// What a person decides about what is held: plan shows it, approve lets it go on and signs for it,
// revert takes it back. What was found here is put back like any other need: the index says that
// the disk shows nothing, or something that counts for nothing, and the head comes as it came
// first. What came from others is answered by a change of this device: what is on this disk.
#include <stdlib.h>
#include <string.h>

#include "agent/sync/brake_priv.h"
#include "proto/vv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    ITEMS_PER_TXN = 256,
    BEGIN_MS = 10 * 1000,
    COMING_MS = 60 * 1000,
    LOOK_MS = 100,
    LOOKS_AT_ONCE = 256
};

static void answer(struct folder *folder, uint64_t ticket, enum err err, const char *what,
                   uint64_t changed, uint64_t left)
{
    const struct notify_port *notify = &folder->engine->o.notify;
    const struct decision_result result = {
        .err = err, .what = what, .changed = changed, .left_alone = left};
    if (ticket != 0) notify->decided(notify->context, ticket, &result);
}

static const struct peer_hold *next_hold(struct folder *folder, const struct peer **at)
{
    for (const struct peer *p = *at; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->joined || share->holds[0].changes == 0) continue;
        *at = p->next;
        return &share->holds[0];
    }
    *at = NULL;
    return NULL;
}

// ---- approve

// What a peer says it holds goes as far as is known here: it could name any counter.
static void sign_held(struct folder *folder, struct span span)
{
    uint64_t known = vv_get(folder->k.v, span.inc);
    if (span.to > known) span.to = known;
    if (span.from <= span.to) approvals_sign(folder, span);
}

static uint64_t sign_all(struct folder *folder)
{
    struct arena *arena = folder->engine->scratch;
    struct span *spans = arena_alloc(arena, PROTO_HOLD_SPANS_MAX, sizeof *spans);
    uint32_t count = brake_in_spans(folder, PROTO_HOLD_SPANS_MAX, spans);
    uint64_t changes = brake_in_held(folder);
    txn_begin(folder);
    for (uint32_t i = 0; i < count; i++)
        approvals_sign(folder, spans[i]);
    const struct peer *at = folder->engine->peers;
    for (const struct peer_hold *hold; (hold = next_hold(folder, &at)) != NULL;) {
        if (hold->changes > changes) changes = hold->changes;
        for (uint32_t i = 0; i < hold->span_count; i++)
            sign_held(folder, hold->spans[i]);
    }
    if (txn_end(folder) != ERR_OK) return 0;
    approvals_signed(folder);
    brake_in_forgotten_approved(folder);
    return changes;
}

static uint64_t let_out(struct folder *folder)
{
    struct brake *b = folder->brake;
    uint64_t count = brake_held(folder);
    bool which[WAITS_COUNT];
    if (count == 0) return 0;
    memcpy(which, b->held, sizeof which);
    which[WAITS_AFTER] = which[WAITS_DELETED];
    if (b->approve_from == 0) b->approve_from = folder->row.counter + 1;
    brake_window_forget(folder);
    memset(b->held, 0, sizeof b->held);
    brake_release(folder, which);
    return count;
}

// What a reconciliation would drop at a peer has no dots that anybody could sign for.
static bool can_be_signed(struct folder *folder)
{
    const struct peer *at = folder->engine->peers;
    for (const struct peer_hold *hold; (hold = next_hold(folder, &at)) != NULL;)
        if (hold->span_count > 0) return true;
    return false;
}

static void approve(struct folder *folder, uint64_t ticket)
{
    const struct peer *at = folder->engine->peers;
    bool in = brake_in_held(folder) > 0 || next_hold(folder, &at) != NULL;
    uint64_t changes = in ? sign_all(folder) : 0;
    if (in && changes == 0) {
        answer(folder, ticket, ERR_IO, "the index cannot be written", 0, 0);
        return;
    }
    changes += let_out(folder);
    log_info(LOG_SYNC, "approved", "folder=%s changes=%llu", folder->name,
             (unsigned long long)changes);
    holds_tell(folder);
    engine_changed(folder->engine);
    struct brake *b = folder->brake;
    b->ticket = ticket;
    b->put_back = changes;
    b->not_had = 0;
    b->letting_out = map_count(b->admitted);
    brake_answer_when_there(folder);
}

void brake_not_let_out(struct brake *b)
{
    uint64_t left = b->letting_out;
    b->put_back -= left < b->put_back ? left : b->put_back;
    b->not_had += left;
    b->letting_out = 0;
}

// What was admitted is published, and signed for, with a look at it: before that a restart would
// find it as it was, and hold it again.
static void look_let_out(const struct folder *folder, int64_t now)
{
    struct brake *b = folder->brake;
    size_t left = map_count(b->admitted);
    bool goes_on = left < b->letting_out || (left > 0 && folder->large_look_jobs > 0);
    if (!goes_on || b->letting_out == 0) return;
    b->letting_out = left;
    b->coming_until_ms = now + COMING_MS;
}

// ---- revert: what came from others

static bool keep_ours(struct folder *folder, struct slice path)
{
    struct item item;
    struct arena *arena = folder->engine->scratch;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    bool counts = item.local.state == LOCAL_OK && item.head_count > 0;
    bool forgotten = item.local.state == LOCAL_OBSOLETE; // or it would not be held
    bool ours = (counts || forgotten) && version_live(&item.local.version) &&
                !dirty_has(folder, path) && map_get(folder->busy, path) == NULL;
    if (!ours) return false;
    const struct version *local = &item.local.version;
    struct version v = {.value = local->value, .mtime_ns = local->mtime_ns};
    v.birth.wall_ms = folder->engine->wall_ms;
    v.has_parent = local->value.kind != KIND_DIR;
    v.parent = local->value.content;
    v.parent_mode = local->value.mode;
    return item_mint(folder, &item, &v, vv_join(arena, local->vv, heads_join(arena, &item)), NULL,
                     (struct dots){0});
}

static size_t held_paths(const struct folder *folder, struct arena *arena, struct slice **out)
{
    const struct brake *b = folder->brake;
    struct slice *paths = arena_alloc(arena, map_count(b->incoming) + 1, sizeof *paths);
    size_t count = 0, at = 0;
    struct slice path;
    void *value;
    while (map_next(b->incoming, &at, &path, &value)) {
        if (((const struct incoming *)value)->held) paths[count++] = arena_copy(arena, path);
    }
    *out = paths;
    return count;
}

static bool keep_all_ours(struct folder *folder)
{
    struct brake *b = folder->brake;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths;
    size_t count = held_paths(folder, arena, &paths);
    struct span span = {folder->row.inc, folder->row.counter + 1, 0};
    for (size_t at = 0; at < count;) {
        uint64_t kept = 0, left = 0;
        txn_begin(folder);
        for (size_t i = 0; i < ITEMS_PER_TXN && at < count; i++, at++) {
            bool done = keep_ours(folder, paths[at]);
            kept += done;
            left += !done;
        }
        // It is a person's word, too: nobody needs to hold it.
        span.to = folder->row.counter;
        if (kept > 0) approvals_sign(folder, span);
        if (txn_end(folder) != ERR_OK) return false;
        b->put_back += kept;
        b->not_had += left;
        if (kept > 0) approvals_signed(folder);
        push_all(folder);
        arena_reset(folder->engine->scratch);
    }
    share_due(folder);
    return true;
}

// ---- revert: what was found here

static bool elsewhere_here(struct folder *folder, const struct digest *content)
{
    struct item item = {0};
    for (int i = 0; i < 8; i++) {
        if (!INDEX(folder)->local_by_content(INDEX(folder)->self, folder->engine->scratch,
                                             folder->number, content, item.path, &item))
            return false;
        if (item.local.state == LOCAL_OK && !brake_has(folder, item.path)) return true;
    }
    return false;
}

bool brake_can_be_had(struct folder *folder, const struct value *value)
{
    struct slice file;
    struct content content = value_content(value);
    if (value->kind != KIND_FILE || share_any_joined(folder)) return true;
    return content_staged(folder, &content) || base_has(folder, &content) ||
           elsewhere_here(folder, &value->content) ||
           INDEX(folder)->kept_by_content(INDEX(folder)->self, folder->engine->scratch,
                                          folder->number, &value->content, &file);
}

// The disk shows something that counts for nothing: what the head says is put in its place.
static bool put_back(struct folder *folder, struct slice path)
{
    struct brake *b = folder->brake;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    const struct found *found = map_get(b->found, path);
    bool known = item.local.state == LOCAL_OK || item.local.state == LOCAL_DIRTY;
    if (!known || brake_changing(folder, path) ||
        !brake_can_be_had(folder, &item.local.version.value))
        return false;
    item.local.state = LOCAL_OBSOLETE;
    item.local.version.value = found != NULL ? found->value : (struct value){.kind = KIND_TOMB};
    item.local.print = found != NULL ? found->print : (struct fingerprint){0};
    item.local.racy = found != NULL && found->racy;
    item_save(folder, &item, false, heads_live(&item));
    map_add(b->coming, path);
    return true;
}

static size_t waiting_paths(const struct folder *folder, struct arena *arena, struct slice **out)
{
    const struct brake *b = folder->brake;
    struct slice *paths = arena_alloc(arena, map_count(b->waiting) + 1, sizeof *paths);
    size_t count = 0, at = 0;
    struct slice path;
    void *value;
    while (map_next(b->waiting, &at, &path, &value)) {
        enum unpublished kind = brake_waits_for(folder, path);
        bool mine = kind == WAITS_AFTER ? b->held[WAITS_DELETED] : b->held[kind];
        if (mine) paths[count++] = arena_copy(arena, path);
    }
    qsort(paths, count, sizeof *paths, path_descending);
    *out = paths;
    return count;
}

static bool put_all_back(struct folder *folder)
{
    struct brake *b = folder->brake;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths;
    size_t count = waiting_paths(folder, arena, &paths);
    for (size_t at = 0; at < count;) {
        size_t first = at;
        bool done[ITEMS_PER_TXN];
        txn_begin(folder);
        for (; at < count && at - first < ITEMS_PER_TXN; at++)
            done[at - first] = put_back(folder, paths[at]);
        if (txn_end(folder) != ERR_OK) return false;
        for (size_t i = first; i < at; i++) {
            if (done[i - first])
                (void)brake_leave(folder, paths[i]);
            else
                b->not_had++;
        }
        arena_reset(folder->engine->scratch);
    }
    // What is left is not let go because it is few.
    b->held_all = true;
    return true;
}

static void revert(struct folder *folder)
{
    struct brake *b = folder->brake;
    bool written = keep_all_ours(folder) && put_all_back(folder);
    work_again(folder);
    holds_tell(folder);
    engine_changed(folder->engine);
    if (!written) {
        brake_decided(folder, ERR_IO, "the index cannot be written");
        return;
    }
    log_info(LOG_SYNC, "reverted", "folder=%s changes=%llu not_had=%llu", folder->name,
             (unsigned long long)(b->put_back + map_count(b->coming)),
             (unsigned long long)b->not_had);
    brake_answer_when_there(folder);
}

// ---- from the decision until it is there

bool brake_changing(const struct folder *folder, struct slice path)
{
    return map_get(folder->dirty, path) != NULL || map_get(folder->busy, path) != NULL;
}

static bool any_changing(const struct folder *folder, const struct map *paths)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(paths, &at, &path, &value)) {
        if (brake_changing(folder, path)) return true;
    }
    return false;
}

void brake_decide_soon(struct folder *folder, uint64_t ticket, brake_begin *how)
{
    struct brake *b = folder->brake;
    b->ticket = ticket;
    b->put_back = b->not_had = 0;
    b->begin = how;
    b->begin_until_ms = folder->engine->now_ms + BEGIN_MS;
    b->look_ms = folder->engine->now_ms;
}

// Those that a look found half changed: what is to be done with them nobody knows yet.
static uint64_t unsettled(const struct folder *folder)
{
    uint64_t count = 0;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->dirty, &at, &path, &value)) {
        const struct dirty *dirty = value;
        count += dirty->unpublished && !brake_has(folder, path) && !mode_has(folder, path);
    }
    return count;
}

static bool may_begin(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    return folder->engine->now_ms >= b->begin_until_ms ||
           !(any_changing(folder, b->waiting) || any_changing(folder, b->incoming) ||
             any_changing(folder, folder->changed_here) || unsettled(folder) > 0);
}

static void begin(struct folder *folder)
{
    struct brake *b = folder->brake;
    brake_begin *now = b->begin;
    b->begin = NULL;
    b->not_had = unsettled(folder);
    now(folder);
}

void brake_decided(struct folder *folder, enum err err, const char *what)
{
    struct brake *b = folder->brake;
    brake_not_let_out(b);
    answer(folder, b->ticket, err, what, b->put_back, b->not_had + map_count(b->coming));
    b->ticket = 0;
    size_t at = 0;
    struct slice path;
    for (void *value; map_next(b->coming, &at, &path, &value);)
        (void)map_remove(b->coming, path);
}

void brake_answer_when_there(struct folder *folder)
{
    struct brake *b = folder->brake;
    b->coming_until_ms = folder->engine->now_ms + COMING_MS;
    b->look_ms = folder->engine->now_ms;
}

static bool is_there(struct folder *folder, struct slice path)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    return !item.need;
}

static bool deciding(const struct brake *b)
{
    return b->ticket != 0 || b->begin != NULL || map_count(b->coming) > 0;
}

void brake_decide_tick(struct folder *folder)
{
    struct brake *b = folder->brake;
    int64_t now = folder->engine->now_ms;
    if (!deciding(b) || now < b->look_ms) return;
    b->look_ms = now + LOOK_MS;
    if (b->begin != NULL) {
        if (may_begin(folder)) begin(folder);
        return;
    }
    size_t at = 0;
    uint32_t missing = 0;
    struct slice path;
    void *value;
    while (missing < LOOKS_AT_ONCE && map_next(b->coming, &at, &path, &value)) {
        if (!is_there(folder, path)) {
            missing++;
            continue;
        }
        (void)map_remove(b->coming, path);
        b->put_back++;
        b->coming_until_ms = now + COMING_MS;
    }
    look_let_out(folder, now);
    bool waits = map_count(b->coming) > 0 || b->letting_out > 0;
    if (waits && now < b->coming_until_ms) return;
    brake_decided(folder, ERR_OK, NULL);
}

int64_t brake_decide_deadline(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    return deciding(b) ? b->look_ms : INT64_MAX;
}

void brake_decide(struct folder *folder, uint64_t ticket, bool approves)
{
    const struct peer *at = folder->engine->peers;
    uint64_t here = brake_held(folder) + brake_in_held(folder);
    bool there = next_hold(folder, &at) != NULL;
    if (here == 0 && !(there && approves)) {
        answer(folder, ticket, ERR_DENIED,
               there ? "it is held at a peer: revert it there" : "nothing is held", 0, 0);
    } else if (here == 0 && !can_be_signed(folder)) {
        answer(folder, ticket, ERR_DENIED, "it is held at a peer: approve it there", 0, 0);
    } else if (folder->brake->ticket != 0) {
        answer(folder, ticket, ERR_BUSY, "the decision before is still being carried out", 0, 0);
    } else if (approves) {
        approve(folder, ticket);
    } else {
        brake_decide_soon(folder, ticket, revert);
    }
}

void brake_decide_cancel(struct folder *folder, uint64_t ticket)
{
    struct brake *b = folder->brake;
    if (b->ticket != ticket) return;
    b->ticket = 0;
    b->letting_out = 0;
    b->begin = NULL;
}

void brake_decide_end(struct folder *folder, enum err err, const char *what)
{
    struct brake *b = folder->brake;
    if (!deciding(b)) return;
    b->begin = NULL;
    brake_decided(folder, err, what);
}
