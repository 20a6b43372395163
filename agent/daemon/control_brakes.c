// SPDX-License-Identifier: MIT
//
// What brakes hold: shown, approved, reverted.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "crypto/identity.h"

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
    if (device_same(by, nobody)) return json_null();
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
        json_array_append_new(list, out);
    }
    return list;
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
    json_object_set_new(out, "peers", peers_json(&plan));
    return out;
}

static bool folder_known(struct agent *agent, uint64_t request, const char *name)
{
    if (name == NULL || folders_find(agent, name) != NULL) return true;
    control_unknown_folder(agent, request, name);
    return false;
}

void control_plan(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "folder");
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    if (!folder_known(agent, request, name)) return;
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

static bool needs_decision(struct agent *agent, const char *name)
{
    struct plan plan;
    if (!engine_plan(agent->engine, agent->scratch, name, &plan)) return false;
    bool there = false;
    for (uint32_t i = 0; i < plan.peer_count; i++)
        there |= plan.peers[i].of_others > 0;
    return there || plan.brake[0] != '\0' || plan.in_brake[0] != '\0';
}

// Without a name: the one folder in which something is held.
static const char *folder_meant(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "folder");
    if (!folder_known(agent, request, name)) return NULL;
    uint32_t held = 0;
    for (uint32_t i = 0; name == NULL && i < agent->folder_count; i++)
        held += needs_decision(agent, agent->folders[i].name);
    for (uint32_t i = 0; name == NULL && held == 1; i++)
        if (needs_decision(agent, agent->folders[i].name)) return agent->folders[i].name;
    if (name != NULL) return name;
    if (held == 0)
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, NULL, "nothing is held");
    else
        control_refuse(agent, request, REFUSE_BAD_VALUE, "cfgsync-agent plan shows them",
                       "something is held in %u folders: say which", held);
    return NULL;
}

static void decide(struct agent *agent, uint64_t request, const json_t *body,
                   enum decision_kind kind)
{
    struct decision decision = {.kind = kind, .folder = folder_meant(agent, request, body)};
    if (decision.folder != NULL) engine_decide(agent->engine, request, &decision);
}

void control_approve(struct agent *agent, uint64_t request, const json_t *body)
{
    decide(agent, request, body, DECIDE_APPROVE);
}

void control_revert(struct agent *agent, uint64_t request, const json_t *body)
{
    decide(agent, request, body, DECIDE_REVERT);
}
