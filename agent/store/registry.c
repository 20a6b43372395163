// SPDX-License-Identifier: MIT
//
// The registry in memory and its file. What callers were handed points into the present tables, so
// it is good until the next change.
#include "agent/store/registry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/store/file_priv.h"
#include "agent/store/registry_priv.h"
#include "proto/vv.h"

struct registry {
    int dir_fd; // -1: in memory
    char *name;
    struct tables *tables;
    uint64_t version;
};

// ---- opening

struct registry *registry_new(void)
{
    struct registry *registry = mem_zalloc(1, sizeof *registry);
    registry->dir_fd = -1;
    registry->tables = tables_new(json_object(), 0, 0);
    return registry;
}

static enum err fail(struct fault *fault, enum err code, const char *what)
{
    *fault = (struct fault){.code = code, .what = what};
    return code;
}

enum err registry_open(int dir_fd, const char *name, struct registry **out, struct fault *fault)
{
    *out = NULL;
    *fault = (struct fault){0};
    AUTO(buf_fini) struct buf text = {0};
    bool found = false;
    enum err err = file_read(dir_fd, name, &text, &found);
    if (err) return fail(fault, err, "the registry cannot be read");
    AUTO(registry_close) struct registry *registry = registry_new();
    if (found) {
        struct tables *tables = NULL;
        err = tables_load(buf_slice(&text), name, &tables, fault);
        if (err) return err;
        tables_destroy(&registry->tables);
        registry->tables = tables;
    }
    registry->name = mem_strdup(name);
    registry->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (registry->dir_fd < 0) {
        return fail(fault, log_errno(LOG_STORE, "dup", slice_text(name)), "no descriptor left");
    }
    *out = TAKE(registry);
    return ERR_OK;
}

void registry_close(struct registry **registry)
{
    struct registry *r = *registry;
    if (!r) return;
    fd_close(&r->dir_fd);
    tables_destroy(&r->tables);
    free(r->name);
    free(r);
    *registry = NULL;
}

// ---- looking

uint64_t registry_version(const struct registry *registry)
{
    return registry->version;
}

uint32_t registry_peers(const struct registry *registry, const struct registry_peer **out)
{
    *out = registry->tables->peers;
    return registry->tables->peer_count;
}

uint32_t registry_folders(const struct registry *registry, const struct registry_folder **out)
{
    *out = registry->tables->folders;
    return registry->tables->folder_count;
}

// The index of the name, or the count.
static uint32_t find_folder(const struct tables *tables, const char *name)
{
    uint32_t at = 0;
    while (at < tables->folder_count && strcmp(tables->folders[at].name, name) != 0)
        at++;
    return at;
}

const struct registry_peer *registry_peer(const struct registry *registry, const char *name)
{
    uint32_t at = tables_peer(registry->tables, name);
    return at < registry->tables->peer_count ? &registry->tables->peers[at] : NULL;
}

const struct registry_peer *registry_peer_by_device(const struct registry *registry,
                                                    struct device_id device)
{
    return tables_peer_of(registry->tables, device);
}

const struct registry_folder *registry_folder(const struct registry *registry, const char *name)
{
    uint32_t at = find_folder(registry->tables, name);
    return at < registry->tables->folder_count ? &registry->tables->folders[at] : NULL;
}

// Its place in the list, or the length of that.
static size_t find_removed(const json_t *list, struct device_id device)
{
    struct device_id one;
    size_t at = 0;
    while (at < json_array_size(list) &&
           !(hex_load(json_array_get(list, at), one.bytes, sizeof one.bytes) &&
             device_equal(one, device)))
        at++;
    return at;
}

bool registry_was_removed(const struct registry *registry, struct device_id device)
{
    const json_t *list = json_object_get(registry->tables->root, "removed");
    return find_removed(list, device) < json_array_size(list);
}

uint32_t registry_removed(const struct registry *registry, struct device_id *out)
{
    const json_t *list = json_object_get(registry->tables->root, "removed");
    uint32_t count = 0;
    for (size_t i = 0; i < json_array_size(list) && count < REGISTRY_REMOVED_MAX; i++)
        count += hex_load(json_array_get(list, i), out[count].bytes, sizeof out->bytes);
    return count;
}

// ---- changing

// Takes *next if it could be written; the old tables stay in force otherwise.
static enum err adopt(struct registry *registry, struct tables **next, bool write)
{
    if (write && registry->dir_fd >= 0) {
        AUTO(buf_fini) struct buf text = {0};
        enum err err = tables_dump(*next, &text);
        if (!err) err = file_replace(registry->dir_fd, registry->name, buf_slice(&text));
        if (err) return err;
    }
    tables_destroy(&registry->tables);
    registry->tables = TAKE(*next);
    registry->version++;
    return ERR_OK;
}

