// SPDX-License-Identifier: MIT
#include <string.h>

#include "agent/base/check.h"
#include "proto/list_priv.h"
#include "proto/message.h"
#include "proto/path.h"
#include "proto/record_priv.h"
#include "proto/version_priv.h"
#include "proto/vv.h"

enum {
    UNKNOWN_BYTES_MAX = PROTO_STRING_BYTES_MAX,
    TARGET_BYTES_MAX = 4095,
    IS_FILE = 1 << KIND_FILE,
    IS_DIR = 1 << KIND_DIR,
    IS_SYMLINK = 1 << KIND_SYMLINK,
};

static void birth_read(struct reader *r, const struct field *field, void *record)
{
    struct birth *birth = field_at(field, record);
    reader_tuple(r, 3);
    birth->wall_ms = reader_int(r);
    birth->inc = reader_uint(r, 0, UINT64_MAX);
    birth->counter = reader_uint(r, 0, PROTO_COUNTER_MAX);
    reader_leave(r);
}

static void birth_write(struct writer *w, const struct field *field, const void *record)
{
    const struct birth *birth = field_in(field, record);
    CHECK(birth->counter <= PROTO_COUNTER_MAX);
    writer_array(w, 3);
    writer_int(w, birth->wall_ms);
    writer_uint(w, birth->inc);
    writer_uint(w, birth->counter);
}

static const struct field_type type_birth = {birth_read, birth_write, NULL};

static void parent_read(struct reader *r, const struct field *field, void *record)
{
    struct version *version = record;
    reader_fixed(r, field_at(field, record), sizeof version->parent.bytes);
    version->has_parent = true;
}

static void parent_write(struct writer *w, const struct field *field, const void *record)
{
    writer_bin(w, field_in(field, record), sizeof(struct digest));
}

static bool parent_empty(const struct field *field, const void *record)
{
    (void)field;
    return !((const struct version *)record)->has_parent;
}

static const struct field_type type_parent = {parent_read, parent_write, parent_empty};

#define AT(member) .offset = offsetof(struct version, member)

// The canonical order of a version's keys.
static const struct field version_fields[] = {
    {"p", &type_path, AT(path), .min = 1, .max = PROTO_PATH_BYTES_MAX},
    {LIST("d", type_dots, struct version, dots.entries, dots.count), 1, PROTO_DOTS_MAX},
    {LIST("v", type_vv, struct version, vv.entries, vv.count), 1, PROTO_VV_ENTRIES_MAX},
    {"k", &type_u32, AT(value.kind), .min = KIND_FILE, .max = KIND_TOMB},
    {"m", &type_u32, AT(value.mode), .max = 0777, .presence = BY_KIND, .kinds = IS_FILE | IS_DIR},
    {"s", &type_u64, AT(value.size), .max = INT64_MAX, .presence = BY_KIND, .kinds = IS_FILE},
    {"c", &type_fixed, AT(value.content), .max = sizeof(struct digest), .presence = BY_KIND,
     .kinds = IS_FILE | IS_SYMLINK},
    {"t", &type_bin, AT(value.target), .min = 1, .max = TARGET_BYTES_MAX, .presence = BY_KIND,
     .kinds = IS_SYMLINK},
    {"w", &type_i64, AT(mtime_ns), .presence = OPTIONAL},
    {"b", &type_birth, AT(birth)},
    {"o", &type_parent, AT(parent), .presence = OPTIONAL},
    {"om", &type_u32, AT(parent_mode), .max = 0777, .presence = OPTIONAL},
    {"f", &type_u32, AT(flags), .max = UINT32_MAX, .presence = OPTIONAL},
    {"g", &type_u32, AT(merge_version), .max = UINT32_MAX, .presence = OPTIONAL},
    {LIST("u", type_dots, struct version, bundle.entries, bundle.count), 0, PROTO_DOTS_MAX,
     OPTIONAL},
    {"r", &type_path, AT(origin), .max = PROTO_PATH_BYTES_MAX, .presence = OPTIONAL},
};
static const struct record version_record = RECORD(version_fields);

// A version may gain any known key later (a join, a conflict item made of it): it still is a map.
_Static_assert(sizeof version_fields / sizeof version_fields[0] + PROTO_UNKNOWN_KEYS_MAX <=
                   PROTO_MAP_ENTRIES_MAX,
               "known and unknown keys fit into one map");

