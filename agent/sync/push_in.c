// SPDX-License-Identifier: MIT
//
// PUSH of others: their contents go to staging first, those of many in one job; then their versions
// are taken, in order, those of many in one transaction.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/delta/compress.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    PUSHES_BYTES_MAX = 16 << 20,
    PUSHES_PER_TXN = 32,
    VERSIONS_PER_TXN = 512,
    PUSH_JOBS_MAX = 2,
    PUSH_ENTRIES_ENOUGH = 1024,
};

struct taken { // what goes into one transaction
    struct arena *arena;
    struct message messages[PUSHES_PER_TXN];
    uint32_t count, versions;
};

// NULL, or why a version of them is not taken.
static const char *taken_ingest(struct share *share, const struct taken *taken, bool *out_gap)
{
    struct folder *folder = share->folder;
    for (uint32_t i = 0; i < taken->count; i++) {
        const struct msg_push *push = &taken->messages[i].push;
        const char *over = ingest_versions(share, &push->versions);
        if (over != NULL) return over;
        bool gap = vv_get(folder->k.v, push->inc) < push->after && !PLANTED(after_not_checked);
        if (!gap) k_raise(folder, (struct dot){push->inc, push->upto.counter});
        *out_gap |= gap;
    }
    return NULL;
}

static void pushes_take(struct share *share, const struct taken *taken)
{
    struct folder *folder = share->folder;
    bool gap = false;
    txn_begin(folder);
    const char *over = taken_ingest(share, taken, &gap);
    if (over != NULL) {
        ingest_refused(share, over);
        return;
    }
    for (uint32_t i = 0; i < taken->count; i++)
        work_versions(folder, &taken->messages[i].push.versions);
    apply_prepare(folder);
    if (txn_end(folder) != ERR_OK) {
        session_end(share->session, BYE_STOPPING, "the index cannot be written");
        return;
    }
    for (uint32_t i = 0; i < taken->count; i++) {
        const struct msg_push *push = &taken->messages[i].push;
        struct dot upto = {push->inc, push->upto.counter};
        share_said_k(share, (struct vv){.entries = &upto, .count = 1}, false);
    }
    share_due(folder);
    fetch_step(folder);
    if (gap) pull_start(share);
}

// The next one that waits, out of its queue.
static void taken_add(struct share *share, struct taken *taken)
{
    struct message *m = &taken->messages[taken->count];
    struct waiting_push *push = share->pushes;
    struct fault fault;
    share->pushes = push->next;
    if (share->pushes == NULL) share->pushes_end = &share->pushes;
    share->pushes_bytes -= push->bytes;
    struct slice frame = arena_copy(taken->arena, buf_slice(&push->frame));
    buf_fini(&push->frame);
    mem_free(&push);
    // It was decoded before.
    if (message_decode(taken->arena, frame, m, &fault) != ERR_OK || !share->joined ||
        !folder_id_equal(m->push.folder, share->folder->row.id))
        return;
    taken->versions += m->push.versions.count;
    taken->count++;
}

static bool is_alive(const struct engine *engine, const struct session *session)
{
    for (const struct session *s = engine->sessions; s != NULL; s = s->next) {
        if (s == session) return true;
    }
    return false;
}

// All whose contents are staged, in order: while the last transaction was written, more have come.
static void pushes_go_on(struct share *share)
{
    struct session *session = share->session;
    const struct folder *folder = share->folder;
    while (share != NULL && share->pushes != NULL && share->pushes->staged) {
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct taken *taken = arena_alloc(arena, 1, sizeof *taken);
        taken->arena = arena;
        while (share->pushes != NULL && share->pushes->staged && taken->count < PUSHES_PER_TXN &&
               taken->versions < VERSIONS_PER_TXN)
            taken_add(share, taken);
        if (taken->count > 0) pushes_take(share, taken);
        share = is_alive(folder->engine, session) ? share_find(session, folder) : NULL;
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
                             .from = STAGE_PATCH,
                             .path = arena_copy(job->arena, v->path),
                             .base = patch->base,
                             .patch = arena_copy(job->arena, patch->bytes)};
    *out_bytes += (size_t)(patch->content.size + patch->base.size);
    folder->engine->counters.contents_in++;
    folder->engine->counters.content_bytes_in += patch->bytes.size;
    folder->engine->counters.content_bytes_reused += patch->content.size;
}

// Room for so many more in the job that is being filled.
static void job_room(struct share *share, uint32_t more)
{
    if (share->push_job == NULL) {
        share->push_job = job_new(JOB_STAGE, share->folder->number);
        share->push_room = 0;
    }
    struct job *job = share->push_job;
    uint32_t count = job->stage.count;
    if (count + more <= share->push_room) return;
    share->push_room = 2 * count + more;
    struct stage_entry *fresh = arena_alloc(job->arena, share->push_room, sizeof *fresh);
    if (count > 0) memcpy(fresh, job->stage.entries, count * sizeof *fresh);
    job->stage.entries = fresh;
}

// Adds what comes with a push, and what is here already of its contents. False: there is nothing to
// be staged.
static bool contents_stage(struct share *share, const struct msg_push *push, size_t *out_bytes)
{
    struct folder *folder = share->folder;
    job_room(share, push->ride_count + push->patch_count + push->versions.count);
    struct job *job = share->push_job;
    uint32_t before = job->stage.count;
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
    copies_stage(folder, &push->versions, job);
    if (job->stage.count == 0) job_destroy(&share->push_job);
    return share->push_job != NULL && job->stage.count > before;
}

// Only who minted pushes; all else comes by rounds.
static bool push_is_own(struct share *share, const struct msg_push *push)
{
    if (inc_is_of(share->folder, push->inc, share->session->peer->device)) return true;
    session_refuse(share->session, "a push of an incarnation that is not the sender's");
    return false;
}

static void push_wait(struct share *share, bool stages, struct slice frame, size_t bytes)
{
    struct waiting_push *waiting = mem_zalloc(1, sizeof *waiting);
    buf_append(&waiting->frame, frame.data, frame.size);
    waiting->bytes = bytes;
    waiting->staged = !stages;
    waiting->ticket = share->push_ticket;
    *share->pushes_end = waiting;
    share->pushes_end = &waiting->next;
    share->pushes_bytes += bytes;
}

static void tickets_staged(struct share *share, uint64_t ticket)
{
    for (struct waiting_push *p = share->pushes; p != NULL; p = p->next)
        p->staged |= p->ticket == ticket;
}

// While jobs are under way the next one grows: a job is a flush, however much it is of.
static void job_submit(struct share *share)
{
    struct job *job = share->push_job;
    if (job == NULL) return;
    if (!folder_usable(share->folder)) { // it will be asked for
        job_destroy(&share->push_job);
        tickets_staged(share, share->push_ticket++);
        return;
    }
    if (share->push_jobs >= PUSH_JOBS_MAX && job->stage.count < PUSH_ENTRIES_ENOUGH) return;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_PUSH;
    errand->session_number = share->session->own_number;
    errand->ticket = share->push_ticket++;
    job->context = errand;
    share->push_job = NULL;
    share->push_jobs++;
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
    bool stages = folder_usable(folder) && contents_stage(share, push, &bytes);
    bool at_once = !stages && share->pushes == NULL;
    push_wait(share, stages, frame, bytes);
    job_submit(share);
    if (at_once) pushes_go_on(share);
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
        if (share->push_jobs > 0) share->push_jobs--;
        tickets_staged(share, errand->ticket);
        job_submit(share);
        pushes_go_on(share);
        return;
    }
}
