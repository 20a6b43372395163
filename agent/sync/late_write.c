// SPDX-License-Identifier: MIT
//
// A program that had a file open goes on writing into it after a step has taken it away; or its
// save met a step and could not be given its name back. What it writes is kept, and nobody would
// look there: it becomes a conflict item of the path.
#include <string.h>

#include "agent/core/heads.h"
#include "agent/core/index.h"
#include "agent/core/resolve.h"
#include "agent/sync/engine_priv.h"
#include "crypto/hash.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define LATELY_MS (INT64_C(7) * 24 * 3600 * 1000)

enum {
    FILES_MAX = 4096,
    PAGE = 256,
    PLAIN_MODE = 0644,
    RETRY_MS = 1000,
    RETRIES_SOON = 16, // then a disk that is full, or broken, is asked less often
    RETRY_LATER_MS = 10 * 60 * 1000,
    AFTER_START_MS = 2000, // what people wait for goes first
    ASIDE_MAX = 64         // conflict items of a path
};

// Of what a resolution displaced, or met a step where no file was, until it has its place.
static const struct digest NO_CONTENT;

struct late_write {
    struct buf file; // its name in kept
    int64_t due_ms;  // INT64_MAX: not again
    uint32_t tries;
    bool under_way; // it is being copied, or what it holds is being published
    struct late_write *next;
};

static void forget(struct folder *folder, struct late_write **slot)
{
    struct late_write *late = *slot;
    *slot = late->next;
    folder->late_write_count--;
    buf_fini(&late->file);
    mem_free(&late);
}

void late_writes_clear(struct folder *folder)
{
    while (folder->late_writes != NULL)
        forget(folder, &folder->late_writes);
}

static void add(struct folder *folder, struct late_write **slot, struct slice file, int64_t due_ms)
{
    struct late_write *late = mem_zalloc(1, sizeof *late);
    buf_append(&late->file, file.data, file.size);
    late->due_ms = due_ms;
    late->next = *slot;
    *slot = late;
    folder->late_write_count++;
}

static struct late_write **find(struct folder *folder, struct slice file)
{
    struct late_write **at = &folder->late_writes;
    while (*at != NULL && !slice_equal(buf_slice(&(*at)->file), file))
        at = &(*at)->next;
    return at;
}

bool late_write_waits(struct folder *folder, struct slice file)
{
    return *find(folder, file) != NULL;
}

void late_write_mark(struct folder *folder, struct slice file, int64_t delay_ms)
{
    int64_t due_ms = folder->engine->now_ms + delay_ms;
    struct late_write **at = find(folder, file);
    if (*at != NULL)
        (*at)->due_ms = due_ms;
    else if (folder->late_write_count < FILES_MAX)
        add(folder, at, file, due_ms);
}

static bool is_displaced(const struct version *version)
{
    return digest_equal(version->value.content, NO_CONTENT);
}

void late_writes_since(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row *rows = arena_alloc(arena, PAGE, sizeof *rows);
    uint64_t before = INT64_MAX;
    int64_t since = folder->engine->wall_ms - LATELY_MS;
    bool none = folder->late_writes == NULL; // then nothing is added twice
    bool lately = true;
    for (uint32_t got = PAGE; got == PAGE && lately && folder->late_write_count < FILES_MAX;) {
        lately = false; // a whole page: the clock may have been wrong for a while
        got = index->kept_list(index->self, arena, folder->number, (struct slice){0}, before, PAGE,
                               rows);
        for (uint32_t i = 0; i < got; i++) {
            before = rows[i].number;
            if (rows[i].when_ms < since) continue;
            lately = true;
            if (rows[i].version.value.kind != KIND_FILE || rows[i].own) continue;
            if (!none && late_write_waits(folder, rows[i].file)) continue;
            // A save that met a step waits for its place; of others it is not likely that somebody
            // still writes into them.
            bool met = rows[i].version.mtime_ns == 0;
            int64_t delay_ms = met ? 0 : AFTER_START_MS;
            add(folder, &folder->late_writes, rows[i].file, folder->engine->now_ms + delay_ms);
        }
    }
}

static bool row_of(struct folder *folder, struct slice file, struct kept_row *out)
{
    const struct index_port *index = INDEX(folder);
    return index->kept_by_file(index->self, folder->engine->scratch, folder->number, file, out);
}

