// SPDX-License-Identifier: MIT
//
// Giving a delta: a peer shows what it has in the place of some leaves, and gets how they differ
// from that, page by page as it takes them.
#include <string.h>

#include "agent/delta/compress.h"
#include "agent/delta/rsync.h"
#include "agent/sync/delta_priv.h"

enum { DELTAS_MAX = 4, LATE_MS = 25 }; // of a share at a time

struct delta_out {
    uint64_t round;
    struct byte_run *runs;
    uint32_t run_count;
    struct buf signature;
    uint32_t size;
    struct differ *differ;
    uint64_t at, made, cpu_ns;
    uint64_t job; // 0: none is under way
    uint32_t page, acked;
    struct ask ask;   // whether the content may still come
    int64_t retry_ms; // it is not at hand right now
    struct delta_out *next;
};

static void out_free(struct delta_out **at)
{
    struct delta_out *d = *at;
    *at = d->next;
    differ_destroy(&d->differ);
    buf_fini(&d->signature);
    mem_free(&d->runs);
    mem_free(&d);
}

static struct delta_out **out_find(struct share *share, uint64_t round)
{
    struct delta_out **at = &share->deltas;
    while (*at != NULL && (*at)->round != round)
        at = &(*at)->next;
    return at;
}

void deltas_clear(struct share *share)
{
    while (share->deltas != NULL)
        out_free(&share->deltas);
}

static bool page_send(struct share *share, uint64_t round, uint32_t page, enum delta_end end,
                      struct slice bytes)
{
    AUTO(buf_fini) struct buf packed = {0};
    struct message m = {.kind = MSG_DELTA};
    bool pays = compress_try(bytes, &packed);
    rate_spend(share->folder->engine, &share->folder->engine->up, share->session, bytes.size);
    m.delta = (struct msg_delta){.folder = share->folder->row.id,
                                 .round = round,
                                 .page = page,
                                 .end = end,
                                 .size = (uint32_t)bytes.size,
                                 .compressed = pays,
                                 .bytes = pays ? buf_slice(&packed) : bytes};
    return session_send(share->session, LANE_BULK, &m);
}

static void out_refuse(struct share *share, uint64_t round, uint32_t page)
{
    (void)page_send(share, round, page, DELTA_REFUSED, slice_of("", 0));
}

// ---- the signature comes

static uint32_t out_count(const struct share *share)
{
    uint32_t count = 0;
    for (const struct delta_out *d = share->deltas; d != NULL; d = d->next)
        count++;
    return count;
}

static void runs_take(struct delta_out *d, const struct msg_signature *signature)
{
    d->run_count = signature->run_count / 2;
    d->runs = mem_zalloc(d->run_count, sizeof *d->runs);
    for (uint32_t i = 0; i < d->run_count; i++) {
        uint64_t at = (uint64_t)signature->runs[2 * i] * PROTO_LEAF_BYTES;
        uint64_t size = (uint64_t)signature->runs[2 * i + 1] * PROTO_LEAF_BYTES;
        uint64_t left = d->ask.content.size - at;
        d->runs[i] = (struct byte_run){at, size < left ? size : left};
    }
}

static struct delta_out **out_new(struct share *share, const struct msg_signature *signature)
{
    struct delta_out **at = out_find(share, signature->round);
    *at = mem_zalloc(1, sizeof **at);
    (*at)->round = signature->round;
    (*at)->ask = (struct ask){.content = signature->ids[0], .leaf = ASK_DELTA};
    (*at)->size = signature->size;
    runs_take(*at, signature);
    return at;
}

void signature_handle(struct share *share, const struct msg_signature *signature)
{
    struct delta_out **at = out_find(share, signature->round);
    if (*at == NULL && signature->offset > 0) return; // it was refused at its first part
    bool room = *at != NULL || out_count(share) < DELTAS_MAX;
    if (!room || !folder_usable(share->folder)) {
        out_refuse(share, signature->round, 1);
        return;
    }
    if (*at == NULL) at = out_new(share, signature);
    struct delta_out *d = *at;
    if (signature->offset != d->signature.size || signature->size != d->size) {
        session_refuse(share->session, "a signature out of order");
        return;
    }
    buf_append(&d->signature, signature->bytes.data, signature->bytes.size);
    deltas_more(share);
}

// ---- the delta goes

static bool may_go_on(const struct share *share, const struct delta_out *d)
{
    bool begun = d->signature.size == d->size;
    // A job makes two pages at most.
    bool ahead = d->page - d->acked + 2 > PROTO_DELTA_AHEAD;
    bool late = d->retry_ms > share->folder->engine->now_ms;
    return begun && !late && d->job == 0 && !ahead && serve_has_room(share);
}

