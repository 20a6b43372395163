// SPDX-License-Identifier: MIT
//
// Giving contents to a peer, within the folder it asked in and nowhere else. Each is compared with
// its fingerprint before and after it is read; what has changed is NOT_HELD.
#include <string.h>

#include "agent/delta/compress.h"
#include "agent/sync/delta_priv.h"
#include "agent/sync/session_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { SERVING_JOBS_MAX = 8, BULK_AHEAD_BYTES = 3 << 20, WANTS_BYTES_MAX = 4 << 20 };

void serve_not_held(struct share *share, struct digest *ids, uint32_t count)
{
    if (count == 0) return;
    struct message m = {.kind = MSG_NOT_HELD,
                        .not_held = {.folder = share->folder->row.id, .ids = ids, .count = count}};
    (void)session_send(share->session, LANE_CONTROL, &m);
}

void serve_entry_fill(struct folder *folder, struct job *job, struct read_entry *entry,
                      const struct ask *ask)
{
    struct arena *arena = folder->engine->scratch;
    const struct content *content = &ask->content;
    struct slice kept;
    bool busy;
    *entry = (struct read_entry){.content = *content, .tries = ask->tries};
    const struct item *item = item_with_content(folder, arena, content, &busy);
    if (item != NULL) {
        entry->path = arena_copy(job->arena, item->path);
        entry->before = item->local.print;
    } else if (content_staged(folder, content)) {
        entry->staged = true;
    } else if (INDEX(folder)->kept_by_content(INDEX(folder)->self, arena, folder->number,
                                              &content->id, &kept)) {
        entry->path = arena_copy(job->arena, kept);
        entry->kept = true;
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
    bool whole = job->read.leaf == JOB_READ_WHOLE;
    for (uint32_t i = 0; i < job->read.count; i++) {
        uint64_t size = job->read.entries[i].content.size;
        rate_spend(share->folder->engine, &share->folder->engine->up, share->session,
                   whole || size < PROTO_LEAF_BYTES ? size : PROTO_LEAF_BYTES);
    }
    share->serving_jobs++;
    submit(share->folder, job);
}

// Not held, or only not at this moment: then it is tried again before the peer is told.
static void refuse(struct share *share, const struct ask *ask)
{
    struct digest id = ask->content.id;
    if (!late_add(share, ask)) serve_not_held(share, &id, 1);
}

static struct job *read_job_new(struct folder *folder, uint32_t leaf, uint32_t max)
{
    struct job *job = job_new(JOB_READ, folder->number);
    job->read.entries = arena_alloc(job->arena, max, sizeof *job->read.entries);
    job->read.leaf = leaf;
    return job;
}

// Whole small contents, as many to a job as go into one PACK.
void serve_whole(struct share *share, const struct ask *asks, uint32_t count)
{
    struct folder *folder = share->folder;
    struct digest *missing = arena_alloc(folder->engine->scratch, count, sizeof *missing);
    uint32_t missing_count = 0;
    struct job *job = NULL;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct content *content = &asks[i].content;
        if (content->size > PROTO_PACK_CONTENT_BYTES_MAX) {
            missing[missing_count++] = content->id;
            continue;
        }
        if (job != NULL && bytes + content->size > PROTO_PACK_BYTES_MAX) {
            job_send(share, job);
            job = NULL;
        }
        if (job == NULL) {
            job = read_job_new(folder, JOB_READ_WHOLE, count - i);
            bytes = 0;
        }
        struct read_entry *entry = &job->read.entries[job->read.count];
        serve_entry_fill(folder, job, entry, &asks[i]);
        if (entry->err != ERR_OK) {
            if (!late_add(share, &asks[i])) missing[missing_count++] = content->id;
            continue;
        }
        bytes += (size_t)content->size;
        job->read.count++;
    }
    if (job != NULL && job->read.count > 0)
        job_send(share, job);
    else
        job_destroy(&job);
    serve_not_held(share, missing, missing_count);
}

static void data_send(struct share *share, const struct digest *content, uint32_t leaf,
                      struct slice bytes)
{
    struct compressor *compressor = share->folder->engine->compressor;
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
        pays = pays && compressor_try(compressor, chunk, &packed);
        m.data.compressed = pays;
        m.data.bytes = pays ? buf_slice(&packed) : chunk;
        if (!session_send(share->session, LANE_BULK, &m)) return;
    }
}

