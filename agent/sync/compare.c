// SPDX-License-Identifier: MIT
//
// Two folders of one name that are not joined, side by side, before a person decides. The other
// side lists what it has in the order of paths, a page for each question; each page is merged with
// the same part of the index here, counted, and let go of. Nothing is minted or stored.
//
//     asker  LIST(from, to)  ------>
//                            <------  LIST(from, up to where, what lives there)
//     ... from there on, until there is no more on either side
#include <string.h>

#include "agent/sync/ranges_priv.h"

enum {
    STEP_ITEMS = 1024, // of the index here that one question covers
    MERGE_PAGE = 128,
    PAGES_MAX = 1 << 14, // of one comparison: an honest one is through with many millions of items
    SILENT_MS = 30 * 1000
};

struct compare {
    uint64_t number;
    struct arena *arena; // names shown
    struct compared result;
    struct buf from, to; // what was asked for
    uint32_t pages;
    int64_t asked_ms;
};

static bool compare_runs(const struct share *share)
{
    return share->compare != NULL && share->compare->result.state == COMPARE_RUNS;
}

void compare_drop(struct share *share)
{
    struct compare *c = share->compare;
    if (c == NULL) return;
    share->compare = NULL;
    buf_fini(&c->from);
    buf_fini(&c->to);
    arena_destroy(&c->arena);
    mem_free(&c);
}

static void compare_end(struct share *share, enum compare_state state, const char *why)
{
    share->compare->result.state = state;
    share->compare->result.why = why;
    engine_changed(share->folder->engine);
}

// ---- asking

static void buf_set(struct buf *buf, struct slice bytes)
{
    buf_clear(buf);
    buf_append(buf, bytes.data, bytes.size);
}

// As much as is quickly merged with what is here.
static void compare_ask(struct share *share)
{
    struct compare *c = share->compare;
    struct folder *folder = share->folder;
    struct item *items = arena_alloc(folder->engine->scratch, STEP_ITEMS + 1, sizeof *items);
    uint32_t got = range_items(folder, folder->engine->scratch, buf_slice(&c->from), slice_text(""),
                               slice_text(""), false, STEP_ITEMS + 1, items);
    buf_set(&c->to, got > STEP_ITEMS ? items[STEP_ITEMS].path : slice_text(""));
    struct range range = {.what = RANGE_ASK, .from = buf_slice(&c->from), .to = buf_slice(&c->to)};
    struct message m = {.kind = MSG_RANGES};
    m.ranges.folder = share->offered_id;
    m.ranges.audit = c->number;
    m.ranges.step = RANGES_LIST;
    m.ranges.ranges = &range;
    m.ranges.range_count = 1;
    c->asked_ms = folder->engine->now_ms;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void compare_start(struct share *share)
{
    struct engine *engine = share->folder->engine;
    if (compare_runs(share)) return;
    compare_drop(share);
    struct compare *c = mem_zalloc(1, sizeof *c);
    c->arena = arena_new();
    c->result.state = COMPARE_RUNS;
    engine->o.keys.random(&c->number, sizeof c->number);
    share->compare = c;
    if ((share->session->features & PROTO_FEATURE_LIST) != 0)
        compare_ask(share);
    else
        compare_end(share, COMPARE_FAILED, "its program is too old for this");
}

static bool is_meant(const struct folder *folder, const char *name)
{
    return !folder->gone && (name == NULL || strcmp(folder->name, name) == 0);
}

void engine_compare(struct engine *engine, const char *name)
{
    arena_reset(engine->scratch);
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!is_meant(f, name)) continue;
        for (struct peer *p = engine->peers; p != NULL; p = p->next) {
            struct share *share = p->in_use != NULL ? share_find(p->in_use, f) : NULL;
            if (share != NULL && share->pending) compare_start(share);
        }
    }
}

bool engine_comparing(const struct engine *engine, const char *name)
{
    for (const struct session *s = engine->sessions; s != NULL; s = s->next) {
        for (const struct share *share = s->shares; share != NULL; share = share->next)
            if (is_meant(share->folder, name) && compare_runs(share)) return true;
    }
    return false;
}

void compare_tick(struct share *share)
{
    if (compare_deadline(share) <= share->folder->engine->now_ms)
        compare_end(share, COMPARE_FAILED, "it does not answer");
}

int64_t compare_deadline(const struct share *share)
{
    return compare_runs(share) ? share->compare->asked_ms + SILENT_MS : INT64_MAX;
}

void compare_show(const struct share *share, struct arena *arena, struct compared *out)
{
    if (share->compare == NULL) return;
    *out = share->compare->result;
    for (int kind = 0; kind < COMPARED_KINDS; kind++) {
        struct compared_part *part = &out->parts[kind];
        for (uint32_t i = 0; i < part->first_count; i++)
            part->first[i] = arena_copy(arena, part->first[i]);
    }
}

// ---- merging

static uint64_t bytes_of(const struct value *value)
{
    return value != NULL && value->kind == KIND_FILE ? value->size : 0;
}

// Sums of what a peer claims stay presentable.
static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

