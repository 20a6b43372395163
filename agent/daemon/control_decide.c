// SPDX-License-Identifier: MIT
//
// Conflicts and kept versions: what there is, and what a person decides about it.
#include <inttypes.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/locate_priv.h"
#include "crypto/identity.h"
#include "proto/vv.h"

enum { CONFLICTS_MAX = 10000, KEPT_MAX = 1000 };

// ---- as JSON

static void put_text(json_t *object, const char *key, struct slice text)
{
    json_object_set_new(object, key, json_bytes(text));
}

static void put_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

static const char *kind_text(enum kind kind)
{
    switch (kind) {
    case KIND_FILE: return "file";
    case KIND_DIR: return "directory";
    case KIND_SYMLINK: return "link";
    case KIND_TOMB: return "nothing";
    }
    return "?";
}

static json_t *value_json(struct agent *agent, const struct value *value, struct device_id by,
                          int64_t when_ms)
{
    static const struct device_id nobody;
    json_t *out = json_object();
    json_object_set_new(out, "kind", json_string(kind_text(value->kind)));
    if (value->kind == KIND_FILE) put_number(out, "size", value->size);
    if (value->kind == KIND_FILE) put_number(out, "mode", value->mode);
    if (value->kind == KIND_SYMLINK) put_text(out, "target", value->target);
    json_object_set_new(out, "when_ms", json_integer(when_ms));
    if (device_equal(by, nobody)) {
        json_object_set_new(out, "by", json_null());
        return out;
    }
    char id[DEVICE_ID_TEXT_MAX];
    const struct registry_peer *peer = registry_peer_by_device(agent->registry, by);
    const char *name = device_equal(by, agent->device) ? agent->name
                       : peer != NULL                  ? peer->name
                                                       : NULL;
    put_text(out, "by", slice_text(name != NULL ? name : device_id_text(by, id)));
    return out;
}

static void put_path(json_t *out, const struct registry_folder *folder, struct slice path)
{
    AUTO(buf_fini) struct buf full = {0};
    buf_append_text(&full, folder->path);
    if (path.size > 0) buf_append_text(&full, "/");
    buf_append(&full, path.data, path.size);
    put_text(out, "path", buf_slice(&full));
}

// ---- conflicts

static json_t *conflict_json(struct agent *agent, const struct conflict *conflict)
{
    const char *name = arena_text(agent->scratch, conflict->folder);
    const struct registry_folder *folder = registry_folder(agent->registry, name);
    if (folder == NULL) return NULL;
    json_t *out = json_object();
    AUTO(buf_fini) struct buf item = {0};
    buf_printf(&item, "%s/", folder->path);
    buf_append(&item, conflict->item.data, conflict->item.size);
    put_text(out, "folder", conflict->folder);
    put_path(out, folder, conflict->path);
    put_text(out, "item", buf_slice(&item));
    json_object_set_new(out, "aside",
                        value_json(agent, &conflict->value, conflict->by, conflict->when_ms));
    json_object_set_new(out, "here",
                        conflict->live ? value_json(agent, &conflict->winner, conflict->winner_by,
                                                    conflict->winner_when_ms)
                                       : json_null());
    return out;
}

void control_conflicts(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct conflict *found = arena_alloc(agent->scratch, CONFLICTS_MAX, sizeof *found);
    uint32_t count = engine_conflicts(agent->engine, agent->scratch, NULL, CONFLICTS_MAX, found);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *one = conflict_json(agent, &found[i]);
        if (one != NULL) json_array_append_new(list, one);
    }
    json_t *out = json_object();
    json_object_set_new(out, "conflicts", list);
    control_answer(agent, request, out);
}

// ---- kept versions

void control_kept(struct agent *agent, uint64_t request, const json_t *body)
{
    struct located at;
    if (!locate(agent, request, body_text(body, "path"), &at)) return;
    struct kept_row *rows = arena_alloc(agent->scratch, KEPT_MAX, sizeof *rows);
    uint32_t count =
        engine_kept(agent->engine, agent->scratch, at.folder->name, at.path, 0, KEPT_MAX, rows);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const struct version *v = &rows[i].version;
        json_t *one = value_json(agent, &v->value, rows[i].by, rows[i].when_ms);
        put_number(one, "number", rows[i].number);
        put_path(one, at.folder, v->path);
        json_object_set_new(one, "saved_ms", json_integer(v->mtime_ns / 1000000));
        json_array_append_new(list, one);
    }
    json_t *out = json_object();
    json_object_set_new(out, "kept", list);
    json_object_set_new(out, "more", json_boolean(count == KEPT_MAX));
    control_answer(agent, request, out);
}

