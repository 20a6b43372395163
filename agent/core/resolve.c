// SPDX-License-Identifier: MIT
//
// Resolution. The rules and their order are the result of simulation; each has a reason that is
// written down in docs/ARCHITECTURE.md "Resolution".
#include "agent/core/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/planted.h"
#include "agent/core/heads.h"
#include "crypto/hash.h"
#include "proto/path.h"
#include "proto/vv.h"

enum { CONFLICT_NAME_BYTES_MAX = 200, CONFLICT_TAG_CHARS = 12, CONFLICTS_LOOKED_AT_MAX = 64 };

static struct slice be64(struct arena *arena, uint64_t n)
{
    uint8_t *bytes = arena_alloc(arena, 8, 1);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    return slice_of(bytes, 8);
}

static struct slice cut_utf8(struct slice text, size_t max)
{
    if (text.size <= max) return text;
    size_t size = max;
    while (size > 0 && (text.data[size] & 0xC0) == 0x80)
        size--;
    return slice_of(text.data, size);
}

struct slice conflict_name(struct arena *arena, struct folder_id folder, struct slice path,
                           const struct version *x)
{
    const struct slice fields[] = {
        slice_text("cfgsync-cc1"),
        slice_of(folder.bytes, sizeof folder.bytes),
        path,
        slice_of(x->value.content.bytes, sizeof x->value.content.bytes),
        be64(arena, PLANTED(copy_named_by_content) ? 0 : x->birth.inc),
        be64(arena, PLANTED(copy_named_by_content) ? 0 : x->birth.counter),
    };
    struct digest digest = hash_fields(fields, sizeof fields / sizeof fields[0]);
    char tag[CONFLICT_TAG_CHARS + 1];
    base32_lower(digest.bytes, sizeof digest.bytes, tag, sizeof tag);
    struct slice base = cut_utf8(path_base(path), CONFLICT_NAME_BYTES_MAX - CONFLICT_TAG_CHARS - 1);
    return slice_text(arena_printf(arena, "%s/%s-%.*s", PATH_CONFLICTS, tag, SLICE_ARG(base)));
}

// The author of t had the content of x before him, or it went to a conflict item.
static bool had_seen(const struct version *t, const struct version *x)
{
    struct dot d = {.inc = x->birth.inc, .counter = x->birth.counter};
    return d.counter > 0 && vv_covers(t->vv, d);
}

struct rivals {
    const struct version **live; // oldest first
    uint32_t count;
};

static int number_order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int value_order(const struct value *a, const struct value *b)
{
    int order = number_order(a->kind, b->kind);
    if (order == 0) order = number_order(a->mode, b->mode);
    if (order == 0) order = number_order(a->size, b->size);
    if (order == 0) order = memcmp(a->content.bytes, b->content.bytes, sizeof a->content.bytes);
    return order != 0 ? order : slice_compare(a->target, b->target);
}

// What several devices have made of one event has one birth, and modes that may differ: all must
// choose the same of them.
static int age_order(const struct version *a, const struct version *b)
{
    int order = birth_compare(a->birth, b->birth);
    return order != 0 ? order : value_order(&a->value, &b->value);
}

static int by_age(const void *a, const void *b)
{
    const struct version *const *x = a, *const *y = b;
    return age_order(*x, *y);
}

static struct rivals rivals_all(struct arena *arena, const struct item *item)
{
    struct rivals e = {.live = arena_alloc(arena, item->head_count + 1U, sizeof *e.live)};
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (version_live(&item->heads[i])) e.live[e.count++] = &item->heads[i];
    }
    if (e.count > 1) qsort(e.live, e.count, sizeof *e.live, by_age);
    return e;
}

// Some author had seen exactly this machine-made content, and deleted or edited it.
static bool was_answered(const struct item *item, const struct rivals *e, const struct version *x)
{
    if (!(x->flags & VERSION_AUTO)) return false;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *t = &item->heads[i];
        if (!version_live(t) && !(t->flags & VERSION_AUTO) && had_seen(t, x)) return true;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        const struct version *t = e->live[i];
        if (t != x && !(t->flags & VERSION_AUTO) && had_seen(t, x)) return true;
    }
    return false;
}

