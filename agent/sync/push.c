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

enum { PUSH_ROWS_MAX = 256, PUSHES_BYTES_MAX = 16 << 20 };

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
    struct content content = {.id = v->value.content, .size = v->value.size};
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

static void ride_add(const struct share *share, const struct version *v, struct msg_push *push,
                     size_t *total, uint64_t *contents)
{
    struct engine *engine = share->folder->engine;
    bool large = *contents + v->value.size > PROTO_RIDE_CONTENTS_BYTES_MAX;
    if (v->value.kind != KIND_FILE || v->value.size == 0 || large) return;
    if (patch_add(share, v, push, total, contents)) return;
    struct content content = {.id = v->value.content, .size = v->value.size};
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

// False: too much for one message; the receiver pulls a round instead.
static bool push_collect(struct folder *folder, uint64_t after, struct versions *out)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PUSH_ROWS_MAX + 1, sizeof *rows);
    struct own_after own = {folder->row.inc, after};
    uint32_t got = index->dots_after(index->self, arena, folder->number, folder->row.inc, after,
                                     folder->row.counter, PUSH_ROWS_MAX + 1, rows);
    if (got > PUSH_ROWS_MAX) return false;
    AUTO(page_fini) struct page page;
    page_init(&page, arena, 4 * PUSH_ROWS_MAX, PROTO_PAGE_BYTES_HARD);
    for (uint32_t i = 0; i < got; i++) {
        struct item item;
        if (page_has(&page, rows[i].path)) continue;
        index->item_get(index->self, arena, folder->number, rows[i].path, &item);
        page_add(folder, &page, &item, own_above, &own);
        if (page.bytes > PROTO_PAGE_BYTES_MAX || page.count == page.max) return false;
    }
    *out = (struct versions){.entries = page.list, .count = page.count};
    return true;
}

static void push_one(struct share *share)
{
    struct folder *folder = share->folder;
    struct arena *arena = folder->engine->scratch;
    uint64_t upto = folder->row.counter, after = share->pushed;
    uint64_t said = vv_get(share->said_k.v, folder->row.inc);
    if (said > after) after = said;
    if (folder->lost_own > after && !PLANTED(after_without_lost)) after = folder->lost_own;
    if (upto <= after) return;
    struct message m = {.kind = MSG_PUSH};
    struct msg_push *push = &m.push;
    if (!push_collect(folder, after, &push->versions)) {
        share->news_due = true;
        return;
    }
    approvals_send(share);
    push->folder = folder->row.id;
    push->inc = folder->row.inc;
    push->after = after;
    if (!INDEX(folder)->mark_get(INDEX(folder)->self, folder->number, folder->row.inc, &push->upto))
        return;
    own_told(folder, &push->upto);
    push->marks = marks_to_show(share, arena, versions_vv(arena, &push->versions, (struct vv){0}));
    owners_show(share, (struct vv){.entries = &(struct dot){push->inc, 1}, .count = 1});
    push->rides = arena_alloc(arena, push->versions.count + 1U, sizeof *push->rides);
    push->patches = arena_alloc(arena, push->versions.count + 1U, sizeof *push->patches);
    size_t total = 0;
    uint64_t contents = 0;
    for (uint32_t i = 0; i < push->versions.count; i++)
        ride_add(share, &push->versions.entries[i], push, &total, &contents);
    if (!session_send(share->session, LANE_CONTROL, &m)) return;
    share->pushed = push->upto.counter;
    struct vv told = vv_with(arena, share->told_k.v, (struct dot){push->inc, push->upto.counter});
    vvbox_set(&share->told_k, told);
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

// ---- receiving

static void push_take(struct share *share, const struct msg_push *push)
{
    struct folder *folder = share->folder;
    txn_begin(folder);
    const char *over = ingest_versions(share, &push->versions);
    if (over != NULL) {
        ingest_refused(share, over);
        return;
    }
    bool gap = vv_get(folder->k.v, push->inc) < push->after && !PLANTED(after_not_checked);
    if (!gap) k_raise(folder, (struct dot){push->inc, push->upto.counter});
    for (uint32_t i = 0; i < push->versions.count; i++)
        work_item(folder, push->versions.entries[i].path);
    apply_prepare(folder);
    if (txn_end(folder) != ERR_OK) {
        session_end(share->session, BYE_STOPPING, "the index cannot be written");
        return;
    }
    share_said_k(share,
                 (struct vv){.entries = &(struct dot){push->inc, push->upto.counter}, .count = 1},
                 false);
    share_due(folder);
    fetch_step(folder);
    if (gap) pull_start(share);
}

static void push_process(struct share *share, struct slice frame)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m;
    struct fault fault;
    if (message_decode(arena, frame, &m, &fault) != ERR_OK) return; // was decoded before: cannot be
    if (!share->joined || !folder_id_equal(m.push.folder, share->folder->row.id)) return;
    push_take(share, &m.push);
}

