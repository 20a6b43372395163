// SPDX-License-Identifier: MIT
//
// What is done with the items of a part that differs. An audit takes what the other has and gives
// what it lacks, whatever K says; what moves although K covered it is a fault of ours, unless a
// life that was rolled back explains it. A reconciliation (2.10) drops what the other has
// forgotten.
#include "agent/sync/ranges_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)
#define DAY_MS        (INT64_C(24) * 3600 * 1000)

enum { ITEMS = PROTO_RANGE_ITEMS_MAX, K_SHOWN = 8 };

// ---- comparing

static bool head_among(struct arena *arena, const struct version *head, struct vv floor,
                       const struct version *list, uint32_t count)
{
    struct dots dots = range_dots(arena, head, floor);
    if (dots.count == 0) return true;
    for (uint32_t i = 0; i < count; i++) {
        if (value_equal(&list[i].value, &head->value) &&
            dots_equal(range_dots(arena, &list[i], floor), dots))
            return true;
    }
    return false;
}

// Those of the message that are of this path.
static uint32_t versions_of(struct arena *arena, const struct versions *all, struct slice path,
                            struct version **out)
{
    uint32_t count = 0;
    *out = arena_alloc(arena, all->count + 1U, sizeof **out);
    for (uint32_t i = 0; i < all->count; i++) {
        if (slice_equal(all->entries[i].path, path)) (*out)[count++] = all->entries[i];
    }
    return count;
}

// A deletion that the other may have forgotten, and that none of what it shows has outlived: it has
// what that deleted again, or still.
static bool ends(const struct version *head, const struct version *list, uint32_t count)
{
    for (uint32_t i = 0; i < count && !version_live(head); i++) {
        if (version_live(&list[i]) && dots_covered(list[i].dots, head->vv)) return true;
    }
    return false;
}

static bool lacks_some(struct audit *audit, const struct item *item, const struct versions *theirs)
{
    struct arena *arena = audit->share->folder->engine->scratch;
    struct version *list;
    uint32_t count = versions_of(arena, theirs, item->path, &list);
    for (uint32_t h = 0; h < item->head_count; h++) {
        const struct version *head = &item->heads[h];
        if (!head_among(arena, head, audit->floor.v, list, count) || ends(head, list, count))
            return true;
    }
    return false;
}

// ---- an audit

static void vector_show(struct vv v, struct buf *out)
{
    for (uint32_t i = 0; i < v.count && i < K_SHOWN; i++)
        buf_printf(out, "%016llx:%llu ", (unsigned long long)v.entries[i].inc,
                   (unsigned long long)v.entries[i].counter);
    if (v.count > K_SHOWN) buf_printf(out, "and %u more", v.count - K_SHOWN);
}

static bool of_rolled_back(struct folder *folder, const struct version *w)
{
    for (uint32_t i = 0; i < w->vv.count; i++) {
        if (rolled_back(folder, w->vv.entries[i].inc)) return true;
    }
    return false;
}

static bool has_or_had(const struct item *item, struct dot dot)
{
    for (uint32_t h = 0; h < item->head_count; h++) {
        if (dots_contain(item->heads[h].dots, dot) || vv_covers(item->heads[h].vv, dot))
            return true;
    }
    return false;
}

// What it changes then is that other dots go, which somebody has superseded; or one of its own was
// superseded here, and what had the same value with it there has not been.
static bool has_its_dots(struct folder *folder, const struct version *w)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, w->path,
                            &item);
    for (uint32_t i = 0; i < w->dots.count; i++) {
        if (!has_or_had(&item, w->dots.entries[i])) return false;
    }
    return true;
}

// It came although K covered it.
static void moved_note(struct audit *audit, const struct version *w, bool collided)
{
    struct folder *folder = audit->share->folder;
    const char *peer = audit->share->session->peer->name;
    char escaped[LOG_ESCAPED_MAX];
    AUTO(buf_fini) struct buf k = {0};
    if (!dots_covered(w->dots, folder->k.v)) return;
    audit->moved++;
    vector_show(folder->k.v, &k);
    if (collided || of_rolled_back(folder, w) || collision_elsewhere(folder, w)) {
        log_warn(LOG_SYNC, "repaired after a rollback", "folder=%s peer=%s path=\"%s\"",
                 folder->name, peer, log_escape(w->path, escaped));
        return;
    }
    log_error(LOG_SYNC, "BUG-K", "folder=%s peer=%s path=\"%s\" dot=%016llx:%llu k=\"%s\"",
              folder->name, peer, log_escape(w->path, escaped),
              (unsigned long long)w->dots.entries[0].inc,
              (unsigned long long)w->dots.entries[0].counter, buf_text(&k));
}