// NULL: nothing there.
static void count(struct compare *c, enum compared_kind kind, struct slice path,
                  const struct value *here, const struct value *there)
{
    struct compared_part *part = &c->result.parts[kind];
    part->items++;
    part->bytes_here = sum(part->bytes_here, bytes_of(here));
    part->bytes_there = sum(part->bytes_there, bytes_of(there));
    if (kind != COMPARED_EQUAL && part->first_count < COMPARED_NAMES)
        part->first[part->first_count++] = arena_copy(c->arena, path);
}

static void only_there(struct share *share, const struct version *v)
{
    bool ruled = left_out(share->folder, v->path, v->value.kind == KIND_DIR) == LEFT_OUT_BY_RULE;
    enum compared_kind kind = ruled ? COMPARED_LEFT_OUT : COMPARED_ONLY_THERE;
    count(share->compare, kind, v->path, NULL, &v->value);
}

static void both(struct compare *c, const struct value *here, const struct version *there)
{
    enum compared_kind kind = value_equal(here, &there->value)          ? COMPARED_EQUAL
                              : value_same_content(here, &there->value) ? COMPARED_MODE
                                                                        : COMPARED_DIFFERENT;
    count(c, kind, there->path, here, &there->value);
}

// What is on this disk and not left out of the folder by a rule of later.
static const struct value *value_here(const struct item *item)
{
    bool here = item_local_live(item) && item->local.state != LOCAL_OBSOLETE;
    return here ? &item->local.version.value : NULL;
}

static void merge(struct share *share, struct slice to, const struct versions *there)
{
    struct compare *c = share->compare;
    struct arena *arena = share->folder->engine->scratch;
    struct slice after = {0};
    uint32_t at = 0;
    bool begun = false;
    for (;;) {
        struct item *items = arena_alloc(arena, MERGE_PAGE, sizeof *items);
        uint32_t got = range_items(share->folder, arena, buf_slice(&c->from), to, after, begun,
                                   MERGE_PAGE, items);
        for (uint32_t i = 0; i < got; i++) {
            const struct value *here = value_here(&items[i]);
            after = items[i].path;
            while (at < there->count && path_compare(there->entries[at].path, after) < 0)
                only_there(share, &there->entries[at++]);
            bool met = at < there->count && slice_equal(there->entries[at].path, after);
            if (met && here != NULL) both(c, here, &there->entries[at++]);
            if (!met && here != NULL) count(c, COMPARED_ONLY_HERE, after, here, NULL);
        }
        if (got == 0) break;
        begun = true;
    }
    while (at < there->count)
        only_there(share, &there->entries[at++]);
}

// ---- hearing

// NULL: it is a page of what was asked for.
static const char *page_fault(const struct compare *c, const struct msg_ranges *m)
{
    const struct range *range = &m->ranges[0];
    struct slice from = buf_slice(&c->from), to = buf_slice(&c->to), last = {0};
    if (!slice_equal(range->from, from)) return "a list of another part";
    bool whole = slice_equal(range->to, to);
    bool goes_on = range->to.size > 0 && range_has(from, to, range->to) &&
                   (from.size == 0 || path_compare(range->to, from) > 0);
    if (!whole && !goes_on) return "a list that does not go on";
    for (uint32_t i = 0; i < m->versions.count; i++) {
        const struct version *v = &m->versions.entries[i];
        if (!range_has(from, range->to, v->path)) return "a list of more than it says";
        if (i > 0 && path_compare(v->path, last) <= 0) return "a list out of order";
        if (!version_live(v)) return "a deletion in a list";
        last = v->path;
    }
    return NULL;
}

static struct share *share_comparing(struct session *session, const struct msg_ranges *m)
{
    struct share *share = session->shares;
    for (; share != NULL; share = share->next) {
        bool meant = compare_runs(share) && share->compare->number == m->audit;
        if (meant && folder_id_equal(share->offered_id, m->folder)) break;
    }
    return share;
}

static void page_handle(struct session *session, const struct msg_ranges *m)
{
    struct share *share = share_comparing(session, m);
    if (share == NULL) return; // of one that was given up
    struct compare *c = share->compare;
    if (m->range_count == 0) {
        compare_end(share, COMPARE_FAILED, "its folder is not ready");
        return;
    }
    const char *fault = page_fault(c, m);
    if (fault != NULL) {
        session_refuse(session, fault);
        return;
    }
    merge(share, m->ranges[0].to, &m->versions);
    c->result.listed += m->versions.count;
    if (m->ranges[0].to.size == 0) {
        compare_end(share, COMPARE_DONE, NULL);
    } else if (++c->pages == PAGES_MAX) {
        compare_end(share, COMPARE_FAILED, "its list does not end");
    } else {
        buf_set(&c->from, m->ranges[0].to);
        compare_ask(share);
    }
}

void compare_handle(struct session *session, const struct msg_ranges *m)
{
    if (m->range_count == 1 && m->ranges[0].what == RANGE_ASK && m->versions.count == 0)
        list_handle(session, m);
    else if (m->range_count == 0 || (m->range_count == 1 && m->ranges[0].what == RANGE_ITEMS))
        page_handle(session, m);
    else
        session_refuse(session, "neither a list nor asking for one");
}
