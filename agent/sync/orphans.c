// SPDX-License-Identifier: MIT
//
// Versions whose content is sought in vain: since when is noted with the item, and after a week
// status names them. A person can give them up then (abandon.c).
#include "agent/sync/age_priv.h"
#include "agent/sync/fetch_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define DAY_MS (INT64_C(24) * 3600 * 1000)

enum { PAGE = 256, NOTE_MS = 10 * 1000 };

static const int64_t ORPHAN_MS = 7 * DAY_MS;

// ---- what is sought in vain

bool head_missing(const struct folder *folder, const struct item *item, const struct version *head)
{
    const struct local *local = &item->local;
    if (head->value.kind != KIND_FILE) return false;
    bool live = local->state != LOCAL_NONE && version_live(&local->version);
    if (live && value_same_content(&local->version.value, &head->value)) return false;
    struct content content = value_content(&head->value);
    return !content_staged(folder, &content);
}

const struct version *orphan_head(const struct folder *folder, const struct item *item)
{
    const struct version *found = NULL;
    if (!item->need || item->blocked != BLOCKED_NONE) return NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *h = &item->heads[i];
        if (!head_missing(folder, item, h)) continue;
        if (found == NULL || birth_compare(h->birth, found->birth) > 0) found = h;
    }
    return found;
}

static bool nobody_is_asked(const struct transfer *t)
{
    bool looked = t->state == TRANSFER_NO_SOURCE || t->state == TRANSFER_LIST ||
                  t->state == TRANSFER_LEAVES || (t->state == TRANSFER_NEW && t->put_offs > 0);
    return looked && t->jobs == 0 && !parts_asked(t);
}

static bool is_sought(struct folder *folder, const struct transfer *t)
{
    bool any;
    return nobody_is_asked(t) && transfer_source(folder, t, &any) == NULL && !any;
}

bool transfer_refused_by_all(struct folder *folder, const struct transfer *t)
{
    if (!nobody_is_asked(t) || t->state == TRANSFER_NEW) return false;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        bool paused = p->in_use != NULL && share_paused(folder, p);
        // Who lets a request go unanswered has not said that it has nothing, nor has he whose disk
        // is away or is being looked at, nor with whom all is paused.
        bool member = folder_shared_with(folder, p->device) && bond_get(folder, p->device)->joined;
        if (member && (paused || share_paused_there(share))) return false;
        if (share == NULL || !share->joined) continue;
        if (!transfer_tried(t, p->device) || share->silences > 0 || !share_ready(share))
            return false;
    }
    return true;
}

static void note(struct folder *folder, const struct transfer *t, int64_t since_ms)
{
    for (uint32_t i = 0; i < t->path_count; i++)
        INDEX(folder)->sought_note(INDEX(folder)->self, folder->number, t->paths[i], since_ms);
}

void orphans_note(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    int64_t now = folder->engine->now_ms;
    bool lately = folder->sought_noted_ms != 0 && now - folder->sought_noted_ms < NOTE_MS;
    if (lately || folder->in_txn) return;
    int64_t age = age_recent(folder->engine);
    size_t at = 0;
    struct slice key;
    void *value;
    index->begin(index->self);
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->moved) note(folder, t, 0); // it begins anew
        t->moved = false;
        if (is_sought(folder, t)) note(folder, t, age);
    }
    folder->sought_noted_ms = now;
    if (index->commit(index->self) != ERR_OK)
        log_warn(LOG_SYNC, "what is sought is not noted", "folder=%s", folder->name);
}

// ---- for people

static struct slice device_name(struct folder *folder, struct arena *arena,
                                const struct version *head, struct device_id *out_device)
{
    struct owner owner = {0};
    *out_device = (struct device_id){0};
    if (!INDEX(folder)->owner_get(INDEX(folder)->self, arena, folder->number, head->birth.inc,
                                  &owner))
        return slice_text("an unknown device");
    *out_device = owner.device;
    const struct peer *peer = peer_find(folder->engine, owner.device);
    return arena_copy(arena, peer != NULL ? slice_text(peer->name) : owner.name);
}

// It is connected, and says of this folder what it has.
static bool can_tell(const struct folder *folder, const struct peer *peer)
{
    const struct share *share = peer->in_use != NULL ? share_find(peer->in_use, folder) : NULL;
    return share != NULL && share_ready(share);
}