// The maker is to mint it again instead. If it has had its chance, both are kept, as ever.
static bool left_to_maker(struct audit *audit, const struct version *w)
{
    struct share *share = audit->share;
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    int64_t now = share->folder->engine->now_ms;
    bool fresh = bond->left_audit == 0 || now - bond->left_ms >= DAY_MS;
    if (!fresh && bond->left_audit != audit->number) return false;
    if (!collision_of(share->folder, w, share->session->peer->device)) return false;
    bond->left_audit = audit->number;
    bond->left_ms = now;
    return true;
}

static bool ends_head(struct folder *folder, const struct version *w)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, w->path,
                            &item);
    return ends(w, item.heads, item.head_count);
}

// What has come was ended here by a deletion that does not count.
static void end_give(struct audit *audit, const struct version *w)
{
    struct folder *folder = audit->share->folder;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, w->path,
                            &item);
    for (uint32_t h = 0; h < item.head_count; h++) {
        if (!ends(&item.heads[h], w, 1)) continue;
        audit_work_push(audit, &(struct range){.from = item.path}, true);
        audit->given++;
        return;
    }
}

static bool versions_take(struct audit *audit, const struct versions *versions)
{
    struct share *share = audit->share;
    struct folder *folder = share->folder;
    if (versions->count == 0) return true;
    txn_begin(folder);
    for (uint32_t i = 0; i < versions->count; i++) {
        bool changed;
        uint64_t collisions = folder->collisions;
        const struct version *w = &versions->entries[i];
        bool forgotten = range_dots(folder->engine->scratch, w, folder->gcfloor.v).count == 0;
        if (forgotten && !ends_head(folder, w)) continue;
        if (left_to_maker(audit, w)) continue;
        bool there = has_its_dots(folder, w);
        const char *over = ingest_one(folder, w, true, &changed);
        if (over != NULL) {
            ingest_refused(share, over);
            return false;
        }
        if (!changed) end_give(audit, w);
        if (changed && !there) moved_note(audit, w, folder->collisions != collisions);
    }
    folder->row.ever_had_items = true;
    if (txn_end(folder) != ERR_OK) {
        session_end(share->session, BYE_STOPPING, "the index cannot be written");
        return false;
    }
    share_due(folder);
    work_again(folder);
    return true;
}

static void lacking_give(struct audit *audit, const struct range *range,
                         const struct versions *theirs)
{
    struct folder *folder = audit->share->folder;
    struct arena *arena = folder->engine->scratch;
    AUTO(buf_fini) struct buf after = {0};
    struct item *items = arena_alloc(arena, ITEMS, sizeof *items);
    bool begun = false;
    for (uint32_t got = ITEMS; got == ITEMS; begun = true) {
        got = range_items(folder, arena, range->from, range->to, buf_slice(&after), begun, ITEMS,
                          items);
        for (uint32_t i = 0; i < got; i++) {
            if (!lacks_some(audit, &items[i], theirs)) continue;
            audit_work_push(audit, &(struct range){.from = items[i].path}, true);
            audit->given++;
        }
        if (got == 0) break;
        buf_clear(&after);
        buf_append(&after, items[got - 1].path.data, items[got - 1].path.size);
    }
}

// ---- a reconciliation

static bool is_forgotten(struct dot d, struct vv ks, const struct version *theirs, uint32_t count)
{
    bool known = vv_covers(ks, d);
    for (uint32_t i = 0; i < count && known; i++)
        known = !vv_covers(theirs[i].vv, d);
    return known;
}

