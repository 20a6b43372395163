// SPDX-License-Identifier: MIT
//
// GET /v1/status and /v1/events: the view as JSON (docs/API.md).
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/daemon/reload_priv.h"
#include "agent/daemon/view_priv.h"
#include "crypto/hash.h"

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_bytes(slice_text(text)) : json_null();
}

static json_t *amount(uint64_t changes, uint64_t bytes)
{
    json_t *out = json_object();
    json_object_set_new(out, "changes", json_integer((json_int_t)changes));
    json_object_set_new(out, "bytes", json_integer((json_int_t)bytes));
    return out;
}

static json_t *folder_id_json(const struct folder_view *folder)
{
    static const struct folder_id none;
    struct folder_id id = folder->engine != NULL ? folder->engine->id : folder->registry->id;
    char hex[2 * sizeof id.bytes + 1];
    if (memcmp(&id, &none, sizeof none) == 0) return json_null();
    hex_lower(id.bytes, sizeof id.bytes, hex);
    return json_string(hex);
}

static const struct peer_folder_status *peer_folder(const struct peer_status *peer,
                                                    const char *name)
{
    for (uint32_t i = 0; i < peer->folder_count; i++) {
        if (slice_equal(peer->folders[i].name, slice_text(name))) return &peer->folders[i];
    }
    return NULL;
}

// The folder as each of its peers stands to it; the largest debt is the folder's own pending_out.
static json_t *folder_peers(const struct view *view, const char *name, uint64_t *out_changes,
                            uint64_t *out_bytes)
{
    json_t *list = json_array();
    *out_changes = *out_bytes = 0;
    for (uint32_t i = 0; i < view->engine.peer_count; i++) {
        const struct peer_status *peer = &view->engine.peers[i];
        const struct peer_folder_status *folder = peer_folder(peer, name);
        if (folder == NULL) continue;
        bool shared = strcmp(folder->state, "not-joined") != 0;
        json_t *out = json_object();
        json_object_set_new(out, "name", json_bytes(peer->name));
        json_object_set_new(out, "shared", json_boolean(shared));
        json_object_set_new(out, "state", json_string(folder->state));
        json_object_set_new(out, "pending_out", amount(folder->owed_changes, folder->owed_bytes));
        json_array_append_new(list, out);
        if (folder->owed_changes > *out_changes) {
            *out_changes = folder->owed_changes;
            *out_bytes = folder->owed_bytes;
        }
    }
    return list;
}

static json_t *folder_json(const struct view *view, const struct folder_view *folder)
{
    static const struct folder_status nothing;
    const struct folder_status *engine = folder->engine != NULL ? folder->engine : &nothing;
    uint64_t out_changes;
    uint64_t out_bytes;
    json_t *peers = folder_peers(view, folder->registry->name, &out_changes, &out_bytes);
    if (engine->pending_out > out_changes) out_changes = engine->pending_out;
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(slice_text(folder->registry->name)));
    json_object_set_new(out, "id", folder_id_json(folder));
    json_object_set_new(out, "path", json_bytes(slice_text(folder->registry->path)));
    static const char *const modes[] = {"two-way", "send-only", "receive-only"};
    json_object_set_new(out, "mode", json_string(modes[engine->mode]));
    json_object_set_new(out, "differs", json_integer((json_int_t)engine->differs));
    json_object_set_new(out, "changed_here", json_integer((json_int_t)engine->changed_here));
    json_object_set_new(out, "state", json_string(folder_state_text(folder->state)));
    json_object_set_new(out, "code", text_or_null(folder->code));
    json_object_set_new(out, "items", json_integer((json_int_t)engine->items));
    json_object_set_new(out, "bytes", json_integer((json_int_t)engine->bytes));
    json_object_set_new(out, "pending_in", amount(engine->pending_in, folder->need_bytes));
    json_object_set_new(out, "pending_out", amount(out_changes, out_bytes));
    json_object_set_new(out, "conflicts", json_integer((json_int_t)engine->conflicts));
    json_object_set_new(out, "held", json_integer((json_int_t)folder->held));
    json_object_set_new(out, "blocked", json_integer((json_int_t)engine->blocked));
    json_object_set_new(out, "scanning", json_boolean(engine->scanning));
    json_object_set_new(out, "scanned", json_integer((json_int_t)engine->scanned));
    json_object_set_new(out, "with",
                        json_texts(folder->registry->with, folder->registry->with_count));
    json_object_set_new(out, "with_all", json_boolean(folder->registry->with_all));
    json_object_set_new(out, "settings", settings_json(folder->registry));
    json_object_set_new(out, "peers", peers);
    return out;
}

static json_t *peer_json(const struct agent *agent, const struct peer_status *status)
{
    char id[DEVICE_ID_TEXT_MAX];
    const struct registry_peer *peer = registry_peer_by_device(agent->registry, status->device);
    json_t *folders = json_array();
    for (uint32_t i = 0; i < status->folder_count; i++) {
        json_array_append_new(folders, json_bytes(status->folders[i].name));
    }
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(status->name));
    json_object_set_new(out, "id", json_string(device_id_text(status->device, id)));
    json_object_set_new(out, "folders", folders);
    json_object_set_new(out, "pending_in", amount(status->in_changes, status->in_bytes));
    json_object_set_new(out, "pending_out", amount(status->owed_changes, status->owed_bytes));
    if (peer != NULL) links_describe(agent, peer, status, out);
    return out;
}

// ---- errors

static json_t *error_json(const char *code, const char *folder, struct slice path,
                          const char *message, const char *hint)
{
    json_t *out = json_object();
    json_object_set_new(out, "code", json_string(code));
    json_object_set_new(out, "folder", text_or_null(folder));
    json_object_set_new(out, "path", path.size > 0 ? json_bytes(path) : json_null());
    json_object_set_new(out, "peer", json_null());
    json_object_set_new(out, "message", text_or_null(message));
    json_object_set_new(out, "hint", text_or_null(hint));
    return out;
}

