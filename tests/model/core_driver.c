// SPDX-License-Identifier: MIT
//
// agent/core for the model beside it: one question a line on stdin, one answer a line on stdout,
// as JSON. Nothing is remembered between questions.
//
//     {"do": "ingest", "own": INC, "heads": [V...], "local": V or null, "w": V}
//     {"do": "resolve" or "clash", "path": P, "items": {P: {"heads": [V...], "origin": P}}}
//     {"do": "name", "path": P, "w": V}
//
// A version V is {"d": dots, "v": vector, "k": kind, "c": content, "b": birth, "o": parent's
// content or null, "f": flags, "u": bundle}; contents are 64 hex digits, dots [INC, N] pairs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/json.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/core/resolve.h"
#include "proto/path.h"
#include "proto/vv.h"

enum { MODE = 0644, SIZE = 10 };

// ---- from and to JSON

static uint64_t number_of(const json_t *value)
{
    CHECK(json_is_integer(value));
    return (uint64_t)json_integer_value(value);
}

static struct digest digest_of(const json_t *value)
{
    struct digest out = {{0}};
    const char *hex = json_string_value(value);
    CHECK(hex != NULL && strlen(hex) == 2 * sizeof out.bytes);
    for (size_t i = 0; i < sizeof out.bytes; i++) {
        const char pair[] = {hex[2 * i], hex[2 * i + 1], 0};
        out.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return out;
}

static json_t *digest_json(const struct digest *digest)
{
    char hex[2 * sizeof digest->bytes + 1];
    for (size_t i = 0; i < sizeof digest->bytes; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)digest->bytes[i]);
    return json_string(hex);
}

static struct vv vv_of(struct arena *arena, const json_t *list)
{
    struct vv v = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        struct dot dot = {number_of(json_array_get(pair, 0)), number_of(json_array_get(pair, 1))};
        v = vv_with(arena, v, dot);
    }
    return v;
}

static struct dots dots_of(struct arena *arena, const json_t *list)
{
    struct dots s = {0};
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);
        struct dot dot = {number_of(json_array_get(pair, 0)), number_of(json_array_get(pair, 1))};
        s = dots_union(arena, s, (struct dots){&dot, 1});
    }
    return s;
}

static json_t *pairs_json(const struct dot *entries, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("[II]", (json_int_t)entries[i].inc, (json_int_t)entries[i].counter));
    return list;
}

static struct version version_of(struct arena *arena, struct slice path, struct slice origin,
                                 const json_t *object)
{
    const json_t *birth = json_object_get(object, "b"), *parent = json_object_get(object, "o");
    struct version v = {.path = path, .origin = origin};
    v.dots = dots_of(arena, json_object_get(object, "d"));
    v.vv = vv_of(arena, json_object_get(object, "v"));
    v.value.kind = (enum kind)number_of(json_object_get(object, "k"));
    if (v.value.kind == KIND_FILE) {
        v.value.mode = MODE;
        v.value.size = SIZE;
        v.value.content = digest_of(json_object_get(object, "c"));
    }
    v.birth.wall_ms = (int64_t)number_of(json_array_get(birth, 0));
    v.birth.inc = number_of(json_array_get(birth, 1));
    v.birth.counter = number_of(json_array_get(birth, 2));
    v.has_parent = json_is_string(parent);
    if (v.has_parent) {
        v.parent = digest_of(parent);
        v.parent_mode = MODE;
    }
    v.flags = (uint32_t)number_of(json_object_get(object, "f"));
    v.bundle = dots_of(arena, json_object_get(object, "u"));
    return v;
}

static json_t *version_json(const struct version *v)
{
    bool file = v->value.kind == KIND_FILE;
    CHECK(!file || (v->value.mode == MODE && v->value.size == SIZE));
    return json_pack(
        "{s:o, s:o, s:i, s:o, s:[III], s:o, s:i, s:o}", "d",
        pairs_json(v->dots.entries, v->dots.count), "v", pairs_json(v->vv.entries, v->vv.count),
        "k", (int)v->value.kind, "c", file ? digest_json(&v->value.content) : json_null(), "b",
        (json_int_t)v->birth.wall_ms, (json_int_t)v->birth.inc, (json_int_t)v->birth.counter, "o",
        v->has_parent ? digest_json(&v->parent) : json_null(), "f", (int)v->flags, "u",
        pairs_json(v->bundle.entries, v->bundle.count));
}

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

static json_t *answer(struct arena *arena, const json_t *question)
{
    const char *what = json_string_value(json_object_get(question, "do"));
    CHECK(what != NULL);
    if (strcmp(what, "ingest") == 0) return ingest(arena, question);
    if (strcmp(what, "name") == 0) return name(arena, question);
    return resolve(arena, question, strcmp(what, "clash") == 0);
}

int main(void)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(mem_free) char *line = NULL;
    size_t capacity = 0;
    for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;) {
        json_error_t error;
        AUTO(json_drop) json_t *question = json_loadb(line, (size_t)size, 0, &error);
        CHECK(json_is_object(question));
        AUTO(json_drop) json_t *out = answer(arena, question);
        CHECK(out != NULL && json_dumpf(out, stdout, JSON_COMPACT) == 0);
        (void)putchar('\n');
        (void)fflush(stdout);
        arena_reset(arena);
    }
    return 0;
}
