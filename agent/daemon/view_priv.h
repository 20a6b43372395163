// SPDX-License-Identifier: MIT
//
// agent/daemon/view — what status shows: the engine's state, joined with what only the disk and the
// registry know.
#ifndef AGENT_DAEMON_VIEW_PRIV_H
#define AGENT_DAEMON_VIEW_PRIV_H

#include "agent/daemon/agent_priv.h"

enum { VIEW_HELD_MAX = 100 };

struct folder_view {
    const struct registry_folder *registry;
    const struct folder_status *engine; // NULL: it does not have it
    enum folder_state state;
    const char *code; // "" if none
    const char *why;  // its root cannot be used, or NULL; only if the engine does not have it
    struct slice held_paths[VIEW_HELD_MAX];
    uint32_t held_listed;
    uint64_t held; // secrets and what the engine holds
    uint32_t unwatched;
    uint64_t need_bytes;
};

struct view {
    struct engine_status engine;
    struct folder_view *folders;
    uint32_t folder_count;
    enum folder_state state; // the worst
    uint64_t attention;      // conflicts, errors and held things
};

// Everything lives on the arena or in the registry.
void view_take(struct agent *agent, struct arena *arena, struct view *out);
const struct folder_view *view_folder(const struct view *view, const char *name); // or NULL
json_t *view_json(const struct agent *agent, const struct view *view);

#endif
