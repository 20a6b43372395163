// SPDX-License-Identifier: MIT
//
// Giving contents to a peer, within the folder it asked in and nowhere else. Each is compared with
// its fingerprint before and after it is read; what has changed is NOT_HELD.
#include <string.h>

#include "agent/delta/compress.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { SERVING_JOBS_MAX = 8, BULK_AHEAD_BYTES = 3 << 20 };

static void not_held_send(struct share *share, struct digest *ids, uint32_t count)
{
    if (count == 0) return;
    struct message m = {.kind = MSG_NOT_HELD,
                        .not_held = {.folder = share->folder->row.id, .ids = ids, .count = count}};
    (void)session_send(share->session, LANE_CONTROL, &m);
}

static void entry_fill(struct folder *folder, struct job *job, struct read_entry *entry,
                       const struct content *content)
{
    struct arena *arena = folder->engine->scratch;
    entry->content = *content;
    const struct item *item = item_with_content(folder, arena, content);
    if (item != NULL) {
        entry->path = arena_copy(job->arena, item->path);
        entry->before = item->local.print;
    } else if (content_staged(folder, content)) {
        entry->staged = true;
    } else {
        entry->err = ERR_CHANGED;
    }
}

static void job_send(struct share *share, struct job *job)
{
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_SERVE;
    errand->session_number = share->session->own_number;
    errand->leaf = job->read.leaf;
    job->context = errand;
    share->serving_jobs++;
    submit(share->folder, job);
}

// Whole small contents, as many to a job as go into one PACK.
static void serve_small(struct share *share, const struct msg_want *want)
{
    struct folder *folder = share->folder;
    struct digest *missing = arena_alloc(folder->engine->scratch, want->id_count, sizeof *missing);
    uint32_t missing_count = 0;
    struct job *job = NULL;
    size_t bytes = 0;
    for (uint32_t i = 0; i < want->id_count; i++) {
        const struct content *content = &want->ids[i];
        bool full = job != NULL && bytes + content->size > PROTO_PACK_BYTES_MAX;
        if (full) {
            job_send(share, job);
            job = NULL;
        }
        if (job == NULL) {
            job = job_new(JOB_READ, folder->number);
            job->read.entries =
                arena_alloc(job->arena, want->id_count - i, sizeof *job->read.entries);
            job->read.leaf = JOB_READ_WHOLE;
            bytes = 0;
        }
        struct read_entry *entry = &job->read.entries[job->read.count];
        *entry = (struct read_entry){0};
        if (content->size <= PROTO_PACK_CONTENT_BYTES_MAX)
            entry_fill(folder, job, entry, content);
        else
            entry->err = ERR_CHANGED;
        if (entry->err != ERR_OK) {
            missing[missing_count++] = content->id;
            continue;
        }
        bytes += (size_t)content->size;
        job->read.count++;
    }
    if (job != NULL && job->read.count > 0)
        job_send(share, job);
    else
        job_destroy(&job);
    not_held_send(share, missing, missing_count);
}

static void data_send(struct share *share, const struct digest *content, uint32_t leaf,
                      struct slice bytes)
{
    AUTO(buf_fini) struct buf packed = {0};
    bool pays = true;
    for (size_t at = 0; at < bytes.size; at += PROTO_CHUNK_BYTES) {
        size_t left = bytes.size - at;
        struct slice chunk =
            slice_of(bytes.data + at, left < PROTO_CHUNK_BYTES ? left : PROTO_CHUNK_BYTES);
        struct message m = {.kind = MSG_DATA};
        m.data.folder = share->folder->row.id;
        m.data.content = *content;
        m.data.leaf = leaf;
        m.data.offset = (uint32_t)at;
        m.data.size = (uint32_t)chunk.size;
        buf_clear(&packed);
        pays = pays && compress_try(chunk, &packed);
        m.data.compressed = pays;
        m.data.bytes = pays ? buf_slice(&packed) : chunk;
        if (!session_send(share->session, LANE_BULK, &m)) return;
    }
}

static void serve_list(struct share *share, const struct content *content)
{
    struct folder *folder = share->folder;
    struct digest *leaves;
    uint32_t count;
    struct digest id = content->id;
    if (!INDEX(folder)->leaves_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                   content, &leaves, &count)) {
        not_held_send(share, &id, 1);
        return;
    }
    data_send(share, &content->id, PROTO_LEAF_LIST,
              slice_of(leaves, (size_t)count * sizeof *leaves));
}

static void serve_leaves(struct share *share, const struct msg_want *want)
{
    struct folder *folder = share->folder;
    const struct content *content = &want->ids[0];
    for (uint32_t i = 0; i < want->leaf_count; i++) {
        if (want->leaves[i] == PROTO_LEAF_LIST) {
            serve_list(share, content);
            continue;
        }
        struct job *job = job_new(JOB_READ, folder->number);
        job->read.entries = arena_alloc(job->arena, 1, sizeof *job->read.entries);
        job->read.count = 1;
        job->read.leaf = want->leaves[i];
        entry_fill(folder, job, &job->read.entries[0], content);
        struct digest id = content->id;
        bool outside = (uint64_t)want->leaves[i] * PROTO_LEAF_BYTES >= content->size;
        if (job->read.entries[0].err == ERR_OK && !outside) {
            job_send(share, job);
            continue;
        }
        job_destroy(&job);
        not_held_send(share, &id, 1);
        return;
    }
}

