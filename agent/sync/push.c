// SPDX-License-Identifier: MIT
//
// PUSH: what was minted here goes out at once, with its content when that is small. `after` says
// what the receiver must have had before for its K to move.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/delta/compress.h"
#include "agent/sync/page_priv.h"
#include "agent/sync/rides_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    PUSH_ROWS_MAX = 256,
    PUSH_PARTS_MAX = 8,
    PUSHES_OPEN_MAX = 16, // since it last said that what was sent before them has come
    HELD_TRIES = 4,
};

// Whether the peer's disk shows what the version was made of: all that it descends from is there.
static bool has_base(const struct share *share, const struct version *v,
                     const struct ride_entry *entry)
{
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    if ((share->session->features & PROTO_FEATURE_DELTA) == 0 || entry->patch.size == 0 ||
        !v->has_parent || !digest_equal(v->parent, entry->base.id))
        return false;
    for (uint32_t i = 0; i < v->vv.count; i++) {
        struct dot d = v->vv.entries[i];
        bool own = v->dots.count == 1 && v->dots.entries[0].inc == d.inc &&
                   v->dots.entries[0].counter == d.counter;
        if (vv_get(bond->a.v, d.inc) < d.counter - (own ? 1 : 0)) return false;
    }
    return true;
}

// False: the content is to ride as it is.
static bool patch_add(const struct share *share, const struct version *v, struct msg_push *push,
                      size_t *total, uint64_t *contents)
{
    struct engine *engine = share->folder->engine;
    struct content content = value_content(&v->value);
    const struct ride_entry *entry = ride_entry(engine, &content);
    if (entry == NULL || !has_base(share, v, entry) ||
        *total + entry->patch.size > PROTO_RIDE_TOTAL_BYTES_MAX)
        return false;
    *total += entry->patch.size;
    *contents += content.size;
    push->patches[push->patch_count++] =
        (struct patch){content, entry->base, arena_copy(engine->scratch, entry->patch)};
    engine->counters.contents_out++;
    engine->counters.content_bytes_out += entry->patch.size;
    return true;
}

// Its disk shows it under another name, from where it takes it.
static bool is_on_its_disk(const struct share *share, const struct content *content)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    const struct bond *bond = bond_get(folder, share->session->peer->device);
    struct slice after = {0};
    for (int i = 0; i < HELD_TRIES; i++) {
        struct item item;
        if (!index->local_by_content(index->self, folder->engine->scratch, folder->number,
                                     &content->id, after, &item))
            return false;
        const struct version *v = &item.local.version;
        if (v->value.size == content->size && dots_covered(v->dots, bond->a.v)) return true;
        after = item.path;
    }
    return false;
}

static void ride_add(const struct share *share, const struct version *v, struct msg_push *push,
                     size_t *total, uint64_t *contents)
{
    struct engine *engine = share->folder->engine;
    bool large = *contents + v->value.size > PROTO_RIDE_CONTENTS_BYTES_MAX;
    if (v->value.kind != KIND_FILE || v->value.size == 0 || large) return;
    struct content content = value_content(&v->value);
    const struct ride_entry *entry = ride_entry(engine, &content);
    if (entry != NULL && entry->elsewhere && is_on_its_disk(share, &content)) return;
    if (patch_add(share, v, push, total, contents)) return;
    struct slice bytes = ride_find(engine, &content);
    if (bytes.size == 0 || bytes.size > PROTO_PACK_CONTENT_BYTES_MAX) return;
    AUTO(buf_fini) struct buf packed = {0};
    bool compressed = compressor_try(engine->compressor, bytes, &packed);
    struct slice body = compressed ? buf_slice(&packed) : bytes;
    if (body.size > PROTO_RIDE_BYTES_MAX || *total + body.size > PROTO_RIDE_TOTAL_BYTES_MAX) return;
    *total += body.size;
    *contents += v->value.size;
    struct ride *ride = &push->rides[push->ride_count++];
    ride->content = content;
    ride->compressed = compressed;
    ride->bytes = arena_copy(engine->scratch, body);
    engine->counters.contents_out++;
    engine->counters.content_bytes_out += content.size;
}

// ---- sending

struct own_after {
    uint64_t inc, after;
};

static bool own_above(const void *context, const struct version *v)
{
    const struct own_after *own = context;
    for (uint32_t i = 0; i < v->dots.count; i++) {
        struct dot d = v->dots.entries[i];
        if (d.inc == own->inc && d.counter > own->after) return true;
    }
    return false;
}

