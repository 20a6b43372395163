// SPDX-License-Identifier: MIT
//
// The talk of two peers about all they have: sums of parts of the list of paths, parts that differ
// split until they are small, and then the items themselves. One message each way in turn, so that
// neither side holds more than a message of the other's.
//
//     asker    OPEN(K, floor)            ------>
//                                        <------  GO(floor, sum of all)
//     in turn  GO(sums, items)           <----->  ... until neither has more to say: END, END
//
// An audit compares two that know the same (K equal). A reconciliation (2.10) is one-sided: only
// the asker changes, and K may differ.
#include <string.h>

#include "agent/sync/age_priv.h"
#include "agent/sync/page_priv.h"
#include "agent/sync/ranges_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    SLICE_ITEMS = 2048, // of one turn of the engine
    WORK_MAX = 8192,
    OUT_TEXT_BYTES = 96 << 10,
    GIVES_MAX = 512,
    QUIET_MS = 60 * 1000,
};

// ---- its life

static void work_pop(struct audit *audit)
{
    struct audit_work *work = audit->work;
    audit->work = work->next;
    audit->work_count--;
    mem_free(&work);
}

void audit_work_push(struct audit *audit, const struct range *range, bool give)
{
    size_t from = range->from.size, to = range->to.size;
    struct audit_work *work = mem_zalloc(1, sizeof *work + from + to + 1);
    char *text = (char *)(work + 1);
    if (from > 0) memcpy(text, range->from.data, from);
    if (to > 0) memcpy(text + from, range->to.data, to);
    work->range = *range;
    work->range.from = slice_of(text, from);
    work->range.to = slice_of(text + from, to);
    work->give = give;
    work->next = audit->work;
    audit->work = work;
    audit->work_count++;
}

static struct audit *audit_new(struct share *share, uint64_t number, bool asker, bool reconcile)
{
    struct audit *audit = mem_zalloc(1, sizeof *audit);
    audit->share = share;
    audit->number = number;
    audit->asker = asker;
    audit->reconcile = reconcile;
    audit->arena = arena_new();
    audit->heard_ms = share->folder->engine->now_ms;
    vvbox_set(&audit->k, share->folder->k.v);
    vvbox_set(&audit->own_floor, share->folder->gcfloor.v);
    return audit;
}

static void audit_free(struct audit **slot)
{
    struct audit *audit = *slot;
    if (audit == NULL) return;
    *slot = NULL;
    if (audit->scanning) range_scan_end(&audit->scan);
    while (audit->work != NULL)
        work_pop(audit);
    vvbox_fini(&audit->k);
    vvbox_fini(&audit->floor);
    vvbox_fini(&audit->own_floor);
    arena_destroy(&audit->arena);
    mem_free(&audit);
}

void audits_drop(struct share *share)
{
    audit_free(&share->asking);
    audit_free(&share->answering);
}

static struct audit **slot_of(struct audit *audit)
{
    return audit->asker ? &audit->share->asking : &audit->share->answering;
}

// What came of it goes to whoever asked for it.
static void audit_end(struct audit *audit, enum audit_result result)
{
    struct share *share = audit->share;
    struct folder *folder = share->folder;
    struct audit_report report = {
        .result = result, .items = audit->items, .moved = audit->moved, .given = audit->given};
    bool asker = audit->asker, reconcile = audit->reconcile;
    audit_free(slot_of(audit));
    share->audit_at_ms =
        folder->engine->now_ms + (result == AUDIT_DONE ? AUDIT_CHECK_MS : AUDIT_AGAIN_MS);
    if (reconcile) {
        if (asker && report.moved > 0)
            log_info(LOG_SYNC, "reconciled", "folder=%s peer=%s forgotten=%llu", folder->name,
                     share->session->peer->name, (unsigned long long)report.moved);
        if (asker) pull_reconciled(share, result == AUDIT_DONE);
        return;
    }
    if (result == AUDIT_DONE) {
        struct bond *bond = bond_get(folder, share->session->peer->device);
        bond->audit_ms = age_recent(folder->engine);
        bond->audit_due = false;
        bond->unsaved = true;
        bond->save_at_ms = folder->engine->now_ms;
        log_info(LOG_SYNC, "audit done", "folder=%s peer=%s items=%llu came=%llu went=%llu",
                 folder->name, share->session->peer->name, (unsigned long long)report.items,
                 (unsigned long long)report.moved, (unsigned long long)report.given);
    }
    if (asker) verify_note(share, &report);
}

