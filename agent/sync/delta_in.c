// SPDX-License-Identifier: MIT
//
// Getting a delta: what the older file has in the place of the leaves that are missing is signed
// and shown to a peer; what it says is different is made into leaves. They are verified one by one,
// so that whatever goes wrong leaves nothing to be undone: what is still missing is asked for as it
// is.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/delta/compress.h"
#include "agent/delta/rsync.h"
#include "agent/sync/delta_priv.h"

enum {
    RUNS_MAX = PROTO_ARRAY_ENTRIES_MAX / 2,
    BASE_LEAVES_MAX = DELTA_BLOCKS_MAX / (PROTO_LEAF_BYTES / DELTA_BLOCK_MAX),
    TRIAL_LEAVES = 64,     // of the first delta of a content: whether it is worth it
    SIGN_BYTES = 64 << 20, // of the base, in one job
    SIGN_JOBS_MAX = 4,
    LEAVES_PER_JOB = 64,
    REST_BYTES_MAX = 512 << 10,
    TRIES_MAX = 3,
};

struct delta_in {
    struct share *share;
    uint64_t round;
    struct arena *arena;
    struct slice path;
    struct byte_run *base;
    uint32_t base_count, base_leaves;
    uint64_t base_size;
    uint32_t *runs; // of leaves that are to come, as in SIGNATURE
    uint32_t run_count;
    uint32_t *leaves; // the same one by one
    uint32_t count, made;
    uint32_t block;
    struct buf signature;
    uint64_t signed_to; // so much of the base has a job, or had one
    uint32_t sign_jobs;
    struct buf rest; // of the delta: what has come and is in no leaf yet
    uint64_t bytes;  // all of it so far
    uint32_t page, acked;
    bool ended; // that was all
    bool patching;
    struct patcher *patcher;
    int64_t heard_ms;
};

// ---- what is missing, and what is in its place

static bool is_missing(const struct transfer *t, uint32_t leaf)
{
    const struct leaf_want *part = &t->parts[leaf];
    return !part->written && !part->writing && part->asked == NULL;
}

static void run_add(struct delta_in *d, uint32_t leaf)
{
    uint32_t *last = d->run_count > 0 ? &d->runs[d->run_count - 2] : NULL;
    d->leaves[d->count++] = leaf;
    if (last != NULL && last[0] + last[1] == leaf) {
        last[1]++;
        return;
    }
    d->runs[d->run_count++] = leaf;
    d->runs[d->run_count++] = 1;
}

static void base_add(struct delta_in *d, const struct older *older, uint32_t leaf)
{
    if (leaf >= older->leaf_count) return;
    uint64_t at = (uint64_t)leaf * PROTO_LEAF_BYTES, left = older->content.size - at;
    uint64_t size = left < PROTO_LEAF_BYTES ? left : PROTO_LEAF_BYTES;
    struct byte_run *last = d->base_count > 0 ? &d->base[d->base_count - 1] : NULL;
    d->base_leaves++;
    d->base_size += size;
    if (last != NULL && last->at + last->size == at)
        last->size += size;
    else
        d->base[d->base_count++] = (struct byte_run){at, size};
}

// What has moved by less than a leaf is found in the leaves beside, too. At the end it is all that
// follows there: the content may have become shorter anywhere.
static void choose(const struct transfer *t, const struct older *older, struct delta_in *d)
{
    uint32_t max = t->delta_pays ? BASE_LEAVES_MAX - 2 : TRIAL_LEAVES, leaf = 0, last = 0;
    for (; leaf < t->leaf_count; leaf++) {
        if (!is_missing(t, leaf)) continue;
        bool mostly_new = d->count > 2 * d->base_leaves + 1;
        if (mostly_new || d->base_leaves >= max || d->run_count == 2 * RUNS_MAX) break;
        if (d->count == 0 && leaf > 0 && t->delta_pays) base_add(d, older, leaf - 1);
        run_add(d, leaf);
        base_add(d, older, leaf);
        last = leaf;
    }
    if (d->count == 0) return;
    bool cut = leaf < t->leaf_count, to_the_end = last + 1 == t->leaf_count;
    if (cut) base_add(d, older, last + 1);
    for (leaf = last + 1; to_the_end && leaf < older->leaf_count && d->base_leaves < max; leaf++)
        base_add(d, older, leaf);
}

// ---- its life

