// SPDX-License-Identifier: MIT
//
// Marks: no counter is believed that its owner has not signed for. Without them one lie of 2^63 - 1
// would enter every K for ever.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/owners_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

const struct marks *marks_of(const struct message *m)
{
    if (m->kind == MSG_VERSIONS) return &m->versions.marks;
    if (m->kind == MSG_DONE) return &m->done.marks;
    if (m->kind == MSG_PUSH) return &m->push.marks;
    if (m->kind == MSG_RANGES) return &m->ranges.marks;
    return m->kind == MSG_NEWS ? &m->news.marks : NULL;
}

enum { OWNERS_PER_MESSAGE = 256 };

// Highest marked counter of an incarnation; 0: none.
static uint64_t marked(struct folder *folder, uint64_t inc)
{
    const struct index_port *index = INDEX(folder);
    if (inc == folder->row.inc) return folder->row.counter;
    uint64_t known = vv_get(folder->marks.v, inc);
    if (known > 0) return known;
    struct mark mark;
    bool kept = index->mark_get(index->self, folder->number, inc, &mark);
    uint64_t most = kept ? mark.counter : 0;
    for (uint32_t i = 0; i < folder->new_mark_count; i++) {
        const struct mark *learned = &folder->new_marks[i];
        if (learned->inc == inc && learned->counter > most) most = learned->counter;
    }
    if (kept) vvbox_raise(&folder->marks, (struct dot){inc, most});
    return most;
}

struct vv marked_part(struct folder *folder, struct vv vv)
{
    struct vv out = {.entries =
                         arena_alloc(folder->engine->scratch, vv.count + 1U, sizeof *out.entries)};
    for (uint32_t i = 0; i < vv.count; i++) {
        uint64_t most = marked(folder, vv.entries[i].inc);
        if (most == 0) continue;
        struct dot *d = &out.entries[out.count++];
        *d = vv.entries[i];
        if (d->counter > most) d->counter = most;
    }
    return out;
}

struct vv versions_vv(struct arena *arena, const struct versions *versions, struct vv also)
{
    struct vv all = also;
    for (uint32_t i = 0; i < versions->count; i++) {
        if (!vv_le(versions->entries[i].vv, all))
            all = vv_join(arena, all, versions->entries[i].vv);
    }
    return all;
}

// ---- own counters that others may know of

// Up to here this life has told of itself: what a peer shows above it was told by another index.
static uint64_t told(const struct folder *folder)
{
    return folder->told.inc == folder->row.inc ? folder->told.counter : 0;
}

void own_told(struct folder *folder, const struct mark *mark)
{
    if (mark->inc == folder->row.inc && mark->counter > told(folder))
        folder->told = (struct dot){mark->inc, mark->counter};
}

// Before a peer has shown what it knows of ours it hears nothing new: it may be the one who can
// tell that these counters were used before.
struct vv own_hidden(struct share *share, struct vv v)
{
    struct folder *folder = share->folder;
    struct dot own = {folder->row.inc, told(folder)};
    if (share->compared || vv_get(v, own.inc) <= own.counter) return v;
    return vv_set(folder->engine->scratch, v, own);
}

static bool mark_to_show(struct share *share, struct dot d, struct mark *out)
{
    struct folder *folder = share->folder;
    if (!INDEX(folder)->mark_get(INDEX(folder)->self, folder->number, d.inc, out)) return false;
    if (d.inc == folder->row.inc && !share->compared && out->counter > d.counter)
        *out = own_mark(folder, d);
    own_told(folder, out);
    return true;
}

// ---- showing

static void owners_send(struct share *share, struct owner *owners, uint32_t count)
{
    struct message m = {
        .kind = MSG_OWNERS,
        .owners = {.folder = share->folder->row.id, .owners = owners, .count = count}};
    if (count > 0) (void)session_send(share->session, LANE_CONTROL, &m);
}