static bool has_room(const struct share *share)
{
    const struct net_port *net = &share->folder->engine->o.net;
    const struct conn *bulk = share->session->lanes[LANE_BULK];
    if (bulk == NULL || share->serving_jobs >= SERVING_JOBS_MAX) return false;
    return net->queued(net->self, bulk->id) < BULK_AHEAD_BYTES;
}

static void serve(struct share *share, const struct msg_want *want)
{
    if (want->leaf_count > 0)
        serve_leaves(share, want);
    else
        serve_small(share, want);
}

void want_handle(struct share *share, const struct msg_want *want, struct slice frame)
{
    if (!folder_usable(share->folder)) {
        struct digest *ids =
            arena_alloc(share->folder->engine->scratch, want->id_count, sizeof *ids);
        for (uint32_t i = 0; i < want->id_count; i++)
            ids[i] = want->ids[i].id;
        not_held_send(share, ids, want->id_count);
        return;
    }
    if (share->wants == NULL && has_room(share)) {
        serve(share, want);
        return;
    }
    if (share->serve_queued >= SERVE_QUEUE_MAX) {
        session_end(share->session, BYE_PROTOCOL, "too many requests at once");
        return;
    }
    struct waiting_want *waiting = mem_zalloc(1, sizeof *waiting);
    buf_append(&waiting->frame, frame.data, frame.size);
    *share->wants_end = waiting;
    share->wants_end = &waiting->next;
    share->serve_queued++;
}

void serve_more(struct share *share)
{
    while (share->wants != NULL && has_room(share)) {
        struct waiting_want *waiting = share->wants;
        share->wants = waiting->next;
        if (share->wants == NULL) share->wants_end = &share->wants;
        share->serve_queued--;
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct message m;
        struct fault fault;
        if (message_decode(arena, buf_slice(&waiting->frame), &m, &fault) == ERR_OK)
            serve(share, &m.want);
        buf_fini(&waiting->frame);
        mem_free(&waiting);
    }
}

void serve_clear(struct share *share)
{
    while (share->wants != NULL) {
        struct waiting_want *waiting = share->wants;
        share->wants = waiting->next;
        buf_fini(&waiting->frame);
        mem_free(&waiting);
    }
}

static void pack_send(struct share *share, const struct job_read *read)
{
    struct engine *engine = share->folder->engine;
    struct arena *arena = engine->scratch;
    struct digest *missing = arena_alloc(arena, read->count + 1U, sizeof *missing);
    struct message m = {.kind = MSG_PACK};
    m.pack.folder = share->folder->row.id;
    m.pack.contents = arena_alloc(arena, read->count + 1U, sizeof *m.pack.contents);
    uint32_t missing_count = 0;
    AUTO(buf_fini) struct buf raw = {0};
    AUTO(buf_fini) struct buf packed = {0};
    for (uint32_t i = 0; i < read->count; i++) {
        const struct read_entry *entry = &read->entries[i];
        if (entry->err != ERR_OK || entry->bytes.size != entry->content.size) {
            missing[missing_count++] = entry->content.id;
            continue;
        }
        m.pack.contents[m.pack.count++] = entry->content;
        buf_append(&raw, entry->bytes.data, entry->bytes.size);
        engine->counters.contents_out++;
        engine->counters.content_bytes_out += entry->bytes.size;
    }
    if (m.pack.count > 0) {
        m.pack.compressed = compress_try(buf_slice(&raw), &packed);
        m.pack.bytes = m.pack.compressed ? buf_slice(&packed) : buf_slice(&raw);
        (void)session_send(share->session, LANE_BULK, &m);
    }
    not_held_send(share, missing, missing_count);
}

void serve_job_done(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    struct share *share = NULL;
    for (struct session *s = folder->engine->sessions; s != NULL && share == NULL; s = s->next) {
        if (s->own_number == errand->session_number) share = share_find(s, folder);
    }
    if (share == NULL || folder->gone) return;
    if (share->serving_jobs > 0) share->serving_jobs--;
    if (!share->joined) return;
    for (uint32_t i = 0; job->err != ERR_OK && i < job->read.count; i++)
        job->read.entries[i].err = job->err;
    if (errand->leaf == JOB_READ_WHOLE) {
        pack_send(share, &job->read);
    } else if (job->read.entries[0].err == ERR_OK) {
        folder->engine->counters.content_bytes_out += job->read.entries[0].bytes.size;
        data_send(share, &job->read.entries[0].content.id, errand->leaf,
                  job->read.entries[0].bytes);
    } else {
        struct digest id = job->read.entries[0].content.id;
        not_held_send(share, &id, 1);
        // The file is not what the index says: look at it.
        if (!job->read.entries[0].staged) dirty_mark(folder, job->read.entries[0].path, 0, true);
    }
    serve_more(share);
}
