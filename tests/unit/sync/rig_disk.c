// SPDX-License-Identifier: MIT
#include "tests/unit/sync/rig.h"

struct on_disk *disk_find(struct rig *rig, struct slice path)
{
    for (uint32_t i = 0; i < rig->disk_count; i++) {
        if (slice_equal(rig->disk[i].path, path)) return &rig->disk[i];
    }
    return NULL;
}

void disk_remove(struct rig *rig, struct slice path)
{
    struct on_disk *at = disk_find(rig, path);
    if (at == NULL) return;
    size_t left = (size_t)(&rig->disk[--rig->disk_count] - at);
    memmove(at, at + 1, left * sizeof *at);
}

struct on_disk *disk_put(struct rig *rig, struct slice path)
{
    struct on_disk *at = disk_find(rig, path);
    if (at != NULL) return at;
    assert_true(rig->disk_count < RIG_DISK_MAX);
    uint32_t i = rig->disk_count++;
    for (; i > 0 && path_compare(rig->disk[i - 1].path, path) > 0; i--)
        rig->disk[i] = rig->disk[i - 1];
    rig->disk[i] = (struct on_disk){.path = arena_copy(rig->arena, path)};
    return &rig->disk[i];
}

void rig_save(struct rig *rig, const char *path, const char *text, int64_t mtime_ms)
{
    struct slice p = slice_text(path);
    struct on_disk *at = disk_put(rig, p);
    at->value = (struct value){.kind = KIND_FILE, .mode = 0644, .size = strlen(text)};
    at->value.content = hash_sha256(slice_text(text));
    at->print = (struct fingerprint){.present = true, .kind = KIND_FILE, .mode = 0644};
    at->print.size = at->value.size;
    at->print.ino = ++rig->last_ino;
    at->print.mtime_ns = mtime_ms * 1000000;
}

void rig_delete(struct rig *rig, const char *path)
{
    disk_remove(rig, slice_text(path));
}

bool rig_on_disk(struct rig *rig, const char *path)
{
    return disk_find(rig, slice_text(path)) != NULL;
}

struct folder_status rig_status(struct rig *rig)
{
    struct engine_status status;
    engine_status(rig->engine, rig->arena, &status);
    assert_int_equal(status.folder_count, 1);
    return status.folders[0];
}