static bool is_name(const char *name)
{
    size_t size = name ? strlen(name) : 0;
    return size > 0 && size <= PROTO_NAME_BYTES_MAX;
}

static void removed_set(struct tables *tables, struct device_id device, bool is_removed)
{
    json_t *list = json_object_get(tables->root, "removed");
    (void)json_array_remove(list, find_removed(list, device));
    if (!is_removed) return;
    if (!json_is_array(list)) {
        list = json_array();
        CHECK(json_object_set_new(tables->root, "removed", list) == 0);
    }
    while (json_array_size(list) >= REGISTRY_REMOVED_MAX)
        (void)json_array_remove(list, 0);
    (void)json_array_append_new(list, hex_dump(device.bytes, sizeof device.bytes));
}

enum err registry_note_removed(struct registry *registry, struct device_id device)
{
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    removed_set(next, device, true);
    return adopt(registry, &next, true);
}

enum err registry_put_peer(struct registry *registry, const struct registry_peer *peer)
{
    if (!is_name(peer->name) || peer->address_count > REGISTRY_ADDRESSES_MAX) return ERR_CONFIG;
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    uint32_t at = tables_peer(next, peer->name);
    bool declared = peer->declared_at != NULL;
    bool is_new = at == next->peer_count;
    if (is_new)
        next->peer_count++;
    else if (next->peers[at].declared_at && !declared)
        return ERR_DENIED;
    // Someone of this name was removed from the config file, where nobody looks for who is to have
    // a folder: what was shared then is not shared with whoever comes by that name now.
    if (is_new && !declared) names_replace(next, peer->name, NULL);
    next->peers[at] = registry_peer_copy(next->arena, peer);
    removed_set(next, peer->device, false);
    return adopt(registry, &next, !declared);
}

enum err registry_put_folder(struct registry *registry, const struct registry_folder *folder)
{
    if (!is_name(folder->name) || !folder->path || folder->path[0] != '/') return ERR_CONFIG;
    if (folder->with_count > PROTO_ARRAY_ENTRIES_MAX) return ERR_CONFIG;
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    uint32_t at = find_folder(next, folder->name);
    bool declared = folder->declared_at != NULL;
    if (at == next->folder_count)
        next->folder_count++;
    else if (next->folders[at].declared_at && !declared)
        return ERR_DENIED;
    next->folders[at] = registry_folder_copy(next->arena, folder);
    return adopt(registry, &next, !declared);
}

enum err registry_remove_peer(struct registry *registry, const char *name, bool by_person)
{
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    uint32_t at = tables_peer(next, name);
    if (at == next->peer_count) return ERR_OK;
    if (next->peers[at].declared_at) return ERR_DENIED;
    if (by_person) removed_set(next, next->peers[at].device, true);
    json_drop(&next->peer_json[at]);
    next->peer_count--;
    for (uint32_t i = at; i < next->peer_count; i++) {
        next->peers[i] = next->peers[i + 1];
        next->peer_json[i] = next->peer_json[i + 1];
    }
    next->peer_json[next->peer_count] = NULL;
    names_replace(next, name, NULL);
    return adopt(registry, &next, true);
}

enum err registry_remove_folder(struct registry *registry, const char *name)
{
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    uint32_t at = find_folder(next, name);
    if (at == next->folder_count) return ERR_OK;
    if (next->folders[at].declared_at) return ERR_DENIED;
    json_drop(&next->folder_json[at]);
    next->folder_count--;
    for (uint32_t i = at; i < next->folder_count; i++) {
        next->folders[i] = next->folders[i + 1];
        next->folder_json[i] = next->folder_json[i + 1];
    }
    next->folder_json[next->folder_count] = NULL;
    return adopt(registry, &next, true);
}

enum err registry_follow_names(struct registry *registry, const struct registry *before)
{
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    return names_follow(next, before) ? adopt(registry, &next, before != NULL) : ERR_OK;
}

enum err registry_rename_peer(struct registry *registry, const char *old, const char *name)
{
    if (!is_name(name)) return ERR_CONFIG;
    AUTO(tables_destroy) struct tables *next = tables_copy(registry->tables);
    uint32_t at = tables_peer(next, old);
    if (at == next->peer_count) return ERR_CONFIG;
    if (next->peers[at].declared_at) return ERR_DENIED;
    if (strcmp(old, name) == 0) return ERR_OK;
    if (tables_peer(next, name) < next->peer_count) return ERR_IN_THE_WAY;
    char *copy = arena_text(next->arena, slice_text(name));
    names_replace(next, name, NULL); // of somebody who is gone
    next->peers[at].name = copy;
    names_replace(next, old, copy);
    return adopt(registry, &next, true);
}
