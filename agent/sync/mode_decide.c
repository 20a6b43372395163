// SPDX-License-Identifier: MIT
//
// folder override: what is here wins everywhere, as ordinary versions that cover all that is known.
// folder reset: what only this device has changed goes. The disk's content counts for nothing then,
// and what is known is put in its place like anything else that is missing; what it replaces is
// kept.
#include <stdlib.h>

#include "agent/sync/brake_priv.h"
#include "agent/sync/mode_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { ITEMS_PER_TXN = 256 };

static void answer(struct folder *folder, uint64_t ticket, enum err err, const char *what,
                   uint64_t changed, uint64_t left)
{
    const struct notify_port *notify = &folder->engine->o.notify;
    const struct decision_result result = {
        .err = err, .what = what, .changed = changed, .left_alone = left};
    notify->decided(notify->context, ticket, &result);
}

// ---- override

// What it descends from on this disk is looked at again, and published as it is then.
static void publish_again(struct folder *folder, struct item *item)
{
    item->local.state = LOCAL_NONE;
    item->blocked = BLOCKED_NONE;
    item_save(folder, item, false, false);
    dirty_mark(folder, item->path, 0, true);
}

// By a rule, or for looking like a secret: that it is not here says nothing.
static bool is_left_out(struct folder *folder, const struct item *item, bool here)
{
    const struct value *value = here ? &item->local.version.value : &item->heads[0].value;
    enum left_out verdict = left_out(folder, item->path, value->kind == KIND_DIR);
    return verdict == LEFT_OUT_BY_RULE || (verdict == LEFT_OUT_AS_SECRET && !here);
}

static bool win(struct folder *folder, struct slice path)
{
    struct arena *arena = folder->engine->scratch;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    const struct local *local = &item.local;
    if (dirty_has(folder, path) || map_get(folder->busy, path) != NULL ||
        local->state == LOCAL_DIRTY)
        return false;
    if (item.head_count == 0) {
        publish_again(folder, &item);
        return true;
    }
    bool here = item_local_shown(&item) && !local_implied(&item);
    if (is_left_out(folder, &item, here)) return false;
    if (!here && INDEX(folder)->local_below(INDEX(folder)->self, folder->number, path))
        return false; // it lives by what is in it
    struct version v = {.value = {.kind = KIND_TOMB}};
    if (here)
        v = (struct version){.value = local->version.value, .mtime_ns = local->version.mtime_ns};
    v.birth.wall_ms = folder->engine->wall_ms;
    v.has_parent = here && local->version.value.kind != KIND_DIR;
    v.parent = local->version.value.content;
    v.parent_mode = local->version.value.mode;
    struct vv seen = heads_join(arena, &item);
    if (local->state != LOCAL_NONE) seen = vv_join(arena, seen, local->version.vv);
    return item_mint(folder, &item, &v, seen, NULL, (struct dots){0});
}

static void override(struct folder *folder, uint64_t ticket)
{
    const struct index_port *index = INDEX(folder);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t total = folder->row.blocked < UINT32_MAX ? (uint32_t)folder->row.blocked : UINT32_MAX;
    struct slice *paths = arena_alloc(arena, total + 1U, sizeof *paths);
    uint64_t changed = 0, left = 0;
    struct span span = {folder->row.inc, folder->row.counter + 1, 0};
    uint32_t count =
        index->blocked(index->self, arena, folder->number, BLOCKED_SEND_ONLY, 0, total, paths);
    for (uint32_t at = 0; at < count;) {
        uint64_t done = 0;
        txn_begin(folder);
        for (uint32_t i = 0; i < ITEMS_PER_TXN && at < count; i++)
            done += win(folder, paths[at++]);
        left += done;
        // It is a person's word: nobody needs to hold it.
        span.to = folder->row.counter;
        if (span.to >= span.from) approvals_sign(folder, span);
        if (txn_end(folder) != ERR_OK) {
            answer(folder, ticket, ERR_IO, "the index cannot be written", changed, 0);
            return;
        }
        if (span.to >= span.from) approvals_signed(folder);
        changed += done;
        push_all(folder);
        arena_reset(folder->engine->scratch);
    }
    share_due(folder);
    work_again(folder);
    log_info(LOG_SYNC, "overridden", "folder=%s changes=%llu", folder->name,
             (unsigned long long)changed);
    answer(folder, ticket, ERR_OK, NULL, changed, count - left);
}

// ---- reset

static bool put_back(struct folder *folder, struct slice path)
{
    const struct found_here *found = map_get(folder->changed_here, path);
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    if (found == NULL || brake_changing(folder, path)) return false;
    if (item.head_count > 0 && !brake_can_be_had(folder, &item.heads[0].value)) return false;
    if (item.local.state == LOCAL_NONE)
        item.local.version = version_of_nothing(folder->engine->scratch, path);
    item.local.state = LOCAL_OBSOLETE;
    item.local.version.value = found->value;
    item.local.version.mtime_ns = found->mtime_ns;
    item.local.print = found->print;
    item.local.racy = found->racy;
    item.blocked = BLOCKED_NONE;
    item_save(folder, &item, false, heads_live(&item));
    map_add(folder->brake->coming, path);
    return true;
}

static void reset(struct folder *folder)
{
    struct brake *b = folder->brake;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths = arena_alloc(arena, map_count(folder->changed_here) + 1, sizeof *paths);
    size_t count = 0, at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->changed_here, &at, &path, &value))
        paths[count++] = arena_copy(arena, path);
    qsort(paths, count, sizeof *paths, path_descending);
    for (at = 0; at < count;) {
        size_t first = at;
        bool done[ITEMS_PER_TXN];
        txn_begin(folder);
        for (; at < count && at - first < ITEMS_PER_TXN; at++)
            done[at - first] = put_back(folder, paths[at]);
        if (txn_end(folder) != ERR_OK) {
            brake_decided(folder, ERR_IO, "the index cannot be written");
            return;
        }
        for (size_t i = first; i < at; i++) {
            if (done[i - first])
                (void)mode_leave(folder, paths[i]);
            else
                b->not_had++;
        }
        arena_reset(folder->engine->scratch);
    }
    log_info(LOG_SYNC, "reset", "folder=%s changes=%zu not_had=%llu", folder->name, count,
             (unsigned long long)b->not_had);
    work_again(folder);
    brake_answer_when_there(folder);
}

// ---- both

void mode_decide(struct folder *folder, uint64_t ticket, enum decision_kind kind)
{
    bool wins = kind == DECIDE_OVERRIDE;
    if (folder->mode != (wins ? MODE_SEND_ONLY : MODE_RECEIVE_ONLY)) {
        answer(folder, ticket, ERR_DENIED,
               wins ? "the folder is not send-only" : "the folder is not receive-only", 0, 0);
    } else if (folder->brake->ticket != 0) {
        answer(folder, ticket, ERR_BUSY, "the decision before is still being carried out", 0, 0);
    } else if (wins) {
        override(folder, ticket);
    } else {
        brake_decide_soon(folder, ticket, reset);
    }
}

// Why a folder that only receives cannot make what a person wants; NULL: it can.
const char *mode_refuses(const struct folder *folder, enum decision_kind kind)
{
    bool published = kind != DECIDE_APPROVE && kind != DECIDE_OVERRIDE && kind != DECIDE_RESET;
    if (folder->mode != MODE_RECEIVE_ONLY || !published) return NULL;
    return "the folder is receive-only: decide on another device";
}
