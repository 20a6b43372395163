// SPDX-License-Identifier: MIT
//
// Large contents: the list of leaf digests first, then the leaves, several outstanding, from any
// peer, each verified before it is written. What is there already (a restart, a lost connection) is
// not asked for again.
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/delta/compress.h"
#include "agent/sync/delta_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// Smaller chunks do not count as an answer: a byte now and then must not hold a leaf for ever.
enum {
    PUT_OFF_MS = 10 * 1000,
    PUT_OFFS_MAX = 6,
    LEAVES_PER_WANT = 2,
    LEAF_JOBS_MAX = 16, // what is here and not written yet: a disk may be slower than the line
    CHUNK_BYTES_MIN = PROTO_CHUNK_BYTES / 2
};

// A peer may claim any size; the list of leaves of this one is 32 MiB.
static const uint64_t LARGEST_BYTES = (uint64_t)PROTO_LEAF_BYTES << 20;

static void part_submit(struct folder *folder, struct transfer *t)
{
    struct job *job = job_new(JOB_PART, folder->number);
    job->part.content = t->content;
    if (t->leaves != NULL) {
        job->part.leaf_count = t->leaf_count;
        job->part.leaves = arena_alloc(job->arena, t->leaf_count, sizeof *t->leaves);
        memcpy(job->part.leaves, t->leaves, t->leaf_count * sizeof *t->leaves);
    }
    job->context = errand_for(t);
    t->state = TRANSFER_PART;
    submit(folder, job);
}

void parts_open(struct folder *folder, struct transfer *t)
{
    folder->large_count++;
    if (t->content.size > LARGEST_BYTES) {
        folder->large_count--;
        transfer_blocked(folder, t, ERR_NO_SPACE);
        return;
    }
    t->leaf_count = leaf_count_of(t->content.size);
    t->progress_ms = t->chunk_ms = folder->engine->now_ms;
    struct digest *kept;
    uint32_t count;
    if (t->leaf_count == 1) {
        t->leaves = arena_alloc(t->arena, 1, sizeof *t->leaves);
        t->leaves[0] = t->content.id;
    } else if (INDEX(folder)->leaves_get(INDEX(folder)->self, t->arena, folder->number, &t->content,
                                         &kept, &count) &&
               count == t->leaf_count) {
        t->leaves = kept;
    }
    part_submit(folder, t);
}

void parts_free(struct transfer *t)
{
    delta_forget(t);
    if (t->parts == NULL) return;
    for (uint32_t i = 0; i < t->leaf_count; i++)
        mem_free(&t->parts[i].bytes);
    mem_free(&t->parts);
}

// ---- asking

static void list_ask(struct folder *folder, struct transfer *t)
{
    bool any;
    struct share *share = transfer_source(folder, t, &any);
    if (share == NULL) return;
    struct message m = {.kind = MSG_WANT};
    uint32_t list = PROTO_LEAF_LIST;
    m.want.folder = folder->row.id;
    m.want.ids = &t->content;
    m.want.id_count = 1;
    m.want.leaves = &list;
    m.want.leaf_count = 1;
    t->asked = share;
    t->asked_ms = folder->engine->now_ms;
    t->list_have = 0;
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static bool leaf_open(const struct leaf_want *part)
{
    return !part->written && !part->writing && part->asked == NULL;
}

static void leaves_send(struct folder *folder, struct transfer *t, struct share *share,
                        uint32_t *leaves, uint32_t count)
{
    struct message m = {.kind = MSG_WANT};
    m.want.folder = folder->row.id;
    m.want.ids = &t->content;
    m.want.id_count = 1;
    m.want.leaves = leaves;
    m.want.leaf_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct leaf_want *part = &t->parts[leaves[i]];
        part->asked = share;
        part->asked_ms = folder->engine->now_ms;
        part->have = 0;
        share->wanted_bytes += leaf_size(t, leaves[i]);
        rate_spend(folder->engine, &folder->engine->down, share->session, leaf_size(t, leaves[i]));
    }
    (void)session_send(share->session, LANE_CONTROL, &m);
}