// What a resolution displaced stays a version of its own, whatever is made of the path next: that
// its content is known does not mean that it will be found anywhere else. That it is a link shows
// when it is read.
static void raced_note(struct folder *folder, const struct step *step, bool resolves)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    struct kept_row noted;
    if (row_of(folder, step->kept_name, &noted)) return; // by a job that failed after it
    index->item_get(index->self, folder->engine->scratch, folder->number, step->path, &item);
    if (!item_local_live(&item)) {
        char escaped[LOG_ESCAPED_MAX];
        log_warn(LOG_SYNC, "a save that met a step is only in kept", "folder=%s path=\"%s\"",
                 folder->name, log_escape(step->path, escaped));
        return;
    }
    struct kept_row row = {.version = item.local.version,
                           .file = step->kept_name,
                           .when_ms = folder->engine->wall_ms,
                           .by = folder->engine->o.device,
                           .batch = index->kept_batch_last(index->self, folder->number),
                           .after = item.local.version.dots.entries[0]};
    row.version.mtime_ns = 0; // it is something else
    if (row.version.value.kind != KIND_FILE)
        row.version.value = (struct value){.kind = KIND_FILE, .mode = PLAIN_MODE};
    if (resolves) row.version.value.content = NO_CONTENT;
    index->kept_add(index->self, folder->number, &row);
    if (!late_write_waits(folder, step->kept_name)) // nobody else would look there before a start
        add(folder, &folder->late_writes, step->kept_name, folder->engine->now_ms);
}

// Two saves met a step, and the older one, or of which nobody knows that it is not, went to kept;
// or what the step had displaced could not go back, and was written to there. Inside a transaction.
void late_writes_raced(struct folder *folder, const struct job *job)
{
    for (uint32_t i = 0; i < job->apply.count; i++) {
        const struct step *step = &job->apply.steps[i];
        bool met = job->kind == JOB_RECOVER || step->unsorted || step->written_late;
        if (met && step->result == STEP_CHANGED && step->kept)
            raced_note(folder, step, job->apply.all_or_none);
    }
}

// While a group was flushed what its steps had displaced was in staging, where nobody watches.
void late_writes_during(struct folder *folder, const struct job_apply *apply)
{
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct step *step = &apply->steps[i];
        if (step->result == STEP_DONE && step->kept && step->written_late)
            late_write_mark(folder, step->kept_name, LATE_WRITE_QUIET_MS);
    }
}

// What a job that failed has moved to kept recovery would not look for there.
void late_writes_failed(struct folder *folder, const struct job *job)
{
    txn_begin(folder);
    late_writes_raced(folder, job);
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "a save that met a step is only in kept", "folder=%s", folder->name);
}

// What could not be read or published is tried again: nowhere else is it known.
static void late_write_end(struct folder *folder, struct slice file, bool done)
{
    struct late_write **at = find(folder, file);
    struct late_write *late = *at;
    if (late == NULL) return;
    late->under_way = false;
    if (done && late->due_ms == INT64_MAX) {
        forget(folder, at);
    } else if (done) {
        late->tries = 0;
    } else {
        int64_t delay_ms = late->tries++ < RETRIES_SOON ? RETRY_MS : RETRY_LATER_MS;
        int64_t again_ms = folder->engine->now_ms + delay_ms;
        if (again_ms < late->due_ms) late->due_ms = again_ms;
    }
}

// What is written again later is an edit of the same conflict item: its name is that of what was
// taken away, not of what has become of it.
static struct slice item_name(struct folder *folder, const struct version *taken)
{
    struct version x = *taken;
    memset(&x.value.content, 0, sizeof x.value.content);
    return conflict_name(folder->engine->scratch, folder->row.id, taken->path, &x);
}

// Inside a transaction. The file is now what its row says.
void late_write_row(struct folder *folder, struct slice file, const struct value *value,
                    int64_t mtime_ns)
{
    const struct index_port *index = INDEX(folder);
    struct kept_row row;
    if (!row_of(folder, file, &row)) return;
    bool same = value_same_content(&row.version.value, value) && row.version.mtime_ns == mtime_ns;
    if (same && !is_displaced(&row.version)) return;
    row.version.value = *value;
    row.version.mtime_ns = mtime_ns;
    index->kept_put(index->self, folder->number, row.number, &row.version);
}

void late_write_published(struct folder *folder, struct slice file, const struct value *value,
                          int64_t mtime_ns, bool done)
{
    if (done) {
        txn_begin(folder);
        late_write_row(folder, file, value, mtime_ns);
        done = txn_end(folder) == ERR_OK;
    }
    late_write_end(folder, file, done);
}

static void item_at(struct folder *folder, struct slice path, struct item *out)
{
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            out);
}

// Before a crash, and its user may have edited or removed it since.
static bool was_published(struct folder *folder, struct slice path, const struct value *value)
{
    struct item item;
    item_at(folder, path, &item);
    for (uint32_t i = 0; i < item.head_count; i++) {
        const struct version *v = &item.heads[i];
        if (value_same_content(&v->value, value) ||
            (v->has_parent && digest_equal(v->parent, value->content)))
            return true;
    }
    return false;
}

static bool is_head(struct folder *folder, struct slice path, const struct value *value)
{
    struct item item;
    item_at(folder, path, &item);
    for (uint32_t i = 0; i < item.head_count; i++) {
        if (value_same_content(&item.heads[i].value, value)) return true;
    }
    return false;
}

