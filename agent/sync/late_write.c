// SPDX-License-Identifier: MIT
//
// A program that had a file open goes on writing into it after a step has taken it away. What it
// writes is kept, and nobody would look there: it becomes a conflict item of the path.
#include <string.h>

#include "agent/core/heads.h"
#include "agent/core/index.h"
#include "agent/core/resolve.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define LATELY_MS (INT64_C(7) * 24 * 3600 * 1000)

enum { FILES_MAX = 4096, PAGE = 256 };

struct late_write {
    struct buf file; // its name in kept
    int64_t due_ms;
    struct late_write *next;
};

static void forget(struct late_write **slot)
{
    struct late_write *late = *slot;
    *slot = late->next;
    buf_fini(&late->file);
    mem_free(&late);
}

void late_writes_clear(struct folder *folder)
{
    while (folder->late_writes != NULL)
        forget(&folder->late_writes);
    folder->late_write_count = 0;
}

void late_write_mark(struct folder *folder, struct slice file, int64_t delay_ms)
{
    int64_t due_ms = folder->engine->now_ms + delay_ms;
    struct late_write **at = &folder->late_writes;
    for (; *at != NULL; at = &(*at)->next) {
        if (!slice_equal(buf_slice(&(*at)->file), file)) continue;
        (*at)->due_ms = due_ms;
        return;
    }
    if (folder->late_write_count == FILES_MAX) return;
    struct late_write *late = mem_zalloc(1, sizeof *late);
    buf_append(&late->file, file.data, file.size);
    late->due_ms = due_ms;
    *at = late;
    folder->late_write_count++;
}

void late_writes_since(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row *rows = arena_alloc(arena, PAGE, sizeof *rows);
    uint64_t before = INT64_MAX;
    int64_t since = folder->engine->wall_ms - LATELY_MS;
    for (uint32_t got = PAGE; got == PAGE && folder->late_write_count < FILES_MAX;) {
        got = index->kept_list(index->self, arena, folder->number, (struct slice){0}, before, PAGE,
                               rows);
        for (uint32_t i = 0; i < got; i++) {
            before = rows[i].number;
            if (rows[i].when_ms < since) return;
            bool taken = rows[i].version.value.kind == KIND_FILE && !rows[i].own;
            if (taken) late_write_mark(folder, rows[i].file, 0);
        }
    }
}

static void raced_note(struct folder *folder, const struct step *step)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    index->item_get(index->self, folder->engine->scratch, folder->number, step->path, &item);
    if (!item_local_live(&item)) return;
    struct kept_row row = {.version = item.local.version,
                           .file = step->kept_name,
                           .when_ms = folder->engine->wall_ms,
                           .by = folder->engine->o.device,
                           .batch = index->kept_batch_last(index->self, folder->number),
                           .after = item.local.version.dots.entries[0]};
    row.version.mtime_ns = 0; // it is something else
    index->kept_add(index->self, folder->number, &row);
    late_write_mark(folder, step->kept_name, 0);
}

// Two saves met a step, and the crash came before they were sorted out: which is the later one
// nobody knows. Inside a transaction.
void late_writes_raced(struct folder *folder, const struct job *job)
{
    for (uint32_t i = 0; i < job->apply.count && job->kind == JOB_RECOVER; i++) {
        const struct step *step = &job->apply.steps[i];
        if (step->result == STEP_CHANGED && step->kept) raced_note(folder, step);
    }
}

static void look(struct folder *folder, struct slice file)
{
    struct kept_row row;
    if (!INDEX(folder)->kept_by_file(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                     file, &row) ||
        row.version.value.kind != KIND_FILE)
        return;
    struct job *job = job_new(JOB_COPY, folder->number);
    job->copy.path = arena_copy(job->arena, file);
    job->copy.outside = job->copy.kept = true;
    job->copy.before.size = row.version.value.size;
    job->copy.before.mtime_ns = row.version.mtime_ns;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_LATE_WRITE;
    job->context = errand;
    folder->late_write_out = true;
    submit(folder, job);
}

void late_write_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    for (struct late_write **at = &folder->late_writes; *at != NULL && !folder->late_write_out;) {
        if ((*at)->due_ms > now) {
            at = &(*at)->next;
            continue;
        }
        struct slice file = arena_copy(folder->engine->scratch, buf_slice(&(*at)->file));
        forget(at);
        folder->late_write_count--;
        look(folder, file);
    }
}

int64_t late_write_deadline(const struct folder *folder)
{
    int64_t at = INT64_MAX;
    for (const struct late_write *l = folder->late_writes; l != NULL; l = l->next) {
        if (l->due_ms < at) at = l->due_ms;
    }
    return folder->late_write_out ? INT64_MAX : at;
}

// What is written again later is an edit of the same conflict item: its name is that of what was
// taken away, not of what has become of it.
static struct slice item_name(struct folder *folder, const struct version *taken)
{
    struct version x = *taken;
    memset(&x.value.content, 0, sizeof x.value.content);
    return conflict_name(folder->engine->scratch, folder->row.id, taken->path, &x);
}

static bool row_follows(struct folder *folder, const struct kept_row *old, struct kept_row *fresh)
{
    const struct index_port *index = INDEX(folder);
    txn_begin(folder);
    index->kept_remove(index->self, folder->number, old->number);
    index->kept_add(index->self, folder->number, fresh);
    return txn_end(folder) == ERR_OK;
}

void late_write_done(struct folder *folder, struct job *job)
{
    struct kept_row row;
    char escaped[LOG_ESCAPED_MAX];
    const struct job_copy *copy = &job->copy;
    if (folder->gone) return;
    folder->late_write_out = false;
    if (job->err != ERR_OK || copy->same) return;
    staged_set(folder, &copy->content, STAGED_THERE);
    if (!INDEX(folder)->kept_by_file(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                     copy->path, &row))
        return;
    struct kept_row fresh = row;
    fresh.version.value.content = copy->content.id;
    fresh.version.value.size = copy->content.size;
    fresh.version.mtime_ns = copy->mtime_ns;
    bool changed = !value_same_content(&fresh.version.value, &row.version.value);
    if (!row_follows(folder, &row, &fresh) || !changed) return;
    log_warn(LOG_SYNC, "written to after it was replaced", "folder=%s path=\"%s\"", folder->name,
             log_escape(row.version.path, escaped));
    decide_put(folder, item_name(folder, &row.version), row.version.path, &fresh.version.value,
               copy->mtime_ns);
}
