// SPDX-License-Identifier: MIT
//
// Adding a folder is answered when its first scan has ended, because only then can be said what is
// in it and what was held; until then the request waits in agent->folder_waits.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/left_out_priv.h"
#include "agent/daemon/view_priv.h"

enum { SETTLE_MS = 50 }; // how often a waiting request looks at its folder

void control_added_wait(struct agent *agent, uint64_t request, const char *name, uint32_t number,
                        bool is_new, bool unchanged)
{
    uint32_t count = agent->folder_wait_count + 1;
    agent->folder_waits = mem_realloc(agent->folder_waits, count * sizeof *agent->folder_waits);
    agent->folder_waits[agent->folder_wait_count++] = (struct folder_wait){
        .request = request,
        .name = mem_strdup(name),
        .folder = number,
        .is_new = is_new,
        .unchanged = unchanged,
    };
}

static void answer_added(struct agent *agent, const struct folder_wait *wait,
                         const struct folder_view *view)
{
    uint64_t left_out_total = 0;
    const struct registry_folder *folder = view->registry;
    json_t *left_out =
        left_out_list(agent->workers.disk, wait->folder, folder->path, &left_out_total);
    json_t *held = json_array();
    for (uint32_t i = 0; i < view->held_listed; i++) {
        json_array_append_new(held, json_bytes(view->held_paths[i]));
    }
    struct slice none[1];
    uint32_t held_total = disk_held(agent->workers.disk, wait->folder, agent->scratch, 0, none);
    json_t *out = json_object();
    json_object_set_new(out, "folder", control_folder_json(view));
    json_object_set_new(out, "left_out", left_out);
    json_object_set_new(out, "left_out_total", json_integer((json_int_t)left_out_total));
    json_object_set_new(out, "held", held);
    json_object_set_new(out, "held_total", json_integer((json_int_t)held_total));
    json_object_set_new(out, "shared_with", control_shared_with(agent, folder));
    json_object_set_new(out, "exit", json_integer(held_total > 0 ? 5 : 0));
    if (wait->unchanged) json_object_set_new(out, "unchanged", json_true());
    control_answer(agent, wait->request, out);
}

// A folder whose root cannot be used is not kept: nothing has changed then.
static void give_up(struct agent *agent, const struct folder_wait *wait,
                    const struct folder_view *view)
{
    const struct folder_status *status = view != NULL ? view->engine : NULL;
    const char *why = status != NULL && status->error_count > 0 && status->errors[0].message != NULL
                          ? status->errors[0].message
                          : "its root cannot be used";
    control_refuse(agent, wait->request, REFUSE_BAD_PATH, NULL, "folder %s: %s", wait->name, why);
    if (!wait->is_new) return;
    folders_close(agent, wait->name);
    enum err err = registry_remove_folder(agent->registry, wait->name);
    if (err) log_error(LOG_DAEMON, "registry not written", "error=\"%s\"", err_text(err));
}

// True when the request has been answered.
static bool settle_one(struct agent *agent, const struct folder_wait *wait)
{
    struct view view;
    const struct live_folder *live = folders_find(agent, wait->name);
    bool here = live != NULL && live->folder == wait->folder; // not another of that name
    bool scanned = here && engine_folder_scanned(agent->engine, wait->folder);
    if (!scanned && here && agent->now_ms < agent->folder_look_ms) return false;
    view_take(agent, agent->scratch, &view);
    const struct folder_view *folder = view_folder(&view, wait->name);
    if (!here || folder == NULL) {
        control_refuse(agent, wait->request, REFUSE_UNKNOWN_FOLDER, NULL,
                       "folder %s was removed meanwhile", wait->name);
        return true;
    }
    bool failed = folder->engine == NULL || (folder->engine->state == FOLDER_ERROR &&
                                             strcmp(folder->code, "root-missing") == 0);
    if (!scanned && !failed) return false;
    if (scanned) answer_added(agent, wait, folder);
    if (!scanned) give_up(agent, wait, folder);
    show_dirty(agent);
    return true;
}

void control_folders_settle(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->folder_wait_count;) {
        struct folder_wait wait = agent->folder_waits[i];
        if (!settle_one(agent, &wait)) {
            i++;
            continue;
        }
        free(wait.name);
        agent->folder_waits[i] = agent->folder_waits[--agent->folder_wait_count];
    }
    if (agent->now_ms >= agent->folder_look_ms) agent->folder_look_ms = agent->now_ms + SETTLE_MS;
}

int64_t control_folders_deadline(const struct agent *agent)
{
    return agent->folder_wait_count > 0 ? agent->folder_look_ms : INT64_MAX;
}

void control_folders_gone(struct agent *agent, uint64_t request)
{
    for (uint32_t i = 0; i < agent->folder_wait_count; i++) {
        if (agent->folder_waits[i].request != request) continue;
        free(agent->folder_waits[i].name);
        agent->folder_waits[i] = agent->folder_waits[--agent->folder_wait_count];
        return;
    }
}