// False: it is not in the index, and has to be made from the file.
static bool serve_list(struct share *share, const struct content *content)
{
    struct folder *folder = share->folder;
    struct digest *leaves;
    uint32_t count;
    if (!INDEX(folder)->leaves_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                   content, &leaves, &count))
        return false;
    data_send(share, &content->id, PROTO_LEAF_LIST,
              slice_of(leaves, (size_t)count * sizeof *leaves));
    return true;
}

static bool is_outside(const struct ask *ask)
{
    bool list = ask->leaf == PROTO_LEAF_LIST;
    return list ? ask->content.size <= PROTO_LEAF_BYTES
                : (uint64_t)ask->leaf * PROTO_LEAF_BYTES >= ask->content.size;
}

void serve_leaf(struct share *share, const struct ask *ask)
{
    struct folder *folder = share->folder;
    if (ask->leaf == PROTO_LEAF_LIST && serve_list(share, &ask->content)) return;
    struct job *job = read_job_new(folder, ask->leaf, 1);
    job->read.count = 1;
    serve_entry_fill(folder, job, &job->read.entries[0], ask);
    bool outside = is_outside(ask);
    if (job->read.entries[0].err == ERR_OK && !outside) {
        job_send(share, job);
        return;
    }
    job_destroy(&job);
    struct digest id = ask->content.id;
    if (outside)
        serve_not_held(share, &id, 1);
    else
        refuse(share, ask);
}

bool serve_has_room(const struct share *share)
{
    struct engine *engine = share->folder->engine;
    if (!rate_allows(engine, &engine->up, share->session)) return false;
    const struct net_port *net = &share->folder->engine->o.net;
    // The other side may have opened the session, and ask, before its bulk lane is open here.
    if (!lane_open(share->session, LANE_BULK) || share->serving_jobs >= SERVING_JOBS_MAX)
        return false;
    return net->queued(net->self, share->session->lanes[LANE_BULK]->id) < BULK_AHEAD_BYTES;
}

// How many ids from `at` make one PACK; those that are too large for any count nothing.
static uint32_t pack_count(const struct msg_want *want, uint32_t at)
{
    size_t bytes = 0;
    uint32_t count = 0;
    for (; at + count < want->id_count; count++) {
        uint64_t size = want->ids[at + count].size;
        if (size > PROTO_PACK_CONTENT_BYTES_MAX) continue;
        bytes += (size_t)size;
        if (bytes > PROTO_PACK_BYTES_MAX) break;
    }
    return count;
}

static void serve_pack(struct share *share, const struct msg_want *want, uint32_t *at)
{
    uint32_t count = pack_count(want, *at);
    struct ask *asks = arena_alloc(share->folder->engine->scratch, count, sizeof *asks);
    for (uint32_t i = 0; i < count; i++)
        asks[i] = (struct ask){.content = want->ids[*at + i], .leaf = JOB_READ_WHOLE};
    *at += count;
    serve_whole(share, asks, count);
}

// As much of it as there is room for: a message of one kilobyte can ask for gigabytes. True: all.
static bool serve_from(struct share *share, const struct msg_want *want, uint32_t *at)
{
    bool whole = want->leaf_count == 0;
    uint32_t end = whole ? want->id_count : want->leaf_count;
    while (*at < end && serve_has_room(share)) {
        if (whole) {
            serve_pack(share, want, at);
        } else {
            struct ask ask = {.content = want->ids[0], .leaf = want->leaves[(*at)++]};
            serve_leaf(share, &ask);
        }
    }
    return *at == end;
}

void want_refuse(struct session *session, const struct msg_want *want)
{
    struct digest *ids = arena_alloc(session->engine->scratch, want->id_count, sizeof *ids);
    for (uint32_t i = 0; i < want->id_count; i++)
        ids[i] = want->ids[i].id;
    struct message m = {.kind = MSG_NOT_HELD,
                        .not_held = {.folder = want->folder, .ids = ids, .count = want->id_count}};
    (void)session_send(session, LANE_CONTROL, &m);
}

void want_handle(struct share *share, const struct msg_want *want, struct slice frame)
{
    uint32_t at = 0;
    if (!folder_usable(share->folder)) {
        want_refuse(share->session, want);
        return;
    }
    if (share->wants == NULL && serve_from(share, want, &at)) return;
    if (share->wants_bytes + frame.size > WANTS_BYTES_MAX) {
        session_refuse(share->session, "too many requests at once");
        return;
    }
    struct waiting_want *waiting = mem_zalloc(1, sizeof *waiting);
    buf_append(&waiting->frame, frame.data, frame.size);
    waiting->at = at;
    *share->wants_end = waiting;
    share->wants_end = &waiting->next;
    share->wants_bytes += frame.size;
}