void owners_show(struct share *share, struct vv vv)
{
    struct folder *folder = share->folder;
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct owner *owners = arena_alloc(arena, OWNERS_PER_MESSAGE, sizeof *owners);
    struct vv fresh = {.entries = arena_alloc(arena, vv.count + 1U, sizeof *fresh.entries)};
    uint32_t count = 0;
    for (uint32_t i = 0; i < vv.count; i++) {
        uint64_t inc = vv.entries[i].inc;
        if (vv_get(share->owners_shown.v, inc) != 0) continue;
        if (!index->owner_get(index->self, arena, folder->number, inc, &owners[count])) continue;
        fresh.entries[fresh.count++] = (struct dot){inc, 1};
        if (++count < OWNERS_PER_MESSAGE) continue;
        owners_send(share, owners, count);
        count = 0;
    }
    owners_send(share, owners, count);
    if (fresh.count > 0)
        vvbox_set(&share->owners_shown, vv_join(arena, share->owners_shown.v, fresh));
}

struct marks marks_to_show(struct share *share, struct arena *arena, struct vv vv)
{
    struct marks out = {.entries = arena_alloc(arena, vv.count + 1U, sizeof(struct mark))};
    struct vv fresh = {.entries = arena_alloc(arena, vv.count + 1U, sizeof *fresh.entries)};
    for (uint32_t i = 0; i < vv.count; i++) {
        struct dot d = vv.entries[i];
        struct mark *mark = &out.entries[out.count];
        if (vv_covers(share->shown.v, d)) continue;
        if (!mark_to_show(share, d, mark)) continue;
        fresh.entries[fresh.count++] = (struct dot){d.inc, mark->counter};
        out.count++;
    }
    if (out.count == 0) return out;
    owners_show(share, fresh);
    share->shows++;
    vvbox_set(&share->shown, vv_join(arena, share->shown.v, fresh));
    return out;
}

// APPLIED has no room for marks, and a PULL tells of counters without showing them.
void marks_show(struct share *share, struct vv a)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    struct message m = {.kind = MSG_NEWS,
                        .news = {.folder = folder->row.id, .gcfloor = folder->gcfloor.v}};
    m.news.marks = marks_to_show(share, arena, a);
    if (m.news.marks.count == 0) return;
    m.news.k = a;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

// ---- learning marks

// A mark signed by this device for this life above all that it has told of, or by a process that it
// does not know: the index is older than what was published, though it may have counted on as far
// since.
static void own_future(struct folder *folder, const struct mark *mark)
{
    uint64_t end = own_sound(folder, mark);
    if (reinc_wanted(folder) && end >= folder->reinc_end) return;
    log_warn(LOG_SYNC, "a counter of ours that this index has not published",
             "folder=%s shown=%llu own=%llu ours_to=%llu", folder->name,
             (unsigned long long)mark->counter, (unsigned long long)folder->row.counter,
             (unsigned long long)(end < folder->row.base ? end : folder->row.base));
    if (end < folder->reinc_end) folder->reinc_end = end;
    reinc_want(folder, "a peer shows what this index does not know to have published");
}

// NULL: it may be believed.
static const char *mark_fault(struct session *session, struct folder *folder,
                              const struct mark *mark)
{
    const struct key_port *keys = &folder->engine->o.keys;
    struct owner owner;
    if (!owner_told(session, folder, mark->inc, &owner)) return "a mark of an unknown incarnation";
    if (!keys->verify(owner.device, folder->row.id, mark))
        return "a mark that its owner did not sign";
    return NULL;
}

// A mark needs no transaction of its own: it is written with whatever first relies on it.
static void mark_keep(struct folder *folder, const struct mark *mark)
{
    uint32_t at = 0;
    while (at < folder->new_mark_count &&
           (folder->new_marks[at].inc != mark->inc || folder->new_marks[at].epoch != mark->epoch))
        at++;
    if (at == folder->new_mark_capacity) {
        uint32_t grown = at == 0 ? 8 : 2 * at;
        folder->new_marks = mem_realloc(folder->new_marks, grown * sizeof *folder->new_marks);
        folder->new_mark_capacity = grown;
    }
    folder->new_marks[at] = *mark;
    if (at == folder->new_mark_count) folder->new_mark_count++;
    // What is not there is looked up with all that is known.
    if (vv_get(folder->marks.v, mark->inc) > 0)
        vvbox_raise(&folder->marks, (struct dot){mark->inc, mark->counter});
}

void marks_write(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    for (uint32_t i = 0; i < folder->new_mark_count; i++)
        index->mark_put(index->self, folder->number, &folder->new_marks[i]);
}

