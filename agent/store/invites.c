// SPDX-License-Identifier: MIT
//
// Few and small: the list is copied, changed and written whole.
#include "agent/store/invites.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/file_priv.h"
#include "agent/store/registry_priv.h"
#include "proto/vv.h"

enum { INVITES_FORM = 1 };

struct invites {
    int dir_fd; // -1: in memory
    char *name;
    struct invite list[INVITES_MAX];
    uint32_t count;
};

static void invite_fini(struct invite *invite)
{
    for (uint32_t i = 0; i < invite->folder_count; i++)
        free(invite->folders[i]);
    invite->folder_count = 0;
}

bool invite_used_by(const struct invite *invite, struct device_id device)
{
    for (uint32_t i = 0; i < invite->used_count; i++)
        if (device_equal(invite->used[i], device)) return true;
    return false;
}

// ---- the form of the file

static json_t *dump_one(const struct invite *invite)
{
    json_t *used = json_array();
    json_t *folders = json_array();
    for (uint32_t i = 0; i < invite->used_count; i++) {
        json_array_append_new(used, hex_dump(invite->used[i].bytes, sizeof invite->used[i].bytes));
    }
    for (uint32_t i = 0; i < invite->folder_count; i++)
        json_array_append_new(folders, json_string(invite->folders[i]));
    json_t *out = json_object();
    json_object_set_new(out, "key", hex_dump(invite->key.bytes, sizeof invite->key.bytes));
    json_object_set_new(out, "made_ms", json_integer(invite->made_ms));
    json_object_set_new(out, "expires_ms", json_integer(invite->expires_ms));
    json_object_set_new(out, "uses", json_integer(invite->uses));
    json_object_set_new(out, "used", used);
    json_object_set_new(out, "folders", folders);
    return out;
}

static bool load_lists(const json_t *used, const json_t *folders, struct invite *out)
{
    if (!json_is_array(used) || json_array_size(used) > INVITE_USES_MAX) return false;
    if (!json_is_array(folders) || json_array_size(folders) > INVITE_FOLDERS_MAX) return false;
    for (size_t i = 0; i < json_array_size(used); i++) {
        struct device_id *device = &out->used[out->used_count++];
        if (!hex_load(json_array_get(used, i), device->bytes, sizeof device->bytes)) return false;
    }
    for (size_t i = 0; i < json_array_size(folders); i++) {
        const char *name = json_string_value(json_array_get(folders, i));
        if (name == NULL) return false;
        out->folders[out->folder_count++] = mem_strdup(name);
    }
    return true;
}

static bool load_one(const json_t *object, struct invite *out)
{
    const json_t *uses = json_object_get(object, "uses");
    memset(out, 0, sizeof *out);
    out->made_ms = json_integer_value(json_object_get(object, "made_ms"));
    out->expires_ms = json_integer_value(json_object_get(object, "expires_ms"));
    if (!json_is_integer(uses) || json_integer_value(uses) < 1 ||
        json_integer_value(uses) > INVITE_USES_MAX) {
        return false;
    }
    out->uses = (uint32_t)json_integer_value(uses);
    return hex_load(json_object_get(object, "key"), out->key.bytes, sizeof out->key.bytes) &&
           load_lists(json_object_get(object, "used"), json_object_get(object, "folders"), out);
}

static bool load(struct invites *invites, const json_t *root)
{
    const json_t *list = json_object_get(root, "invites");
    bool is_form = json_integer_value(json_object_get(root, "version")) == INVITES_FORM;
    if (!is_form || !json_is_array(list) || json_array_size(list) > INVITES_MAX) return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        bool ok = load_one(json_array_get(list, i), &invites->list[invites->count]);
        invites->count++; // its folders are freed in any case
        if (!ok) return false;
    }
    return true;
}

static enum err save(const struct invites *invites)
{
    if (invites->dir_fd < 0) return ERR_OK;
    AUTO(json_drop) json_t *root = json_object();
    json_t *list = json_array();
    for (uint32_t i = 0; i < invites->count; i++)
        json_array_append_new(list, dump_one(&invites->list[i]));
    json_object_set_new(root, "version", json_integer(INVITES_FORM));
    json_object_set_new(root, "invites", list);
    AUTO(mem_free) char *text = json_dumps(root, JSON_INDENT(2));
    if (text == NULL) return ERR_UNREPRESENTABLE;
    return file_replace(invites->dir_fd, invites->name, slice_text(text));
}

// ---- opening

