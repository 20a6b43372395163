// SPDX-License-Identifier: MIT
//
// What a large content that is wanted has in common with the file that it is to replace: leaves
// that are there already do not travel.
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/sync/fetch_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { LEAVES_PER_JOB = 64, JOBS_MAX = 4 };

struct reuse {
    struct slice path;
    struct leaf_from *leaves;
    uint32_t count;
    uint32_t next; // the first that no job has had
};

// ---- the file

// A file here under one of the names that the content is to have, as it was seen last.
static bool older_here(struct folder *folder, struct slice path, struct older *out)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct item item;
    if (map_get(folder->busy, path) != NULL) return false;
    index->item_get(index->self, arena, folder->number, path, &item);
    const struct value *value = &item.local.version.value;
    bool shows = item.local.state == LOCAL_OK || item.local.state == LOCAL_DIRTY;
    if (!shows || value->kind != KIND_FILE || value->size == 0) return false;
    *out = (struct older){.path = path, .content = value_content(value)};
    out->leaf_count = leaf_count_of(value->size);
    if (out->leaf_count == 1) {
        out->leaves = arena_alloc(arena, 1, sizeof *out->leaves);
        out->leaves[0] = value->content;
        return true;
    }
    uint32_t count;
    return index->leaves_get(index->self, arena, folder->number, &out->content, &out->leaves,
                             &count) &&
           count == out->leaf_count;
}

bool transfer_older(struct folder *folder, const struct transfer *t, struct older *out)
{
    for (uint32_t i = 0; i < t->path_count; i++) {
        if (older_here(folder, t->paths[i], out)) return true;
    }
    return false;
}

// ---- what of it is the same

static struct slice digest_key(const struct digest *digest)
{
    return slice_of(digest->bytes, sizeof digest->bytes);
}

static bool same_place(const struct transfer *t, const struct older *older, uint32_t leaf)
{
    return leaf < older->leaf_count && digest_equal(t->leaves[leaf], older->leaves[leaf]);
}

static bool all_in_place(const struct transfer *t, const struct older *older)
{
    for (uint32_t i = 0; i < t->leaf_count; i++) {
        if (!t->parts[i].written && !same_place(t, older, i)) return false;
    }
    return true;
}

static void leaf_add(struct reuse *reuse, const struct transfer *t, uint32_t leaf, uint32_t from)
{
    reuse->leaves[reuse->count++] =
        (struct leaf_from){.leaf = leaf, .from = from, .expected = t->leaves[leaf]};
}

// A leaf that is at another place there counts as well: the other must be of the same length.
static void leaves_match(const struct transfer *t, const struct older *older, struct reuse *reuse)
{
    struct map *places = map_new();
    bool elsewhere = !all_in_place(t, older);
    for (uint32_t i = 0; elsewhere && i < older->leaf_count; i++)
        (void)map_put(places, digest_key(&older->leaves[i]), &older->leaves[i]);
    for (uint32_t i = 0; i < t->leaf_count; i++) {
        if (t->parts[i].written) continue;
        const struct digest *at = map_get(places, digest_key(&t->leaves[i]));
        if (same_place(t, older, i))
            leaf_add(reuse, t, i, i);
        else if (at != NULL)
            leaf_add(reuse, t, i, (uint32_t)(at - older->leaves));
    }
    map_destroy(&places);
}

// ---- taking it

static void job_send(struct folder *folder, struct transfer *t)
{
    struct reuse *reuse = t->reuse;
    uint32_t left = reuse->count - reuse->next;
    uint32_t count = left < LEAVES_PER_JOB ? left : LEAVES_PER_JOB;
    struct job *job = job_new(JOB_REUSE, folder->number);
    job->reuse.content = t->content;
    job->reuse.path = arena_copy(job->arena, reuse->path);
    job->reuse.leaves = arena_alloc(job->arena, count, sizeof *job->reuse.leaves);
    memcpy(job->reuse.leaves, reuse->leaves + reuse->next, count * sizeof *reuse->leaves);
    job->reuse.count = count;
    job->context = errand_for(t);
    reuse->next += count;
    submit(folder, job);
}

bool reuse_begin(struct folder *folder, struct transfer *t)
{
    struct older older;
    if (t->reuse != NULL || !transfer_older(folder, t, &older)) return false;
    struct reuse *reuse = arena_alloc(t->arena, 1, sizeof *reuse);
    *reuse = (struct reuse){.path = arena_copy(t->arena, older.path)};
    reuse->leaves = arena_alloc(t->arena, t->leaf_count, sizeof *reuse->leaves);
    leaves_match(t, &older, reuse);
    t->reuse = reuse;
    for (uint32_t i = 0; i < JOBS_MAX && reuse->next < reuse->count; i++)
        job_send(folder, t);
    return reuse->count > 0;
}

void reuse_job_done(struct folder *folder, struct transfer *t, const struct job *job)
{
    for (uint32_t i = 0; i < job->reuse.count; i++) {
        const struct leaf_from *leaf = &job->reuse.leaves[i];
        if (!leaf->have) continue;
        t->parts[leaf->leaf].written = true;
        t->written++;
        folder->engine->counters.content_bytes_reused += leaf_size(t, leaf->leaf);
    }
    if (t->reuse->next < t->reuse->count) job_send(folder, t);
}
