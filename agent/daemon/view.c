// SPDX-License-Identifier: MIT
//
// Every look is taken anew from its sources: nothing here is kept between two of them.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/view_priv.h"

static const struct folder_status *engine_folder_of(const struct engine_status *status,
                                                    const char *name)
{
    for (uint32_t i = 0; i < status->folder_count; i++) {
        if (slice_equal(status->folders[i].name, slice_text(name))) return &status->folders[i];
    }
    return NULL;
}

// A folder that nothing is wrong with but that has secrets waiting is held because of them.
static void add_held(struct agent *agent, struct arena *arena, struct folder_view *view)
{
    uint32_t total = disk_held(agent->workers.disk, view->engine->folder, arena, VIEW_HELD_MAX,
                               view->held_paths);
    view->held_listed = total < VIEW_HELD_MAX ? total : VIEW_HELD_MAX;
    view->held += total;
    if (total > 0 && view->state < FOLDER_HELD) {
        view->state = FOLDER_HELD;
        view->code = "secrets";
    }
}

static void folder_view(struct agent *agent, struct arena *arena,
                        const struct engine_status *status, const struct registry_folder *folder,
                        struct folder_view *out)
{
    out->registry = folder;
    out->engine = engine_folder_of(status, folder->name);
    out->state = FOLDER_ERROR;
    out->code = "not-open";
    if (out->engine == NULL) {
        AUTO(buf_fini) struct buf why = {0};
        if (!folders_root_fits(agent, folder, &why)) out->why = arena_text(arena, buf_slice(&why));
        return;
    }
    out->state = out->engine->state;
    out->code = out->engine->code != NULL ? out->engine->code : "";
    out->held = out->engine->held;
    out->unwatched = folders_unwatched(agent, folder->name);
    struct folder_row row;
    if (store_folder_reload(agent->store, arena, out->engine->folder, &row)) {
        out->need_bytes = row.need_bytes;
    }
    add_held(agent, arena, out);
}

void view_take(struct agent *agent, struct arena *arena, struct view *out)
{
    memset(out, 0, sizeof *out);
    engine_status(agent->engine, arena, &out->engine);
    const struct registry_folder *folders;
    out->folder_count = registry_folders(agent->registry, &folders);
    out->folders = arena_alloc(arena, (size_t)out->folder_count + 1, sizeof *out->folders);
    out->state = out->engine.state;
    for (uint32_t i = 0; i < out->folder_count; i++) {
        struct folder_view *view = &out->folders[i];
        folder_view(agent, arena, &out->engine, &folders[i], view);
        if (view->state > out->state) out->state = view->state;
        out->attention += view->held;
        if (view->engine != NULL) {
            out->attention += view->engine->conflicts + view->engine->error_count;
        }
    }
}

const struct folder_view *view_folder(const struct view *view, const char *name)
{
    for (uint32_t i = 0; i < view->folder_count; i++) {
        if (strcmp(view->folders[i].registry->name, name) == 0) return &view->folders[i];
    }
    return NULL;
}
