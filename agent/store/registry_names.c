// SPDX-License-Identifier: MIT
//
// Whom the names in a folder's entry mean. A name may come to another device while nobody looks:
// in the config file, or after a removal. An entry has the devices beside its names.
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/registry_priv.h"

static bool device_was(const json_t *entry, const char *name, struct device_id *out)
{
    const json_t *devices = json_object_get(entry, "devices");
    return hex_load(json_object_get(devices, name), out->bytes, sizeof out->bytes);
}

// ---- as it is written

static void note(const struct tables *tables, const json_t *entry, const char *name,
                 json_t *devices)
{
    struct device_id device;
    uint32_t at = tables_peer(tables, name);
    bool is_peer = at < tables->peer_count;
    if (is_peer) device = tables->peers[at].device;
    if (is_peer || device_was(entry, name, &device))
        (void)json_object_set_new(devices, name, hex_dump(device.bytes, sizeof device.bytes));
}

void names_dump(const struct tables *tables, json_t *entry, const struct registry_folder *folder)
{
    AUTO(json_drop) json_t *devices = json_object();
    for (uint32_t i = 0; i < folder->with_count; i++)
        note(tables, entry, folder->with[i], devices);
    if (folder->accept_from != NULL) note(tables, entry, folder->accept_from, devices);
    (void)json_object_del(entry, "devices");
    if (json_object_size(devices) > 0) (void)json_object_set(entry, "devices", devices);
}

// ---- as it is read

// The name that who was meant has now; NULL: somebody else has come to the old one.
static char *meant(const struct tables *tables, const struct registry *before, const json_t *entry,
                   char *name)
{
    struct device_id device;
    const struct registry_peer *was = before != NULL ? registry_peer(before, name) : NULL;
    if (!device_was(entry, name, &device)) {
        if (was == NULL) return name;
        device = was->device;
    }
    const struct registry_peer *is = tables_peer_of(tables, device);
    if (is != NULL) return is->name;
    return tables_peer(tables, name) == tables->peer_count ? name : NULL;
}

// The names of an entry that the config file stands before: it counts again when that goes.
static struct registry_folder names_of_entry(struct arena *arena, const json_t *entry)
{
    struct registry_folder out = {0};
    const json_t *with = json_object_get(entry, "with");
    const char *from = json_string_value(json_object_get(entry, "accept_from"));
    out.with = arena_alloc(arena, json_array_size(with), sizeof *out.with);
    for (size_t i = 0; i < json_array_size(with); i++) {
        const char *name = json_string_value(json_array_get(with, i));
        if (name != NULL) out.with[out.with_count++] = arena_text(arena, slice_text(name));
    }
    if (from != NULL) out.accept_from = arena_text(arena, slice_text(from));
    return out;
}

static void names_to_entry(const struct tables *tables, json_t *entry,
                           const struct registry_folder *names)
{
    (void)json_object_del(entry, "accept_from");
    if (names->accept_from != NULL)
        (void)json_object_set_new(entry, "accept_from", json_string(names->accept_from));
    if (json_is_array(json_object_get(entry, "with")))
        (void)json_object_set_new(entry, "with", texts_dump(names->with, names->with_count));
    names_dump(tables, entry, names);
}

static bool names_follow_in(struct tables *tables, const struct registry *before,
                            const json_t *entry, struct registry_folder *names)
{
    bool changed = false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < names->with_count; i++) {
        char *now = meant(tables, before, entry, names->with[i]);
        changed = changed || now == NULL || strcmp(now, names->with[i]) != 0;
        if (now != NULL) names->with[kept++] = now;
    }
    names->with_count = kept;
    if (names->accept_from == NULL) return changed;
    char *now = meant(tables, before, entry, names->accept_from);
    changed = changed || now == NULL || strcmp(now, names->accept_from) != 0;
    names->accept_from = now;
    return changed;
}

bool names_follow(struct tables *tables, const struct registry *before)
{
    bool changed = false;
    for (uint32_t i = 0; i < tables->folder_count; i++) {
        json_t *entry = tables->folder_json[i];
        bool declared = tables->folders[i].declared_at != NULL;
        struct registry_folder hidden = names_of_entry(tables->arena, entry);
        struct registry_folder *names = declared ? &hidden : &tables->folders[i];
        if (!names_follow_in(tables, before, entry, names)) continue;
        changed = true;
        if (entry != NULL) names_to_entry(tables, entry, names);
    }
    return changed;
}

void names_replace(struct tables *tables, const char *old, char *name)
{
    for (uint32_t i = 0; i < tables->folder_count; i++) {
        json_t *entry = tables->folder_json[i];
        bool declared = tables->folders[i].declared_at != NULL;
        struct registry_folder hidden = names_of_entry(tables->arena, entry);
        registry_folder_rename(declared ? &hidden : &tables->folders[i], old, name);
        if (declared && entry != NULL) names_to_entry(tables, entry, &hidden);
    }
}
