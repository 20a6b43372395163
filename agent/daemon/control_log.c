// SPDX-License-Identifier: MIT
//
// POST /v1/log: what changed of a folder, or of one file, as the index tells.
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/locate_priv.h"
#include "agent/sync/changes.h"

enum { CHANGES_MAX = 1000 };

static void put_text(json_t *out, const char *key, const char *text)
{
    json_object_set_new(out, key, text != NULL ? json_string(text) : json_null());
}

static json_t *change_json(const struct registry_folder *folder, const struct change *change)
{
    static const char *const kinds[] = {[KIND_FILE] = "file",
                                        [KIND_DIR] = "directory",
                                        [KIND_SYMLINK] = "link",
                                        [KIND_TOMB] = "nothing"};
    AUTO(buf_fini) struct buf full = {0};
    json_t *missing = json_array();
    buf_printf(&full, "%s/", folder->path);
    buf_append(&full, change->path.data, change->path.size);
    for (uint32_t i = 0; i < change->missing_count; i++)
        json_array_append_new(missing, json_bytes(change->missing[i]));
    json_t *out = json_object();
    put_text(out, "folder", folder->name);
    json_object_set_new(out, "path", json_bytes(buf_slice(&full)));
    put_text(out, "what", change->what);
    put_text(out, "kind", kinds[change->kind]);
    json_object_set_new(out, "size", json_integer((json_int_t)change->size));
    json_object_set_new(out, "by", change->by.size > 0 ? json_bytes(change->by) : json_null());
    json_object_set_new(out, "when_ms", json_integer(change->when_ms));
    put_text(out, "outcome", change->outcome);
    put_text(out, "reason", change->reason);
    json_object_set_new(out, "replaced_ms",
                        change->replaced_ms > 0 ? json_integer(change->replaced_ms) : json_null());
    json_object_set_new(out, "missing", missing);
    return out;
}

// The device of that name, or false after a refusal.
static bool who(struct agent *agent, uint64_t request, const char *name,
                struct change_filter *filter)
{
    if (name == NULL) return true;
    const struct registry_peer *peer = registry_peer(agent->registry, name);
    filter->has_by = true;
    filter->by = peer != NULL ? peer->device : agent->device;
    if (peer != NULL || strcmp(name, agent->name) == 0) return true;
    control_refuse(agent, request, REFUSE_UNKNOWN_PEER, "cfgsync-agent peer list shows all",
                   "no device is called %.64s", name);
    return false;
}

static void answer(struct agent *agent, uint64_t request, const struct registry_folder *folder,
                   const struct change_filter *filter, uint32_t max)
{
    uint64_t before;
    struct change *changes = arena_alloc(agent->scratch, max, sizeof *changes);
    uint32_t count = engine_changes(agent->engine, agent->scratch, filter, max, changes, &before);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, change_json(folder, &changes[i]));
    json_t *out = json_object();
    json_object_set_new(out, "changes", list);
    json_object_set_new(out, "before",
                        before != 0 ? json_integer((json_int_t)before) : json_null());
    control_answer(agent, request, out);
}

void control_log(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *path = body_text(body, "path"), *name = body_text(body, "folder");
    const struct registry_folder *folder = NULL;
    struct change_filter filter = {0};
    struct located at;
    int64_t before = 0, max = 100;
    if ((path == NULL) == (name == NULL)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "either folder or path is needed");
        return;
    }
    if (!body_whole(agent, request, body, "since_ms", 0, INT64_C(1) << 52, &filter.since_ms) ||
        !body_whole(agent, request, body, "before", 0, INT64_C(1) << 52, &before) ||
        !body_whole(agent, request, body, "max", 1, CHANGES_MAX, &max) ||
        !who(agent, request, body_text(body, "peer"), &filter))
        return;
    if (path != NULL) {
        if (!locate(agent, request, path, &at)) return;
        folder = at.folder;
        filter.path = at.path;
    } else {
        folder = control_folder(agent, request, name);
    }
    if (folder == NULL) return;
    filter.folder = folder->name;
    filter.before = (uint64_t)before;
    answer(agent, request, folder, &filter, (uint32_t)max);
}
