// SPDX-License-Identifier: MIT
//
// Contents that are here already, in a file or put aside: they cost no network. Small ones go into
// staging many to a job, with one flush.
#include "agent/core/incarnation.h"
#include "agent/sync/fetch_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { LOCAL_TRIES = 8, COPIES_PER_JOB = 256 };

struct item *item_with_content(struct folder *folder, struct arena *arena,
                               const struct content *content, bool *out_busy)
{
    struct item *item = arena_alloc(arena, 1, sizeof *item);
    struct slice after = {0};
    *out_busy = false;
    for (int i = 0; i < LOCAL_TRIES; i++) {
        if (!INDEX(folder)->local_by_content(INDEX(folder)->self, arena, folder->number,
                                             &content->id, after, item))
            return NULL;
        bool fits = item->local.version.value.kind == KIND_FILE &&
                    item->local.version.value.size == content->size;
        bool busy = map_get(folder->busy, item->path) != NULL;
        if (fits && !busy) return item;
        *out_busy |= fits;
        after = item->path;
    }
    return NULL;
}

// A renamed or copied file.
static enum start of_item(struct folder *folder, const struct content *content,
                          struct stage_entry *out, struct fingerprint *out_print)
{
    bool busy;
    const struct item *item = item_with_content(folder, folder->engine->scratch, content, &busy);
    // A step has the file: it will be among the kept ones in a moment.
    if (item == NULL) return busy ? START_WAIT : START_NONE;
    *out = (struct stage_entry){.content = *content, .from = STAGE_ITEM, .path = item->path};
    *out_print = item->local.print;
    return START_BEGUN;
}

// What a step has just taken away, or what is kept of what was here before.
static enum start of_kept(struct folder *folder, const struct content *content,
                          struct stage_entry *out)
{
    const struct index_port *index = INDEX(folder);
    struct slice name;
    if (base_keeping(folder, content)) return START_WAIT;
    if (!index->kept_by_content(index->self, folder->engine->scratch, folder->number, &content->id,
                                &name))
        return START_NONE;
    *out = (struct stage_entry){.content = *content, .from = STAGE_KEPT, .path = name};
    return START_BEGUN;
}

static enum start of_stored(struct folder *folder, const struct content *content,
                            struct stage_entry *out)
{
    if (!base_has(folder, content)) return START_NONE;
    *out = (struct stage_entry){.content = *content, .from = STAGE_STORED};
    return START_BEGUN;
}

static void large_copy(struct folder *folder, struct transfer *t, const struct stage_entry *from,
                       const struct fingerprint *print)
{
    struct job *job = job_new(JOB_COPY, folder->number);
    job->copy.content = t->content;
    job->copy.path = arena_copy(job->arena, from->path);
    job->copy.before = *print;
    job->copy.kept = from->from == STAGE_KEPT;
    job->copy.base = from->from == STAGE_STORED;
    job->context = errand_for(t);
    submit(folder, job);
}

static void entry_add(struct job *job, const struct stage_entry *entry)
{
    struct stage_entry *added = &job->stage.entries[job->stage.count++];
    *added = *entry;
    added->path = arena_copy(job->arena, entry->path);
}

void copies_submit(struct copies *copies)
{
    if (copies->job == NULL) return;
    copies->job->context = errand_for(NULL);
    submit(copies->folder, copies->job);
    copies->job = NULL;
}

static void small_copy(struct copies *copies, const struct stage_entry *entry)
{
    if (copies->job == NULL) {
        copies->job = job_new(JOB_STAGE, copies->folder->number);
        copies->job->stage.entries = arena_alloc(copies->job->arena, COPIES_PER_JOB, sizeof *entry);
    }
    entry_add(copies->job, entry);
    copies->begun++;
    if (copies->job->stage.count == COPIES_PER_JOB) copies_submit(copies);
}

// Else it would be found wrong, and made again.
static bool is_nothing(const struct content *content)
{
    return content->size == 0 && is_id_of_nothing(&content->id);
}

enum start copy_begin(struct folder *folder, struct transfer *t, struct copies *copies)
{
    struct stage_entry entry = {.content = t->content, .from = STAGE_GIVEN}; // of nothing
    struct fingerprint print = {0};
    enum start start = is_nothing(&t->content) ? START_BEGUN : START_NONE;
    if (start == START_NONE && !t->copy_tried) {
        start = of_item(folder, &t->content, &entry, &print);
        t->copy_tried = start != START_WAIT;
    }
    if (start == START_NONE && !t->kept_tried) {
        start = of_kept(folder, &t->content, &entry);
        t->kept_tried = start != START_WAIT;
    }
    // Also when what was kept has lost its file.
    if (start == START_NONE && !t->stored_tried) {
        start = of_stored(folder, &t->content, &entry);
        t->stored_tried = true;
    }
    if (start != START_BEGUN) return start;
    t->state = entry.from == STAGE_GIVEN ? TRANSFER_STAGING : TRANSFER_COPYING;
    if (t->large)
        large_copy(folder, t, &entry, &print);
    else
        small_copy(copies, &entry);
    return START_BEGUN;
}

// ---- of a push

static bool job_has(const struct job *job, const struct content *content)
{
    for (uint32_t i = 0; i < job->stage.count; i++) {
        if (content_equal(&job->stage.entries[i].content, content)) return true;
    }
    return false;
}

static bool is_wanted(struct folder *folder, const struct version *v, const struct job *job)
{
    const struct content content = value_content(&v->value);
    struct item item;
    if (v->value.kind != KIND_FILE || content.size == 0 ||
        content.size > PROTO_PACK_CONTENT_BYTES_MAX || content_staged(folder, &content) ||
        job_has(job, &content) || transfer_find(folder, &content) != NULL)
        return false;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, v->path,
                            &item);
    return !item_local_live(&item) || !value_same_content(&item.local.version.value, &v->value);
}

void copies_stage(struct folder *folder, const struct versions *versions, struct job *job)
{
    for (uint32_t i = 0; i < versions->count && i < COPIES_PER_JOB; i++) {
        const struct version *v = &versions->entries[i];
        if (!is_wanted(folder, v, job)) continue;
        const struct content content = value_content(&v->value);
        struct stage_entry entry;
        struct fingerprint print;
        enum start start = of_item(folder, &content, &entry, &print);
        if (start == START_NONE) start = of_kept(folder, &content, &entry);
        if (start == START_NONE) start = of_stored(folder, &content, &entry);
        if (start == START_BEGUN) entry_add(job, &entry);
    }
}