static void want_drop_first(struct share *share)
{
    struct waiting_want *waiting = share->wants;
    share->wants = waiting->next;
    if (share->wants == NULL) share->wants_end = &share->wants;
    share->wants_bytes -= waiting->frame.size;
    buf_fini(&waiting->frame);
    mem_free(&waiting);
}

void serve_more(struct share *share)
{
    while (share->wants != NULL && serve_has_room(share) && folder_usable(share->folder)) {
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct message m;
        struct fault fault;
        struct waiting_want *first = share->wants;
        bool sound = message_decode(arena, buf_slice(&first->frame), &m, &fault) == ERR_OK;
        if (!sound || serve_from(share, &m.want, &first->at)) want_drop_first(share);
    }
    deltas_more(share);
}

// What waits for its turn when there is a limit.
int64_t serve_deadline(const struct share *share)
{
    bool waits = (share->wants != NULL || share->deltas != NULL) && !share->session->near;
    const struct engine *engine = share->folder->engine;
    return waits ? rate_deadline(engine, &engine->up) : INT64_MAX;
}

void serve_clear(struct share *share)
{
    late_clear(share);
    deltas_clear(share);
    while (share->wants != NULL)
        want_drop_first(share);
}

static struct ask ask_again(const struct read_entry *entry, uint32_t leaf)
{
    return (struct ask){.content = entry->content, .leaf = leaf, .tries = entry->tries};
}

// The file is not what the index says.
static void look_at_source(struct folder *folder, const struct read_entry *entry)
{
    if (!entry->staged && !entry->kept) dirty_mark(folder, entry->path, 0, true);
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
            struct ask ask = ask_again(entry, JOB_READ_WHOLE);
            if (!late_add(share, &ask)) missing[missing_count++] = entry->content.id;
            look_at_source(share->folder, entry);
            continue;
        }
        m.pack.contents[m.pack.count++] = entry->content;
        buf_append(&raw, entry->bytes.data, entry->bytes.size);
        engine->counters.contents_out++;
        engine->counters.content_bytes_out += entry->bytes.size;
    }
    if (m.pack.count > 0) {
        m.pack.compressed = compressor_try(engine->compressor, buf_slice(&raw), &packed);
        m.pack.bytes = m.pack.compressed ? buf_slice(&packed) : buf_slice(&raw);
        (void)session_send(share->session, LANE_BULK, &m);
    }
    serve_not_held(share, missing, missing_count);
}

// It was not in the index, and to make it may take longer than the other waits.
static void list_keep(struct folder *folder, const struct read_entry *entry)
{
    const struct digest *leaves = (const struct digest *)(const void *)entry->bytes.data;
    INDEX(folder)->leaves_put(INDEX(folder)->self, folder->number, &entry->content, leaves,
                              (uint32_t)(entry->bytes.size / sizeof *leaves));
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
    if (errand->purpose == FOR_DELTA) {
        delta_diffed(share, job);
        serve_more(share);
        return;
    }
    if (!share->joined) return;
    for (uint32_t i = 0; job->err != ERR_OK && i < job->read.count; i++)
        job->read.entries[i].err = job->err;
    if (errand->leaf == JOB_READ_WHOLE) {
        pack_send(share, &job->read);
    } else if (job->read.entries[0].err == ERR_OK) {
        folder->engine->counters.content_bytes_out += job->read.entries[0].bytes.size;
        if (errand->leaf == PROTO_LEAF_LIST) list_keep(folder, &job->read.entries[0]);
        data_send(share, &job->read.entries[0].content.id, errand->leaf,
                  job->read.entries[0].bytes);
    } else {
        struct ask ask = ask_again(&job->read.entries[0], errand->leaf);
        look_at_source(folder, &job->read.entries[0]);
        refuse(share, &ask);
    }
    serve_more(share);
}

void engine_drained(struct engine *engine, uint64_t id)
{
    arena_reset(engine->scratch);
    const struct conn *conn = session_conn(engine, id);
    if (conn == NULL || conn->session == NULL) return;
    for (struct share *s = conn->session->shares; s != NULL; s = s->next)
        serve_more(s);
}
