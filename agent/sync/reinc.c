// SPDX-License-Identifier: MIT
//
// A new incarnation of an index that is older than what it has published: restored from a copy, or
// a copy itself. The old life ends at the counter up to which its dots surely name one thing; what
// was minted above it here is minted again, and what was published above it before comes back from
// whoever has it.
#include <stdlib.h>

#include "agent/base/planted.h"
#include "agent/sync/folder_priv.h"
#include "agent/sync/owners_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// Of one device few are believed, and fewer by word of others, who can make them up.
enum {
    ROLLBACKS_MAX = 512,
    ROLLBACKS_TOLD_MAX = 128,
    DEVICE_ROLLBACKS_MAX = 128,
    DEVICE_ROLLBACKS_TOLD_MAX = 32
};

// ---- what is to be minted again

struct again {
    struct slice path;
    struct version version; // of local
    struct dot bundle;      // first of the old life's; counter 0: none
    enum local_state state;
    bool mint; // else only its heads have such dots
};

struct again_list {
    struct arena *arena;
    struct again *entries;
    size_t count, capacity;
};

static bool beyond(struct dot d, struct dot end)
{
    return d.inc == end.inc && d.counter > end.counter;
}

static bool any_beyond(struct dots dots, struct dot end)
{
    for (uint32_t i = 0; i < dots.count; i++) {
        if (beyond(dots.entries[i], end)) return true;
    }
    return false;
}

static struct dots without_beyond(struct arena *arena, struct dots dots, struct dot end)
{
    struct dots out = {.entries = arena_alloc(arena, dots.count + 1U, sizeof *out.entries)};
    for (uint32_t i = 0; i < dots.count; i++) {
        if (!beyond(dots.entries[i], end)) out.entries[out.count++] = dots.entries[i];
    }
    return out;
}

static void again_add(struct again_list *list, const struct item *item, struct dot end)
{
    const struct version *local = &item->local.version;
    bool mint = item->local.state != LOCAL_NONE && any_beyond(local->dots, end);
    bool heads = false;
    for (uint32_t h = 0; h < item->head_count; h++)
        heads |= any_beyond(item->heads[h].dots, end);
    if (!mint && !heads) return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : 2 * list->capacity;
        list->entries = mem_realloc(list->entries, list->capacity * sizeof *list->entries);
    }
    struct again *again = &list->entries[list->count++];
    *again = (struct again){.path = arena_copy(list->arena, item->path), .mint = mint};
    if (!mint) return;
    again->state = item->local.state;
    again->version = version_copy(list->arena, local);
    for (uint32_t b = 0; b < local->bundle.count && again->bundle.counter == 0; b++) {
        if (beyond(local->bundle.entries[b], end)) again->bundle = local->bundle.entries[b];
    }
}

static void again_collect(struct folder *folder, struct dot end, struct again_list *list)
{
    AUTO(item_walk_end) struct item_walk walk;
    item_walk_begin(&walk, folder, slice_text(""));
    for (const struct item *item; (item = item_walk_next(&walk)) != NULL;)
        again_add(list, item, end);
}

// Versions of one resolution stay neighbours.
static int by_bundle(const void *a, const void *b)
{
    const struct again *x = a, *y = b;
    if (x->bundle.counter != y->bundle.counter)
        return x->bundle.counter < y->bundle.counter ? -1 : 1;
    return path_compare(x->path, y->path);
}

static void heads_strip(struct folder *folder, const struct again *again, struct dot end)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    index->item_get(index->self, arena, folder->number, again->path, &item);
    bool was_live = heads_live(&item);
    uint32_t kept = 0;
    for (uint32_t h = 0; h < item.head_count; h++) {
        struct dots left = without_beyond(arena, item.heads[h].dots, end);
        if (left.count == 0) continue;
        item.heads[kept] = item.heads[h];
        item.heads[kept++].dots = left;
    }
    item.head_count = kept;
    item.own_last = 0;
    item_save(folder, &item, true, was_live);
}