static void pushes_go_on(struct share *share)
{
    struct session *session = share->session;
    const struct folder *folder = share->folder;
    while (share != NULL && share->pushes != NULL && share->pushes->staged) {
        struct waiting_push *push = share->pushes;
        share->pushes = push->next;
        if (share->pushes == NULL) share->pushes_end = &share->pushes;
        share->pushes_bytes -= push->bytes;
        struct buf frame = push->frame;
        mem_free(&push);
        push_process(share, buf_slice(&frame));
        buf_fini(&frame);
        // The session may have ended meanwhile.
        struct engine *engine = folder->engine;
        bool alive = false;
        for (struct session *s = engine->sessions; s != NULL; s = s->next)
            alive |= s == session;
        share = alive ? share_find(session, folder) : NULL;
    }
    if (share == NULL || share->pushes != NULL || !share->push_dropped) return;
    share->push_dropped = false;
    pull_start(share);
}

static const struct version *ride_version(const struct msg_push *push,
                                          const struct content *content)
{
    for (uint32_t i = 0; i < push->versions.count; i++) {
        const struct value *value = &push->versions.entries[i].value;
        if (value->kind == KIND_FILE && value->size == content->size &&
            digest_equal(value->content, content->id))
            return &push->versions.entries[i];
    }
    return NULL;
}

// The file that has what it is to be made of is where the content goes.
static void patch_stage(struct folder *folder, const struct msg_push *push,
                        const struct patch *patch, struct job *job, size_t *out_bytes)
{
    const struct version *v = ride_version(push, &patch->content);
    struct item item;
    if (v == NULL || content_staged(folder, &patch->content) ||
        map_get(folder->busy, v->path) != NULL)
        return;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, v->path,
                            &item);
    const struct value *value = &item.local.version.value;
    if (item.local.state != LOCAL_OK || value->kind != KIND_FILE ||
        value->size != patch->base.size || !digest_equal(value->content, patch->base.id))
        return;
    job->stage.entries[job->stage.count++] =
        (struct stage_entry){.content = patch->content,
                             .path = arena_copy(job->arena, v->path),
                             .base = patch->base,
                             .patch = arena_copy(job->arena, patch->bytes)};
    *out_bytes += (size_t)(patch->content.size + patch->base.size);
    folder->engine->counters.contents_in++;
    folder->engine->counters.content_bytes_in += patch->bytes.size;
    folder->engine->counters.content_bytes_reused += patch->content.size;
}

