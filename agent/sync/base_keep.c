// SPDX-License-Identifier: MIT
//
// What an edit or a deletion found here has replaced: a copy of what the base store holds, or of
// what was read for a push a moment ago, becomes a kept version.
#include <inttypes.h>
#include <string.h>

#include "agent/sync/base_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    KEEPS_MAX = 16384,
    KEEPS_PER_JOB = 64,
    AT_HAND_BYTES_MAX = 4 << 20,
    SAME_MAX = 16,
    ROWS_ASKED = 256, // of a job that a crash cut off, and of others that came meanwhile
};

static void keep_free(struct base *b, struct own_keep *keep)
{
    struct content content = value_content(&keep->version.value);
    struct base_entry *entry = base_find(b, &content);
    if (entry != NULL && entry->keeps > 0) entry->keeps--;
    b->keep_bytes -= keep->bytes.size;
    arena_destroy(&keep->arena);
    mem_free(&keep);
}

void keeps_drop(struct base *b, uint32_t from)
{
    while (b->keep_count > from)
        keep_free(b, b->keeps[--b->keep_count]);
}

void base_begin(struct folder *folder)
{
    folder->base->keeps_sure = folder->base->keep_count;
}

void base_undone(struct folder *folder)
{
    keeps_drop(folder->base, folder->base->keeps_sure);
}

static void keep_push(struct base *b, struct own_keep *keep)
{
    if (b->keep_count == b->keep_capacity) {
        b->keep_capacity = b->keep_capacity == 0 ? 16 : 2 * b->keep_capacity;
        b->keeps = mem_realloc(b->keeps, b->keep_capacity * sizeof(struct own_keep *));
    }
    b->keeps[b->keep_count++] = keep;
}

// Where it can be had: stored, or at hand, or perhaps stored.
static bool can_be_kept(struct folder *folder, const struct content *content,
                        struct base_entry **out_entry, struct slice *out_bytes)
{
    const struct base *b = folder->base;
    *out_entry = base_find(b, content);
    *out_bytes = (struct slice){0};
    if (*out_entry != NULL || content->size == 0) return true;
    if (b->keep_bytes + content->size <= AT_HAND_BYTES_MAX)
        *out_bytes = ride_find(folder->engine, content);
    return out_bytes->size > 0 || !b->listed;
}

void base_replaced(struct folder *folder, const struct item *was, const struct value *now,
                   struct dot after)
{
    struct base *b = folder->base;
    const struct version *version = &was->local.version;
    struct content content = value_content(&version->value);
    struct base_entry *entry;
    struct slice bytes;
    if (b->room_max == 0 || version->value.kind != KIND_FILE ||
        content.size > BASE_CONTENT_BYTES_MAX ||
        (now->kind == KIND_FILE && value_same_content(&version->value, now)))
        return;
    base_doubt(folder, &version->value);
    if (b->keep_count >= KEEPS_MAX || !can_be_kept(folder, &content, &entry, &bytes)) return;
    struct own_keep *keep = mem_zalloc(1, sizeof *keep);
    keep->arena = arena_new();
    keep->version = version_copy(keep->arena, version);
    keep->bytes = arena_copy(keep->arena, bytes);
    keep->at_hand = bytes.size > 0 || content.size == 0;
    keep->deleted = now->kind == KIND_TOMB;
    keep->device = was->local.print.device;
    keep->ino = was->local.print.ino;
    keep->when_ms = folder->engine->wall_ms;
    keep->after = after;
    b->keep_bytes += bytes.size;
    if (entry != NULL) entry->keeps++;
    keep_push(b, keep);
    base_quiet(folder);
}

// A deletion that turns out to be the one half of a rename: the file itself is there, and its name
// has changed.
static bool was_moved(struct folder *folder, const struct own_keep *keep)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    struct slice after = {0};
    for (int i = 0; i < SAME_MAX && keep->deleted; i++) {
        if (!index->local_by_content(index->self, arena, folder->number,
                                     &keep->version.value.content, after, &item))
            return false;
        if (item.local.print.ino == keep->ino && item.local.print.device == keep->device)
            return true;
        after = item.path;
    }
    return false;
}

// Of each dot there is one.
static struct slice file_of(struct arena *arena, struct dot after)
{
    return slice_text(arena_printf(arena, "own-%016" PRIx64 ".%" PRIu64, after.inc, after.counter));
}

