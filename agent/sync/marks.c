// SPDX-License-Identifier: MIT
//
// Marks: no counter is believed that its owner has not signed for. Without them one lie of 2^63 - 1
// would enter every K for ever.
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { OWNERS_PER_MESSAGE = 256 };

// Highest marked counter of an incarnation; 0: none.
static uint64_t marked(struct folder *folder, uint64_t inc)
{
    const struct index_port *index = INDEX(folder);
    if (inc == folder->row.inc) return folder->row.counter;
    uint64_t known = vv_get(folder->marks.v, inc);
    struct mark mark;
    if (known > 0 || !index->mark_get(index->self, folder->number, inc, &mark)) return known;
    struct vv raised =
        vv_with(folder->engine->scratch, folder->marks.v, (struct dot){inc, mark.counter});
    vvbox_set(&folder->marks, raised);
    return mark.counter;
}

struct vv versions_vv(struct arena *arena, const struct versions *versions, struct vv also)
{
    struct vv all = also;
    for (uint32_t i = 0; i < versions->count; i++)
        all = vv_join(arena, all, versions->entries[i].vv);
    return all;
}

void owners_show(struct share *share, struct vv vv)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct owner *owners = arena_alloc(arena, OWNERS_PER_MESSAGE, sizeof *owners);
    struct vv shown = share->owners_shown.v;
    uint32_t count = 0;
    for (uint32_t i = 0; i < vv.count; i++) {
        uint64_t inc = vv.entries[i].inc;
        if (vv_get(shown, inc) != 0) continue;
        if (!index->owner_get(index->self, arena, folder->number, inc, &owners[count])) continue;
        shown = vv_with(arena, shown, (struct dot){inc, 1});
        count++;
        if (count < OWNERS_PER_MESSAGE && i + 1 < vv.count) continue;
        struct message m = {.kind = MSG_OWNERS,
                            .owners = {.folder = folder->row.id, .owners = owners, .count = count}};
        (void)session_send(share->session, LANE_CONTROL, &m);
        count = 0;
    }
    if (count > 0) {
        struct message m = {.kind = MSG_OWNERS,
                            .owners = {.folder = folder->row.id, .owners = owners, .count = count}};
        (void)session_send(share->session, LANE_CONTROL, &m);
    }
    vvbox_set(&share->owners_shown, shown);
}

struct marks marks_to_show(struct share *share, struct arena *arena, struct vv vv)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct marks out = {.entries = arena_alloc(arena, vv.count + 1U, sizeof(struct mark))};
    struct vv shown = share->shown.v;
    for (uint32_t i = 0; i < vv.count; i++) {
        struct dot d = vv.entries[i];
        if (vv_covers(shown, d)) continue;
        if (!index->mark_get(index->self, folder->number, d.inc, &out.entries[out.count])) continue;
        shown = vv_with(arena, shown, (struct dot){d.inc, out.entries[out.count].counter});
        out.count++;
    }
    if (out.count == 0) return out;
    owners_show(share, shown);
    struct vv kept = vv_copy(arena, shown);
    vvbox_set(&share->shown, kept);
    return out;
}

// A mark signed by this device for this life above its counter: the index is older than what was
// published.
static bool own_future(struct share *share, const struct mark *mark)
{
    struct folder *folder = share->folder;
    if (mark->inc != folder->row.inc || mark->counter <= folder->row.counter) return false;
    log_error(LOG_SYNC, "index is older than what it published",
              "folder=%s counter=%llu shown=%llu", folder->name,
              (unsigned long long)folder->row.counter, (unsigned long long)mark->counter);
    folder->stopped = "rolled-back";
    engine_changed(folder->engine);
    return true;
}

static bool mark_learn(struct share *share, const struct mark *mark)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    const struct key_port *keys = &folder->engine->o.keys;
    if (marked(folder, mark->inc) >= mark->counter) return true;
    struct owner owner;
    if (!index->owner_get(index->self, folder->engine->scratch, folder->number, mark->inc,
                          &owner)) {
        session_end(share->session, BYE_PROTOCOL, "a mark of an unknown incarnation");
        return false;
    }
    if (!keys->verify(owner.device, folder->row.id, mark)) {
        session_end(share->session, BYE_PROTOCOL, "a mark that its owner did not sign");
        return false;
    }
    if (own_future(share, mark)) {
        session_end(share->session, BYE_PROTOCOL, "index rolled back");
        return false;
    }
    index->mark_put(index->self, folder->number, mark);
    struct vv raised =
        vv_with(folder->engine->scratch, folder->marks.v, (struct dot){mark->inc, mark->counter});
    vvbox_set(&folder->marks, raised);
    return true;
}

bool marks_learn(struct share *share, const struct marks *marks)
{
    for (uint32_t i = 0; i < marks->count; i++) {
        if (!mark_learn(share, &marks->entries[i])) return false;
        struct vv shown = vv_with(share->folder->engine->scratch, share->shown.v,
                                  (struct dot){marks->entries[i].inc, marks->entries[i].counter});
        vvbox_set(&share->shown, shown);
    }
    return true;
}

bool counters_marked(struct share *share, struct vv vv)
{
    for (uint32_t i = 0; i < vv.count; i++) {
        if (marked(share->folder, vv.entries[i].inc) >= vv.entries[i].counter) continue;
        session_end(share->session, BYE_PROTOCOL, "a counter above its mark");
        return false;
    }
    return true;
}

static bool owner_fits(struct folder *folder, const struct owner *owner)
{
    return incarnation_of(owner->device, folder->row.id, owner->nonce) == owner->inc;
}

bool owners_handle(struct session *session, const struct msg_owners *owners)
{
    struct folder *folder = folder_by_id(session->engine, owners->folder);
    if (folder == NULL || !folder_shared_with(folder, session->peer->device)) return true;
    const struct index_port *index = INDEX(folder);
    struct owner known;
    for (uint32_t i = 0; i < owners->count; i++) {
        const struct owner *owner = &owners->owners[i];
        if (index->owner_get(index->self, session->engine->scratch, folder->number, owner->inc,
                             &known))
            continue;
        if (!owner_fits(folder, owner)) {
            session_end(session, BYE_PROTOCOL, "an incarnation that is not its device's");
            return false;
        }
        index->owner_put(index->self, folder->number, owner);
    }
    return true;
}