// ---- decisions. The engine says once what came of it.

static void decide_at(struct agent *agent, uint64_t request, const json_t *body,
                      struct decision *decision)
{
    struct located at;
    if (!locate(agent, request, body_text(body, "path"), &at)) return;
    decision->folder = at.folder->name;
    decision->path = at.path;
    if (at.path.size == 0 || !at.is_item) {
        const char *what = at.is_item ? "that is the folder itself" : "that cannot be synced";
        control_refuse(agent, request, REFUSE_BAD_PATH, NULL, "%s", what);
        return;
    }
    engine_decide(agent->engine, request, decision);
}

void control_conflicts_take(struct agent *agent, uint64_t request, const json_t *body)
{
    struct decision decision = {.kind = DECIDE_TAKE};
    const char *from = body_text(body, "from");
    if (from != NULL) {
        const struct registry_peer *peer = registry_peer(agent->registry, from);
        bool own = strcmp(from, agent->name) == 0;
        if (peer == NULL && !own) {
            control_refuse(agent, request, REFUSE_UNKNOWN_PEER,
                           "cfgsync-agent conflicts shows whose edits are set aside",
                           "no device is called %.64s", from);
            return;
        }
        decision.has_from = true;
        decision.from = own ? agent->device : peer->device;
    }
    decide_at(agent, request, body, &decision);
}

void control_conflicts_resolve(struct agent *agent, uint64_t request, const json_t *body)
{
    struct decision decision = {.kind = DECIDE_WITH};
    const char *file = body_text(body, "with");
    bool in_place = strcmp(file, body_text(body, "path")) == 0;
    if (!in_place) decision.file = slice_text(file);
    decide_at(agent, request, body, &decision);
}

void control_conflicts_dismiss(struct agent *agent, uint64_t request, const json_t *body)
{
    struct decision decision = {.kind = DECIDE_DISMISS};
    decide_at(agent, request, body, &decision);
}

void control_restore(struct agent *agent, uint64_t request, const json_t *body)
{
    struct decision decision = {.kind = DECIDE_RESTORE};
    int64_t number = 0, last = INT64_C(1) << 53;
    if (!body_whole(agent, request, body, "number", 1, last, &number) ||
        !body_whole(agent, request, body, "at_ms", 1, last, &decision.at_ms))
        return;
    decision.kept = (uint64_t)number;
    decide_at(agent, request, body, &decision);
}

void control_undo(struct agent *agent, uint64_t request, const json_t *body)
{
    struct decision decision = {.kind = DECIDE_UNDO, .folder = body_text(body, "folder")};
    if (decision.folder == NULL && agent->folder_count == 1)
        decision.folder = agent->folders[0].name;
    if (decision.folder == NULL) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, "cfgsync-agent folder list shows them",
                       "there are %u folders: say which", agent->folder_count);
    } else if (folders_find(agent, decision.folder) == NULL) {
        control_unknown_folder(agent, request, decision.folder);
    } else {
        engine_decide(agent->engine, request, &decision);
    }
}

static void decide_folder(struct agent *agent, uint64_t request, const json_t *body,
                          enum decision_kind kind)
{
    struct decision decision = {.kind = kind, .folder = body_text(body, "name")};
    if (control_folder(agent, request, decision.folder) == NULL) return;
    engine_decide(agent->engine, request, &decision);
}

void control_folders_override(struct agent *agent, uint64_t request, const json_t *body)
{
    decide_folder(agent, request, body, DECIDE_OVERRIDE);
}

void control_folders_reset(struct agent *agent, uint64_t request, const json_t *body)
{
    decide_folder(agent, request, body, DECIDE_RESET);
}

void control_decided(struct agent *agent, uint64_t ticket, const struct decision_result *result)
{
    if (result->err == ERR_OK) {
        json_t *out = json_object();
        put_number(out, "changed", result->changed);
        put_number(out, "left_alone", result->left_alone);
        if (result->apart) json_object_set_new(out, "apart", json_true());
        control_answer(agent, ticket, out);
        return;
    }
    enum refusal code = result->err == ERR_DENIED ? REFUSE_NOT_POSSIBLE
                        : result->err == ERR_BUSY ? REFUSE_BUSY
                                                  : REFUSE_FAILED;
    const char *what = result->what != NULL ? result->what : err_text(result->err);
    control_refuse(agent, ticket, code, NULL, "%s", what);
}
