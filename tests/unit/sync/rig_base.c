// SPDX-License-Identifier: MIT
//
// The base store of the rig's disk: a list of contents, each of which takes one block.
#include "tests/unit/sync/rig.h"

static struct base_stored *find(struct rig *rig, const struct content *content)
{
    for (uint32_t i = 0; i < rig->base_count; i++) {
        if (digest_equal(rig->base[i].content.id, content->id)) return &rig->base[i];
    }
    return NULL;
}

static bool is_kept(const struct rig *rig, struct slice file)
{
    for (uint32_t i = 0; i < rig->kept_count; i++) {
        if (slice_equal(rig->kept[i], file)) return true;
    }
    return false;
}

static void keep(struct rig *rig, struct base_keep *keep)
{
    keep->err = keep->at_hand || find(rig, &keep->content) != NULL ? ERR_OK : ERR_CHANGED;
    if (rig->kept_full) keep->err = ERR_NO_SPACE;
    if (keep->err != ERR_OK) return;
    assert_true(rig->kept_count < RIG_BASE_MAX && !is_kept(rig, keep->file));
    rig->kept[rig->kept_count++] = arena_copy(rig->arena, keep->file);
}

static void drop(struct rig *rig, const struct content *content)
{
    struct base_stored *at = find(rig, content);
    assert_non_null(at);
    *at = rig->base[--rig->base_count];
}

static void put(struct rig *rig, struct base_put *put)
{
    const struct on_disk *at = disk_find(rig, put->path);
    assert_null(find(rig, &put->content));
    put->err =
        at != NULL && digest_equal(at->value.content, put->content.id) ? ERR_OK : ERR_CHANGED;
    if (put->err != ERR_OK) return;
    assert_true(rig->base_count < RIG_BASE_MAX);
    put->room = BASE_BLOCK_BYTES;
    rig->base[rig->base_count++] = (struct base_stored){put->content, put->mtime_ns, put->room};
}

void rig_base_do(struct rig *rig, struct job *job)
{
    struct job_base *base = &job->base;
    rig->base_jobs++;
    if (base->emptied.size > 0) {
        rig->base_count = 0;
        return;
    }
    if (base->list) {
        base->stored = rig->base;
        base->stored_count = rig->base_count;
        for (uint32_t i = 0; i < base->keep_count; i++)
            base->keeps[i].err = is_kept(rig, base->keeps[i].file) ? ERR_OK : ERR_CHANGED;
        return;
    }
    for (uint32_t i = 0; i < base->keep_count; i++)
        keep(rig, &base->keeps[i]);
    for (uint32_t i = 0; i < base->drop_count && !rig->base_stuck; i++)
        drop(rig, &base->drops[i]);
    if (!rig->base_stuck) base->drop_count = 0;
    for (uint32_t i = 0; i < base->put_count; i++)
        put(rig, &base->puts[i]);
}

// Out of what is stored, or of what was kept of it.
bool rig_base_copy(struct rig *rig, const struct job_copy *copy)
{
    if (copy->base) return !rig->base_spoilt && find(rig, &copy->content) != NULL;
    return copy->kept && !copy->outside && is_kept(rig, copy->path);
}

void rig_base_limit(struct rig *rig, uint64_t bytes_max)
{
    struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig->id, .with_all = true, .base_bytes_max = bytes_max};
    uint32_t number;
    rig->base_bytes_max = bytes_max;
    assert_int_equal(engine_folder_put(rig->engine, &folder, &number), ERR_OK);
}

bool rig_base_has(const struct rig *rig, const char *text)
{
    struct digest id = hash_sha256(slice_text(text));
    for (uint32_t i = 0; i < rig->base_count; i++) {
        if (digest_equal(rig->base[i].content.id, id)) return true;
    }
    return false;
}
