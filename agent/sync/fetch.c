// SPDX-License-Identifier: MIT
//
// Getting contents: from a file that is here already, else from any connected peer that has it.
// Small ones many to a message, large ones leaf by leaf (parts.c).
#include "agent/delta/compress.h"
#include "agent/sync/fetch_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { WANT_IDS_MAX = 1024, JOBS_AHEAD_MAX = 256, RETRY_MS = 5000 };

bool content_staged(const struct folder *folder, const struct content *content)
{
    uint8_t key[40];
    const char *state = map_get(folder->staged, content_key(content, key));
    return state != NULL && *state == STAGED_THERE;
}

void staged_set(struct folder *folder, const struct content *content, enum staged state)
{
    static char there = STAGED_THERE, perhaps = STAGED_PERHAPS;
    uint8_t key[40];
    if (state == STAGED_NOT)
        (void)map_remove(folder->staged, content_key(content, key));
    else
        (void)map_put(folder->staged, content_key(content, key),
                      state == STAGED_THERE ? &there : &perhaps);
}

// Recovery has cleared the small ones away, whatever this process knows of them: its root may only
// have been gone for a while.
void staged_cleared(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->staged, &at, &key, &value)) {
        struct content content;
        content_of_key(key, &content);
        if (content.size <= PROTO_PACK_CONTENT_BYTES_MAX)
            staged_set(folder, &content, STAGED_PERHAPS);
    }
}

// ---- small contents

struct batch {
    struct share *share;
    struct content ids[WANT_IDS_MAX];
    uint32_t count;
    size_t bytes;
};

static void batch_send(struct batch *batch)
{
    if (batch->count == 0) return;
    struct message m = {.kind = MSG_WANT};
    m.want.folder = batch->share->folder->row.id;
    m.want.ids = batch->ids;
    m.want.id_count = batch->count;
    (void)session_send(batch->share->session, LANE_CONTROL, &m);
    batch->count = 0;
    batch->bytes = 0;
}

static void batch_add(struct batch *batch, struct share *share, struct transfer *t)
{
    bool full =
        batch->count == WANT_IDS_MAX || batch->bytes + t->content.size > PROTO_PACK_BYTES_MAX;
    if (batch->share != share || full) batch_send(batch);
    batch->share = share;
    batch->ids[batch->count++] = t->content;
    batch->bytes += (size_t)t->content.size;
    share->wanted_bytes += (size_t)t->content.size;
    rate_spend(share->folder->engine, &share->folder->engine->down, share->session,
               t->content.size);
    t->state = TRANSFER_ASKED;
    t->asked = share;
    t->asked_ms = share->folder->engine->now_ms;
}

struct errand *errand_for(struct transfer *t)
{
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_TRANSFER;
    errand->transfer = t;
    if (t != NULL) t->jobs++;
    return errand;
}

static void small_step(struct folder *folder)
{
    struct batch *batch = mem_zalloc(1, sizeof *batch);
    struct copies copies = {.folder = folder};
    struct transfer *t = folder->small_new.first;
    while (t != NULL && folder->jobs < JOBS_AHEAD_MAX && copies.begun < COPIES_PER_STEP) {
        struct transfer *next = t->next;
        bool any = false;
        enum start start = copy_begin(folder, t, &copies);
        if (start == START_BEGUN) {
            transfer_unlist(folder, t);
        } else if (start == START_NONE) {
            struct share *share = transfer_source(folder, t, &any);
            // Who does not answer keeps nobody waiting for what others have.
            if (share == NULL && any && !sources_have_room(folder)) break;
            if (share != NULL || !any) transfer_unlist(folder, t);
            if (share != NULL)
                batch_add(batch, share, t);
            else if (!any)
                t->state = TRANSFER_NO_SOURCE;
        }
        t = next;
    }
    copies_submit(&copies);
    batch_send(batch);
    mem_free(&batch);
}

static void large_step(struct folder *folder)
{
    struct transfer *next = NULL;
    for (struct transfer *t = folder->large_new.first; t != NULL; t = next) {
        next = t->next;
        if (folder->large_count >= LARGE_MAX) return;
        if (folder->engine->now_ms < t->not_before_ms) continue;
        enum start start = copy_begin(folder, t, NULL);
        if (start == START_WAIT) continue;
        transfer_unlist(folder, t);
        if (start == START_NONE) parts_open(folder, t);
    }
}

