// SPDX-License-Identifier: MIT
//
// POST /v1/plan: what brakes hold, and what joining a folder that waits for it would meet. The
// latter is asked of the peers; until they have answered the request waits in agent->plan_waits.
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "crypto/identity.h"
#include "proto/vv.h"

enum { SECRETS_SHOWN = 10, WAIT_MS_MAX = 3600 * 1000 };

static void put_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *author_json(struct agent *agent, struct device_id by)
{
    static const struct device_id nobody;
    char id[DEVICE_ID_TEXT_MAX];
    if (device_equal(by, nobody)) return json_null();
    const struct registry_peer *peer = registry_peer_by_device(agent->registry, by);
    return json_bytes(slice_text(peer != NULL ? peer->name : device_id_text(by, id)));
}

static json_t *paths_json(struct agent *agent, const struct registry_folder *folder,
                          const struct plan *plan)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->path_count; i++) {
        const struct plan_path *one = &plan->paths[i];
        AUTO(buf_fini) struct buf full = {0};
        buf_printf(&full, "%s/", folder->path);
        buf_append(&full, one->path.data, one->path.size);
        json_t *out = json_object();
        json_object_set_new(out, "path", json_bytes(buf_slice(&full)));
        json_object_set_new(out, "what", json_string(one->what));
        json_object_set_new(out, "by",
                            one->of_others ? author_json(agent, one->by)
                                           : json_bytes(slice_text(agent->name)));
        json_object_set_new(out, "of_others", json_boolean(one->of_others));
        json_array_append_new(list, out);
    }
    return list;
}

static json_t *part_json(const struct compared_part *part)
{
    json_t *first = json_array();
    for (uint32_t i = 0; i < part->first_count; i++)
        json_array_append_new(first, json_bytes(part->first[i]));
    json_t *out = json_object();
    put_number(out, "items", part->items);
    put_number(out, "bytes_here", part->bytes_here);
    put_number(out, "bytes_there", part->bytes_there);
    json_object_set_new(out, "first", first);
    return out;
}

static json_t *compared_json(const struct compared *compared)
{
    static const char *const states[] = {
        [COMPARE_NOT] = "not-begun",
        [COMPARE_RUNS] = "running",
        [COMPARE_DONE] = "done",
        [COMPARE_FAILED] = "failed",
    };
    static const char *const kinds[COMPARED_KINDS] = {
        [COMPARED_EQUAL] = "equal",           [COMPARED_ONLY_HERE] = "only_here",
        [COMPARED_ONLY_THERE] = "only_there", [COMPARED_DIFFERENT] = "different",
        [COMPARED_MODE] = "only_permissions", [COMPARED_LEFT_OUT] = "left_out",
    };
    json_t *out = json_object();
    json_object_set_new(out, "state", json_string(states[compared->state]));
    json_object_set_new(out, "why",
                        compared->why != NULL ? json_string(compared->why) : json_null());
    put_number(out, "listed", compared->listed);
    for (int kind = 0; kind < COMPARED_KINDS; kind++)
        json_object_set_new(out, kinds[kind], part_json(&compared->parts[kind]));
    return out;
}

static json_t *peers_json(const struct plan *plan)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < plan->peer_count; i++) {
        const struct plan_peer *peer = &plan->peers[i];
        json_t *out = json_object();
        json_object_set_new(out, "name", json_bytes(peer->name));
        put_number(out, "held_of_others", peer->of_others);
        put_number(out, "held_found_there", peer->unpublished);
        json_object_set_new(out, "join_pending", json_boolean(peer->pending));
        if (peer->pending) put_number(out, "items", peer->items);
        if (peer->pending) put_number(out, "bytes", peer->bytes);
        if (peer->pending) json_object_set_new(out, "comparison", compared_json(&peer->compared));
        json_array_append_new(list, out);
    }
    return list;
}

// Known to the disk alone.
static json_t *secrets_json(struct agent *agent, const struct registry_folder *folder)
{
    struct slice paths[SECRETS_SHOWN];
    const struct live_folder *live = folders_find(agent, folder->name);
    json_t *first = json_array(), *out = json_object();
    uint32_t total = 0;
    if (live != NULL)
        total = disk_held(agent->workers.disk, live->folder, agent->scratch, SECRETS_SHOWN, paths);
    for (uint32_t i = 0; i < total && i < SECRETS_SHOWN; i++)
        json_array_append_new(first, json_bytes(paths[i]));
    put_number(out, "items", total);
    json_object_set_new(out, "first", first);
    return out;
}