static bool passes(const struct version *x, const struct version *y)
{
    return x->has_parent && digest_equal(x->parent, y->value.content) && !had_seen(y, x);
}

// Another was made from exactly this content, which did not know of it: a fast-forward.
static bool was_passed(const struct item *item, const struct rivals *e, const struct version *y)
{
    if ((y->flags & VERSION_AUTO) || y->value.kind == KIND_DIR) return false;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct version *x = e->live[i];
        if (x != y && passes(x, y)) return true; // a peer may say that it was made from itself
    }
    for (uint32_t i = 0; i < item->head_count && PLANTED(deletion_passes); i++) {
        if (passes(&item->heads[i], y)) return true;
    }
    return false;
}

// What has been removed removes nothing, so that not all can go.
static void rivals_drop(const struct item *item, struct rivals *e,
                        bool (*rule)(const struct item *, const struct rivals *,
                                     const struct version *))
{
    uint32_t i = 0;
    while (i < e->count) {
        if (!rule(item, e, e->live[i])) {
            i++;
            continue;
        }
        memmove(&e->live[i], &e->live[i + 1], (e->count - i - 1) * sizeof *e->live);
        e->count--;
    }
}

static const struct version *latest_tomb(const struct item *item)
{
    const struct version *latest = NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *t = &item->heads[i];
        if (!version_live(t) && (latest == NULL || birth_compare(t->birth, latest->birth) > 0))
            latest = t;
    }
    return latest;
}

static bool is_first(const struct version *v)
{
    return (v->flags & VERSION_FIRST) != 0 && !PLANTED(first_ignored);
}

// A directory keeps the name against a file, since what is in it needs it.
static bool wins(const struct version *a, const struct version *b)
{
    if (is_first(a) != is_first(b)) return !is_first(a);
    bool a_dir = a->value.kind == KIND_DIR, b_dir = b->value.kind == KIND_DIR;
    if (a_dir != b_dir) return a_dir;
    return age_order(a, b) > 0;
}

const struct version *resolve_winner(const struct item *item)
{
    const struct version *winner = NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *one = &item->heads[i];
        if (version_live(one) && (winner == NULL || wins(one, winner))) winner = one;
    }
    return winner;
}

// A chmod here and an edit there both survive: the winner's author did not touch the mode, another
// did.
static uint32_t merged_mode(const struct item *item, const struct version *winner)
{
    if (!winner->has_parent || winner->value.mode != winner->parent_mode) return winner->value.mode;
    const struct version *chosen = NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *x = &item->heads[i];
        bool related =
            value_same_content(&x->value, &winner->value) ||
            (x->value.kind == winner->value.kind && digest_equal(winner->parent, x->value.content));
        if (!version_live(x) || !related || x->value.mode == winner->parent_mode) continue;
        if (chosen == NULL || age_order(x, chosen) > 0) chosen = x;
    }
    return chosen != NULL ? chosen->value.mode : winner->value.mode;
}

static struct member *member_add(struct resolution *plan, const struct item *item,
                                 const struct version *from)
{
    struct member *m = &plan->members[plan->count++];
    m->path = item->path;
    m->item = *item;
    m->version = *from;
    m->version.path = item->path;
    m->version.dots = (struct dots){0};
    m->version.vv = (struct vv){0};
    m->version.bundle = (struct dots){0};
    m->version.merge_version = 0;
    return m;
}

// As many bytes as the member can take when it is encoded, with the dot that it will get.
static size_t member_bytes(const struct member *m)
{
    enum { FIXED = 256, PAIR = 18 };
    const struct version *v = &m->version;
    size_t texts = v->path.size + v->origin.size + v->value.target.size + v->unknown.size;
    return FIXED + texts + PAIR * ((size_t)v->vv.count + 1);
}

