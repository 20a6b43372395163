// SPDX-License-Identifier: MIT
//
// agent/store/registry — registry.json: peers and folders that the CLI added. Losing the index
// loses no trust.
//
// 0600, replaced atomically and durably on every change. Times and addresses are text as typed.
#ifndef AGENT_STORE_REGISTRY_H
#define AGENT_STORE_REGISTRY_H

#include "agent/base/err.h"
#include "agent/store/setting.h"
#include "proto/types.h"

enum { REGISTRY_ADDRESSES_MAX = 16, REGISTRY_REMOVED_MAX = 64 };

struct registry_peer {
    char *name;
    struct device_id device;
    char **addresses; // "tcp://host:port"
    uint32_t address_count;
    bool approves;     // may approve mass changes
    bool unconfirmed;  // whether it trusts this device is not known yet
    char *declared_at; // "config:12" when it stands in the config file (then it cannot be changed
                       // here), else NULL
};

struct registry_folder {
    char *name;
    char *path;    // absolute
    bool with_all; // shared with every trusted peer, now and later
    char **with;   // peer names
    uint32_t with_count;
    bool include_secrets;
    bool include_vcs;
    struct folder_id id; // all zero: not drawn yet
    char *accept_from; // peer whose folder of this name is to be joined (folder accept), else NULL
    char *settings[SETTING_COUNT]; // NULL: the default
    char *declared_at;
    bool ends; // declared no more: it goes on until the next start, with whom it had
};

struct registry;

enum err registry_open(int dir_fd, const char *name, struct registry **out,
                       struct fault *fault) MUST_USE; // missing file: empty
struct registry *registry_new(void);                  // in memory, for tests
void registry_close(struct registry **registry);

uint64_t registry_version(const struct registry *registry); // another after each change

uint32_t registry_peers(const struct registry *registry, const struct registry_peer **out);
uint32_t registry_folders(const struct registry *registry, const struct registry_folder **out);
const struct registry_peer *registry_peer(const struct registry *registry, const char *name);
const struct registry_peer *registry_peer_by_device(const struct registry *registry,
                                                    struct device_id device);
const struct registry_folder *registry_folder(const struct registry *registry, const char *name);

// It was a peer once, and somebody removed it; of more than REGISTRY_REMOVED_MAX the last.
bool registry_was_removed(const struct registry *registry, struct device_id device);
// All of those; `out` has room for REGISTRY_REMOVED_MAX. Returns how many.
uint32_t registry_removed(const struct registry *registry, struct device_id *out);

// What the calls above return is good until the next change.
//
// Changes: deep copies; an entry of that name is replaced. Entries with declared_at are kept in
// memory only, never written. On an error nothing has changed. DENIED: the entry is declared in the
// config file. CONFIG: a name or path that cannot be. UNREPRESENTABLE: a text is not UTF-8.
// Removing what is not there is OK; renaming it is CONFIG, renaming to a name that is taken
// IN_THE_WAY.
enum err registry_put_peer(struct registry *registry, const struct registry_peer *peer) MUST_USE;
enum err registry_put_folder(struct registry *registry,
                             const struct registry_folder *folder) MUST_USE;
// And from every folder's `with`. By a person: as registry_note_removed.
enum err registry_remove_peer(struct registry *registry, const char *name, bool by_person) MUST_USE;
// By a person; it counts until the device is a peer again.
enum err registry_note_removed(struct registry *registry, struct device_id device) MUST_USE;
enum err registry_remove_folder(struct registry *registry, const char *name) MUST_USE;
// Names may have come to other devices while nobody looked: folders added by command are shared
// with the same devices as when they were written, or as in `before`, which may be NULL; then
// nothing is written.
enum err registry_follow_names(struct registry *registry, const struct registry *before) MUST_USE;
enum err registry_rename_peer(struct registry *registry, const char *old,
                              const char *name) MUST_USE;

#endif
