// SPDX-License-Identifier: MIT
//
// What is stored of the contents on this disk. The sequence numbers of the index say what has
// changed since they were last gone through; what has changed last has the better right to the
// room there is.
#include <string.h>

#include "agent/sync/base_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    QUIET_MS = 1000, // after a change
    QUIET_MAX_MS = 10 * 1000,
    BUSY_MS = 500,
    PAUSE_MS = 50, // between jobs
    FAILED_MS = 60 * 1000,
    STEP_MS = 10,
    ITEMS_PER_STEP = 32,
    SAVE_EVERY = 4096,
    LOOKED_AT_BLOCKS = 2, // as many changes for each block that there is room for
};

void base_open(struct folder *folder)
{
    folder->base = mem_zalloc(1, sizeof *folder->base);
    folder->base->entries = map_new();
}

static void entries_clear(struct base *b)
{
    uint8_t key[40];
    for (uint32_t i = 0; i < b->count; i++) {
        (void)map_remove(b->entries, content_key(&b->heap[i]->content, key));
        mem_free(&b->heap[i]);
    }
    b->count = 0;
    b->doubted = 0;
    b->room = 0;
}

void base_close(struct folder *folder)
{
    struct base *b = folder->base;
    entries_clear(b);
    keeps_drop(b, 0);
    map_destroy(&b->entries);
    buf_fini(&b->drops);
    mem_free(&b->heap);
    mem_free(&b->keeps);
    mem_free(&folder->base);
}

struct base_entry *base_find(const struct base *b, const struct content *content)
{
    uint8_t key[40];
    return map_get(b->entries, content_key(content, key));
}

bool base_has(const struct folder *folder, const struct content *content)
{
    return base_find(folder->base, content) != NULL;
}

// ---- the heap, by age

static void heap_place(struct base *b, uint32_t at, struct base_entry *entry)
{
    b->heap[at] = entry;
    entry->at = at;
}

static void heap_settle(struct base *b, uint32_t at)
{
    struct base_entry *entry = b->heap[at];
    for (uint32_t up; at > 0 && b->heap[up = (at - 1) / 2]->mtime_ns > entry->mtime_ns; at = up)
        heap_place(b, at, b->heap[up]);
    for (uint32_t down; (down = 2 * at + 1) < b->count; at = down) {
        if (down + 1 < b->count && b->heap[down + 1]->mtime_ns < b->heap[down]->mtime_ns) down++;
        if (b->heap[down]->mtime_ns >= entry->mtime_ns) break;
        heap_place(b, at, b->heap[down]);
    }
    heap_place(b, at, entry);
}

static struct base_entry *entry_add(struct base *b, const struct content *content, uint64_t room,
                                    int64_t mtime_ns)
{
    uint8_t key[40];
    struct base_entry *entry = mem_zalloc(1, sizeof *entry);
    *entry = (struct base_entry){.content = *content, .room = room, .mtime_ns = mtime_ns};
    if (b->count == b->capacity) {
        b->capacity = b->capacity == 0 ? 64 : 2 * b->capacity;
        b->heap = mem_realloc(b->heap, b->capacity * sizeof(struct base_entry *));
    }
    (void)map_put(b->entries, content_key(content, key), entry);
    b->room += room;
    heap_place(b, b->count++, entry);
    heap_settle(b, entry->at);
    return entry;
}

static void entry_remove(struct base *b, struct base_entry *entry)
{
    uint8_t key[40];
    uint32_t at = entry->at;
    (void)map_remove(b->entries, content_key(&entry->content, key));
    b->room -= entry->room;
    b->doubted -= entry->doubted;
    b->count--;
    if (at < b->count) {
        heap_place(b, at, b->heap[b->count]);
        heap_settle(b, at);
    }
    mem_free(&entry);
}

void base_drop(struct base *b, struct base_entry *entry)
{
    buf_append(&b->drops, &entry->content, sizeof entry->content);
    entry_remove(b, entry);
}

// ---- how far the index has been gone through, over a restart

struct progress {
    uint64_t inc, seq, room_max, count;
};

static const char *progress_key(const struct folder *folder)
{
    return arena_printf(folder->engine->scratch, "base.%u", folder->number);
}

// Another life, more room, or less that is stored than there was: all is gone through again.
static void progress_load(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct base *b = folder->base;
    struct progress was = {0};
    struct slice value;
    b->seq = b->seq_saved = 0;
    if (!index->meta_get(index->self, folder->engine->scratch, progress_key(folder), &value) ||
        value.size != sizeof was)
        return;
    memcpy(&was, value.data, sizeof was);
    bool fits = was.inc == folder->row.inc && was.room_max >= b->room_max && was.count <= b->count;
    if (fits && was.seq <= folder->row.seq) b->seq = b->seq_saved = was.seq;
}

void base_save(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct base *b = folder->base;
    const struct progress now = {folder->row.inc, b->seq, b->room_max, b->count};
    if (!b->listed || b->seq == b->seq_saved) return;
    index->begin(index->self);
    index->meta_set(index->self, progress_key(folder), slice_of(&now, sizeof now));
    if (index->commit(index->self) == ERR_OK) b->seq_saved = b->seq;
}