static size_t plan_bytes(const struct resolution *plan)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < plan->count; i++)
        bytes += member_bytes(&plan->members[i]);
    return bytes;
}

static bool copy_exists(struct arena *arena, const struct index_view *index, struct slice path,
                        const struct version *x)
{
    struct item *items = arena_alloc(arena, CONFLICTS_LOOKED_AT_MAX, sizeof *items);
    uint32_t count =
        index->conflicts_of(index->context, arena, path, CONFLICTS_LOOKED_AT_MAX, items);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < items[i].head_count; k++) {
            if (value_same_content(&items[i].heads[k].value, &x->value)) return true;
        }
    }
    return false;
}

// A conflict item of a conflict item of a conflict item is where copying ends.
static bool too_deep(const struct item *item)
{
    for (uint32_t i = 0; i < item->head_count && path_is_conflict_item(item->path); i++) {
        if (path_is_conflict_item(item->heads[i].origin)) return true;
    }
    return false;
}

static bool has_member(const struct resolution *plan, struct slice path)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (slice_equal(plan->members[i].path, path)) return true;
    }
    return false;
}

// Adds the conflict item of loser x. False: its name is taken by something that was not scanned
// yet.
static bool plan_copy(struct arena *arena, const struct index_view *index, struct folder_id folder,
                      const struct item *item, const struct version *x, struct resolution *plan)
{
    if (x->value.kind == KIND_DIR || too_deep(item)) return true;
    struct slice name = conflict_name(arena, folder, item->path, x);
    if (has_member(plan, name)) return true;
    struct item copy;
    index->item(index->context, arena, name, &copy);
    if (copy.head_count > 0 && !PLANTED(copy_minted_over)) return true;
    if (is_first(x) && copy_exists(arena, index, item->path, x)) return true;
    if (copy.local.state != LOCAL_NONE) return false;
    struct member *m = member_add(plan, &copy, x);
    m->version.flags = VERSION_AUTO;
    m->version.has_parent = false;
    m->version.parent_mode = 0;
    m->version.origin = item->path;
    return true;
}

static void plan_result(struct arena *arena, const struct item *item, const struct version *from,
                        uint32_t flags, struct resolution *plan)
{
    struct member *m = member_add(plan, item, from);
    m->version.vv = heads_join(arena, item);
    m->version.flags = flags;
    plan->bundle = plan->count > 1;
}

static bool all_first(const struct item *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < items[i].head_count; k++) {
            if (version_live(&items[i].heads[k]) && !is_first(&items[i].heads[k])) return false;
        }
    }
    return true;
}

// What lives below is not only what a first scan found: a directory has to stay.
static bool dir_stays(struct arena *arena, const struct index_view *index, const struct item *item)
{
    uint32_t max = RESOLVE_MEMBERS_MAX / 2;
    struct item *below = arena_alloc(arena, max + 1U, sizeof *below);
    uint32_t count = index->live_below(index->context, arena, item->path, max, below);
    return count == max || (count > 0 && !all_first(below, count));
}

static bool lives_below(struct arena *arena, const struct index_view *index,
                        const struct item *item)
{
    struct item one;
    return index->live_below(index->context, arena, item->path, 1, &one) > 0;
}

static const struct version *winner_of(const struct rivals *e, bool dirs_only)
{
    const struct version *winner = NULL;
    for (uint32_t i = 0; i < e->count; i++) {
        if (dirs_only && e->live[i]->value.kind != KIND_DIR) continue;
        if (winner == NULL || wins(e->live[i], winner)) winner = e->live[i];
    }
    return winner;
}