// What a resolution displaced has its place after all: at its name, or as a conflict item.
static bool has_place(struct folder *folder, struct slice path, const struct value *value)
{
    struct arena *arena = folder->engine->scratch;
    struct slice *aside = arena_alloc(arena, ASIDE_MAX, sizeof *aside);
    uint32_t count = INDEX(folder)->conflicts_of(INDEX(folder)->self, arena, folder->number, path,
                                                 ASIDE_MAX, aside);
    bool found = is_head(folder, path, value);
    for (uint32_t i = 0; i < count && !found; i++)
        found = is_head(folder, aside[i], value);
    return found;
}

static bool is_dirty(struct folder *folder, struct slice path)
{
    struct item item;
    item_at(folder, path, &item);
    return item.local.state == LOCAL_DIRTY || dirty_has(folder, path);
}

// Nothing has the name, or what this very file was published with.
static bool has_name(const struct item *item, const struct version *taken)
{
    bool ours = item->head_count == 1 && value_same_content(&item->heads[0].value, &taken->value);
    return ours || !heads_live(item);
}

bool late_write_fits(struct folder *folder, struct slice file, const struct item *item)
{
    struct kept_row row;
    return row_of(folder, file, &row) && has_name(item, &row.version);
}

// What has the name may be somebody's edit, of here or of elsewhere: then another is taken.
static struct slice free_name(struct folder *folder, struct slice name, const struct version *taken,
                              const struct value *value)
{
    struct item item;
    struct version x = *taken;
    item_at(folder, name, &item);
    if (has_name(&item, taken)) return name;
    x.value = *value;
    return conflict_name(folder->engine->scratch, folder->row.id, taken->path, &x);
}

// What a file in kept holds becomes a conflict item, unless it is somewhere already.
static void publish(struct folder *folder, struct slice file, const struct version *taken,
                    const struct value *value, int64_t mtime_ns)
{
    char escaped[LOG_ESCAPED_MAX];
    struct slice name = item_name(folder, taken);
    bool displaced = is_displaced(taken) || value->kind == KIND_SYMLINK;
    if (displaced && is_dirty(folder, taken->path)) {
        late_write_end(folder, file, false); // what becomes of the version is not known yet
        return;
    }
    bool known = displaced ? has_place(folder, taken->path, value)
                           : value_same_content(value, &taken->value);
    struct slice other = free_name(folder, name, taken, value);
    if (known || was_published(folder, name, value) || was_published(folder, other, value)) {
        late_write_published(folder, file, value, mtime_ns, true);
        return;
    }
    log_warn(LOG_SYNC, "written to after it was replaced", "folder=%s path=\"%s\"", folder->name,
             log_escape(taken->path, escaped));
    if (folder->mode == MODE_RECEIVE_ONLY) { // nothing of here goes out; it is in kept
        late_write_published(folder, file, value, mtime_ns, true);
        return;
    }
    decide_put(folder, other, taken->path, value, mtime_ns, file);
}

static bool is_gone(const struct job *job)
{
    return job->err == ERR_CHANGED || job->err == ERR_UNREPRESENTABLE;
}

static struct value value_found(const struct value *taken, const struct job_copy *copy)
{
    struct value value = *taken;
    if (copy->target.size > 0) {
        const struct digest id = hash_sha256(copy->target);
        return (struct value){.kind = KIND_SYMLINK, .content = id, .target = copy->target};
    }
    value.content = copy->content.id;
    value.size = copy->content.size;
    return value;
}

void late_write_done(struct folder *folder, struct job *job)
{
    struct kept_row row;
    const struct job_copy *copy = &job->copy;
    if (folder->gone) return;
    folder->late_write_out = false;
    if (is_gone(job) || copy->same || !row_of(folder, copy->path, &row)) {
        late_write_end(folder, copy->path, true);
        return;
    }
    bool link = copy->target.size > 0;
    if (job->err != ERR_OK || (!link && !decide_copied(folder, copy))) {
        late_write_end(folder, copy->path, false);
        return;
    }
    struct value value = value_found(&row.version.value, copy);
    publish(folder, copy->path, &row.version, &value, copy->mtime_ns);
}

// False: there is no such file.
static bool look(struct folder *folder, struct slice file)
{
    struct kept_row row;
    if (!row_of(folder, file, &row) || row.version.value.kind != KIND_FILE) return false;
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
    return true;
}

void late_write_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    for (struct late_write **at = &folder->late_writes; *at != NULL && !folder->late_write_out;) {
        struct late_write *late = *at;
        if (late->under_way || late->due_ms > now) {
            at = &late->next;
        } else {
            late->under_way = true;
            late->due_ms = INT64_MAX;
            if (!look(folder, buf_slice(&late->file))) forget(folder, at);
        }
    }
}

int64_t late_write_deadline(const struct folder *folder)
{
    int64_t at = INT64_MAX;
    if (folder->late_write_out) return at;
    for (const struct late_write *l = folder->late_writes; l != NULL; l = l->next) {
        if (!l->under_way && l->due_ms < at) at = l->due_ms;
    }
    return at;
}