// Who has said to have it on disk; of several, who was here last. Else who made it.
static void last_holder(struct folder *folder, struct arena *arena, const struct version *head,
                        struct orphan *out)
{
    struct device_id author;
    out->holder = device_name(folder, arena, head, &author);
    const struct peer *maker = peer_find(folder->engine, author);
    if (maker != NULL) out->holder_seen_ms = maker->last_seen_wall_ms;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (!folder_shared_with(folder, p->device) || can_tell(folder, p)) continue;
        if (!dots_covered(head->dots, bond_get(folder, p->device)->a.v)) continue;
        if (p->last_seen_wall_ms < out->holder_seen_ms) continue;
        out->holder = arena_copy(arena, slice_text(p->name));
        out->holder_seen_ms = p->last_seen_wall_ms;
        maker = p;
    }
    out->holder_away = maker != NULL && maker->in_use != NULL && !can_tell(folder, maker);
    // Before it was seen last it could have been asked.
    int64_t away = folder->engine->wall_ms - out->holder_seen_ms;
    bool is_away = maker != NULL && maker->in_use == NULL && out->holder_seen_ms > 0;
    if (is_away && away < out->sought_ms) out->sought_ms = away > 0 ? away : 0;
}

static bool orphan_fill(struct folder *folder, struct arena *arena, const struct path_row *row,
                        struct orphan *out)
{
    struct item item;
    struct device_id author;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, row->path, &item);
    const struct version *head = orphan_head(folder, &item);
    if (head == NULL) return false;
    int64_t sought = age_recent(folder->engine) - (int64_t)row->counter;
    *out = (struct orphan){.folder = arena_copy(arena, slice_text(folder->name)),
                           .path = row->path,
                           .value = head->value,
                           .by = device_name(folder, arena, head, &author),
                           .when_ms = head->birth.wall_ms,
                           .sought_ms = sought > 0 ? sought : 0,
                           .here =
                               item.local.state != LOCAL_NONE && version_live(&item.local.version)};
    last_holder(folder, arena, head, out);
    out->left_ms = out->sought_ms < ORPHAN_MS ? ORPHAN_MS - out->sought_ms : 0;
    return true;
}

uint32_t orphans_of(struct folder *folder, struct arena *arena, bool due, uint32_t max,
                    struct orphan *out)
{
    const struct index_port *index = INDEX(folder);
    struct path_row *rows = arena_alloc(arena, PAGE, sizeof *rows);
    struct slice after = {0};
    int64_t latest = age_recent(folder->engine) - ORPHAN_MS;
    uint32_t count = 0;
    for (uint32_t got = PAGE; got == PAGE && count < max; after = rows[got - 1].path) {
        got = index->sought(index->self, arena, folder->number, after, PAGE, rows);
        for (uint32_t i = 0; i < got && count < max; i++) {
            if (due && (int64_t)rows[i].counter > latest) continue;
            bool found = orphan_fill(folder, arena, &rows[i], &out[count]);
            count += found && (!due || out[count].left_ms == 0);
        }
        if (got == 0) break;
    }
    return count;
}

uint32_t engine_orphans(struct engine *engine, struct arena *arena, const char *name, uint32_t max,
                        struct orphan *out)
{
    uint32_t count = 0;
    arena_reset(engine->scratch);
    for (struct folder *f = engine->folders; f != NULL && count < max; f = f->next) {
        bool asked = name == NULL || slice_equal(slice_text(f->name), slice_text(name));
        if (f->gone || !asked) continue;
        count += orphans_of(f, arena, false, max - count, &out[count]);
    }
    return count;
}

const char *orphan_sought(struct arena *arena, const struct orphan *orphan)
{
    return arena_printf(arena, "%lld days", (long long)(orphan->sought_ms / DAY_MS));
}

bool orphan_of(struct folder *folder, struct arena *arena, struct slice path, struct orphan *out)
{
    int64_t since = INDEX(folder)->sought_since(INDEX(folder)->self, folder->number, path);
    const struct path_row row = {.path = path, .counter = (uint64_t)since};
    return since > 0 && orphan_fill(folder, arena, &row, out);
}