static void mint_again(struct folder *folder, const struct again *again, struct dot end,
                       struct dots bundle)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    index->item_get(index->self, arena, folder->number, again->path, &item);
    struct vv cut = again->version.vv;
    if (vv_get(cut, end.inc) > end.counter) cut = vv_set(arena, cut, end);
    struct dots old = without_beyond(arena, again->version.bundle, end);
    struct version version = again->version;
    // A birth up there names something else, too: who has seen that has not seen this.
    struct dot birth = {version.birth.inc, version.birth.counter};
    if (beyond(birth, end)) version.birth.counter = 0;
    (void)item_mint(folder, &item, &version, cut, NULL, dots_union(arena, old, bundle));
    if (again->state == LOCAL_OK || item.local.state != LOCAL_OK) return;
    item.local.state = again->state;
    item_save(folder, &item, false, heads_live(&item));
}

static void mint_all_again(struct folder *folder, const struct again_list *list, struct dot end)
{
    for (size_t from = 0, to; from < list->count; from = to) {
        uint64_t bundle = list->entries[from].bundle.counter;
        uint64_t members = 0;
        for (to = from; to < list->count && list->entries[to].bundle.counter == bundle; to++)
            members += list->entries[to].mint;
        struct dot last = {folder->row.inc, folder->row.counter + members};
        struct dots dots = {.entries = &last, .count = bundle != 0 && members > 1 ? 1 : 0};
        for (size_t i = from; i < to; i++) {
            if (list->entries[i].mint) mint_again(folder, &list->entries[i], end, dots);
        }
    }
}

// ---- the life that ends

static void knowledge_cut(struct folder *folder, struct dot end)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    vvbox_set(&folder->k, vv_set(arena, folder->k.v, end));
    index->k_set(index->self, folder->number, end);
    if (vv_get(folder->gcfloor.v, end.inc) <= end.counter) return;
    vvbox_set(&folder->gcfloor, vv_set(arena, folder->gcfloor.v, end));
    index->gcfloor_put(index->self, folder->number, folder->gcfloor.v);
}

// Not of a life of another key: that device goes on, and speaks for itself.
static void note_rollback(struct folder *folder, struct dot end)
{
    const struct index_port *index = INDEX(folder);
    if (!inc_is_of(folder, end.inc, folder->engine->o.device)) return;
    struct rollback row = {.old = end.inc, .fresh = folder->row.inc, .end = {.inc = end.inc}};
    if (end.counter > 0) row.end = own_mark(folder, end);
    index->rollback_put(index->self, folder->number, &row);
}

static void audits_due(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (!folder_shared_with(folder, p->device)) continue;
        struct bond *bond = bond_get(folder, p->device);
        bond->audit_due = bond->unsaved = true;
        buf_clear(&bond->token); // a round that goes on passes over what was cut off
        bond->save_at_ms = folder->engine->now_ms;
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL) audit_soon(share);
    }
}

static bool life_change(struct folder *folder, struct dot end, struct again_list *list)
{
    const struct index_port *index = INDEX(folder);
    txn_begin(folder);
    if (end.inc != 0 && folder->row.counter > end.counter) again_collect(folder, end, list);
    if (list->count > 0) qsort(list->entries, list->count, sizeof *list->entries, by_bundle);
    for (size_t i = 0; i < list->count; i++)
        heads_strip(folder, &list->entries[i], end);
    index->own_forget(index->self, folder->number);
    draw_incarnation(folder);
    if (end.inc != 0) {
        knowledge_cut(folder, end);
        note_rollback(folder, end);
    }
    mint_all_again(folder, list, end);
    index->folder_put(index->self, &folder->row);
    return txn_end(folder) == ERR_OK;
}