// From where asking stopped: `asked_leaves` is a cursor that goes back when a leaf is given up.
static void leaves_ask(struct folder *folder, struct transfer *t)
{
    while (t->jobs < LEAF_JOBS_MAX) {
        bool any;
        struct share *share = transfer_source(folder, t, &any);
        if (share == NULL) return;
        uint32_t leaves[LEAVES_PER_WANT];
        uint32_t count = 0, at = t->asked_leaves;
        for (; at < t->leaf_count && count < LEAVES_PER_WANT; at++) {
            if (leaf_open(&t->parts[at])) leaves[count++] = at;
        }
        t->asked_leaves = at;
        if (count == 0) return;
        leaves_send(folder, t, share, leaves, count);
    }
}

static void leaves_go_on(struct folder *folder, struct transfer *t)
{
    if (t->written == t->leaf_count) return; // waits for its jobs
    if (!delta_begin(folder, t)) leaves_ask(folder, t);
}

void parts_ask_all(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (t->state == TRANSFER_LIST && t->asked == NULL) list_ask(folder, t);
        if (t->state == TRANSFER_LEAVES) leaves_go_on(folder, t);
        delta_more(t);
    }
}

// ---- jobs

// Of a delta that was given up a job may still be under way, and writes into it.
static void finish_if_whole(struct folder *folder, struct transfer *t)
{
    if (t->written < t->leaf_count || t->state != TRANSFER_LEAVES || t->jobs > 0) return;
    struct job *job = job_new(JOB_FINISH, folder->number);
    job->finish.content = t->content;
    job->context = errand_for(t);
    t->state = TRANSFER_FINISHING;
    submit(folder, job);
}

static void leaves_begin(struct folder *folder, struct transfer *t)
{
    t->state = TRANSFER_LEAVES;
    t->asked_leaves = 0;
    finish_if_whole(folder, t);
    if (t->state == TRANSFER_LEAVES) leaves_go_on(folder, t);
}

static void part_opened(struct folder *folder, struct transfer *t, const struct job_part *part)
{
    if (t->leaves == NULL && part->leaves != NULL && part->leaf_count == t->leaf_count) {
        t->leaves = arena_alloc(t->arena, part->leaf_count, sizeof *t->leaves);
        memcpy(t->leaves, part->leaves, part->leaf_count * sizeof *t->leaves);
    }
    if (t->leaves == NULL) {
        t->state = TRANSFER_LIST;
        list_ask(folder, t);
        return;
    }
    t->parts = mem_zalloc(t->leaf_count, sizeof *t->parts);
    for (uint32_t i = 0; i < t->leaf_count; i++) {
        t->parts[i].written = part->have != NULL && part->have[i] != 0;
        t->written += t->parts[i].written;
    }
    t->state = TRANSFER_REUSING;
    if (t->written == t->leaf_count || !reuse_begin(folder, t)) leaves_begin(folder, t);
}

static void leaf_again(struct transfer *t, uint32_t leaf)
{
    t->parts[leaf].asked = NULL;
    t->parts[leaf].have = 0;
    if (leaf < t->asked_leaves) t->asked_leaves = leaf;
}

static void leaf_done(struct folder *folder, struct transfer *t, uint32_t leaf,
                      const struct job *job)
{
    const struct errand *errand = job->context;
    struct leaf_want *part = &t->parts[leaf];
    part->writing = false;
    if (job->err == ERR_OK) {
        part->written = true;
        t->written++;
        t->progress_ms = folder->engine->now_ms;
        t->put_offs = 0;
        finish_if_whole(folder, t);
        if (t->state == TRANSFER_LEAVES) leaves_ask(folder, t);
        return;
    }
    const struct session *from = folder->engine->sessions;
    while (from != NULL && from->own_number != errand->session_number)
        from = from->next;
    if (from != NULL && job->err == ERR_MALFORMED) transfer_wrong(t, from->peer, "wrong leaf");
    leaf_again(t, leaf);
}