// ---- what makes it stale

static void shrink(struct base *b)
{
    while (b->room > b->room_max && b->heap[0]->keeps == 0 && !b->heap[0]->arriving)
        base_drop(b, b->heap[0]);
}

void base_limit(struct folder *folder, uint64_t bytes_max)
{
    struct base *b = folder->base;
    if (bytes_max > b->room_max) b->seq = 0;
    b->room_max = bytes_max;
}

void base_empty(struct folder *folder)
{
    struct job *job = job_new(JOB_BASE, folder->number);
    job->base.emptied = arena_copy(job->arena, slice_text(folder->path));
    submit(folder, job);
}

// The root was away, or the folder begins another life.
void base_list_again(struct folder *folder)
{
    folder->base->listed = false;
    folder->base->next_ms = 0;
}

void base_quiet(struct folder *folder)
{
    struct base *b = folder->base;
    int64_t now = folder->engine->now_ms;
    if (b->waits_ms == 0) b->waits_ms = now;
    int64_t latest = b->waits_ms + QUIET_MAX_MS;
    b->next_ms = now + QUIET_MS < latest ? now + QUIET_MS : latest;
}

// It is not what it was stored as: nothing of it is flushed, and the power may have gone.
void base_spoilt(struct folder *folder, const struct content *content)
{
    struct base_entry *entry = base_find(folder->base, content);
    if (entry == NULL || entry->keeps > 0 || entry->arriving) return;
    base_drop(folder->base, entry);
    base_quiet(folder);
}

// ---- the parts of a job

enum room { ROOM_THERE, ROOM_NOT, ROOM_LATER };

static enum room room_make(struct base *b, uint64_t room, int64_t mtime_ns)
{
    while (b->count > 0 && b->room + room > b->room_max) {
        struct base_entry *oldest = b->heap[0];
        if (oldest->mtime_ns >= mtime_ns || oldest->keeps > 0) return ROOM_NOT;
        if (oldest->arriving) return ROOM_LATER;
        base_drop(b, oldest);
    }
    return b->room + room <= b->room_max ? ROOM_THERE : ROOM_NOT;
}

// What it takes uncompressed, until it is there.
static uint64_t room_at_most(uint64_t size)
{
    return (size + BASE_BLOCK_BYTES - 1) / BASE_BLOCK_BYTES * BASE_BLOCK_BYTES;
}

// False: only the next job can make room for it.
static bool put_perhaps(struct folder *folder, struct job *job, const struct item *item)
{
    struct base *b = folder->base;
    const struct value *value = &item->local.version.value;
    int64_t mtime_ns = item->local.version.mtime_ns;
    struct content content = value_content(value);
    if (!base_shows(item) || value->size == 0 || value->size > BASE_CONTENT_BYTES_MAX ||
        base_find(b, &content) != NULL)
        return true;
    uint64_t room = room_at_most(content.size);
    enum room made = room_make(b, room, mtime_ns);
    if (made != ROOM_THERE) return made == ROOM_NOT;
    entry_add(b, &content, room, mtime_ns)->arriving = true;
    job->base.puts[job->base.put_count++] =
        (struct base_put){.content = content,
                          .path = arena_copy(job->arena, item->path),
                          .bytes = arena_copy(job->arena, ride_find(folder->engine, &content)),
                          .mtime_ns = mtime_ns};
    return true;
}

static void puts_take(struct folder *folder, struct job *job)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct base *b = folder->base;
    struct path_row rows[ITEMS_PER_STEP];
    uint64_t most = LOOKED_AT_BLOCKS * (b->room_max / BASE_BLOCK_BYTES);
    // Of very many what changed last would throw out what was stored before.
    if (folder->row.seq > b->seq && folder->row.seq - b->seq > most)
        b->seq = folder->row.seq - most;
    uint32_t got =
        index->seq_after(index->self, arena, folder->number, b->seq, ITEMS_PER_STEP, rows);
    job->base.puts = arena_alloc(job->arena, ITEMS_PER_STEP, sizeof *job->base.puts);
    if (got == 0) b->seq = folder->row.seq;
    for (uint32_t i = 0; i < got; i++) {
        struct item item;
        index->item_get(index->self, arena, folder->number, rows[i].path, &item);
        if (!put_perhaps(folder, job, &item)) break;
        b->seq = rows[i].counter;
    }
    if (b->seq == folder->row.seq && b->seq - b->seq_saved >= SAVE_EVERY) base_save(folder);
}

static void drops_take(struct base *b, struct job *job)
{
    job->base.drop_count = (uint32_t)(b->drops.size / sizeof(struct content));
    job->base.drops = arena_alloc(job->arena, job->base.drop_count + 1U, sizeof *job->base.drops);
    if (b->drops.size > 0) memcpy(job->base.drops, b->drops.data, b->drops.size);
    buf_clear(&b->drops);
}

// ---- what came of it

