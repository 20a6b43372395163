// SPDX-License-Identifier: MIT
//
// GET /v1/orphans: what is sought in vain. POST /v1/abandon: it is given up.
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/locate_priv.h"

enum { ORPHANS_MAX = 10000 };

static json_t *orphan_json(struct agent *agent, const struct orphan *orphan)
{
    const char *name = arena_text(agent->scratch, orphan->folder);
    const struct registry_folder *folder = registry_folder(agent->registry, name);
    if (folder == NULL) return NULL;
    AUTO(buf_fini) struct buf full = {0};
    buf_printf(&full, "%s/", folder->path);
    buf_append(&full, orphan->path.data, orphan->path.size);
    json_t *out = json_object();
    json_object_set_new(out, "folder", json_bytes(orphan->folder));
    json_object_set_new(out, "path", json_bytes(buf_slice(&full)));
    json_object_set_new(out, "size", json_integer((json_int_t)orphan->value.size));
    json_object_set_new(out, "by", json_bytes(orphan->by));
    json_object_set_new(out, "when_ms", json_integer(orphan->when_ms));
    json_object_set_new(out, "holder", json_bytes(orphan->holder));
    json_object_set_new(out, "holder_seen_ms",
                        orphan->holder_seen_ms > 0 ? json_integer(orphan->holder_seen_ms)
                                                   : json_null());
    json_object_set_new(out, "here", json_boolean(orphan->here));
    json_object_set_new(out, "sought_ms", json_integer(orphan->sought_ms));
    json_object_set_new(out, "left_ms", json_integer(orphan->left_ms));
    return out;
}

void control_orphans(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct orphan *found = arena_alloc(agent->scratch, ORPHANS_MAX, sizeof *found);
    uint32_t count = engine_orphans(agent->engine, agent->scratch, NULL, ORPHANS_MAX, found);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *one = orphan_json(agent, &found[i]);
        if (one != NULL) json_array_append_new(list, one);
    }
    json_t *out = json_object();
    json_object_set_new(out, "orphans", list);
    json_object_set_new(out, "more", json_boolean(count == ORPHANS_MAX));
    control_answer(agent, request, out);
}

void control_abandon(struct agent *agent, uint64_t request, const json_t *body)
{
    uint32_t count;
    char **texts = body_texts(agent, body, "paths", &count);
    struct slice *paths = arena_alloc(agent->scratch, count + 1U, sizeof *paths);
    struct abandon_request abandon = {.paths = paths, .now = body_bool(body, "now", false)};
    for (uint32_t i = 0; i < count; i++) {
        struct located at;
        if (!locate(agent, request, texts[i], &at)) return;
        bool other = abandon.folder != NULL && strcmp(abandon.folder, at.folder->name) != 0;
        if (!at.is_item || at.path.size == 0 || other) {
            control_refuse(agent, request, REFUSE_BAD_PATH, NULL, "%s",
                           other ? "paths: must be of one folder" : "that cannot be synced");
            return;
        }
        abandon.folder = at.folder->name;
        paths[abandon.count++] = at.path;
    }
    if (count == 0)
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "paths: is empty");
    else
        engine_abandon(agent->engine, request, &abandon);
}

void control_abandoned(struct agent *agent, uint64_t ticket, const struct abandon_result *result)
{
    if (result->err != ERR_OK) {
        enum refusal code = result->err == ERR_DENIED ? REFUSE_NOT_POSSIBLE
                            : result->err == ERR_BUSY ? REFUSE_BUSY
                                                      : REFUSE_FAILED;
        control_refuse(agent, ticket, code, "cfgsync-agent status shows what is sought", "%s",
                       result->what);
        return;
    }
    json_t *out = json_object();
    json_object_set_new(out, "given_up", json_integer(result->count));
    json_object_set_new(out, "came", json_integer(result->came));
    json_object_set_new(out, "unsure", json_integer(result->unsure));
    control_answer(agent, ticket, out);
}
