// SPDX-License-Identifier: MIT
//
// Deep copies of registry entries. A registry is a few dozen entries, so copying all of it for a
// change costs nothing and leaves nothing half changed.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/store/registry_priv.h"
#include "proto/vv.h"

struct tables *tables_new(json_t *root, uint32_t peers_max, uint32_t folders_max)
{
    struct tables *tables = mem_zalloc(1, sizeof *tables);
    CHECK(root != NULL);
    tables->arena = arena_new();
    tables->root = root;
    tables->peers = arena_alloc(tables->arena, peers_max, sizeof *tables->peers);
    tables->peer_json = arena_alloc(tables->arena, peers_max, sizeof(json_t *));
    tables->folders = arena_alloc(tables->arena, folders_max, sizeof *tables->folders);
    tables->folder_json = arena_alloc(tables->arena, folders_max, sizeof(json_t *));
    return tables;
}

void tables_destroy(struct tables **tables)
{
    struct tables *t = *tables;
    if (!t) return;
    for (uint32_t i = 0; i < t->peer_count; i++)
        json_drop(&t->peer_json[i]);
    for (uint32_t i = 0; i < t->folder_count; i++)
        json_drop(&t->folder_json[i]);
    json_drop(&t->root);
    arena_destroy(&t->arena);
    free(t);
    *tables = NULL;
}

static char *copy_text(struct arena *arena, const char *text)
{
    return text ? arena_text(arena, slice_text(text)) : NULL;
}

static char **copy_texts(struct arena *arena, char *const *texts, uint32_t count)
{
    char **copy = arena_alloc(arena, count, sizeof *copy);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = copy_text(arena, texts[i]);
    return copy;
}

struct registry_peer registry_peer_copy(struct arena *arena, const struct registry_peer *peer)
{
    struct registry_peer copy = *peer;
    copy.name = copy_text(arena, peer->name);
    copy.addresses = copy_texts(arena, peer->addresses, peer->address_count);
    copy.declared_at = copy_text(arena, peer->declared_at);
    return copy;
}

struct registry_folder registry_folder_copy(struct arena *arena,
                                            const struct registry_folder *folder)
{
    struct registry_folder copy = *folder;
    copy.name = copy_text(arena, folder->name);
    copy.path = copy_text(arena, folder->path);
    copy.with = copy_texts(arena, folder->with, folder->with_count);
    copy.accept_from = copy_text(arena, folder->accept_from);
    for (int i = 0; i < SETTING_COUNT; i++)
        copy.settings[i] = copy_text(arena, folder->settings[i]);
    copy.declared_at = copy_text(arena, folder->declared_at);
    return copy;
}

uint32_t tables_peer(const struct tables *tables, const char *name)
{
    uint32_t at = 0;
    while (at < tables->peer_count && strcmp(tables->peers[at].name, name) != 0)
        at++;
    return at;
}

const struct registry_peer *tables_peer_of(const struct tables *tables, struct device_id device)
{
    for (uint32_t i = 0; i < tables->peer_count; i++)
        if (device_equal(tables->peers[i].device, device)) return &tables->peers[i];
    return NULL;
}

void registry_folder_rename(struct registry_folder *folder, const char *old, char *name)
{
    bool accepting = folder->accept_from && strcmp(folder->accept_from, old) == 0;
    if (accepting) folder->accept_from = name;
    uint32_t kept = 0;
    for (uint32_t j = 0; j < folder->with_count; j++) {
        bool same = strcmp(folder->with[j], old) == 0;
        char *now = same ? name : folder->with[j];
        if (now) folder->with[kept++] = now;
    }
    folder->with_count = kept;
}

static json_t *copy_json(json_t *value)
{
    json_t *copy = value ? json_deep_copy(value) : NULL;
    CHECK(!value || copy); // memory
    return copy;
}

struct tables *tables_copy(const struct tables *from)
{
    struct tables *to =
        tables_new(copy_json(from->root), from->peer_count + 1, from->folder_count + 1);
    for (uint32_t i = 0; i < from->peer_count; i++) {
        to->peers[i] = registry_peer_copy(to->arena, &from->peers[i]);
        to->peer_json[i] = copy_json(from->peer_json[i]);
    }
    for (uint32_t i = 0; i < from->folder_count; i++) {
        to->folders[i] = registry_folder_copy(to->arena, &from->folders[i]);
        to->folder_json[i] = copy_json(from->folder_json[i]);
    }
    to->peer_count = from->peer_count;
    to->folder_count = from->folder_count;
    return to;
}