static void keep_fill(struct job *job, const struct own_keep *keep)
{
    struct base_keep *out = &job->base.keeps[job->base.keep_count++];
    *out = (struct base_keep){.file = file_of(job->arena, keep->after),
                              .content = value_content(&keep->version.value),
                              .at_hand = keep->at_hand,
                              .bytes = arena_copy(job->arena, keep->bytes),
                              .mode = keep->version.value.mode,
                              .mtime_ns = keep->version.mtime_ns};
}

// The rows come first: a file without one would stay for ever.
static bool rows_add(struct folder *folder, const struct job *job)
{
    const struct base *b = folder->base;
    txn_begin(folder);
    for (uint32_t i = 0; i < job->base.keep_count; i++)
        kept_own(folder, &b->keeps[i]->version, b->keeps[i]->when_ms, b->keeps[i]->after,
                 job->base.keeps[i].file);
    return txn_end(folder) == ERR_OK;
}

// Those that go with the job stand first.
bool keeps_take(struct folder *folder, struct job *job)
{
    struct base *b = folder->base;
    uint32_t left = 0, at = 0;
    if (b->keep_count == 0) return false;
    job->base.keeps = arena_alloc(job->arena, KEEPS_PER_JOB, sizeof *job->base.keeps);
    for (; at < b->keep_count && left < KEEPS_PER_JOB; at++) {
        if (was_moved(folder, b->keeps[at])) {
            keep_free(b, b->keeps[at]);
            continue;
        }
        keep_fill(job, b->keeps[at]);
        b->keeps[left++] = b->keeps[at];
    }
    memmove(b->keeps + left, b->keeps + at, (b->keep_count - at) * sizeof(struct own_keep *));
    b->keep_count -= at - left;
    if (left > 0 && !rows_add(folder, job)) {
        b->next_ms = folder->engine->now_ms + INDEX_RETRY_MS;
        left = job->base.keep_count = 0;
    }
    b->keeps_out = left;
    return left > 0;
}

static bool failed(const struct job *job, uint32_t at)
{
    return job->err != ERR_OK || job->base.keeps[at].err != ERR_OK;
}

// A row without its file is a version that cannot be had.
void keeps_answered(struct folder *folder, const struct job *job)
{
    const struct index_port *index = INDEX(folder);
    struct kept_row row;
    uint32_t first = 0;
    while (first < job->base.keep_count && !failed(job, first))
        first++;
    if (first == job->base.keep_count) return;
    txn_begin(folder);
    for (uint32_t i = first; i < job->base.keep_count; i++) {
        if (failed(job, i) && index->kept_by_file(index->self, folder->engine->scratch,
                                                  folder->number, job->base.keeps[i].file, &row))
            index->kept_remove(index->self, folder->number, row.number);
    }
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "kept versions not forgotten", "folder=%s", folder->name);
}

void keeps_done(struct folder *folder, const struct job *job)
{
    struct base *b = folder->base;
    uint32_t count = b->keeps_out;
    b->keeps_out = 0;
    if (count == 0) return;
    keeps_answered(folder, job);
    for (uint32_t i = 0; i < count; i++) {
        kept_thin(folder, b->keeps[i]->version.path);
        keep_free(b, b->keeps[i]);
    }
    b->keep_count -= count;
    memmove(b->keeps, b->keeps + count, b->keep_count * sizeof(struct own_keep *));
    if (folder_usable(folder)) fetch_step(folder); // for what waits for one of them
}

bool base_keeping(const struct folder *folder, const struct content *content)
{
    const struct base *b = folder->base;
    for (uint32_t i = 0; i < b->keeps_out; i++) {
        struct content one = value_content(&b->keeps[i]->version.value);
        if (digest_equal(one.id, content->id)) return true;
    }
    return false;
}

bool base_keeps(const struct folder *folder)
{
    return folder->base->keeps_out > 0;
}

// ---- after a crash between a row and its file

void keeps_ask(struct folder *folder, struct job *job)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row *rows = arena_alloc(arena, ROWS_ASKED, sizeof *rows);
    uint32_t count = index->kept_list(index->self, arena, folder->number, (struct slice){0},
                                      INT64_MAX, ROWS_ASKED, rows);
    job->base.keeps = arena_alloc(job->arena, count + 1U, sizeof *job->base.keeps);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].own)
            job->base.keeps[job->base.keep_count++].file = arena_copy(job->arena, rows[i].file);
    }
}
