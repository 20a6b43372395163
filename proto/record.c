// SPDX-License-Identifier: MIT
#include <string.h>

#include "agent/base/check.h"
#include "proto/path.h"
#include "proto/record_priv.h"

void *field_at(const struct field *field, void *record)
{
    return (char *)record + field->offset;
}

const void *field_in(const struct field *field, const void *record)
{
    return (const char *)record + field->offset;
}

// The field named `key`, or the count of fields. Senders keep the order of the table, so the one
// after the last found is looked at first.
static uint32_t record_find(const struct record *record, struct slice key, uint32_t hint)
{
    for (uint32_t i = 0; i < record->count; i++) {
        uint32_t at = hint + i < record->count ? hint + i : hint + i - record->count;
        const char *name = record->fields[at].key;
        if (strlen(name) == key.size && memcmp(name, key.data, key.size) == 0) return at;
    }
    return record->count;
}

// The key of a pair of which we know that it begins with one.
static struct slice pair_key(struct slice pair)
{
    struct reader r;
    reader_init(&r, NULL, pair, 0);
    return reader_text(&r, PROTO_NAME_BYTES_MAX);
}

static void keep_unknown(struct reader *r, struct unknown *unknown, size_t start, struct slice key)
{
    if (unknown == NULL || !reader_ok(r)) return;
    for (uint32_t i = 0; i < unknown->count; i++)
        if (slice_equal(pair_key(unknown->pairs[i]), key))
            reader_fail(r, ERR_MALFORMED, start, "key twice");
    if (reader_ok(r)) unknown->pairs[unknown->count++] = slice_of(r->data + start, r->at - start);
}

uint32_t record_read(struct reader *r, const struct record *record, void *out,
                     struct unknown *unknown)
{
    CHECK(record->count <= 32);
    size_t begin = r->at;
    uint32_t count = reader_map(r);
    uint32_t seen = 0;
    uint32_t hint = 0;
    for (uint32_t i = 0; i < count && reader_ok(r); i++) {
        size_t start = r->at;
        struct slice key = reader_text(r, PROTO_NAME_BYTES_MAX);
        uint32_t at = reader_ok(r) ? record_find(record, key, hint) : record->count;
        if (at == record->count) {
            reader_skip(r);
            keep_unknown(r, unknown, start, key);
            continue;
        }
        if ((seen >> at & 1) != 0) reader_fail(r, ERR_MALFORMED, start, "key twice");
        seen |= UINT32_C(1) << at;
        hint = at + 1 < record->count ? at + 1 : 0;
        record->fields[at].type->read(r, &record->fields[at], out);
    }
    reader_leave(r);
    for (uint32_t i = 0; i < record->count; i++)
        if (record->fields[i].presence == ALWAYS && (seen >> i & 1) == 0)
            reader_fail(r, ERR_MALFORMED, begin, "a required key is missing");
    return seen;
}

static bool field_written(const struct field *field, const void *record, uint32_t kind)
{
    switch (field->presence) {
    case ALWAYS: return true;
    case OPTIONAL: return !field->type->is_empty(field, record);
    case BY_KIND: return (field->kinds & kind) != 0;
    }
    return false;
}

void record_write(struct writer *w, const struct record *record, const void *from, uint32_t kind,
                  uint32_t extra_count, struct slice extra)
{
    uint32_t written = 0;
    for (uint32_t i = 0; i < record->count; i++)
        if (field_written(&record->fields[i], from, kind)) written |= UINT32_C(1) << i;
    uint32_t count = (uint32_t)__builtin_popcount(written) + extra_count;
    CHECK(count <= PROTO_MAP_ENTRIES_MAX);
    writer_map(w, count);
    for (uint32_t i = 0; i < record->count; i++) {
        if ((written >> i & 1) == 0) continue;
        writer_text(w, slice_text(record->fields[i].key));
        record->fields[i].type->write(w, &record->fields[i], from);
    }
    writer_raw(w, extra);
}

static void u64_read(struct reader *r, const struct field *field, void *record)
{
    *(uint64_t *)field_at(field, record) = reader_uint(r, field->min, field->max);
}

static void u64_write(struct writer *w, const struct field *field, const void *record)
{
    uint64_t value = *(const uint64_t *)field_in(field, record);
    CHECK(value >= field->min && value <= field->max);
    writer_uint(w, value);
}