static void stored_take(struct folder *folder, const struct job *job)
{
    struct base *b = folder->base;
    for (uint32_t i = 0; i < job->base.stored_count; i++) {
        const struct base_stored *stored = &job->base.stored[i];
        if (base_find(b, &stored->content) != NULL) continue;
        base_doubt_entry(b, entry_add(b, &stored->content, stored->room, stored->mtime_ns));
    }
    for (uint32_t i = 0; i < b->keep_count; i++) {
        const struct value *value = &b->keeps[i]->version.value;
        struct content content = value_content(value);
        struct base_entry *entry = base_find(b, &content);
        if (entry != NULL) entry->keeps++;
    }
    progress_load(folder);
    keeps_answered(folder, job);
    b->listed = true;
}

static void puts_done(struct base *b, const struct job *job)
{
    for (uint32_t i = 0; i < job->base.put_count; i++) {
        const struct base_put *put = &job->base.puts[i];
        struct base_entry *entry = base_find(b, &put->content);
        if (entry == NULL) continue;
        if (job->err != ERR_OK || put->err != ERR_OK) {
            entry_remove(b, entry);
            continue;
        }
        b->room = b->room - entry->room + put->room;
        entry->room = put->room;
        entry->arriving = false;
    }
}

// What is still there goes another time, unless it has come again meanwhile.
static void drops_done(struct base *b, const struct job *job)
{
    for (uint32_t i = 0; i < job->base.drop_count; i++) {
        const struct content *content = &job->base.drops[i];
        if (base_find(b, content) == NULL) buf_append(&b->drops, content, sizeof *content);
    }
}

// An orderly end waits for what is to be kept, and for nothing else.
static void keeps_now(struct folder *folder)
{
    struct base *b = folder->base;
    if (b->job_out || !b->listed || b->keep_count == 0) return;
    struct job *job = job_new(JOB_BASE, folder->number);
    b->job_out = keeps_take(folder, job);
    if (b->job_out)
        submit(folder, job);
    else
        job_destroy(&job);
}

void base_job_done(struct folder *folder, const struct job *job)
{
    struct base *b = folder->base;
    b->job_out = false;
    bool done = job->err == ERR_OK && job->base.drop_count == 0;
    b->next_ms = folder->engine->now_ms + (done ? PAUSE_MS : FAILED_MS);
    if (folder->gone) {
        // What it has put there came perhaps after all was to go.
        if (job->base.emptied.size == 0) base_empty(folder);
        return;
    }
    if (job->base.list) {
        if (job->err == ERR_OK) stored_take(folder, job);
        b->answered = true;
        scan_continue(folder);
        return;
    }
    puts_done(b, job);
    drops_done(b, job);
    keeps_done(folder, job);
    if (b->resting) keeps_now(folder);
}

// After a crash a walk waits for it: a file that is empty may be among what is stored.
bool base_awaited(const struct folder *folder)
{
    return folder->after_crash && !folder->base->answered;
}

void base_rest(struct folder *folder)
{
    folder->base->resting = true;
    keeps_now(folder);
}

bool base_rested(const struct folder *folder)
{
    const struct base *b = folder->base;
    return !b->listed || b->keep_count == 0;
}

// ---- when

static bool has_work(const struct folder *folder)
{
    const struct base *b = folder->base;
    return !b->listed || b->keep_count > 0 || base_doubts(folder) || b->drops.size > 0 ||
           b->room > b->room_max || (b->room_max > 0 && b->seq < folder->row.seq);
}

static bool busy(const struct folder *folder)
{
    return folder->scan.active || dirty_looks_open(folder) || folder->apply_jobs > 0 ||
           folder->resolve_jobs > 0 || folder->staging_jobs > 0 || folder->decides != NULL;
}

static struct job *job_make(struct folder *folder)
{
    struct base *b = folder->base;
    struct job *job = job_new(JOB_BASE, folder->number);
    if (!b->listed) {
        entries_clear(b);
        buf_clear(&b->drops);
        job->base.list = true;
        keeps_ask(folder, job);
        return job;
    }
    bool keeps = keeps_take(folder, job);
    if (!keeps && !busy(folder)) {
        shrink(b);
        base_doubts_settle(folder);
        if (b->room_max > 0) puts_take(folder, job);
        drops_take(b, job);
    }
    if (!keeps && job->base.drop_count + job->base.put_count == 0) job_destroy(&job);
    return job;
}

void base_tick(struct folder *folder)
{
    struct base *b = folder->base;
    int64_t now = folder->engine->now_ms;
    if (b->job_out || now < b->next_ms || !has_work(folder)) return;
    b->waits_ms = 0;
    struct job *job = job_make(folder);
    if (job == NULL) {
        int64_t next_ms = now + (busy(folder) ? BUSY_MS : STEP_MS);
        if (b->next_ms < next_ms) b->next_ms = next_ms;
        return;
    }
    b->job_out = true;
    submit(folder, job);
}

int64_t base_deadline(const struct folder *folder)
{
    const struct base *b = folder->base;
    return b->job_out || !has_work(folder) ? INT64_MAX : b->next_ms;
}