void fetch_step(struct folder *folder)
{
    if (!folder_usable(folder) || map_count(folder->transfers) == 0 || join_ending(folder)) return;
    if (folder->small_new.first != NULL) small_step(folder);
    if (folder->large_new.first != NULL) large_step(folder);
    if (folder->large_count > 0) parts_ask_all(folder);
    if (folder->fetch_check_ms == 0) folder->fetch_check_ms = folder->engine->now_ms + RETRY_MS;
    if (folder->engine->now_ms >= folder->fetch_check_ms) {
        folder->fetch_check_ms = folder->engine->now_ms + RETRY_MS;
        orphans_note(folder);
        fetch_expire(folder);
        fetch_retry_sources(folder);
    }
}

int64_t fetch_deadline(const struct folder *folder)
{
    if (map_count(folder->transfers) == 0 || join_ending(folder)) return INT64_MAX;
    bool waits = folder->small_new.first != NULL || folder->large_new.first != NULL ||
                 folder->large_count > 0;
    const struct engine *engine = folder->engine;
    int64_t rate = waits ? rate_deadline(engine, &engine->down) : INT64_MAX;
    return rate < folder->fetch_check_ms ? rate : folder->fetch_check_ms;
}

// ---- what came of it

// The contents are staged: the items that waited go on.
void transfers_done(struct folder *folder, struct transfer **list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        staged_set(folder, &list[i]->content, STAGED_THERE);
        if (list[i]->state == TRANSFER_FINISHING) folder->large_count--;
    }
    txn_begin(folder);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t p = 0; p < list[i]->path_count; p++) {
            struct slice path = arena_copy(folder->engine->scratch, list[i]->paths[p]);
            if (folder->outbox_count < OUTBOX_ENOUGH)
                work_item(folder, path);
            else
                work_again(folder);
        }
        if (list[i]->more_paths) work_again(folder);
        transfer_free(folder, list[i]);
    }
    apply_prepare(folder);
    if (txn_end(folder) != ERR_OK) work_later(folder, INDEX_RETRY_MS);
    fetch_step(folder);
    work_more(folder);
}

void transfer_blocked(struct folder *folder, struct transfer *t, enum err err)
{
    enum blocked reason = err == ERR_NO_SPACE ? BLOCKED_NO_SPACE
                          : err == ERR_ACCESS ? BLOCKED_PERMISSION
                          : err == ERR_BUSY   ? BLOCKED_BUSY
                                              : BLOCKED_IO;
    txn_begin(folder);
    for (uint32_t p = 0; p < t->path_count; p++) {
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                t->paths[p], &item);
        if (!item.need) continue;
        item.blocked = reason;
        INDEX(folder)->item_put(INDEX(folder)->self, folder->number, &item, false);
    }
    if (txn_end(folder) != ERR_OK) work_later(folder, INDEX_RETRY_MS);
    folder->blocked_retry_ms = folder->engine->now_ms + BLOCKED_RETRY_MS;
    staged_set(folder, &t->content, STAGED_PERHAPS); // what there is of it goes if nobody needs it
    transfer_free(folder, t);
    share_due(folder);
}

// Else it would fail with what another peer sends, too.
static void stage_failed(struct folder *folder, struct transfer *t, enum err err)
{
    if (t->asked == NULL || err != ERR_MALFORMED) {
        transfer_blocked(folder, t, err);
        return;
    }
    transfer_wrong(t, t->asked->session->peer, "wrong content");
    t->asked = NULL;
    transfer_list_new(folder, t);
}

// Of a file that is here: what cannot be read there may be had elsewhere.
static void copy_failed(struct folder *folder, struct transfer *t, enum stage_from from,
                        enum err err)
{
    if (err == ERR_NO_SPACE) {
        transfer_blocked(folder, t, err);
        return;
    }
    if (from == STAGE_STORED && err == ERR_CHANGED) base_spoilt(folder, &t->content);
    if (from == STAGE_KEPT && err == ERR_CHANGED) t->kept_gone = true;
    transfer_list_new(folder, t);
}

