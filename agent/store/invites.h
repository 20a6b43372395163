// SPDX-License-Identifier: MIT
//
// agent/store/invites — invites.json: who may still become a peer by an invitation.
//
// Of an invitation's secret only the public key made from it is kept: whoever reads the file can
// invite nobody. 0600, replaced atomically and durably on every change.
#ifndef AGENT_STORE_INVITES_H
#define AGENT_STORE_INVITES_H

#include "agent/base/err.h"
#include "proto/types.h"

enum { INVITES_MAX = 32, INVITE_USES_MAX = 64, INVITE_FOLDERS_MAX = 16 };

struct invite {
    struct device_id key; // of the secret
    int64_t made_ms;      // wall clock
    int64_t expires_ms;
    uint32_t uses; // how many devices may come
    uint32_t used_count;
    struct device_id used[INVITE_USES_MAX]; // who has; may come again to hear the answer
    uint32_t folder_count;
    char *folders[INVITE_FOLDERS_MAX]; // shared with who comes
};

struct invites;

enum err invites_open(int dir_fd, const char *name, struct invites **out,
                      struct fault *fault) MUST_USE; // missing file: none
struct invites *invites_new(void);                   // in memory
void invites_close(struct invites **invites);

// Good until the next change.
uint32_t invites_all(const struct invites *invites, const struct invite **out);
bool invite_used_by(const struct invite *invite, struct device_id device);
const struct invite *invites_find(const struct invites *invites, struct device_id key);

// On an error nothing has changed. LIMIT: there are INVITES_MAX already.
enum err invites_add(struct invites *invites, const struct invite *invite) MUST_USE;
enum err invites_use(struct invites *invites, struct device_id key,
                     struct device_id device) MUST_USE; // it is there and not used up
enum err invites_remove(struct invites *invites, struct device_id key) MUST_USE;
// None shares a folder of that name any more.
enum err invites_drop_folder(struct invites *invites, const char *name) MUST_USE;

#endif