// Space ran out, or the disk fails: it is tried again from the start later; leaves that are there
// stay.
static void give_up(struct folder *folder, struct transfer *t, enum err err)
{
    delta_drop(t);
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count; i++) {
        if (t->parts[i].asked != NULL) t->parts[i].asked->wanted_bytes -= leaf_size(t, i);
    }
    folder->large_count--;
    transfer_blocked(folder, t, err);
}

// What failed is to be had otherwise.
static bool may_go_on(const struct job *job)
{
    bool wrong = job->err == ERR_MALFORMED && (job->kind == JOB_LEAF || job->kind == JOB_PATCH);
    return wrong || job->kind == JOB_SIGN;
}

void parts_job_done(struct folder *folder, struct transfer *t, uint32_t leaf, struct job *job)
{
    bool breaks = job->err != ERR_OK && !may_go_on(job);
    if (breaks && t->state != TRANSFER_BROKEN) {
        t->state = TRANSFER_BROKEN; // waits for its other jobs
        t->broken = job->err;
    }
    if (t->state == TRANSFER_BROKEN) {
        if (t->jobs == 0) give_up(folder, t, t->broken);
        return;
    }
    if (job->kind == JOB_PART) {
        part_opened(folder, t, &job->part);
    } else if (job->kind == JOB_REUSE) {
        reuse_job_done(folder, t, job);
        if (t->jobs == 0) leaves_begin(folder, t);
    } else if (job->kind == JOB_SIGN || job->kind == JOB_PATCH) {
        delta_job_done(folder, t, job);
        if (t->state == TRANSFER_LEAVES) leaves_begin(folder, t);
    } else if (job->kind == JOB_LEAF) {
        leaf_done(folder, t, leaf, job);
    } else if (job->kind == JOB_FINISH) {
        if (t->leaf_count > 1) {
            INDEX(folder)->leaves_put(INDEX(folder)->self, folder->number, &t->content, t->leaves,
                                      t->leaf_count);
        }
        transfers_done(folder, &t, 1);
    }
}

// ---- data

static void list_data(struct share *share, struct transfer *t, const struct msg_data *data,
                      struct slice bytes)
{
    struct folder *folder = share->folder;
    size_t whole = (size_t)t->leaf_count * sizeof(struct digest);
    if (t->state != TRANSFER_LIST || t->asked != share || data->offset != t->list_have) return;
    if (bytes.size == 0 || t->list_have + bytes.size > whole) return;
    if (t->list == NULL) t->list = arena_alloc(t->arena, t->leaf_count, sizeof *t->list);
    memcpy((uint8_t *)t->list + t->list_have, bytes.data, bytes.size);
    t->list_have += (uint32_t)bytes.size;
    if (bytes.size >= CHUNK_BYTES_MIN) t->chunk_ms = t->asked_ms = folder->engine->now_ms;
    if (t->list_have < whole) return;
    t->asked = NULL;
    t->progress_ms = folder->engine->now_ms;
    if (leaves_are(&t->content.id, t->list, t->leaf_count)) {
        t->leaves = t->list;
        part_submit(folder, t);
        return;
    }
    transfer_wrong(t, share->session->peer, "wrong leaf list");
}

static void leaf_release(struct job *job)
{
    mem_free(&job->leaf.owned);
}