// ---- sending

static void audit_send(struct audit *audit, struct message *m)
{
    m->kind = MSG_RANGES;
    m->ranges.folder = audit->share->folder->row.id;
    m->ranges.audit = audit->number;
    m->ranges.reconcile = audit->reconcile;
    (void)session_send(audit->share->session, LANE_CONTROL, m);
}

static void step_send(struct audit *audit, enum ranges_step step)
{
    struct message m = {.ranges = {.step = step}};
    audit_send(audit, &m);
}

void audit_start(struct share *share, bool reconcile)
{
    struct folder *folder = share->folder;
    uint64_t number = 0;
    if (share->asking != NULL) audit_end(share->asking, AUDIT_MOVED);
    folder->engine->o.keys.random(&number, sizeof number);
    share->asking = audit_new(share, number, true, reconcile);
    struct message m = {.ranges = {.step = RANGES_OPEN}};
    m.ranges.k = folder->k.v;
    m.ranges.gcfloor = folder->gcfloor.v;
    audit_send(share->asking, &m);
}

// In an audit not what the other may have forgotten.
static bool counts(const void *context, const struct version *v)
{
    const struct audit *audit = context;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    return audit->reconcile || range_dots(arena, v, audit->floor.v).count > 0;
}

// What the other has shown that it lacks may be a deletion that does not count.
static bool all(const void *context, const struct version *v)
{
    (void)context, (void)v;
    return true;
}

// As many as fit, also of those that do not count; *out_left is the path of the first that does
// not: size 0, none. Bundles make an item's versions more than its own.
static void page_items(struct audit *audit, struct page *page, const struct range *range,
                       struct slice *out_left)
{
    struct folder *folder = audit->share->folder;
    struct arena *arena = folder->engine->scratch;
    enum { MORE = PROTO_RANGE_ITEMS_MAX + 1 };
    struct item *items = arena_alloc(arena, MORE, sizeof *items);
    uint32_t got =
        range_items(folder, arena, range->from, range->to, slice_text(""), false, MORE, items);
    *out_left = slice_text("");
    for (uint32_t i = 0; i < got && out_left->size == 0; i++) {
        bool full = page->bytes >= PROTO_PAGE_BYTES_MAX * 3 / 4;
        if (full || i == PROTO_RANGE_ITEMS_MAX)
            *out_left = items[i].path;
        else
            page_add(folder, page, &items[i], counts, audit);
    }
}

// The ranges whose items are promised, then what the other lacks; what is left waits for the next
// turn, as if it had been asked for.
static void versions_fill(struct audit *audit, struct page *page)
{
    struct folder *folder = audit->share->folder;
    const struct index_port *index = INDEX(folder);
    uint32_t promised = audit->out_count;
    audit->out_count = 0;
    for (uint32_t i = 0; i < promised; i++) {
        struct range range = audit->out[i], rest = range;
        if (range.what == RANGE_ITEMS) page_items(audit, page, &range, &rest.from);
        if (range.what == RANGE_ITEMS && rest.from.size > 0) {
            rest.what = RANGE_ASK;
            audit_work_push(audit, &rest, false);
            range.to = arena_copy(audit->arena, rest.from);
            if (slice_equal(range.from, range.to)) continue; // nothing of it
        }
        audit->out[audit->out_count++] = range;
    }
    for (uint32_t i = 0; i < audit->give_count; i++) {
        struct item item;
        if (page->bytes >= PROTO_PAGE_BYTES_MAX * 3 / 4) {
            audit_work_push(audit, &(struct range){.from = audit->gives[i]}, true);
            continue;
        }
        if (page_has(page, audit->gives[i])) continue;
        index->item_get(index->self, folder->engine->scratch, folder->number, audit->gives[i],
                        &item);
        page_add(folder, page, &item, all, NULL);
    }
}

static void turn_begin(struct audit *audit)
{
    audit->my_turn = true;
    arena_reset(audit->arena);
    audit->out = arena_alloc(audit->arena, PROTO_RANGES_MAX, sizeof *audit->out);
    audit->gives = arena_alloc(audit->arena, GIVES_MAX, sizeof *audit->gives);
    audit->out_count = audit->give_count = 0;
}