static void folder_errors(json_t *list, const struct folder_view *folder)
{
    const char *name = folder->registry->name;
    if (folder->engine == NULL) {
        json_array_append_new(
            list, error_json(folder->code, name, slice_text(""),
                             folder->why != NULL ? folder->why : "the folder could not be opened",
                             "take one of the directories away, or remove its folder; then start "
                             "the agent again"));
    }
    for (uint32_t i = 0; folder->engine != NULL && i < folder->engine->error_count; i++) {
        const struct status_error *error = &folder->engine->errors[i];
        json_array_append_new(
            list, error_json(error->code, name, error->path, error->message, error->hint));
    }
    for (uint32_t i = 0; i < folder->held_listed; i++) {
        json_array_append_new(list,
                              error_json("secrets", name, folder->held_paths[i],
                                         "looks like a secret and is not shared",
                                         "cfgsync-agent folder add NAME PATH --include-secrets "
                                         "shares what looks like a secret, too"));
    }
    if (folder->unwatched > 0) {
        json_array_append_new(list,
                              error_json("unwatched", name, slice_text(""),
                                         "not all directories can be watched; they are walked "
                                         "every 30 s instead",
                                         "raise fs.inotify.max_user_watches"));
    }
}

// ---- the whole

static json_t *version_json(void)
{
    json_t *out = json_object();
    json_object_set_new(out, "program", json_string(CFGSYNC_VERSION));
    json_object_set_new(out, "protocol", json_integer(PROTO_VERSION));
    json_object_set_new(out, "schema", json_integer(STORE_SCHEMA_VERSION));
    return out;
}

static json_t *device_json(const struct agent *agent)
{
    char id[DEVICE_ID_TEXT_MAX];
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(slice_text(agent->name)));
    json_object_set_new(out, "id", json_string(device_id_text(agent->device, id)));
    return out;
}

static json_t *watches_json(const struct agent *agent)
{
    json_t *out = json_object();
    json_object_set_new(out, "used", json_integer(disk_watched(agent->workers.disk)));
    json_object_set_new(out, "limit", json_integer((json_int_t)disk_watches_max()));
    json_object_set_new(out, "missing", json_integer(folders_unwatched(agent, NULL)));
    return out;
}

json_t *view_json(const struct agent *agent, const struct view *view)
{
    json_t *listen = json_array();
    json_t *folders = json_array();
    json_t *peers = json_array();
    json_t *errors = json_array();
    const char *const *endpoints;
    uint32_t endpoint_count = net_endpoints(agent->net, &endpoints);
    for (uint32_t i = 0; i < endpoint_count; i++) {
        json_array_append_new(listen, json_string(endpoints[i]));
    }
    for (uint32_t i = 0; i < view->folder_count; i++) {
        json_array_append_new(folders, folder_json(view, &view->folders[i]));
        folder_errors(errors, &view->folders[i]);
    }
    for (uint32_t i = 0; i < view->engine.error_count; i++) {
        const struct status_error *error = &view->engine.errors[i];
        json_t *one = error_json(error->code, NULL, slice_text(""), error->message, error->hint);
        json_object_set_new(one, "peer", json_bytes(error->path));
        json_array_append_new(errors, one);
    }
    const char *message;
    const char *hint;
    const char *join = redeem_problem(agent, &message, &hint);
    if (join != NULL) {
        json_array_append_new(errors, error_json(join, NULL, slice_text(""), message, hint));
    }
    if (reload_problem(agent) != NULL) {
        json_array_append_new(errors, error_json("config", NULL, slice_text(agent->home.config),
                                                 reload_problem(agent),
                                                 "correct it; what it was before stays in force"));
    }
    if (reload_later(agent) != NULL) {
        json_array_append_new(errors,
                              error_json("config-restart", NULL, slice_text(agent->home.config),
                                         reload_later(agent),
                                         "takes effect when the agent is started again"));
    }
    for (uint32_t i = 0; i < view->engine.peer_count; i++) {
        json_array_append_new(peers, peer_json(agent, &view->engine.peers[i]));
    }
    json_t *out = json_object();
    json_object_set_new(out, "device", device_json(agent));
    json_object_set_new(out, "version", version_json());
    json_object_set_new(out, "pid", json_integer((json_int_t)getpid()));
    json_object_set_new(out, "now_ms", json_integer((json_int_t)agent->wall_ms));
    json_object_set_new(out, "uptime_ms",
                        json_integer((json_int_t)(agent->now_ms - agent->started_ms)));
    json_object_set_new(out, "listen", listen);
    json_object_set_new(out, "discovery", json_string(nearby_state(agent)));
    json_object_set_new(out, "watches", watches_json(agent));
    json_object_set_new(out, "state", json_string(folder_state_text(view->state)));
    json_object_set_new(out, "pauses", pausing_json(agent));
    json_object_set_new(out, "folders", folders);
    json_object_set_new(out, "peers", peers);
    json_object_set_new(out, "known", known_json(agent, false));
    json_object_set_new(out, "errors", errors);
    return out;
}

void control_status(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct view view;
    view_take(agent, agent->scratch, &view);
    control_answer(agent, request, view_json(agent, &view));
}

void control_events(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct view view;
    view_take(agent, agent->scratch, &view);
    AUTO(json_drop) json_t *json = view_json(agent, &view);
    AUTO(mem_free) char *text = json_dumps(json, JSON_COMPACT);
    api_stream(agent->api, request);
    events_add(agent, request, agent->last_event);
    if (text != NULL) events_status_to(agent, request, slice_text(text));
}