static void leaf_data(struct share *share, struct transfer *t, const struct msg_data *data,
                      struct slice bytes)
{
    struct folder *folder = share->folder;
    if (t->state != TRANSFER_LEAVES || data->leaf >= t->leaf_count) return;
    struct leaf_want *part = &t->parts[data->leaf];
    uint32_t size = leaf_size(t, data->leaf);
    if (part->asked != share || data->offset != part->have || part->have + bytes.size > size)
        return;
    if (part->bytes == NULL) part->bytes = mem_alloc(size);
    memcpy(part->bytes + part->have, bytes.data, bytes.size);
    part->have += (uint32_t)bytes.size;
    if (bytes.size >= CHUNK_BYTES_MIN) t->chunk_ms = part->asked_ms = folder->engine->now_ms;
    if (part->have < size) return;
    share->wanted_bytes -= size;
    t->moved = true;
    source_answers(share);
    part->asked = NULL;
    part->writing = true;
    struct job *job = job_new(JOB_LEAF, folder->number);
    job->leaf.content = t->content;
    job->leaf.leaf = data->leaf;
    job->leaf.expected = t->leaves[data->leaf];
    job->leaf.owned = part->bytes;
    job->release = leaf_release;
    job->leaf.bytes = slice_of(part->bytes, size);
    part->bytes = NULL;
    struct errand *errand = errand_for(t);
    errand->leaf = data->leaf;
    errand->session_number = share->session->own_number;
    job->context = errand;
    folder->engine->counters.content_bytes_in += size;
    submit(folder, job);
    leaves_ask(folder, t);
}

void data_handle(struct share *share, const struct msg_data *data)
{
    struct folder *folder = share->folder;
    struct slice key;
    void *value;
    size_t at = 0;
    AUTO(buf_fini) struct buf raw = {0};
    if (data->compressed && decompress(data->bytes, data->size, &raw) != ERR_OK) {
        session_refuse(share->session, "a chunk that does not unpack");
        return;
    }
    struct slice bytes = data->compressed ? buf_slice(&raw) : data->bytes;
    while (map_next(folder->transfers, &at, &key, &value)) {
        struct transfer *t = value;
        if (!t->large || !digest_equal(t->content.id, data->content)) continue;
        if (data->leaf == PROTO_LEAF_LIST)
            list_data(share, t, data, bytes);
        else
            leaf_data(share, t, data, bytes);
        return;
    }
}

// ---- sources that go

void parts_share_gone(struct transfer *t, struct share *share)
{
    if (t->asked == share) t->asked = NULL;
    delta_share_gone(t, share);
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count; i++) {
        if (t->parts[i].asked != share) continue;
        share->wanted_bytes -= leaf_size(t, i);
        leaf_again(t, i);
    }
}

bool parts_asked(const struct transfer *t)
{
    bool asked = t->asked != NULL || delta_asked(t);
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count && !asked; i++)
        asked = t->parts[i].asked != NULL;
    return asked;
}

void parts_put_off(struct folder *folder, struct transfer *t)
{
    delta_drop(t);
    if (t->asked != NULL) source_is_silent(t->asked);
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count; i++) {
        struct share *share = t->parts[i].asked;
        if (share == NULL) continue;
        share->wanted_bytes -= leaf_size(t, i);
        source_is_silent(share);
    }
    parts_free(t);
    t->asked = NULL;
    t->written = 0;
    folder->large_count--;
    t->tried_count = 0;
    // Opening it again means to hash what is there of it.
    t->not_before_ms = folder->engine->now_ms + ((int64_t)PUT_OFF_MS << t->put_offs);
    if (t->put_offs < PUT_OFFS_MAX) t->put_offs++;
    transfer_list_new(folder, t);
}

static void part_expire(struct transfer *t, uint32_t leaf)
{
    struct share *share = t->parts[leaf].asked;
    share->wanted_bytes -= leaf_size(t, leaf);
    source_is_silent(share);
    transfer_note_tried(t, share->session->peer->device);
    leaf_again(t, leaf);
}

void parts_expire(struct transfer *t, int64_t older_than_ms)
{
    if (t->state == TRANSFER_LIST && t->asked != NULL && t->asked_ms < older_than_ms) {
        source_is_silent(t->asked);
        transfer_note_tried(t, t->asked->session->peer->device);
        t->asked = NULL;
    }
    delta_expire(t, older_than_ms);
    for (uint32_t i = 0; t->parts != NULL && i < t->leaf_count; i++) {
        const struct leaf_want *part = &t->parts[i];
        if (part->asked != NULL && part->asked_ms < older_than_ms) part_expire(t, i);
    }
}