bool resolve_heads(struct arena *arena, const struct index_view *index, struct folder_id folder,
                   const struct item *item, struct resolution *out)
{
    CHECK(item->head_count > 1);
    *out = (struct resolution){.members =
                                   arena_alloc(arena, item->head_count + 1U, sizeof *out->members)};
    struct rivals e = rivals_all(arena, item);
    rivals_drop(item, &e, was_answered);
    rivals_drop(item, &e, was_passed);
    if (PLANTED(deletion_wins) && latest_tomb(item) != NULL) e.count = 0;
    if (e.count == 0) {
        const struct version *tomb = latest_tomb(item);
        CHECK(tomb != NULL);
        plan_result(arena, item, tomb, tomb->flags & VERSION_AUTO, out);
        return true;
    }
    // A file that won over what is below it would lose at once, and could not be put in place where
    // the directory is.
    const struct version *winner = winner_of(&e, dir_stays(arena, index, item));
    // Where only what a first scan found lives below, that leaves first.
    bool over = winner != NULL && winner->value.kind != KIND_DIR && lives_below(arena, index, item);
    if (winner == NULL || over) return resolve_clash(arena, index, folder, item, out);
    for (uint32_t i = 0; i < e.count; i++) {
        const struct version *x = e.live[i];
        if (x == winner || value_same_content(&x->value, &winner->value)) continue;
        if (!plan_copy(arena, index, folder, item, x, out)) return false;
    }
    plan_result(arena, item, winner, VERSION_AUTO | (winner->flags & VERSION_FIRST), out);
    out->members[out->count - 1].version.value.mode = merged_mode(item, winner);
    return true;
}

static bool any_established(const struct item *item)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (version_live(&item->heads[i]) && !is_first(&item->heads[i])) return true;
    }
    return false;
}

static bool plan_leaving_copies(struct arena *arena, const struct index_view *index,
                                struct folder_id folder, const struct item *item,
                                struct resolution *out)
{
    struct rivals e = rivals_all(arena, item);
    for (uint32_t i = 0; i < e.count; i++) {
        if (!plan_copy(arena, index, folder, item, e.live[i], out)) return false;
    }
    return true;
}

static void plan_leaving_tomb(struct arena *arena, const struct item *item, struct resolution *out)
{
    const struct version *top = NULL;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *h = &item->heads[i];
        if (version_live(h) && (top == NULL || age_order(h, top) > 0)) top = h;
    }
    struct version tomb = {.birth = top->birth,
                           .has_parent = true,
                           .parent = top->value.content,
                           .parent_mode = top->value.mode,
                           .mtime_ns = top->mtime_ns};
    tomb.value.kind = KIND_TOMB;
    plan_result(arena, item, &tomb, 0, out);
}

// All of `leaving` make way: what they are goes to conflict items, their names are deleted.
static bool plan_leaving(struct arena *arena, const struct index_view *index,
                         struct folder_id folder, const struct item *leaving, uint32_t count,
                         struct resolution *out)
{
    size_t most = count;
    for (uint32_t i = 0; i < count; i++)
        most += leaving[i].head_count;
    *out = (struct resolution){.members = arena_alloc(arena, most, sizeof *out->members)};
    for (uint32_t i = 0; i < count; i++) {
        if (!plan_leaving_copies(arena, index, folder, &leaving[i], out)) return false;
    }
    // Children before parents, so that each directory is empty when its turn comes.
    for (uint32_t i = count; i-- > 0;)
        plan_leaving_tomb(arena, &leaving[i], out);
    out->bundle = true;
    return true;
}

static bool leaving_fits(const struct resolution *plan)
{
    return plan->count <= 2 * RESOLVE_LEAVING_MAX && plan_bytes(plan) <= RESOLVE_LEAVING_BYTES_MAX;
}

bool resolve_clash(struct arena *arena, const struct index_view *index, struct folder_id folder,
                   const struct item *item, struct resolution *out)
{
    uint32_t max = RESOLVE_LEAVING_MAX + 1;
    struct item *below = arena_alloc(arena, max, sizeof *below);
    uint32_t count = index->live_below(index->context, arena, item->path, max, below);
    if (any_established(item) && count < max && all_first(below, count)) {
        if (!plan_leaving(arena, index, folder, below, count, out)) return false;
        if (leaving_fits(out)) return true;
    }
    return plan_leaving(arena, index, folder, item, 1, out);
}