static void delta_free(struct delta_in **at)
{
    struct delta_in *d = *at;
    if (d == NULL) return;
    patcher_destroy(&d->patcher);
    buf_fini(&d->signature);
    buf_fini(&d->rest);
    arena_destroy(&d->arena);
    mem_free(at);
}

void delta_release(struct job *job)
{
    if (job->kind == JOB_PATCH) patcher_destroy(&job->patch.patcher);
    if (job->kind == JOB_DIFF) differ_destroy(&job->diff.differ);
}

static void ack_send(const struct delta_in *d, struct folder *folder, uint32_t page)
{
    struct message m = {.kind = MSG_ACK};
    m.ack = (struct msg_ack){.folder = folder->row.id, .round = d->round, .page = page};
    (void)session_send(d->share->session, LANE_CONTROL, &m);
}

// More of it may come: there is room for it, and credit.
void delta_more(struct transfer *t)
{
    struct delta_in *d = t->delta;
    struct engine *engine = t->folder->engine;
    if (d == NULL || d->patching || d->rest.size > REST_BYTES_MAX) return;
    if (d->acked >= d->page || d->ended) return;
    if (!rate_allows(engine, &engine->down, d->share->session)) return;
    d->acked = d->page;
    ack_send(d, t->folder, d->page);
}

void delta_forget(struct transfer *t)
{
    delta_free(&t->delta);
}

void delta_drop(struct transfer *t)
{
    if (t->delta != NULL && !t->delta->ended) ack_send(t->delta, t->folder, UINT32_MAX);
    delta_free(&t->delta);
    if (t->state == TRANSFER_DELTA) t->state = TRANSFER_LEAVES;
    t->asked_leaves = 0;
}

// The rest is asked for as it is.
static void give_up(struct transfer *t, const char *why)
{
    struct delta_in *d = t->delta;
    log_info(LOG_SYNC, "a delta is not used", "folder=%s peer=%s why=%s", t->folder->name,
             d->share->session->peer->name, why);
    t->delta_over = true;
    delta_drop(t);
}

void delta_share_gone(struct transfer *t, const struct share *share)
{
    if (t->delta == NULL || t->delta->share != share) return;
    t->delta_over |= ++t->delta_tries >= TRIES_MAX;
    delta_drop(t);
}

bool delta_asked(const struct transfer *t)
{
    return t->delta != NULL;
}

void delta_expire(struct transfer *t, int64_t older_than_ms)
{
    struct delta_in *d = t->delta;
    if (d == NULL || d->patching || d->sign_jobs > 0 || d->heard_ms >= older_than_ms) return;
    source_is_silent(d->share);
    transfer_note_tried(t, d->share->session->peer->device);
    give_up(t, "nothing comes");
}

// ---- the signature

static void sign_submit(struct folder *folder, struct transfer *t)
{
    struct delta_in *d = t->delta;
    uint64_t from = d->signed_to, left = d->base_size - from;
    uint64_t size = left < SIGN_BYTES ? left : SIGN_BYTES;
    struct job *job = job_new(JOB_SIGN, folder->number);
    job->sign.path = arena_copy(job->arena, d->path);
    job->sign.block = d->block;
    job->sign.runs = arena_alloc(job->arena, d->base_count, sizeof *job->sign.runs);
    for (uint32_t i = 0; i < d->base_count && size > 0; i++) {
        struct byte_run run = d->base[i];
        uint64_t skip = from < run.size ? from : run.size;
        from -= skip;
        run.at += skip;
        run.size -= skip;
        if (run.size == 0) continue;
        if (run.size > size) run.size = size;
        size -= run.size;
        job->sign.runs[job->sign.run_count++] = run;
    }
    struct errand *errand = errand_for(t);
    errand->round = d->round;
    errand->leaf = (uint32_t)(d->signed_to / SIGN_BYTES);
    job->context = errand;
    d->signed_to += left < SIGN_BYTES ? left : SIGN_BYTES;
    d->sign_jobs++;
    submit(folder, job);
}