static bool u64_empty(const struct field *field, const void *record)
{
    return *(const uint64_t *)field_in(field, record) == 0;
}

const struct field_type type_u64 = {u64_read, u64_write, u64_empty};

// Also for enums: they have the size of an unsigned here, and memcpy does not mind the type.
static uint32_t u32_get(const struct field *field, const void *record)
{
    uint32_t value;
    memcpy(&value, field_in(field, record), sizeof value);
    return value;
}

static void u32_read(struct reader *r, const struct field *field, void *record)
{
    uint32_t value = (uint32_t)reader_uint(r, field->min, field->max);
    memcpy(field_at(field, record), &value, sizeof value);
}

static void u32_write(struct writer *w, const struct field *field, const void *record)
{
    uint32_t value = u32_get(field, record);
    CHECK(value >= field->min && value <= field->max);
    writer_uint(w, value);
}

static bool u32_empty(const struct field *field, const void *record)
{
    return u32_get(field, record) == 0;
}

const struct field_type type_u32 = {u32_read, u32_write, u32_empty};
_Static_assert(sizeof(enum kind) == sizeof(uint32_t), "enums are read as 32 bits");

static void i64_read(struct reader *r, const struct field *field, void *record)
{
    *(int64_t *)field_at(field, record) = reader_int(r);
}

static void i64_write(struct writer *w, const struct field *field, const void *record)
{
    writer_int(w, *(const int64_t *)field_in(field, record));
}

static bool i64_empty(const struct field *field, const void *record)
{
    return *(const int64_t *)field_in(field, record) == 0;
}

const struct field_type type_i64 = {i64_read, i64_write, i64_empty};

static void bool_read(struct reader *r, const struct field *field, void *record)
{
    *(bool *)field_at(field, record) = reader_bool(r);
}

static void bool_write(struct writer *w, const struct field *field, const void *record)
{
    writer_bool(w, *(const bool *)field_in(field, record));
}

static bool bool_empty(const struct field *field, const void *record)
{
    return !*(const bool *)field_in(field, record);
}

const struct field_type type_bool = {bool_read, bool_write, bool_empty};

static struct slice slice_get(const struct field *field, const void *record)
{
    struct slice value = *(const struct slice *)field_in(field, record);
    CHECK(value.size >= field->min && value.size <= field->max);
    return value;
}

static bool slice_empty(const struct field *field, const void *record)
{
    return ((const struct slice *)field_in(field, record))->size == 0;
}

static void text_read(struct reader *r, const struct field *field, void *record)
{
    size_t start = r->at;
    struct slice *out = field_at(field, record);
    *out = reader_text(r, field->max);
    if (out->size < field->min) reader_fail(r, ERR_MALFORMED, start, "empty text");
}

static void text_write(struct writer *w, const struct field *field, const void *record)
{
    writer_text(w, slice_get(field, record));
}

const struct field_type type_text = {text_read, text_write, slice_empty};

static void path_read(struct reader *r, const struct field *field, void *record)
{
    size_t start = r->at;
    struct slice *out = field_at(field, record);
    *out = reader_text(r, field->max);
    const char *fault = out->size == 0 && field->min == 0 ? NULL : path_fault(*out);
    if (fault != NULL) reader_fail(r, ERR_MALFORMED, start, fault);
}

const struct field_type type_path = {path_read, text_write, slice_empty};

static void bin_read(struct reader *r, const struct field *field, void *record)
{
    size_t start = r->at;
    struct slice *out = field_at(field, record);
    *out = reader_bin(r, field->max);
    if (out->size < field->min) reader_fail(r, ERR_MALFORMED, start, "empty binary");
}

static void bin_write(struct writer *w, const struct field *field, const void *record)
{
    struct slice value = slice_get(field, record);
    writer_bin(w, value.data, value.size);
}

const struct field_type type_bin = {bin_read, bin_write, slice_empty};

static void fixed_read(struct reader *r, const struct field *field, void *record)
{
    reader_fixed(r, field_at(field, record), field->max);
}

static void fixed_write(struct writer *w, const struct field *field, const void *record)
{
    writer_bin(w, field_in(field, record), field->max);
}

static bool fixed_empty(const struct field *field, const void *record)
{
    (void)field;
    (void)record;
    return false;
}

const struct field_type type_fixed = {fixed_read, fixed_write, fixed_empty};
