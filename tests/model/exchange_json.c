// SPDX-License-Identifier: MIT
#include "tests/model/exchange_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "proto/vv.h"

uint64_t number_of(const json_t *value)
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

json_t *digest_json(const struct digest *digest)
{
    char hex[2 * sizeof digest->bytes + 1];
    for (size_t i = 0; i < sizeof digest->bytes; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned)digest->bytes[i]);
    return json_string(hex);
}

struct vv vv_of(struct arena *arena, const json_t *list)
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

json_t *pairs_json(const struct dot *entries, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("[II]", (json_int_t)entries[i].inc, (json_int_t)entries[i].counter));
    return list;
}

struct version version_of(struct arena *arena, struct slice path, struct slice origin,
                          const json_t *object)
{
    const json_t *birth = json_object_get(object, "b"), *parent = json_object_get(object, "o");
    struct version v = {.path = path, .origin = origin};
    v.dots = dots_of(arena, json_object_get(object, "d"));
    v.vv = vv_of(arena, json_object_get(object, "v"));
    v.value.kind = (enum kind)number_of(json_object_get(object, "k"));
    if (v.value.kind == KIND_FILE) {
        v.value.mode = (uint32_t)number_of(json_object_get(object, "m"));
        v.value.size = number_of(json_object_get(object, "s"));
        v.value.content = digest_of(json_object_get(object, "c"));
    }
    v.birth.wall_ms = (int64_t)number_of(json_array_get(birth, 0));
    v.birth.inc = number_of(json_array_get(birth, 1));
    v.birth.counter = number_of(json_array_get(birth, 2));
    v.has_parent = json_is_string(parent);
    if (v.has_parent) {
        v.parent = digest_of(parent);
        v.parent_mode = (uint32_t)number_of(json_object_get(object, "om"));
    }
    v.flags = (uint32_t)number_of(json_object_get(object, "f"));
    v.bundle = dots_of(arena, json_object_get(object, "u"));
    return v;
}

json_t *version_json(const struct version *v)
{
    bool file = v->value.kind == KIND_FILE;
    return json_pack(
        "{s:o, s:o, s:i, s:o, s:I, s:i, s:[III], s:o, s:i, s:i, s:o}", "d",
        pairs_json(v->dots.entries, v->dots.count), "v", pairs_json(v->vv.entries, v->vv.count),
        "k", (int)v->value.kind, "c", file ? digest_json(&v->value.content) : json_null(), "s",
        (json_int_t)v->value.size, "m", (int)v->value.mode, "b", (json_int_t)v->birth.wall_ms,
        (json_int_t)v->birth.inc, (json_int_t)v->birth.counter, "o",
        v->has_parent ? digest_json(&v->parent) : json_null(), "om",
        v->has_parent ? (int)v->parent_mode : 0, "f", (int)v->flags, "u",
        pairs_json(v->bundle.entries, v->bundle.count));
}

void talk(json_t *(*answer)(void *context, struct arena *arena, const json_t *question),
          void *context)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(mem_free) char *line = NULL;
    size_t capacity = 0;
    for (ssize_t size; (size = getline(&line, &capacity, stdin)) > 0;) {
        json_error_t error;
        AUTO(json_drop) json_t *question = json_loadb(line, (size_t)size, 0, &error);
        CHECK(json_is_object(question));
        AUTO(json_drop) json_t *out = answer(context, arena, question);
        CHECK(out != NULL && json_dumpf(out, stdout, JSON_COMPACT) == 0);
        (void)putchar('\n');
        (void)fflush(stdout);
        arena_reset(arena);
    }
}