// The rides that are not here yet, as a job; NULL: none.
static struct job *rides_stage(struct share *share, const struct msg_push *push, size_t *out_bytes)
{
    struct folder *folder = share->folder;
    struct job *job = job_new(JOB_STAGE, folder->number);
    job->stage.entries = arena_alloc(job->arena, push->ride_count + push->patch_count + 1U,
                                     sizeof *job->stage.entries);
    for (uint32_t i = 0; i < push->ride_count; i++) {
        const struct ride *ride = &push->rides[i];
        if (content_staged(folder, &ride->content) ||
            ride->content.size > PROTO_PACK_CONTENT_BYTES_MAX ||
            ride_version(push, &ride->content) == NULL)
            continue;
        struct stage_entry *entry = &job->stage.entries[job->stage.count];
        AUTO(buf_fini) struct buf raw = {0};
        if (ride->compressed && compressor_undo(folder->engine->compressor, ride->bytes,
                                                (size_t)ride->content.size, &raw) != ERR_OK)
            continue;
        entry->content = ride->content;
        entry->bytes = arena_copy(job->arena, ride->compressed ? buf_slice(&raw) : ride->bytes);
        job->stage.count++;
        *out_bytes += entry->bytes.size;
        folder->engine->counters.contents_in++;
        folder->engine->counters.content_bytes_in += ride->content.size;
    }
    for (uint32_t i = 0; i < push->patch_count; i++)
        patch_stage(folder, push, &push->patches[i], job, out_bytes);
    if (job->stage.count == 0) job_destroy(&job);
    return job;
}

// Only who minted pushes; all else comes by rounds.
static bool push_is_own(struct share *share, const struct msg_push *push)
{
    struct folder *folder = share->folder;
    struct owner owner;
    if (INDEX(folder)->owner_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                 push->inc, &owner) &&
        device_equal(owner.device, share->session->peer->device))
        return true;
    session_refuse(share->session, "a push of an incarnation that is not the sender's");
    return false;
}

static void push_wait(struct share *share, struct job *job, struct slice frame, size_t bytes)
{
    struct waiting_push *waiting = mem_zalloc(1, sizeof *waiting);
    buf_append(&waiting->frame, frame.data, frame.size);
    waiting->bytes = bytes;
    waiting->staged = job == NULL;
    *share->pushes_end = waiting;
    share->pushes_end = &waiting->next;
    share->pushes_bytes += bytes;
    if (job == NULL) return;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_PUSH;
    errand->session_number = share->session->own_number;
    errand->push = waiting;
    job->context = errand;
    submit(share->folder, job);
}

void push_handle(struct share *share, const struct msg_push *push, struct slice frame)
{
    struct folder *folder = share->folder;
    struct marks upto = {.entries = &(struct mark){0}, .count = 1};
    upto.entries[0] = push->upto;
    if (push->after >= push->upto.counter) {
        session_refuse(share->session, "a push that says nothing");
        return;
    }
    if (!push_is_own(share, push)) return;
    if (!marks_learn(share, &push->marks) || !marks_learn(share, &upto)) return;
    if (!versions_bounded(share, &push->versions)) return;
    // Faster than the disk for long: what is left out here leaves a gap, which a round closes.
    if (share->pushes_bytes > PUSHES_BYTES_MAX) {
        share->push_dropped = true;
        return;
    }
    size_t bytes = frame.size;
    struct job *job = folder_usable(folder) ? rides_stage(share, push, &bytes) : NULL;
    if (job == NULL && share->pushes == NULL)
        push_take(share, push);
    else
        push_wait(share, job, frame, bytes);
}

void push_staged(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    if (folder->gone) return;
    for (uint32_t i = 0; i < job->stage.count; i++) {
        const struct stage_entry *entry = &job->stage.entries[i];
        if (job->err != ERR_OK || entry->err != ERR_OK) continue;
        staged_set(folder, &entry->content, STAGED_THERE);
    }
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next) {
        if (s->own_number != errand->session_number) continue;
        struct share *share = share_find(s, folder);
        if (share == NULL) return;
        for (struct waiting_push *p = share->pushes; p != NULL; p = p->next) {
            if (p == errand->push) p->staged = true;
        }
        pushes_go_on(share);
        return;
    }
}