// What no single field can tell.
static const char *version_rules(const struct version *v)
{
    if (!dots_covered(v->dots, v->vv)) return "dots are not covered by the vector";
    struct slice target = v->value.target;
    if (target.size > 0 && memchr(target.data, 0, target.size) != NULL)
        return "link target has a NUL";
    return NULL;
}

static const char *kind_fault(enum kind kind, uint32_t seen)
{
    for (uint32_t i = 0; i < version_record.count; i++) {
        const struct field *field = &version_fields[i];
        bool wanted = (field->kinds >> kind & 1) != 0;
        bool there = (seen >> i & 1) != 0;
        if (field->presence == BY_KIND && wanted != there)
            return wanted ? "a key of this kind is missing" : "a key that this kind has not";
    }
    return NULL;
}

// Unknown pairs that stand together (as every sender of ours writes them) are borrowed.
static struct slice unknown_joined(struct reader *r, const struct unknown *unknown)
{
    size_t total = 0;
    bool together = true;
    for (uint32_t i = 0; i < unknown->count; i++) {
        together = together && unknown->pairs[0].data + total == unknown->pairs[i].data;
        total += unknown->pairs[i].size;
    }
    if (unknown->count == 0 || total > UNKNOWN_BYTES_MAX) return slice_of(NULL, total);
    if (together) return slice_of(unknown->pairs[0].data, total);
    uint8_t *copy = arena_alloc(r->arena, total, 1);
    size_t at = 0;
    for (uint32_t i = 0; i < unknown->count; i++) {
        memcpy(copy + at, unknown->pairs[i].data, unknown->pairs[i].size);
        at += unknown->pairs[i].size;
    }
    return slice_of(copy, total);
}

void version_read(struct reader *r, struct version *out)
{
    size_t start = r->at;
    struct unknown unknown;
    unknown.count = 0;
    uint32_t seen = record_read(r, &version_record, out, &unknown);
    if (!reader_ok(r)) return;
    const char *fault = kind_fault(out->value.kind, seen);
    if (fault == NULL) fault = version_rules(out);
    if (fault != NULL) reader_fail(r, ERR_MALFORMED, start, fault);
    out->unknown = unknown_joined(r, &unknown);
    out->unknown_count = unknown.count;
    if (out->unknown.size > UNKNOWN_BYTES_MAX || unknown.count > PROTO_UNKNOWN_KEYS_MAX)
        reader_fail(r, ERR_LIMIT, start, "too much under unknown keys");
}

const char *version_fault(const struct version *v)
{
    const char *fault = path_fault(v->path);
    if (fault != NULL) return fault;
    if (v->origin.size > 0 && path_fault(v->origin) != NULL) return path_fault(v->origin);
    if (v->value.kind < KIND_FILE || v->value.kind > KIND_TOMB) return "no such kind";
    if (v->dots.count == 0) return "no dots";
    if (v->unknown.size > UNKNOWN_BYTES_MAX || v->unknown_count > PROTO_UNKNOWN_KEYS_MAX)
        return "too much under unknown keys";
    return version_rules(v);
}

void version_write(struct writer *w, const struct version *version)
{
    CHECK(version_fault(version) == NULL);
    record_write(w, &version_record, version, UINT32_C(1) << version->value.kind,
                 version->unknown_count, version->unknown);
}

void version_encode(const struct version *version, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    version_write(&w, version);
}

size_t version_encoded_size(const struct version *version)
{
    struct writer w;
    writer_init(&w, NULL);
    version_write(&w, version);
    return w.size;
}

enum err version_decode(struct arena *arena, struct slice bytes, struct version *out,
                        struct fault *fault)
{
    struct reader r;
    reader_init(&r, arena, bytes, VERSION_DEPTH);
    memset(out, 0, sizeof *out);
    if (bytes.size > PROTO_MESSAGE_BYTES_MAX)
        reader_fail(&r, ERR_LIMIT, 0, "version is too large");
    else
        version_read(&r, out);
    reader_end(&r);
    *fault = r.fault;
    return r.fault.code;
}

void vv_encode(struct vv v, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    vv_write(&w, v);
}

enum err vv_decode(struct arena *arena, struct slice bytes, struct vv *out, struct fault *fault)
{
    struct reader r;
    reader_init(&r, arena, bytes, 0);
    *out = vv_read(&r);
    reader_end(&r);
    *fault = r.fault;
    return r.fault.code;
}