// What is on disk is one of those that went: it may be replaced by any single head, or removed.
static void local_outdate(struct folder *folder, struct item *item, const struct version *dropped,
                          uint32_t count)
{
    struct local *local = &item->local;
    bool went = false, stays = false;
    if (local->state == LOCAL_NONE) return;
    for (uint32_t i = 0; i < count; i++)
        went |= vv_le(local->version.vv, dropped[i].vv);
    for (uint32_t h = 0; h < item->head_count; h++)
        stays |= vv_le(local->version.vv, item->heads[h].vv);
    if (!went || stays) return;
    item->own_last = 0;
    if (!version_live(&local->version) && item->head_count == 0) {
        local->state = LOCAL_NONE;
        return;
    }
    if (local->state == LOCAL_DIRTY) dirty_mark(folder, item->path, 0, true);
    local->state = LOCAL_OBSOLETE;
}

// True: something of it was dropped, which `out_dropped` covers then.
static bool item_reconcile(struct folder *folder, struct item *item, struct vv ks,
                           const struct version *theirs, uint32_t count, struct vv *out_dropped)
{
    struct arena *arena = folder->engine->scratch;
    struct version *rest = arena_alloc(arena, item->head_count + 1U, sizeof *rest);
    struct version *dropped = arena_alloc(arena, item->head_count + 1U, sizeof *dropped);
    uint32_t rest_count = 0, dropped_count = 0;
    bool any = false, was_live = heads_live(item);
    for (uint32_t h = 0; h < item->head_count; h++) {
        const struct version *head = &item->heads[h];
        struct dots left = {.entries = arena_alloc(arena, head->dots.count, sizeof(struct dot))};
        for (uint32_t i = 0; i < head->dots.count; i++) {
            struct dot d = head->dots.entries[i];
            bool gone = is_forgotten(d, ks, theirs, count);
            if (gone && d.inc == folder->row.inc && d.counter > folder->lost_own)
                folder->lost_own = d.counter;
            if (!gone) left.entries[left.count++] = d;
            if (gone && !vv_covers(*out_dropped, d)) *out_dropped = vv_with(arena, *out_dropped, d);
            any |= gone;
        }
        if (left.count == 0) {
            if (!vv_le(head->vv, *out_dropped))
                *out_dropped = vv_join(arena, *out_dropped, head->vv);
            dropped[dropped_count++] = *head;
            continue;
        }
        rest[rest_count] = *head;
        rest[rest_count++].dots = left;
    }
    if (!any) return false;
    item->heads = rest;
    item->head_count = rest_count;
    local_outdate(folder, item, dropped, dropped_count);
    item_save(folder, item, true, was_live);
    return true;
}

static bool range_reconcile(struct audit *audit, const struct range *range,
                            const struct versions *theirs)
{
    struct share *share = audit->share;
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct item items[ITEMS];
    AUTO(buf_fini) struct buf after = {0};
    struct vv dropped = {0};
    bool begun = false;
    txn_begin(folder);
    for (uint32_t got = ITEMS; got == ITEMS; begun = true) {
        got = range_items(folder, arena, range->from, range->to, buf_slice(&after), begun, ITEMS,
                          items);
        if (got == 0) break;
        buf_clear(&after);
        buf_append(&after, items[got - 1].path.data, items[got - 1].path.size);
        for (uint32_t i = 0; i < got; i++) {
            struct version *list;
            uint32_t count = versions_of(arena, theirs, items[i].path, &list);
            audit->moved +=
                item_reconcile(folder, &items[i], share->pulling.done_k.v, list, count, &dropped);
        }
    }
    pull_dropped(share, dropped);
    if (txn_end(folder) == ERR_OK) {
        work_again(folder);
        return true;
    }
    session_end(share->session, BYE_STOPPING, "the index cannot be written");
    return false;
}

bool audit_take(struct audit *audit, const struct msg_ranges *m)
{
    struct share *share = audit->share;
    if (!versions_bounded(share, &m->versions)) return false;
    if (audit->reconcile && !audit->asker) return true; // it only answers
    for (uint32_t i = 0; i < m->range_count; i++) {
        const struct range *range = &m->ranges[i];
        if (range->what != RANGE_ITEMS) continue;
        if (!audit->reconcile)
            lacking_give(audit, range, &m->versions);
        else if (!range_reconcile(audit, range, &m->versions))
            return false;
    }
    return audit->reconcile || versions_take(audit, &m->versions);
}