// False: the content is not here.
static bool job_send(struct share *share, struct delta_out *d)
{
    struct folder *folder = share->folder;
    struct job *job = job_new(JOB_DIFF, folder->number);
    job->release = delta_release;
    serve_entry_fill(folder, job, &job->diff.entry, &d->ask);
    if (job->diff.entry.err != ERR_OK) {
        job_destroy(&job);
        return false;
    }
    job->diff.run_count = d->run_count;
    job->diff.runs = arena_alloc(job->arena, d->run_count, sizeof *d->runs);
    memcpy(job->diff.runs, d->runs, d->run_count * sizeof *d->runs);
    if (d->differ == NULL) job->diff.signature = arena_copy(job->arena, buf_slice(&d->signature));
    job->diff.differ = d->differ;
    d->differ = NULL;
    job->diff.at = d->at;
    job->diff.made = d->made;
    job->diff.cpu_ns = d->cpu_ns;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_DELTA;
    errand->session_number = share->session->own_number;
    errand->ticket = d->job = ++share->diffs;
    job->context = errand;
    share->serving_jobs++;
    submit(folder, job);
    return true;
}

// False: it was dropped, and the peer told to ask elsewhere.
static bool out_late(struct share *share, struct delta_out **at)
{
    struct delta_out *d = *at;
    if (late_add(share, &d->ask)) {
        d->ask.tries++;
        d->retry_ms = share->folder->engine->now_ms + LATE_MS;
        return true;
    }
    struct digest id = d->ask.content.id;
    out_free(at);
    serve_not_held(share, &id, 1);
    return false;
}

void deltas_more(struct share *share)
{
    if (!folder_usable(share->folder)) return;
    for (struct delta_out **at = &share->deltas; *at != NULL;) {
        struct delta_out *d = *at;
        bool stays = !may_go_on(share, d) || job_send(share, d) || out_late(share, at);
        if (stays) at = &d->next;
    }
}

// False: the session has no room, or is over.
static bool pages_send(struct share *share, struct delta_out *d, const struct job_diff *diff)
{
    size_t at = 0;
    do {
        size_t left = diff->bytes.size - at;
        size_t size = left < PROTO_CHUNK_BYTES_MAX ? left : PROTO_CHUNK_BYTES_MAX;
        bool last = diff->done && size == left;
        struct slice part = {0};
        if (size > 0) part = slice_of(diff->bytes.data + at, size);
        if (!page_send(share, d->round, ++d->page, last ? DELTA_LAST : DELTA_GOES_ON, part))
            return false;
        at += size;
    } while (at < diff->bytes.size);
    share->folder->engine->counters.content_bytes_out += diff->bytes.size;
    return true;
}

// It has been loaded.
static void signature_done(struct delta_out *d)
{
    buf_fini(&d->signature);
    d->size = 0;
}

void delta_diffed(struct share *share, struct job *job)
{
    const struct errand *errand = job->context;
    struct delta_out **at = &share->deltas;
    while (*at != NULL && (*at)->job != errand->ticket)
        at = &(*at)->next;
    struct delta_out *d = *at;
    if (d == NULL) return;                  // the peer has stopped it
    bool untouched = job->diff.at == d->at; // it can be tried again
    d->job = 0;
    d->differ = job->diff.differ;
    job->diff.differ = NULL;
    d->at = job->diff.at;
    d->made = job->diff.made;
    d->cpu_ns = job->diff.cpu_ns;
    if (d->differ != NULL) signature_done(d);
    if (job->err == ERR_MALFORMED || job->err == ERR_LIMIT)
        log_info(LOG_SYNC, "a delta is not made", "folder=%s peer=%s why=%s", share->folder->name,
                 share->session->peer->name, err_text(job->err));
    if (job->err == ERR_CHANGED && untouched) {
        (void)out_late(share, at);
    } else if (job->err != ERR_OK) {
        out_refuse(share, d->round, d->page + 1);
        out_free(at);
    } else if (!pages_send(share, d, &job->diff) || job->diff.done) {
        out_free(at);
    }
}

// False: it is of no delta.
bool delta_acked(struct share *share, const struct msg_ack *ack)
{
    struct delta_out **at = out_find(share, ack->round);
    struct delta_out *d = *at;
    if (d == NULL) return false;
    if (ack->page > d->page) {
        out_free(at); // the peer has stopped it
        return true;
    }
    if (ack->page > d->acked) d->acked = ack->page;
    deltas_more(share);
    return true;
}
