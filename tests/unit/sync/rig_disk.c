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

void disk_look(struct rig *rig, struct look *look)
{
    const struct on_disk *at = disk_find(rig, look->path);
    look->result = at != NULL ? LOOK_VALUE : LOOK_GONE;
    look->hash_ms = rig->hash_ms;
    if (rig->unread != NULL && path_below(look->path, slice_text(rig->unread))) {
        look->result = LOOK_PROBLEM;
        look->err = ERR_IO;
        look->what = "cannot be read";
    }
    if (at == NULL) return;
    look->print = at->print;
    look->value = at->value;
    look->bytes = at->bytes;
    look->zeros = at->zeros;
    if (rig->spelled != NULL) look->disk_name = slice_text(rig->spelled);
    if (rig->looks_same) look->result = LOOK_SAME;
}

static struct on_disk *save(struct rig *rig, const char *path, struct slice bytes, int64_t mtime_ms)
{
    struct slice p = slice_text(path);
    struct on_disk *at = disk_put(rig, p);
    at->value = (struct value){.kind = KIND_FILE, .mode = 0644, .size = bytes.size};
    at->value.content = hash_sha256(bytes);
    at->bytes = (struct slice){0};
    at->zeros = false;
    at->print = (struct fingerprint){.present = true, .kind = KIND_FILE, .mode = 0644};
    at->print.size = at->value.size;
    at->print.ino = ++rig->last_ino;
    at->print.mtime_ns = mtime_ms * 1000000;
    return at;
}

void rig_save(struct rig *rig, const char *path, const char *text, int64_t mtime_ms)
{
    (void)save(rig, path, slice_text(text), mtime_ms);
}

void rig_save_zeros(struct rig *rig, const char *path, size_t size, int64_t mtime_ms)
{
    struct slice zeros = slice_of(arena_alloc(rig->arena, size, 1), size);
    save(rig, path, zeros, mtime_ms)->zeros = true;
}

void rig_mkdir(struct rig *rig, const char *path)
{
    struct on_disk *at = disk_put(rig, slice_text(path));
    at->value = (struct value){.kind = KIND_DIR, .mode = 0755};
    at->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755};
    at->print.ino = ++rig->last_ino;
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

void disk_parents(struct rig *rig, struct slice path)
{
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct on_disk *above = disk_put(rig, p);
        if (above->print.present) continue;
        above->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755};
        above->print.ino = ++rig->last_ino;
        above->value = (struct value){.kind = KIND_DIR, .mode = 0755};
    }
}

static bool holds_something(const struct rig *rig, struct slice path)
{
    for (uint32_t i = 0; i < rig->disk_count; i++) {
        if (path_below(rig->disk[i].path, path)) return true;
    }
    return false;
}

// Nobody's, for what is in it; or it was to go.
static void directory_stays(struct rig *rig, struct step *step)
{
    const struct on_disk *at = disk_find(rig, step->path);
    if (step->dir_implied_mode && at != NULL) {
        step->print = at->print;
        return;
    }
    step->result = STEP_BLOCKED;
    step->blocked = BLOCKED_NOT_EMPTY;
}

void disk_step(struct rig *rig, struct step *step)
{
    const struct value *value = &step->version.value;
    step->result = STEP_DONE;
    step->print = (struct fingerprint){0};
    if (value->kind == KIND_TOMB) {
        if (holds_something(rig, step->path))
            directory_stays(rig, step);
        else
            disk_remove(rig, step->path);
        return;
    }
    if (step->dir_implied_mode && disk_find(rig, step->path) == NULL) {
        step->result = STEP_CHANGED; // only its mode was to be set
        return;
    }
    disk_parents(rig, step->path);
    struct on_disk *at = disk_put(rig, step->path);
    at->value = *value;
    at->value.target = arena_copy(rig->arena, value->target);
    at->print = (struct fingerprint){.present = true, .kind = value->kind, .mode = value->mode};
    at->print.size = value->size;
    at->print.ino = ++rig->last_ino;
    step->print = at->print;
}