enum err invites_open(int dir_fd, const char *name, struct invites **out, struct fault *fault)
{
    AUTO(buf_fini) struct buf text = {0};
    bool found = false;
    *fault = (struct fault){0};
    AUTO(invites_close) struct invites *invites = mem_zalloc(1, sizeof *invites);
    invites->name = mem_strdup(name);
    invites->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    enum err err = invites->dir_fd < 0 ? ERR_IO : file_read(dir_fd, name, &text, &found);
    if (err) {
        *fault = (struct fault){err, 0, "it cannot be read"};
        return err;
    }
    AUTO(json_drop)
    json_t *root = found ? json_loadb((const char *)text.data, text.size, 0, NULL) : NULL;
    if (found && !load(invites, root)) {
        *fault = (struct fault){ERR_CONFIG, 0,
                                "it is damaged; remove it, which revokes all invitations"};
        return ERR_CONFIG;
    }
    *out = TAKE(invites);
    return ERR_OK;
}

struct invites *invites_new(void)
{
    struct invites *invites = mem_zalloc(1, sizeof *invites);
    invites->dir_fd = -1;
    return invites;
}

void invites_close(struct invites **invites)
{
    struct invites *self = *invites;
    if (self == NULL) return;
    for (uint32_t i = 0; i < self->count; i++)
        invite_fini(&self->list[i]);
    fd_close(&self->dir_fd);
    free(self->name);
    free(self);
    *invites = NULL;
}

uint32_t invites_all(const struct invites *invites, const struct invite **out)
{
    *out = invites->list;
    return invites->count;
}

static uint32_t find(const struct invites *invites, struct device_id key)
{
    uint32_t at = 0;
    while (at < invites->count && !device_equal(invites->list[at].key, key))
        at++;
    return at;
}

const struct invite *invites_find(const struct invites *invites, struct device_id key)
{
    uint32_t at = find(invites, key);
    return at < invites->count ? &invites->list[at] : NULL;
}

// ---- changes

enum err invites_add(struct invites *invites, const struct invite *invite)
{
    CHECK(find(invites, invite->key) == invites->count);
    if (invites->count == INVITES_MAX) return ERR_LIMIT;
    struct invite *added = &invites->list[invites->count++];
    *added = *invite;
    for (uint32_t i = 0; i < invite->folder_count; i++)
        added->folders[i] = mem_strdup(invite->folders[i]);
    enum err err = save(invites);
    if (!err) return ERR_OK;
    invite_fini(added);
    invites->count--;
    return err;
}

enum err invites_use(struct invites *invites, struct device_id key, struct device_id device)
{
    uint32_t at = find(invites, key);
    CHECK(at < invites->count);
    struct invite *invite = &invites->list[at];
    if (invite_used_by(invite, device)) return ERR_OK;
    if (invite->used_count == invite->uses) return ERR_DENIED;
    invite->used[invite->used_count++] = device;
    enum err err = save(invites);
    if (err) invite->used_count--;
    return err;
}

enum err invites_remove(struct invites *invites, struct device_id key)
{
    uint32_t at = find(invites, key);
    if (at == invites->count) return ERR_OK;
    struct invite gone = invites->list[at];
    invites->count--;
    memmove(&invites->list[at], &invites->list[at + 1],
            (invites->count - at) * sizeof invites->list[0]);
    enum err err = save(invites);
    if (!err) {
        invite_fini(&gone);
        return ERR_OK;
    }
    memmove(&invites->list[at + 1], &invites->list[at],
            (invites->count - at) * sizeof invites->list[0]);
    invites->list[at] = gone;
    invites->count++;
    return err;
}

// Brings what is called so behind the others. How many.
static uint32_t folders_aside(struct invite *invite, const char *name)
{
    uint32_t aside = 0;
    for (uint32_t at = 0; at + aside < invite->folder_count;) {
        if (strcmp(invite->folders[at], name) != 0) {
            at++;
            continue;
        }
        char *last = invite->folders[invite->folder_count - ++aside];
        invite->folders[invite->folder_count - aside] = invite->folders[at];
        invite->folders[at] = last;
    }
    invite->folder_count -= aside;
    return aside;
}

enum err invites_drop_folder(struct invites *invites, const char *name)
{
    uint32_t aside[INVITES_MAX], all = 0;
    for (uint32_t i = 0; i < invites->count; i++) {
        aside[i] = folders_aside(&invites->list[i], name);
        all += aside[i];
    }
    if (all == 0) return ERR_OK;
    enum err err = save(invites);
    for (uint32_t i = 0; i < invites->count; i++) {
        struct invite *invite = &invites->list[i];
        for (uint32_t j = 0; j < aside[i] && !err; j++)
            free(invite->folders[invite->folder_count + j]);
        if (err) invite->folder_count += aside[i];
    }
    return err;
}