static void signature_send(struct folder *folder, struct transfer *t)
{
    struct delta_in *d = t->delta;
    struct message m = {.kind = MSG_SIGNATURE};
    m.signature = (struct msg_signature){.folder = folder->row.id,
                                         .round = d->round,
                                         .ids = &t->content,
                                         .id_count = 1,
                                         .runs = d->runs,
                                         .run_count = d->run_count,
                                         .size = (uint32_t)d->signature.size};
    for (size_t at = 0; at < d->signature.size; at += PROTO_CHUNK_BYTES) {
        size_t left = d->signature.size - at;
        m.signature.offset = (uint32_t)at;
        m.signature.bytes =
            slice_of(d->signature.data + at, left < PROTO_CHUNK_BYTES ? left : PROTO_CHUNK_BYTES);
        if (!session_send(d->share->session, LANE_BULK, &m)) return;
    }
    d->heard_ms = t->chunk_ms = folder->engine->now_ms;
}

static void sign_done(struct folder *folder, struct transfer *t, const struct job *job)
{
    struct delta_in *d = t->delta;
    const struct errand *errand = job->context;
    size_t at =
        DELTA_HEAD_BYTES + (size_t)errand->leaf * (SIGN_BYTES / d->block) * DELTA_ENTRY_BYTES;
    d->sign_jobs--;
    if (job->err != ERR_OK || at + job->sign.entries.size > d->signature.size) {
        give_up(t, "the file has changed");
        return;
    }
    if (job->sign.entries.size > 0)
        memcpy(d->signature.data + at, job->sign.entries.data, job->sign.entries.size);
    if (d->signed_to < d->base_size)
        sign_submit(folder, t);
    else if (d->sign_jobs == 0)
        signature_send(folder, t);
}

static struct share *delta_source(struct folder *folder, const struct transfer *t)
{
    bool any;
    return transfer_source_with(folder, t, PROTO_FEATURE_DELTA, &any);
}

static struct delta_in *delta_new(struct folder *folder, const struct transfer *t,
                                  const struct older *older)
{
    struct delta_in *d = mem_zalloc(1, sizeof *d);
    uint32_t count =
        t->leaf_count < 2 * BASE_LEAVES_MAX + 2 ? t->leaf_count : 2 * BASE_LEAVES_MAX + 2;
    d->arena = arena_new();
    d->path = arena_copy(d->arena, older->path);
    d->base = arena_alloc(d->arena, RUNS_MAX + 2, sizeof *d->base);
    d->runs = arena_alloc(d->arena, 2 * RUNS_MAX, sizeof *d->runs);
    d->leaves = arena_alloc(d->arena, count, sizeof *d->leaves);
    folder->engine->o.keys.random(&d->round, sizeof d->round);
    choose(t, older, d);
    return d;
}

bool delta_begin(struct folder *folder, struct transfer *t)
{
    struct older older;
    struct share *share = t->delta_over || t->delta != NULL ? NULL : delta_source(folder, t);
    if (share == NULL || parts_asked(t)) return false;
    t->delta_over = !transfer_older(folder, t, &older);
    if (t->delta_over) return false;
    struct delta_in *d = delta_new(folder, t, &older);
    if (d->base_size == 0) {
        t->delta_over = true;
        delta_free(&d);
        return false;
    }
    d->share = share;
    d->block = delta_block(d->base_size);
    delta_head(d->block, &d->signature);
    size_t size = delta_signature_size(d->base_size, d->block);
    buf_reserve(&d->signature, size - d->signature.size);
    memset(d->signature.data + d->signature.size, 0, size - d->signature.size);
    d->signature.size = size;
    t->delta = d;
    t->state = TRANSFER_DELTA;
    for (uint32_t i = 0; i < SIGN_JOBS_MAX && d->signed_to < d->base_size; i++)
        sign_submit(folder, t);
    return true;
}

// ---- what comes back

static void patch_submit(struct folder *folder, struct transfer *t)
{
    struct delta_in *d = t->delta;
    struct job *job = job_new(JOB_PATCH, folder->number);
    struct job_patch *patch = &job->patch;
    uint32_t left = d->count - d->made;
    job->release = delta_release;
    patch->content = t->content;
    patch->path = arena_copy(job->arena, d->path);
    patch->base_count = d->base_count;
    patch->base = arena_alloc(job->arena, d->base_count, sizeof *patch->base);
    memcpy(patch->base, d->base, d->base_count * sizeof *d->base);
    patch->count = left < LEAVES_PER_JOB ? left : LEAVES_PER_JOB;
    patch->leaves = arena_alloc(job->arena, patch->count, sizeof *patch->leaves);
    patch->expected = arena_alloc(job->arena, patch->count, sizeof *patch->expected);
    for (uint32_t i = 0; i < patch->count; i++) {
        patch->leaves[i] = d->leaves[d->made + i];
        patch->expected[i] = t->leaves[patch->leaves[i]];
    }
    patch->bytes = arena_copy(job->arena, buf_slice(&d->rest));
    patch->patcher = d->patcher;
    d->patcher = NULL;
    d->patching = true;
    buf_clear(&d->rest);
    struct errand *errand = errand_for(t);
    errand->round = d->round;
    job->context = errand;
    submit(folder, job);
}