bool reinc_now(struct folder *folder, uint64_t end, const char *why)
{
    if (folder->reinc_end < end) end = folder->reinc_end;
    struct again_list list = {.arena = arena_new()};
    struct dot old = {.inc = folder->row.inc, .counter = end};
    bool done = life_change(folder, old, &list);
    if (done) {
        folder->reinc_why = NULL; // it was about the old life
        folder->reinc_end = UINT64_MAX;
        log_warn(LOG_SYNC, "new incarnation",
                 "folder=%s why=\"%s\" old=%016llx ended=%llu new=%016llx again=%llu", folder->name,
                 why, (unsigned long long)old.inc, (unsigned long long)end,
                 (unsigned long long)folder->row.inc, (unsigned long long)list.count);
    }
    folder_reload(folder);
    folder->lost_own = 0;
    mem_free(&list.entries);
    arena_destroy(&list.arena);
    if (done) audits_due(folder);
    return done;
}

// ---- evidence

void reinc_want(struct folder *folder, const char *why)
{
    if (folder->reinc_why != NULL || PLANTED(dots_reused)) return;
    log_error(LOG_SYNC, "index is older than what it published",
              "folder=%s why=\"%s\" counter=%llu", folder->name, why,
              (unsigned long long)folder->row.counter);
    folder->reinc_why = why;
    folder->reinc_retry_ms = 0;
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next) {
        struct share *share = share_find(s, folder);
        if (share != NULL) share_start_anew(share);
    }
    engine_changed(folder->engine);
}

bool reinc_wanted(const struct folder *folder)
{
    return folder->reinc_why != NULL;
}

static bool reinc_ready(const struct folder *folder)
{
    return reinc_wanted(folder) && folder->jobs == 0 && folder->root == ROOT_OK;
}

// What the disk is doing would be published under the old name.
void reinc_step(struct folder *folder)
{
    if (!reinc_ready(folder) || folder->engine->now_ms < folder->reinc_retry_ms) return;
    if (!reinc_now(folder, folder->row.base, folder->reinc_why)) {
        folder->reinc_retry_ms = folder->engine->now_ms + INDEX_RETRY_MS;
        return;
    }
    folder_offer_all(folder);
    scan_start(folder);
    work_again(folder);
    engine_changed(folder->engine);
}

int64_t reinc_deadline(const struct folder *folder)
{
    return reinc_ready(folder) ? folder->reinc_retry_ms : INT64_MAX;
}

// The next start may count on from here: were the index older than what was published, the peer
// could have known.
void folder_met(struct folder *folder)
{
    if (folder->row.met || folder->in_txn) return;
    txn_begin(folder);
    folder->row.met = true;
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) != ERR_OK) folder->row.met = false;
}

bool in_doubt(const struct folder *folder, struct slice path)
{
    return folder->row.doubt || is_unsettled(folder, path, UNSETTLED_DOUBT);
}

// The root may be of an older time than the index: its file is no edit of what was here last, and
// stands beside it.
bool doubt_older(const struct folder *folder, const struct item *item,
                 const struct fingerprint *print)
{
    return in_doubt(folder, item->path) && item->local.state != LOCAL_NONE &&
           item->head_count > 0 && item->local.print.present &&
           print->mtime_ns < item->local.print.mtime_ns;
}

void doubt_step(struct folder *folder)
{
    bool looked = map_count(folder->dirty) == 0 && map_count(folder->busy) == 0;
    if (folder->doubt_until_ms == 0) return;
    if (!looked && folder->engine->now_ms < folder->doubt_until_ms) return;
    folder->doubt_until_ms = 0;
    if (!unsettled_note(folder, UNSETTLED_DOUBT)) return; // until the next walk
    txn_begin(folder);
    folder->row.doubt = false;
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) != ERR_OK) folder->doubt_until_ms = folder->engine->now_ms + INDEX_RETRY_MS;
}

// ---- ROLLBACK

bool rolled_back(struct folder *folder, uint64_t inc)
{
    return INDEX(folder)->rollback_has(INDEX(folder)->self, folder->number, inc, 0);
}

// K as if it covered all of the lives that were rolled back: beyond their ends it never will.
struct vv k_beyond_ends(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct rollback *rows = arena_alloc(arena, ROLLBACKS_MAX, sizeof *rows);
    uint32_t count = index->rollbacks_after(index->self, folder->number, 0, ROLLBACKS_MAX, rows);
    struct vv k = folder->k.v;
    for (uint32_t i = 0; i < count; i++)
        k = vv_set(arena, k, (struct dot){rows[i].old, PROTO_COUNTER_MAX});
    return k;
}

