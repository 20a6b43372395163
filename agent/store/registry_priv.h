// SPDX-License-Identifier: MIT
//
// agent/store/registry_priv — the tables of a registry, and their form as a file.
//
// A table set is never changed in place: a changed copy is made, written, and then takes its place.
#ifndef AGENT_STORE_REGISTRY_PRIV_H
#define AGENT_STORE_REGISTRY_PRIV_H

#include "agent/base/json.h"
#include "agent/store/registry.h"

// Everything but the JSON values lives on the arena. peer_json[i] is peers[i] as it stands in the
// file, NULL if it does not; keys that we do not know live there alone. What is declared in the
// config file and stands here too is written back as it was found.
struct tables {
    struct arena *arena;
    json_t *root;
    struct registry_peer *peers;
    json_t **peer_json;
    uint32_t peer_count;
    struct registry_folder *folders;
    json_t **folder_json;
    uint32_t folder_count;
};

struct tables *tables_new(json_t *root, uint32_t peers_max, uint32_t folders_max); // takes root
struct tables *tables_copy(const struct tables *from); // with room for one more of each
void tables_destroy(struct tables **tables);
uint32_t tables_peer(const struct tables *tables, const char *name); // its index, or the count
const struct registry_peer *tables_peer_of(const struct tables *tables,
                                           struct device_id device); // NULL: none
struct registry_peer registry_peer_copy(struct arena *arena, const struct registry_peer *peer);
struct registry_folder registry_folder_copy(struct arena *arena,
                                            const struct registry_folder *folder);
void registry_folder_rename(struct registry_folder *folder, const char *old,
                            char *name); // NULL: it goes

// ---- registry_names.c
void names_dump(const struct tables *tables, json_t *entry, const struct registry_folder *folder);
// In all entries, also those that the config file stands before; names live as long as `tables`.
void names_replace(struct tables *tables, const char *old, char *name);  // NULL: it goes
bool names_follow(struct tables *tables, const struct registry *before); // whether any changed

json_t *texts_dump(char *const *texts, uint32_t count); // NULL: one is not UTF-8

// Lower-case hex digits, as ids stand in files; at most 32 bytes.
json_t *hex_dump(const uint8_t *bytes, size_t size);
bool hex_load(const json_t *value, uint8_t *out, size_t size);

// Parses a whole file. CONFIG with *fault and a logged line.
enum err tables_load(struct slice text, const char *name, struct tables **out,
                     struct fault *fault) MUST_USE;

// UNREPRESENTABLE: a text is not UTF-8. *out is malloc'ed, with a final newline. Brings the JSON
// values of `tables` up to date.
enum err tables_dump(struct tables *tables, struct buf *out) MUST_USE;

#endif
