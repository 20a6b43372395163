// SPDX-License-Identifier: MIT
//
// agent/core for the model beside it. Nothing is remembered between questions:
//
//     {"do": "ingest", "own": INC, "heads": [V...], "local": V or null, "w": V}
//     {"do": "resolve" or "clash", "path": P, "items": {P: {"heads": [V...], "origin": P}}}
//     {"do": "name", "path": P, "w": V}
#include <string.h>

#include "agent/base/check.h"
#include "agent/core/heads.h"
#include "agent/core/resolve.h"
#include "proto/path.h"
#include "tests/model/exchange_json.h"

static struct item item_of(struct arena *arena, struct slice path, struct slice origin,
                           const json_t *heads)
{
    struct item item = {.path = path, .head_count = (uint32_t)json_array_size(heads)};
    item.heads = arena_alloc(arena, item.head_count + 1U, sizeof *item.heads);
    for (uint32_t i = 0; i < item.head_count; i++)
        item.heads[i] = version_of(arena, path, origin, json_array_get(heads, i));
    return item;
}

// ---- ingest

static json_t *ingest(struct arena *arena, const json_t *question)
{
    struct slice path = slice_text("p"), none = {NULL, 0};
    const json_t *local = json_object_get(question, "local");
    struct item item = item_of(arena, path, none, json_object_get(question, "heads"));
    if (json_is_object(local)) {
        item.local.state = LOCAL_OK;
        item.local.version = version_of(arena, path, none, local);
    }
    struct version w = version_of(arena, path, none, json_object_get(question, "w"));
    struct ingested did =
        heads_ingest(arena, &item, &w, number_of(json_object_get(question, "own")));
    json_t *heads = json_array();
    for (uint32_t i = 0; i < item.head_count; i++)
        json_array_append_new(heads, version_json(&item.heads[i]));
    bool here = item.local.state != LOCAL_NONE;
    return json_pack("{s:b, s:I, s:o, s:o}", "changed", (int)did.changed, "lost",
                     (json_int_t)did.lost_own, "heads", heads, "local",
                     here ? version_json(&item.local.version) : json_null());
}

// ---- resolution

static struct item view_get(struct arena *arena, json_t *items, const char *path)
{
    const json_t *found = json_object_get(items, path);
    const char *origin = json_string_value(json_object_get(found, "origin"));
    return item_of(arena, slice_text(path), slice_text(origin != NULL ? origin : ""),
                   json_object_get(found, "heads"));
}

static void view_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    *out = view_get(arena, context, arena_text(arena, path));
}

static uint32_t view_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                               struct item *out)
{
    const char *key;
    json_t *value;
    uint32_t count = 0;
    json_object_foreach((json_t *)context, key, value)
    {
        const char *origin = json_string_value(json_object_get(value, "origin"));
        if (count == max || origin == NULL || !slice_equal(slice_text(origin), path)) continue;
        out[count] = view_get(arena, context, key);
        count += heads_live(&out[count]);
    }
    return count;
}

static uint32_t view_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                           struct item *out)
{
    const char *key;
    json_t *value;
    uint32_t count = 0;
    json_object_foreach((json_t *)context, key, value)
    {
        if (count == max || !path_below(slice_text(key), path)) continue;
        out[count] = view_get(arena, context, key);
        count += heads_live(&out[count]);
    }
    return count;
}

static json_t *resolve(struct arena *arena, const json_t *question, bool clash)
{
    static const struct folder_id folder = {{7}};
    json_t *items = json_object_get(question, "items");
    struct index_view view = {items, view_item, view_conflicts, view_below};
    struct item item = view_get(arena, items, json_string_value(json_object_get(question, "path")));
    struct resolution plan;
    bool now = clash ? resolve_clash(arena, &view, folder, &item, &plan)
                     : resolve_heads(arena, &view, folder, &item, &plan);
    json_t *members = json_array();
    for (uint32_t i = 0; now && i < plan.count; i++) {
        const struct member *m = &plan.members[i];
        json_array_append_new(members, json_pack("{s:s%, s:o}", "path", (const char *)m->path.data,
                                                 m->path.size, "w", version_json(&m->version)));
    }
    return json_pack("{s:b, s:b, s:o}", "now", (int)now, "bundle", (int)(now && plan.bundle),
                     "members", members);
}

static json_t *name(struct arena *arena, const json_t *question)
{
    static const struct folder_id folder = {{7}};
    struct slice path = slice_text(json_string_value(json_object_get(question, "path")));
    struct version w = version_of(arena, path, slice_of(NULL, 0), json_object_get(question, "w"));
    struct slice out = conflict_name(arena, folder, path, &w);
    CHECK(path_fault(out) == NULL && path_is_conflict_item(out));
    return json_pack("{s:s%}", "name", (const char *)out.data, out.size);
}

static json_t *answer(void *context, struct arena *arena, const json_t *question)
{
    (void)context;
    const char *what = json_string_value(json_object_get(question, "do"));
    CHECK(what != NULL);
    if (strcmp(what, "ingest") == 0) return ingest(arena, question);
    if (strcmp(what, "name") == 0) return name(arena, question);
    return resolve(arena, question, strcmp(what, "clash") == 0);
}

int main(void)
{
    talk(answer, NULL);
    return 0;
}