static void rollback_send(struct share *share, struct rollback *row)
{
    struct folder *folder = share->folder;
    struct dot both[2] = {{row->old, 1}, {row->fresh, 1}};
    struct message m = {.kind = MSG_ROLLBACK,
                        .rollback = {.folder = folder->row.id, .old = row->old}};
    for (int i = 0; i < 2; i++)
        owners_show(share, (struct vv){.entries = &both[i], .count = 1});
    m.rollback.fresh = row->fresh;
    m.rollback.end = (struct marks){.entries = &row->end, .count = row->end.counter > 0 ? 1 : 0};
    (void)session_send(share->session, LANE_CONTROL, &m);
}

void rollbacks_tell(struct share *share)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct bond *bond = bond_get(folder, share->session->peer->device);
    struct rollback *rows = arena_alloc(folder->engine->scratch, ROLLBACKS_MAX, sizeof *rows);
    uint32_t count =
        index->rollbacks_after(index->self, folder->number, bond->told, ROLLBACKS_MAX, rows);
    for (uint32_t i = 0; i < count; i++) {
        rollback_send(share, &rows[i]);
        bond->told = rows[i].number;
        bond->unsaved = true;
    }
}

static const char *rollback_fault(struct share *share, const struct msg_rollback *m,
                                  struct device_id *out_device, bool *out_known)
{
    struct folder *folder = share->folder;
    struct owner owner, fresh;
    *out_known = owner_told(share->session, folder, m->old, &owner) &&
                 owner_told(share->session, folder, m->fresh, &fresh) &&
                 device_equal(owner.device, fresh.device);
    if (!*out_known) return NULL;
    *out_device = owner.device;
    if (m->end.count == 0) return NULL;
    bool signed_ = folder->engine->o.keys.verify(owner.device, folder->row.id, &m->end.entries[0]);
    return signed_ ? NULL : "a mark that its owner did not sign";
}

static bool rollback_has_room(const struct share *share, struct device_id device)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    bool by_itself = device_equal(device, share->session->peer->device);
    uint32_t of_device = 0;
    struct rollback *rows = arena_alloc(folder->engine->scratch, ROLLBACKS_MAX, sizeof *rows);
    uint32_t count = index->rollbacks_after(index->self, folder->number, 0, ROLLBACKS_MAX, rows);
    for (uint32_t i = 0; i < count; i++)
        of_device += inc_is_of(folder, rows[i].old, device);
    return by_itself ? count < ROLLBACKS_MAX && of_device < DEVICE_ROLLBACKS_MAX
                     : count < ROLLBACKS_TOLD_MAX && of_device < DEVICE_ROLLBACKS_TOLD_MAX;
}

void rollback_handle(struct share *share, const struct msg_rollback *m)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct device_id device;
    bool known;
    const char *what = rollback_fault(share, m, &device, &known);
    if (what != NULL) {
        session_refuse(share->session, what);
        return;
    }
    if (!known || index->rollback_has(index->self, folder->number, m->old, m->fresh)) return;
    if (!rollback_has_room(share, device)) return;
    struct dot both[2] = {{m->old, 1}, {m->fresh, 1}};
    if (!owners_confirm(share->session, folder, (struct vv){both, 2})) return;
    struct rollback row = {.old = m->old, .fresh = m->fresh, .end = {.inc = m->old}};
    if (m->end.count > 0) row.end = m->end.entries[0];
    txn_begin(folder);
    index->rollback_put(index->self, folder->number, &row);
    if (txn_end(folder) != ERR_OK) return;
    log_warn(LOG_SYNC, "a life was rolled back", "folder=%s peer=%s old=%016llx ended=%llu",
             folder->name, share->session->peer->name, (unsigned long long)row.old,
             (unsigned long long)row.end.counter);
    audits_due(folder);
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *other = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (other != NULL && other->joined) rollbacks_tell(other);
    }
}