static void turn_send(struct audit *audit)
{
    struct folder *folder = audit->share->folder;
    struct arena *arena = folder->engine->scratch;
    AUTO(page_fini) struct page page;
    page_init(&page, arena, PROTO_PAGE_VERSIONS_MAX, PROTO_PAGE_BYTES_HARD);
    versions_fill(audit, &page);
    bool nothing = audit->out_count == 0 && page.count == 0 && audit->work == NULL;
    struct message m = {.ranges = {.step = nothing ? RANGES_END : RANGES_GO}};
    m.ranges.ranges = audit->out;
    m.ranges.range_count = audit->out_count;
    m.ranges.versions = (struct versions){.entries = page.list, .count = page.count};
    m.ranges.marks =
        marks_to_show(audit->share, arena, versions_vv(arena, &m.ranges.versions, (struct vv){0}));
    if (audit->opening) m.ranges.gcfloor = folder->gcfloor.v;
    audit->opening = audit->my_turn = false;
    audit->said_end = nothing;
    audit_send(audit, &m);
    if (nothing && audit->heard_end) audit_end(audit, AUDIT_DONE);
}

// ---- a turn

static void out_put(struct audit *audit, enum range_what what, const struct range *range)
{
    struct range *out = &audit->out[audit->out_count++];
    *out = *range;
    out->what = what;
    out->from = arena_copy(audit->arena, range->from);
    out->to = arena_copy(audit->arena, range->to);
}

static void scan_settle(struct audit *audit, const struct range *theirs)
{
    const struct range_scan *scan = &audit->scan;
    if (theirs->from.size == 0 && theirs->to.size == 0) audit->items = scan->count;
    if (audit->opening) {
        struct range all = {.count = scan->count, .sum = scan->sum};
        out_put(audit, RANGE_SUM, &all);
        return;
    }
    if (scan->count == theirs->count && digest_equal(scan->sum, theirs->sum)) return;
    bool few = scan->count <= PROTO_RANGE_ITEMS_MAX;
    if (audit->reconcile && audit->asker && few) {
        if (scan->count > 0) out_put(audit, RANGE_ASK, theirs);
    } else if (few) {
        out_put(audit, RANGE_ITEMS, theirs);
    } else if (theirs->count <= PROTO_RANGE_ITEMS_MAX && !audit->reconcile) {
        out_put(audit, RANGE_ASK, theirs);
    } else {
        struct range parts[RANGE_WAYS];
        uint32_t count = range_scan_split(scan, parts);
        for (uint32_t i = 0; i < count; i++)
            out_put(audit, RANGE_SUM, &parts[i]);
    }
}

// One entry of what is to be done, or a slice of it.
static void work_step(struct audit *audit)
{
    struct folder *folder = audit->share->folder;
    const struct audit_work *work = audit->work;
    if (work->give) {
        audit->gives[audit->give_count++] = arena_copy(audit->arena, work->range.from);
        work_pop(audit);
        return;
    }
    if (work->range.what == RANGE_ASK) {
        out_put(audit, RANGE_ITEMS, &work->range);
        work_pop(audit);
        return;
    }
    if (!audit->scanning) {
        range_scan_begin(&audit->scan, folder, work->range.from, work->range.to, audit->floor.v);
        audit->scanning = true;
    }
    if (!range_scan_step(&audit->scan, SLICE_ITEMS)) return;
    scan_settle(audit, &work->range);
    range_scan_end(&audit->scan);
    audit->scanning = false;
    work_pop(audit);
}

static bool out_full(const struct audit *audit)
{
    size_t bytes = 0;
    uint32_t promised = 0;
    for (uint32_t i = 0; i < audit->out_count; i++) {
        bytes += audit->out[i].from.size + audit->out[i].to.size + 64;
        promised += audit->out[i].what == RANGE_ITEMS;
    }
    return audit->out_count + RANGE_WAYS > PROTO_RANGES_MAX / 2 || promised >= 16 ||
           bytes > OUT_TEXT_BYTES || audit->give_count == GIVES_MAX;
}

static bool moved(const struct audit *audit)
{
    const struct folder *folder = audit->share->folder;
    return !audit->reconcile &&
           (!vv_equal(audit->k.v, folder->k.v) || !vv_equal(audit->own_floor.v, folder->gcfloor.v));
}

