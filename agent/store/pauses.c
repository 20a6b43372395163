// SPDX-License-Identifier: MIT
//
// Few and small: the list is copied, changed, written whole, and then takes its place.
#include "agent/store/pauses.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/file_priv.h"
#include "agent/store/registry_priv.h"
#include "proto/vv.h"

enum { PAUSES_FORM = 1 };

struct pauses {
    int dir_fd;
    char *name;
    struct arena *arena; // of the list
    struct pause *list;
    uint32_t count;
};

static bool same_thing(const struct pause *a, const struct pause *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == PAUSE_FOLDER) return strcmp(a->folder, b->folder) == 0;
    return a->kind == PAUSE_ALL || device_equal(a->device, b->device);
}

// ---- the form of the file

static json_t *dump_one(const struct pause *pause)
{
    json_t *out = json_object();
    if (pause->kind == PAUSE_FOLDER) json_object_set_new(out, "folder", json_string(pause->folder));
    if (pause->kind == PAUSE_PEER)
        json_object_set_new(out, "peer", hex_dump(pause->device.bytes, sizeof pause->device.bytes));
    json_object_set_new(out, "until_ms", json_integer(pause->until_ms));
    return out;
}

static bool load_one(struct arena *arena, const json_t *object, struct pause *out)
{
    const json_t *folder = json_object_get(object, "folder"),
                 *peer = json_object_get(object, "peer");
    *out = (struct pause){.until_ms = json_integer_value(json_object_get(object, "until_ms"))};
    if (!json_is_object(object) || (folder != NULL && peer != NULL)) return false;
    if (folder != NULL) {
        if (!json_is_string(folder)) return false;
        out->kind = PAUSE_FOLDER;
        out->folder = arena_text(arena, slice_text(json_string_value(folder)));
    } else if (peer != NULL) {
        out->kind = PAUSE_PEER;
        return hex_load(peer, out->device.bytes, sizeof out->device.bytes);
    }
    return true;
}

static bool load(struct pauses *pauses, const json_t *root)
{
    const json_t *list = json_object_get(root, "pauses");
    bool is_form = json_integer_value(json_object_get(root, "version")) == PAUSES_FORM;
    if (!is_form || !json_is_array(list) || json_array_size(list) > PAUSES_MAX) return false;
    pauses->list = arena_alloc(pauses->arena, json_array_size(list) + 1, sizeof *pauses->list);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct pause *pause = &pauses->list[pauses->count];
        if (!load_one(pauses->arena, json_array_get(list, i), pause)) return false;
        pauses->count++;
    }
    return true;
}

static enum err save(const struct pauses *pauses, const struct pause *list, uint32_t count)
{
    if (pauses->dir_fd < 0) return ERR_OK;
    AUTO(json_drop) json_t *root = json_object();
    json_t *texts = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(texts, dump_one(&list[i]));
    json_object_set_new(root, "version", json_integer(PAUSES_FORM));
    json_object_set_new(root, "pauses", texts);
    AUTO(mem_free) char *text = json_dumps(root, JSON_INDENT(2));
    if (text == NULL) return ERR_UNREPRESENTABLE;
    return file_replace(pauses->dir_fd, pauses->name, slice_text(text));
}

// ---- opening

enum err pauses_open(int dir_fd, const char *name, struct pauses **out, struct fault *fault)
{
    AUTO(buf_fini) struct buf text = {0};
    bool found = false;
    *fault = (struct fault){0};
    AUTO(pauses_close) struct pauses *pauses = mem_zalloc(1, sizeof *pauses);
    pauses->name = mem_strdup(name);
    pauses->arena = arena_new();
    pauses->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    enum err err = pauses->dir_fd < 0 ? ERR_IO : file_read(dir_fd, name, &text, &found);
    if (err) {
        *fault = (struct fault){err, 0, "it cannot be read"};
        return err;
    }
    AUTO(json_drop)
    json_t *root = found ? json_loadb((const char *)text.data, text.size, 0, NULL) : NULL;
    if (found && !load(pauses, root)) {
        *fault = (struct fault){ERR_CONFIG, 0, "it is damaged; remove it, which ends all pauses"};
        return ERR_CONFIG;
    }
    *out = TAKE(pauses);
    return ERR_OK;
}

struct pauses *pauses_new(void)
{
    struct pauses *pauses = mem_zalloc(1, sizeof *pauses);
    pauses->arena = arena_new();
    pauses->dir_fd = -1;
    return pauses;
}

void pauses_close(struct pauses **pauses)
{
    struct pauses *self = *pauses;
    if (self == NULL) return;
    fd_close(&self->dir_fd);
    arena_destroy(&self->arena);
    free(self->name);
    free(self);
    *pauses = NULL;
}

uint32_t pauses_all(const struct pauses *pauses, const struct pause **out)
{
    *out = pauses->list;
    return pauses->count;
}

const struct pause *pauses_find(const struct pauses *pauses, const struct pause *like)
{
    for (uint32_t i = 0; i < pauses->count; i++)
        if (same_thing(&pauses->list[i], like)) return &pauses->list[i];
    return NULL;
}

// ---- changes

// The list without `like`, and then `added`, if there is one.
static enum err change(struct pauses *pauses, const struct pause *like, const struct pause *added)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct pause *list = arena_alloc(arena, pauses->count + 1U, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i <= pauses->count; i++) {
        const struct pause *from = i < pauses->count ? &pauses->list[i] : added;
        bool out = from == NULL || (i < pauses->count && (like == NULL || same_thing(from, like)));
        if (out) continue;
        list[count] = *from;
        if (from->kind == PAUSE_FOLDER)
            list[count].folder = arena_text(arena, slice_text(from->folder));
        count++;
    }
    if (count > PAUSES_MAX) return ERR_LIMIT;
    enum err err = save(pauses, list, count);
    if (err) return err;
    arena_destroy(&pauses->arena);
    pauses->arena = TAKE(arena);
    pauses->list = list;
    pauses->count = count;
    return ERR_OK;
}

enum err pauses_put(struct pauses *pauses, const struct pause *pause)
{
    return change(pauses, pause, pause);
}

enum err pauses_remove(struct pauses *pauses, const struct pause *like)
{
    return pauses_find(pauses, like) == NULL ? ERR_OK : change(pauses, like, NULL);
}

enum err pauses_clear(struct pauses *pauses)
{
    return pauses->count == 0 ? ERR_OK : change(pauses, NULL, NULL);
}