// What may ride along of an item's versions.
static size_t ride_room(const struct item *item, const struct own_after *own)
{
    size_t room = 0;
    for (uint32_t h = 0; h < item->head_count; h++) {
        const struct value *value = &item->heads[h].value;
        bool rides = value->kind == KIND_FILE && value->size <= PROTO_PACK_CONTENT_BYTES_MAX;
        if (rides && own_above(own, &item->heads[h])) room += (size_t)value->size;
    }
    return room;
}

// As much as goes into one message with its contents, up to *upto, which is where it ends: never
// before a version that takes the place of one that it claims. False: some of it does not fit.
static bool push_collect(struct folder *folder, uint64_t after, uint64_t *upto,
                         struct versions *out)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PUSH_ROWS_MAX + 1, sizeof *rows);
    struct own_after own = {folder->row.inc, after};
    uint32_t got = index->dots_after(index->self, arena, folder->number, folder->row.inc, after,
                                     *upto, PUSH_ROWS_MAX + 1, rows);
    size_t room = 0;
    uint64_t sound = after;
    AUTO(page_fini) struct page page;
    page_init(&page, arena, 4 * PUSH_ROWS_MAX, PROTO_PAGE_BYTES_HARD);
    for (uint32_t i = 0; i < got; i++) {
        struct item item;
        index->item_get(index->self, arena, folder->number, rows[i].path, &item);
        room += ride_room(&item, &own);
        bool full = room > PROTO_RIDE_TOTAL_BYTES_MAX || i == PUSH_ROWS_MAX;
        if (full && sound > after && rows[i].counter == sound + 1) {
            *upto = sound;
            break;
        }
        if (i == PUSH_ROWS_MAX) return false;
        if (rows[i].counter == sound + 1) sound++;
        if (!page_has(&page, item.path)) page_add(folder, &page, &item, own_above, &own);
        if (page.bytes > PROTO_PAGE_BYTES_MAX || page.count == page.max) return false;
    }
    *out = (struct versions){.entries = page.list, .count = page.count};
    return true;
}

// Under the last own counter stands what the index has; that less was published is as true.
static bool mark_at(struct folder *folder, uint64_t counter, struct mark *out)
{
    if (!INDEX(folder)->mark_get(INDEX(folder)->self, folder->number, folder->row.inc, out))
        return false;
    if (out->counter > counter) *out = own_mark(folder, (struct dot){out->inc, counter});
    own_told(folder, out);
    return true;
}

// One message of what was minted above `after`. False: nothing more can be sent.
static bool push_part(struct share *share, uint64_t after)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct message m = {.kind = MSG_PUSH};
    struct msg_push *push = &m.push;
    uint64_t upto = folder->row.counter;
    if (!push_collect(folder, after, &upto, &push->versions)) {
        share->news_due = true; // the receiver pulls a round
        return false;
    }
    approvals_send(share);
    push->folder = folder->row.id;
    push->inc = folder->row.inc;
    push->after = after;
    if (!mark_at(folder, upto, &push->upto)) return false;
    push->marks = marks_to_show(share, arena, versions_vv(arena, &push->versions, (struct vv){0}));
    owners_show(share, (struct vv){.entries = &(struct dot){push->inc, 1}, .count = 1});
    push->rides = arena_alloc(arena, push->versions.count + 1U, sizeof *push->rides);
    push->patches = arena_alloc(arena, push->versions.count + 1U, sizeof *push->patches);
    size_t total = 0;
    uint64_t contents = 0;
    for (uint32_t i = 0; i < push->versions.count; i++)
        ride_add(share, &push->versions.entries[i], push, &total, &contents);
    if (!session_send(share->session, LANE_CONTROL, &m)) return false;
    share->pushed = push->upto.counter;
    struct vv told = vv_with(arena, share->told_k.v, (struct dot){push->inc, push->upto.counter});
    vvbox_set(&share->told_k, told);
    return true;
}

static void push_one(struct share *share)
{
    const struct folder *folder = share->folder;
    for (int i = 0; i < PUSH_PARTS_MAX; i++) {
        uint64_t after = share->pushed, said = vv_get(share->said_k.v, folder->row.inc);
        if (said > after) after = said;
        if (folder->lost_own > after && !PLANTED(after_without_lost)) after = folder->lost_own;
        if (folder->row.counter <= after) return;
        if (said >= share->push_mark) {
            share->push_mark = share->pushed > said ? share->pushed : said;
            share->push_open = 0;
        }
        // It does not keep up: by a round it takes what it can.
        if (share->push_open >= PUSHES_OPEN_MAX) break;
        if (!push_part(share, after)) return;
        share->push_open++;
    }
    if (folder->row.counter > share->pushed) share->news_due = true;
}

void push_all(struct folder *folder)
{
    if (!folder_usable(folder)) return;
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->joined) continue;
        push_one(share);
        share_flush(share, false);
    }
}