static json_t *plan_json(struct agent *agent, const struct registry_folder *folder)
{
    struct plan plan;
    if (!engine_plan(agent->engine, agent->scratch, folder->name, &plan)) return NULL;
    json_t *here = json_object();
    json_object_set_new(here, "brake", text_or_null(plan.brake));
    put_number(here, "deleted", plan.deleted);
    put_number(here, "rewritten", plan.rewritten);
    put_number(here, "older", plan.older);
    json_t *others = json_object();
    json_object_set_new(others, "brake", text_or_null(plan.in_brake));
    put_number(others, "deleted", plan.in_deleted);
    put_number(others, "rewritten", plan.in_rewritten);
    json_t *out = json_object();
    json_object_set_new(out, "folder", json_bytes(slice_text(folder->name)));
    put_number(out, "items", plan.items);
    put_number(out, "bytes", plan.bytes);
    json_object_set_new(out, "found_here", here);
    json_object_set_new(out, "of_others", others);
    json_object_set_new(out, "paths", paths_json(agent, folder, &plan));
    json_object_set_new(out, "secrets", secrets_json(agent, folder));
    json_object_set_new(out, "peers", peers_json(&plan));
    return out;
}

static void answer(struct agent *agent, uint64_t request, const char *name)
{
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        if (name != NULL && strcmp(name, folders[i].name) != 0) continue;
        json_t *one = plan_json(agent, &folders[i]);
        if (one != NULL) json_array_append_new(list, one);
    }
    json_t *out = json_object();
    json_object_set_new(out, "folders", list);
    control_answer(agent, request, out);
}

void control_plan(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "folder");
    const json_t *patience = json_object_get(body, "wait_ms");
    double wait_ms = json_is_number(patience) ? json_number_value(patience) : WAIT_MS_MAX;
    if (!control_folder_known(agent, request, name)) return;
    if (!(wait_ms >= 0 && wait_ms <= WAIT_MS_MAX)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "wait_ms: must be 0 to %d",
                       (int)WAIT_MS_MAX);
        return;
    }
    if (!body_bool(body, "go_on", false)) engine_compare(agent->engine, name);
    agent->plan_waits =
        mem_realloc(agent->plan_waits, (agent->plan_wait_count + 1) * sizeof *agent->plan_waits);
    agent->plan_waits[agent->plan_wait_count++] = (struct plan_wait){
        .request = request,
        .folder = name != NULL ? mem_strdup(name) : NULL,
        .until_ms = agent->now_ms + (int64_t)wait_ms,
    };
}

static struct plan_wait wait_take(struct agent *agent, uint32_t at)
{
    struct plan_wait wait = agent->plan_waits[at];
    agent->plan_waits[at] = agent->plan_waits[--agent->plan_wait_count];
    return wait;
}

void control_plan_settle(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->plan_wait_count;) {
        const struct plan_wait *waits = &agent->plan_waits[i];
        bool runs = engine_comparing(agent->engine, waits->folder);
        if (runs && agent->now_ms < waits->until_ms) {
            i++;
            continue;
        }
        struct plan_wait wait = wait_take(agent, i);
        answer(agent, wait.request, wait.folder);
        mem_free(&wait.folder);
    }
}

int64_t control_plan_deadline(const struct agent *agent)
{
    int64_t at = INT64_MAX;
    for (uint32_t i = 0; i < agent->plan_wait_count; i++)
        if (agent->plan_waits[i].until_ms < at) at = agent->plan_waits[i].until_ms;
    return at;
}

void control_plan_gone(struct agent *agent, uint64_t request)
{
    for (uint32_t i = 0; i < agent->plan_wait_count; i++) {
        if (agent->plan_waits[i].request != request) continue;
        struct plan_wait wait = wait_take(agent, i);
        mem_free(&wait.folder);
        return;
    }
}

void control_plan_end(struct agent *agent)
{
    while (agent->plan_wait_count > 0) {
        struct plan_wait wait = wait_take(agent, 0);
        control_refuse(agent, wait.request, REFUSE_ENDING, NULL, "the agent is ending");
        mem_free(&wait.folder);
    }
    mem_free(&agent->plan_waits);
}