void marks_written(struct folder *folder)
{
    folder->new_mark_count = 0;
}

void marks_reload(struct folder *folder)
{
    vvbox_fini(&folder->marks);
}

// It says more than what is known, or something else.
static bool mark_is_news(struct folder *folder, const struct mark *mark)
{
    if (mark->inc == folder->row.inc)
        return mark->counter > told(folder) ||
               (!own_epoch(folder, mark) && !PLANTED(epochs_not_compared));
    if (marked(folder, mark->inc) < mark->counter) return true;
    return mark->epoch != 0 && epoch_counter(folder, mark->inc, mark->epoch) < mark->counter &&
           epoch_has_room(folder, mark);
}

// All of them, before any is taken: with its signature a device confirms the life that it is of.
static bool marks_sound(struct session *session, struct folder *folder, const struct marks *marks)
{
    AUTO(vvbox_fini) struct vvbox incs = {0};
    for (uint32_t i = 0; i < marks->count; i++) {
        if (!mark_is_news(folder, &marks->entries[i])) continue;
        const char *what = mark_fault(session, folder, &marks->entries[i]);
        if (what != NULL) {
            session_refuse(session, what);
            return false;
        }
        vvbox_raise(&incs, (struct dot){marks->entries[i].inc, 1});
    }
    return owners_confirm(session, folder, incs.v);
}

bool inc_is_of(struct folder *folder, uint64_t inc, struct device_id device)
{
    struct owner owner;
    return INDEX(folder)->owner_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                    inc, &owner) &&
           device_equal(owner.device, device);
}

enum { TO_WRITE = 1, TO_TELL }; // nothing else does that; to tell is also to write

// Of an epoch that is new here, or not the highest. Its owner knows of what he shows himself,
// unless it contradicts something: of that he may not.
static unsigned mark_take(struct folder *folder, const struct mark *mark, const struct peer *from)
{
    bool higher = marked(folder, mark->inc) < mark->counter;
    bool fresh = mark->epoch != 0 && epoch_counter(folder, mark->inc, mark->epoch) == 0;
    bool contradicted = epoch_contradicted(folder, mark);
    mark_keep(folder, mark);
    bool others = !inc_is_of(folder, mark->inc, from->device);
    if (contradicted || (others && (fresh || !higher))) return TO_TELL;
    return higher ? 0 : TO_WRITE;
}

static void marks_save(struct folder *folder)
{
    txn_begin(folder);
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "marks not written", "folder=%s", folder->name);
}

// Of own marks all that the message has: together they tell where the histories part. So do those
// of another, for him.
static bool marks_heard(struct session *session, struct folder *folder, const struct marks *marks)
{
    AUTO(vvbox_fini) struct vvbox fresh = {0};
    bool evidence = false;
    if (!marks_sound(session, folder, marks)) return false;
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct mark *mark = &marks->entries[i];
        if (!mark_is_news(folder, mark)) continue;
        if (mark->inc == folder->row.inc) {
            own_future(folder, mark);
            evidence = true;
        } else {
            unsigned due = mark_take(folder, mark, session->peer);
            if (due > 0) vvbox_raise(&fresh, (struct dot){mark->inc, due});
        }
    }
    if (fresh.v.count > 0) marks_save(folder);
    for (uint32_t i = 0; i < fresh.v.count; i++) {
        if (fresh.v.entries[i].counter == TO_TELL) epochs_pass_on(folder, fresh.v.entries[i].inc);
    }
    return !evidence;
}

void marks_of_dropped(struct session *session, struct folder *folder, const struct message *m)
{
    if (marks_of(m) != NULL) (void)marks_heard(session, folder, marks_of(m));
}

bool marks_learn(struct share *share, const struct marks *marks)
{
    if (!marks_heard(share->session, share->folder, marks)) return false;
    for (uint32_t i = 0; i < marks->count; i++)
        vvbox_raise(&share->shown, (struct dot){marks->entries[i].inc, marks->entries[i].counter});
    return true;
}

bool counters_marked(struct share *share, struct vv vv)
{
    for (uint32_t i = 0; i < vv.count; i++) {
        if (marked(share->folder, vv.entries[i].inc) >= vv.entries[i].counter) continue;
        session_refuse(share->session, "a counter above its mark");
        return false;
    }
    return true;
}