static void audit_step(struct audit *audit)
{
    struct folder *folder = audit->share->folder;
    if (folder->engine->now_ms - audit->heard_ms >= QUIET_MS) {
        audit_end(audit, AUDIT_MOVED);
        return;
    }
    if (!audit->my_turn) return;
    if (moved(audit)) {
        step_send(audit, RANGES_MOVED);
        audit_end(audit, AUDIT_MOVED);
        return;
    }
    // What is found in small parts goes on at once; a large one takes its slice of each turn.
    for (uint32_t i = 0; i < RANGE_WAYS && audit->work != NULL && !out_full(audit); i++) {
        work_step(audit);
        if (audit->scanning) return;
    }
    if (audit->work == NULL || out_full(audit)) turn_send(audit);
}

// ---- hearing

static void audit_opened(struct share *share, const struct msg_ranges *m)
{
    struct folder *folder = share->folder;
    audit_free(&share->answering);
    struct audit *audit = audit_new(share, m->audit, false, m->reconcile);
    bool ready = folder->row.scanned && !folder_turning(folder);
    if (!ready || (!m->reconcile && !vv_equal(m->k, folder->k.v))) {
        step_send(audit, RANGES_MOVED);
        audit_free(&audit);
        return;
    }
    share->answering = audit;
    audit->opening = true;
    vvbox_set(&audit->floor, vv_join(folder->engine->scratch, m->gcfloor, folder->gcfloor.v));
    turn_begin(audit);
    audit_work_push(audit, &(struct range){.what = RANGE_SUM}, false);
}

static struct audit *audit_of(const struct share *share, uint64_t number)
{
    if (share->asking != NULL && share->asking->number == number) return share->asking;
    if (share->answering != NULL && share->answering->number == number) return share->answering;
    return NULL;
}

static void work_add(struct audit *audit, const struct msg_ranges *m)
{
    for (uint32_t i = m->range_count; i-- > 0;) {
        if (m->ranges[i].what != RANGE_ITEMS) audit_work_push(audit, &m->ranges[i], false);
    }
}

static void turn_heard(struct audit *audit, const struct msg_ranges *m)
{
    struct share *share = audit->share;
    if (audit->work_count + m->range_count > WORK_MAX) {
        session_refuse(share->session, "too many ranges");
        return;
    }
    if (audit->asker && audit->floor.arena == NULL)
        vvbox_set(&audit->floor,
                  vv_join(share->folder->engine->scratch, m->gcfloor, share->folder->gcfloor.v));
    turn_begin(audit);
    work_add(audit, m);
    (void)audit_take(audit, m);
}

void ranges_handle(struct share *share, const struct msg_ranges *m)
{
    // Even of a message that is ignored: the sender shows no mark twice.
    if (!marks_learn(share, &m->marks)) return;
    if (m->step == RANGES_OPEN) {
        audit_opened(share, m);
        return;
    }
    struct audit *audit = audit_of(share, m->audit);
    if (audit == NULL) return; // of one that was given up
    audit->heard_ms = share->folder->engine->now_ms;
    if (m->step == RANGES_MOVED) {
        audit_end(audit, AUDIT_MOVED);
        return;
    }
    if (audit->my_turn) {
        session_refuse(share->session, "ranges out of turn");
        return;
    }
    if (moved(audit)) {
        step_send(audit, RANGES_MOVED);
        audit_end(audit, AUDIT_MOVED);
        return;
    }
    audit->heard_end = m->step == RANGES_END;
    if (audit->heard_end && audit->said_end) {
        audit_end(audit, AUDIT_DONE);
        return;
    }
    turn_heard(audit, m);
}

void audits_tick(struct share *share)
{
    if (share->answering != NULL) audit_step(share->answering);
    if (share->asking != NULL) audit_step(share->asking);
    audit_look(share);
}

static int64_t turn_deadline(const struct audit *audit)
{
    if (audit == NULL) return INT64_MAX;
    return audit->my_turn ? 0 : audit->heard_ms + QUIET_MS;
}

int64_t audits_deadline(const struct share *share)
{
    if (!share->joined) return INT64_MAX;
    int64_t at = share->asking == NULL ? share->audit_at_ms : turn_deadline(share->asking);
    int64_t other = turn_deadline(share->answering);
    return other < at ? other : at;
}