static void stage_done(struct folder *folder, struct job *job)
{
    struct arena *arena = folder->engine->scratch;
    struct transfer **done = arena_alloc(arena, job->stage.count + 1U, sizeof(struct transfer *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < job->stage.count; i++) {
        const struct stage_entry *entry = &job->stage.entries[i];
        enum err err = job->err != ERR_OK ? job->err : entry->err;
        struct transfer *t = transfer_find(folder, &entry->content);
        if (t == NULL || (t->state != TRANSFER_STAGING && t->state != TRANSFER_COPYING)) continue;
        if (err == ERR_OK)
            done[count++] = t;
        else if (t->state == TRANSFER_COPYING)
            copy_failed(folder, t, entry->from, err);
        else
            stage_failed(folder, t, err);
    }
    // Somebody has taken our own directory away.
    if (job->err == ERR_CHANGED) folder_check_root(folder);
    if (count > 0)
        transfers_done(folder, done, count);
    else
        fetch_step(folder);
}

static void copy_done(struct folder *folder, struct transfer *t, const struct job *job)
{
    if (job->err == ERR_OK) {
        transfers_done(folder, &t, 1);
    } else {
        enum stage_from from = job->copy.base   ? STAGE_STORED
                               : job->copy.kept ? STAGE_KEPT
                                                : STAGE_ITEM;
        copy_failed(folder, t, from, job->err);
        fetch_step(folder);
    }
}

void fetch_job_done(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    struct transfer *t = errand->transfer;
    if (folder->gone) return;
    if (t != NULL) t->jobs--;
    if (job->kind == JOB_STAGE) {
        stage_done(folder, job);
    } else if (job->kind == JOB_COPY) {
        copy_done(folder, t, job);
    } else {
        parts_job_done(folder, t, errand->leaf, job);
    }
}

// ---- messages

void pack_handle(struct share *share, const struct msg_pack *pack)
{
    struct folder *folder = share->folder;
    size_t size = 0;
    AUTO(buf_fini) struct buf raw = {0};
    for (uint32_t i = 0; i < pack->count; i++)
        size += (size_t)pack->contents[i].size;
    if (pack->compressed && decompress(pack->bytes, size, &raw) != ERR_OK) {
        session_refuse(share->session, "a pack that does not unpack");
        return;
    }
    struct slice bytes = pack->compressed ? buf_slice(&raw) : pack->bytes;
    struct job *job = job_new(JOB_STAGE, folder->number);
    job->stage.entries = arena_alloc(job->arena, pack->count, sizeof *job->stage.entries);
    size_t at = 0;
    for (uint32_t i = 0; i < pack->count; i++) {
        struct slice content = slice_of(bytes.data + at, (size_t)pack->contents[i].size);
        at += content.size;
        struct transfer *t = transfer_find(folder, &pack->contents[i]);
        if (t == NULL || t->state != TRANSFER_ASKED || t->asked != share) continue;
        t->state = TRANSFER_STAGING;
        source_answers(share);
        share->wanted_bytes -= content.size;
        struct stage_entry *entry = &job->stage.entries[job->stage.count++];
        entry->content = t->content;
        entry->bytes = arena_copy(job->arena, content);
        folder->engine->counters.contents_in++;
        folder->engine->counters.content_bytes_in += content.size;
    }
    if (job->stage.count == 0) {
        job_destroy(&job);
        return;
    }
    job->context = errand_for(NULL);
    submit(folder, job);
}

void transfer_not_held(struct share *share, struct transfer *t)
{
    // What was said in a session that is used no more is said of another moment.
    if (!share->retired) transfer_note_tried(t, share->session->peer->device);
    if (t->state == TRANSFER_ASKED && t->asked == share) {
        share->wanted_bytes -= (size_t)t->content.size;
        t->asked = NULL;
        transfer_list_new(share->folder, t);
    } else if (t->large) {
        parts_share_gone(t, share);
    }
}

void not_held_handle(struct share *share, const struct msg_not_held *message)
{
    struct folder *folder = share->folder;
    source_answers(share);
    for (uint32_t i = 0; i < message->count; i++) {
        size_t at = 0;
        struct slice key;
        void *value;
        while (map_next(folder->transfers, &at, &key, &value)) {
            struct transfer *t = value;
            if (digest_equal(t->content.id, message->ids[i])) transfer_not_held(share, t);
        }
    }
    fetch_step(folder);
}
