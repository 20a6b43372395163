// SPDX-License-Identifier: MIT
//
// Forgetting deletions (2.10): a tombstone goes when it is on this disk, old, and on the disk of
// every peer of the folder that this device has. K goes on covering it, and the floor says so to
// whoever comes later. Never by age alone.
#include "agent/base/planted.h"
#include "agent/sync/age_priv.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 256, FIRST_MS = 60 * 1000, LOOK_MS = 3600 * 1000 };

static const int64_t FORGET_MS = INT64_C(30) * 24 * 3600 * 1000;

// What one peer has said, as far as it can be believed about deletions.
struct member {
    const struct bond *bond;
    struct msg_applied blocked;
};

struct members {
    struct member *list;
    uint32_t count;
    bool silent; // one of them has not said all
};

// All deletions are named if the last one named is none, or all items are.
static bool tombs_fit(struct folder *folder, const struct bond *bond,
                      const struct msg_applied *blocked)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    if (bond->blocked_total == blocked->blocked_count) return true;
    if (blocked->blocked_count == 0) return false;
    index->item_get(index->self, folder->engine->scratch, folder->number,
                    blocked->blocked[blocked->blocked_count - 1].path, &item);
    return heads_live(&item);
}

static bool member_read(struct folder *folder, const struct bond *bond, struct member *out)
{
    out->bond = bond;
    return bond_blocked(folder->engine->scratch, bond, &out->blocked) &&
           tombs_fit(folder, bond, &out->blocked);
}

// Who has said all its folders, and never showed this one, does not have it.
static bool is_member(struct folder *folder, const struct peer *peer, const struct bond *bond)
{
    bool has = bond->joined || bond->joining || !peer->folders_said;
    return has && folder_shared_with(folder, peer->device);
}

static void members_read(struct folder *folder, struct members *out)
{
    uint32_t count = 0;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next)
        count++;
    out->list = arena_alloc(folder->engine->scratch, count + 1U, sizeof *out->list);
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct bond *bond = bond_get(folder, p->device);
        if (!is_member(folder, p, bond)) continue;
        if (!member_read(folder, bond, &out->list[out->count++])) out->silent = true;
    }
}

static bool member_has(const struct member *member, const struct version *tomb)
{
    return dots_covered(tomb->dots, member->bond->a.v) &&
           applied_names(&member->blocked, tomb->path) == NULL;
}

static bool is_applied(const struct folder *folder, const struct item *item)
{
    const struct local *local = &item->local;
    return item->head_count == 1 && !version_live(&item->heads[0]) && !item->need &&
           item->blocked == BLOCKED_NONE && local->state == LOCAL_OK &&
           !version_live(&local->version) && dots_equal(local->version.dots, item->heads[0].dots) &&
           map_get(folder->busy, item->path) == NULL && !dirty_has(folder, item->path);
}

static bool may_go(struct folder *folder, const struct item *item, const struct members *members)
{
    if (!is_applied(folder, item) || !vv_le(item->heads[0].vv, folder->k.v)) return false;
    for (uint32_t i = 0; i < members->count && !PLANTED(forget_by_age_only); i++) {
        if (!member_has(&members->list[i], &item->heads[0])) return false;
    }
    return true;
}

static void item_forget(struct folder *folder, struct item *item)
{
    for (uint32_t i = 0; i < item->heads[0].dots.count; i++) {
        struct dot d = item->heads[0].dots.entries[i];
        if (d.inc == folder->row.inc && d.counter > folder->lost_own) folder->lost_own = d.counter;
    }
    item->head_count = 0;
    item->own_last = 0;
    item->local.state = LOCAL_NONE;
    item_save(folder, item, true, false);
}

// One page; false: that was the last one.
static bool page_forget(struct folder *folder, const struct members *members, int64_t before_ms)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PAGE, sizeof *rows);
    uint32_t got = index->tombs_after(index->self, arena, folder->number, before_ms,
                                      folder->forget_after, PAGE, rows);
    struct vv floor = folder->gcfloor.v;
    uint64_t gone = 0;
    for (uint32_t i = 0; i < got; i++) {
        struct item item;
        folder->forget_after = rows[i].counter;
        index->item_get(index->self, arena, folder->number, rows[i].path, &item);
        if (!may_go(folder, &item, members)) continue;
        floor = vv_join(arena, floor, item.heads[0].vv);
        item_forget(folder, &item);
        gone++;
    }
    if (gone > 0) {
        floor_raise(folder, floor);
        log_info(LOG_SYNC, "deletions forgotten", "folder=%s count=%llu", folder->name,
                 (unsigned long long)gone);
    }
    return got == PAGE;
}

static int64_t forget_ms(const struct folder *folder)
{
    int64_t chosen = folder->engine->o.forget_ms;
    return chosen > 0 ? chosen : FORGET_MS;
}

static void next_look(struct folder *folder, bool soon)
{
    int64_t every = forget_ms(folder) < LOOK_MS ? forget_ms(folder) : LOOK_MS;
    folder->forget_at_ms = folder->engine->now_ms + (soon ? 0 : every);
    if (!soon) folder->forget_after = 0;
}

void forget_tick(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct members members = {0};
    int64_t now = folder->engine->now_ms;
    if (folder->forget_at_ms == 0)
        folder->forget_at_ms = now + (forget_ms(folder) < FIRST_MS ? forget_ms(folder) : FIRST_MS);
    if (now < folder->forget_at_ms || !folder->row.scanned) return;
    if (index_unread(folder->engine)) {
        folder->forget_at_ms = now + INDEX_FAILED_MS;
        return;
    }
    int64_t age = age_now(folder->engine);
    members_read(folder, &members);
    txn_begin(folder);
    index->tombs_note(index->self, folder->number, age);
    bool more = !members.silent && page_forget(folder, &members, age - forget_ms(folder));
    bool done = txn_end(folder) == ERR_OK;
    next_look(folder, more && done);
}

int64_t forget_deadline(const struct folder *folder)
{
    if (!folder->row.scanned) return INT64_MAX;
    return folder->forget_at_ms;
}