static void leaves_made(struct folder *folder, struct transfer *t, const struct job_patch *patch)
{
    struct delta_in *d = t->delta;
    for (uint32_t i = 0; i < patch->made; i++) {
        t->parts[patch->leaves[i]].written = true;
        t->written++;
    }
    d->made += patch->made;
    if (patch->made == 0) return;
    t->progress_ms = t->chunk_ms = folder->engine->now_ms;
    t->put_offs = 0;
    t->moved = true;
    source_answers(d->share);
}

// It is worth going on if less than half of what it made has come.
static void delta_whole(struct folder *folder, struct transfer *t)
{
    const struct delta_in *d = t->delta;
    uint64_t plain = 0;
    for (uint32_t i = 0; i < d->count; i++)
        plain += leaf_size(t, d->leaves[i]);
    t->delta_pays = d->bytes < plain / 2;
    if (d->bytes < plain) folder->engine->counters.content_bytes_reused += plain - d->bytes;
    t->delta_over |= !t->delta_pays;
    delta_drop(t);
}

static void patch_done(struct folder *folder, struct transfer *t, struct job *job)
{
    struct delta_in *d = t->delta;
    AUTO(buf_fini) struct buf later = {0};
    d->patching = false;
    d->patcher = job->patch.patcher;
    job->patch.patcher = NULL;
    leaves_made(folder, t, &job->patch);
    buf_append(&later, job->patch.bytes.data, job->patch.bytes.size);
    buf_append(&later, d->rest.data, d->rest.size);
    buf_clear(&d->rest);
    buf_append(&d->rest, later.data, later.size);
    bool full = job->patch.made == job->patch.count;
    if (job->err != ERR_OK) {
        give_up(t, "it makes something else");
    } else if (d->made == d->count) {
        delta_whole(folder, t);
    } else {
        delta_more(t);
        if (full || (d->rest.size > 0 && job->patch.bytes.size < d->rest.size))
            patch_submit(folder, t);
        else if (d->ended)
            give_up(t, "it ends too soon");
    }
}

void delta_job_done(struct folder *folder, struct transfer *t, struct job *job)
{
    const struct errand *errand = job->context;
    if (t->delta == NULL || t->delta->round != errand->round) return;
    if (job->kind == JOB_SIGN)
        sign_done(folder, t, job);
    else
        patch_done(folder, t, job);
}

static struct transfer *transfer_of(const struct share *share, uint64_t round)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(share->folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->delta != NULL && t->delta->share == share && t->delta->round == round) return t;
    }
    return NULL;
}

void delta_handle(struct share *share, const struct msg_delta *delta)
{
    struct folder *folder = share->folder;
    struct transfer *t = transfer_of(share, delta->round);
    if (t == NULL) return;
    struct delta_in *d = t->delta;
    bool asked = d->signed_to == d->base_size && d->sign_jobs == 0;
    if (!asked || d->ended || delta->page != d->page + 1 ||
        delta->page - d->acked > PROTO_DELTA_AHEAD) {
        session_refuse(share->session, "a page of a delta that was not asked for");
        return;
    }
    size_t before = d->rest.size;
    if (!delta->compressed) {
        buf_append(&d->rest, delta->bytes.data, delta->bytes.size);
    } else if (decompress(delta->bytes, delta->size, &d->rest) != ERR_OK) {
        session_refuse(share->session, "a page that does not unpack");
        return;
    }
    d->page = delta->page;
    d->bytes += delta->bytes.size;
    rate_spend(folder->engine, &folder->engine->down, share->session, delta->bytes.size);
    d->heard_ms = t->chunk_ms = folder->engine->now_ms;
    d->ended = delta->end == DELTA_LAST;
    folder->engine->counters.content_bytes_in += d->rest.size - before;
    if (delta->end == DELTA_REFUSED) {
        give_up(t, "refused");
        fetch_step(folder);
    } else if (!d->patching) {
        patch_submit(folder, t);
    }
}
