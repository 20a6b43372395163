// SPDX-License-Identifier: MIT
#include <string.h>

#include "agent/base/check.h"
#include "proto/list_priv.h"
#include "proto/message.h"
#include "proto/path.h"
#include "proto/version_priv.h"

static void list_set(const struct field *field, void *record, void *entries, uint32_t count)
{
    memcpy(field_at(field, record), &entries, sizeof entries);
    memcpy((char *)record + field->count_offset, &count, sizeof count);
}

static uint32_t list_count(const struct field *field, const void *record)
{
    uint32_t count;
    memcpy(&count, (const char *)record + field->count_offset, sizeof count);
    return count;
}

static const void *list_entries(const struct field *field, const void *record)
{
    const void *entries;
    memcpy(&entries, field_in(field, record), sizeof entries);
    return entries;
}

static bool list_empty(const struct field *field, const void *record)
{
    return list_count(field, record) == 0;
}

// Opens a list and allocates its entries. `element_bytes`: the least one takes on the wire.
static uint32_t list_open(struct reader *r, const struct field *field, void *record, size_t size,
                          size_t element_bytes, void **out)
{
    size_t start = r->at;
    uint32_t count = reader_array(r, (uint32_t)field->max, element_bytes);
    if (reader_ok(r) && count < field->min) reader_fail(r, ERR_MALFORMED, start, "empty list");
    *out = count > 0 && reader_ok(r) ? arena_alloc(r->arena, count, size) : NULL;
    list_set(field, record, *out, count);
    return count;
}

static void list_write_head(struct writer *w, const struct field *field, const void *record)
{
    uint32_t count = list_count(field, record);
    CHECK(count >= field->min && count <= field->max);
    writer_array(w, count);
}

// A list from the type of an entry, its least size on the wire, and two functions for one entry.
#define LIST_TYPE(name_, entry_, element_bytes_)                                                   \
    static void name_##_list_read(struct reader *r, const struct field *field, void *record)       \
    {                                                                                              \
        void *entries;                                                                             \
        uint32_t count = list_open(r, field, record, sizeof(entry_), element_bytes_, &entries);    \
        for (uint32_t i = 0; i < count && reader_ok(r); i++)                                       \
            name_##_read(r, (entry_ *)entries + i);                                                \
        reader_leave(r);                                                                           \
    }                                                                                              \
    static void name_##_list_write(struct writer *w, const struct field *field,                    \
                                   const void *record)                                             \
    {                                                                                              \
        const entry_ *entries = list_entries(field, record);                                       \
        list_write_head(w, field, record);                                                         \
        for (uint32_t i = 0; i < list_count(field, record); i++)                                   \
            name_##_write(w, &entries[i]);                                                         \
    }

// Flat pairs in strictly rising order; `unique_inc`: each inc once (a vector), else dots.
static struct vv pairs_read(struct reader *r, uint32_t max, bool unique_inc)
{
    size_t start = r->at;
    uint32_t count = reader_array(r, 2 * max, 1);
    if (count % 2 != 0) reader_fail(r, ERR_MALFORMED, start, "odd number of entries");
    struct vv out = {NULL, count / 2};
    if (out.count > 0 && reader_ok(r))
        out.entries = arena_alloc(r->arena, out.count, sizeof *out.entries);
    for (uint32_t i = 0; i < out.count && reader_ok(r); i++) {
        size_t at = r->at;
        struct dot *d = &out.entries[i];
        d->inc = reader_uint(r, 0, UINT64_MAX);
        d->counter = reader_uint(r, 1, PROTO_COUNTER_MAX);
        if (i == 0 || d[-1].inc < d->inc) continue;
        if (unique_inc || d[-1].inc != d->inc || d[-1].counter >= d->counter)
            reader_fail(r, ERR_MALFORMED, at, "not in order");
    }
    reader_leave(r);
    return reader_ok(r) ? out : (struct vv){NULL, 0};
}

static void pairs_write(struct writer *w, const struct dot *entries, uint32_t count,
                        bool unique_inc)
{
    CHECK(count <= PROTO_VV_ENTRIES_MAX);
    writer_array(w, 2 * count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(entries[i].counter >= 1 && entries[i].counter <= PROTO_COUNTER_MAX);
        CHECK(i == 0 || entries[i - 1].inc < entries[i].inc ||
              (!unique_inc && entries[i - 1].inc == entries[i].inc &&
               entries[i - 1].counter < entries[i].counter));
        writer_uint(w, entries[i].inc);
        writer_uint(w, entries[i].counter);
    }
}

struct vv vv_read(struct reader *r)
{
    return pairs_read(r, PROTO_VV_ENTRIES_MAX, true);
}

void vv_write(struct writer *w, struct vv v)
{
    pairs_write(w, v.entries, v.count, true);
}

static void pairs_field_read(struct reader *r, const struct field *field, void *record, bool unique)
{
    size_t start = r->at;
    struct vv pairs = pairs_read(r, (uint32_t)field->max, unique);
    if (pairs.count < field->min) reader_fail(r, ERR_MALFORMED, start, "empty list");
    list_set(field, record, pairs.entries, pairs.count);
}

static void pairs_field_write(struct writer *w, const struct field *field, const void *record,
                              bool unique)
{
    uint32_t count = list_count(field, record);
    CHECK(count >= field->min && count <= field->max);
    pairs_write(w, list_entries(field, record), count, unique);
}

static void vv_field_read(struct reader *r, const struct field *field, void *record)
{
    pairs_field_read(r, field, record, true);
}

static void vv_field_write(struct writer *w, const struct field *field, const void *record)
{
    pairs_field_write(w, field, record, true);
}

const struct field_type type_vv = {vv_field_read, vv_field_write, list_empty};

static void dots_field_read(struct reader *r, const struct field *field, void *record)
{
    pairs_field_read(r, field, record, false);
}

static void dots_field_write(struct writer *w, const struct field *field, const void *record)
{
    pairs_field_write(w, field, record, false);
}

const struct field_type type_dots = {dots_field_read, dots_field_write, list_empty};

static void mark_read(struct reader *r, struct mark *out)
{
    reader_tuple(r, 5);
    out->inc = reader_uint(r, 0, UINT64_MAX);
    out->counter = reader_uint(r, 1, PROTO_COUNTER_MAX);
    out->first = reader_uint(r, 1, out->counter);
    out->epoch = reader_uint(r, 0, UINT64_MAX);
    reader_fixed(r, out->signature.bytes, sizeof out->signature.bytes);
    reader_leave(r);
}

static void mark_write(struct writer *w, const struct mark *mark)
{
    CHECK(mark->counter >= 1 && mark->counter <= PROTO_COUNTER_MAX);
    CHECK(mark->first >= 1 && mark->first <= mark->counter);
    writer_array(w, 5);
    writer_uint(w, mark->inc);
    writer_uint(w, mark->counter);
    writer_uint(w, mark->first);
    writer_uint(w, mark->epoch);
    writer_bin(w, mark->signature.bytes, sizeof mark->signature.bytes);
}

LIST_TYPE(mark, struct mark, 71)
const struct field_type type_marks = {mark_list_read, mark_list_write, list_empty};

static void mark_field_read(struct reader *r, const struct field *field, void *record)
{
    mark_read(r, field_at(field, record));
}

static void mark_field_write(struct writer *w, const struct field *field, const void *record)
{
    mark_write(w, field_in(field, record));
}

static bool never_empty(const struct field *field, const void *record)
{
    (void)field;
    (void)record;
    return false;
}

const struct field_type type_mark = {mark_field_read, mark_field_write, never_empty};

static void owner_read(struct reader *r, struct owner *out)
{
    reader_tuple(r, 4);
    out->inc = reader_uint(r, 0, UINT64_MAX);
    reader_fixed(r, out->device.bytes, sizeof out->device.bytes);
    reader_fixed(r, out->nonce, sizeof out->nonce);
    out->name = reader_text(r, PROTO_NAME_BYTES_MAX);
    reader_leave(r);
}

static void owner_write(struct writer *w, const struct owner *owner)
{
    CHECK(owner->name.size <= PROTO_NAME_BYTES_MAX);
    writer_array(w, 4);
    writer_uint(w, owner->inc);
    writer_bin(w, owner->device.bytes, sizeof owner->device.bytes);
    writer_bin(w, owner->nonce, sizeof owner->nonce);
    writer_text(w, owner->name);
}

LIST_TYPE(owner, struct owner, 55)
const struct field_type type_owners = {owner_list_read, owner_list_write, list_empty};

LIST_TYPE(version, struct version, VERSION_BYTES_MIN)
const struct field_type type_versions = {version_list_read, version_list_write, list_empty};

static void content_read(struct reader *r, struct content *out)
{
    reader_tuple(r, 2);
    reader_fixed(r, out->id.bytes, sizeof out->id.bytes);
    out->size = reader_uint(r, 0, INT64_MAX);
    reader_leave(r);
}

static void content_write(struct writer *w, const struct content *content)
{
    CHECK(content->size <= INT64_MAX);
    writer_array(w, 2);
    writer_bin(w, content->id.bytes, sizeof content->id.bytes);
    writer_uint(w, content->size);
}

LIST_TYPE(content, struct content, 36)
const struct field_type type_contents = {content_list_read, content_list_write, list_empty};

static void ride_read(struct reader *r, struct ride *out)
{
    reader_tuple(r, 4);
    reader_fixed(r, out->content.id.bytes, sizeof out->content.id.bytes);
    out->content.size = reader_uint(r, 0, INT64_MAX);
    out->compressed = reader_bool(r);
    out->bytes = reader_bin(r, PROTO_RIDE_BYTES_MAX);
    reader_leave(r);
}

static void ride_write(struct writer *w, const struct ride *ride)
{
    CHECK(ride->bytes.size <= PROTO_RIDE_BYTES_MAX);
    writer_array(w, 4);
    writer_bin(w, ride->content.id.bytes, sizeof ride->content.id.bytes);
    writer_uint(w, ride->content.size);
    writer_bool(w, ride->compressed);
    writer_bin(w, ride->bytes.data, ride->bytes.size);
}

LIST_TYPE(ride, struct ride, 39)
const struct field_type type_rides = {ride_list_read, ride_list_write, list_empty};

static void patch_read(struct reader *r, struct patch *out)
{
    reader_tuple(r, 3);
    content_read(r, &out->content);
    content_read(r, &out->base);
    out->bytes = reader_bin(r, PROTO_RIDE_BYTES_MAX);
    reader_leave(r);
}

static void patch_write(struct writer *w, const struct patch *patch)
{
    CHECK(patch->bytes.size <= PROTO_RIDE_BYTES_MAX);
    writer_array(w, 3);
    content_write(w, &patch->content);
    content_write(w, &patch->base);
    writer_bin(w, patch->bytes.data, patch->bytes.size);
}

LIST_TYPE(patch, struct patch, 75)
const struct field_type type_patches = {patch_list_read, patch_list_write, list_empty};

static void blocked_read(struct reader *r, struct blocked_item *out)
{
    reader_tuple(r, 3);
    size_t start = r->at;
    out->path = reader_text(r, PROTO_PATH_BYTES_MAX);
    const char *fault = path_fault(out->path);
    if (fault != NULL) reader_fail(r, ERR_MALFORMED, start, fault);
    struct vv pairs = pairs_read(r, PROTO_DOTS_MAX, false);
    out->dots = (struct dots){pairs.entries, pairs.count};
    out->reason = reader_text(r, PROTO_NAME_BYTES_MAX);
    reader_leave(r);
}

static void blocked_write(struct writer *w, const struct blocked_item *item)
{
    CHECK(item->reason.size <= PROTO_NAME_BYTES_MAX);
    writer_array(w, 3);
    writer_text(w, item->path);
    pairs_write(w, item->dots.entries, item->dots.count, false);
    writer_text(w, item->reason);
}

LIST_TYPE(blocked, struct blocked_item, 5)
const struct field_type type_blocked = {blocked_list_read, blocked_list_write, list_empty};

static void digest_read(struct reader *r, struct digest *out)
{
    reader_fixed(r, out->bytes, sizeof out->bytes);
}

static void digest_write(struct writer *w, const struct digest *digest)
{
    writer_bin(w, digest->bytes, sizeof digest->bytes);
}

LIST_TYPE(digest, struct digest, 34)
const struct field_type type_digests = {digest_list_read, digest_list_write, list_empty};

static void leaf_read(struct reader *r, uint32_t *out)
{
    *out = (uint32_t)reader_uint(r, 0, UINT32_MAX);
}

static void leaf_write(struct writer *w, const uint32_t *leaf)
{
    writer_uint(w, *leaf);
}

LIST_TYPE(leaf, uint32_t, 1)
const struct field_type type_leaves = {leaf_list_read, leaf_list_write, list_empty};

static void span_body_read(struct reader *r, struct span *out)
{
    out->inc = reader_uint(r, 0, UINT64_MAX);
    out->from = reader_uint(r, 1, PROTO_COUNTER_MAX);
    size_t start = r->at;
    out->to = reader_uint(r, 1, PROTO_COUNTER_MAX);
    if (reader_ok(r) && out->to < out->from)
        reader_fail(r, ERR_MALFORMED, start, "a span that ends before it begins");
}

static void span_body_write(struct writer *w, const struct span *span)
{
    CHECK(span->from >= 1 && span->from <= span->to && span->to <= PROTO_COUNTER_MAX);
    writer_uint(w, span->inc);
    writer_uint(w, span->from);
    writer_uint(w, span->to);
}

static void span_read(struct reader *r, struct span *out)
{
    reader_tuple(r, 3);
    span_body_read(r, out);
    reader_leave(r);
}

static void span_write(struct writer *w, const struct span *span)
{
    writer_array(w, 3);
    span_body_write(w, span);
}

LIST_TYPE(span, struct span, 4)
const struct field_type type_spans = {span_list_read, span_list_write, list_empty};

static void approval_read(struct reader *r, struct approval *out)
{
    reader_tuple(r, 5);
    reader_fixed(r, out->signer.bytes, sizeof out->signer.bytes);
    span_body_read(r, &out->span);
    reader_fixed(r, out->signature.bytes, sizeof out->signature.bytes);
    reader_leave(r);
}

static void approval_write(struct writer *w, const struct approval *approval)
{
    writer_array(w, 5);
    writer_bin(w, approval->signer.bytes, sizeof approval->signer.bytes);
    span_body_write(w, &approval->span);
    writer_bin(w, approval->signature.bytes, sizeof approval->signature.bytes);
}

LIST_TYPE(approval, struct approval, 104)
const struct field_type type_approvals = {approval_list_read, approval_list_write, list_empty};

static const char *range_shape(const struct range *range, uint32_t fields)
{
    if (range->what < RANGE_SUM || range->what > RANGE_ASK) return "a range of no known kind";
    if ((range->what == RANGE_SUM) != (fields == 5)) return "a range with other fields";
    if (range->from.size > 0 && path_fault(range->from) != NULL) return path_fault(range->from);
    return range->to.size > 0 ? path_fault(range->to) : NULL;
}

static void range_read(struct reader *r, struct range *out)
{
    size_t start = r->at;
    uint32_t fields = reader_array(r, 5, 1);
    out->what = (enum range_what)reader_uint(r, RANGE_SUM, RANGE_ASK);
    out->from = reader_text(r, PROTO_PATH_BYTES_MAX);
    out->to = reader_text(r, PROTO_PATH_BYTES_MAX);
    if (fields > 3) {
        out->count = reader_uint(r, 0, INT64_MAX);
        reader_fixed(r, out->sum.bytes, sizeof out->sum.bytes);
    }
    reader_leave(r);
    const char *fault = reader_ok(r) ? range_shape(out, fields) : NULL;
    if (fault != NULL) reader_fail(r, ERR_MALFORMED, start, fault);
}

static void range_write(struct writer *w, const struct range *range)
{
    uint32_t fields = range->what == RANGE_SUM ? 5 : 3;
    CHECK(range_shape(range, fields) == NULL);
    writer_array(w, fields);
    writer_uint(w, range->what);
    writer_text(w, range->from);
    writer_text(w, range->to);
    if (fields == 3) return;
    writer_uint(w, range->count);
    writer_bin(w, range->sum.bytes, sizeof range->sum.bytes);
}

LIST_TYPE(range, struct range, 4)
const struct field_type type_ranges = {range_list_read, range_list_write, list_empty};

static struct slice short_text(struct reader *r, size_t max)
{
    size_t start = r->at;
    struct slice text = reader_text(r, max);
    if (reader_ok(r) && text.size == 0) reader_fail(r, ERR_MALFORMED, start, "empty text");
    return text;
}

static void named_read(struct reader *r, struct named_device *out)
{
    reader_tuple(r, 3);
    reader_fixed(r, out->device.bytes, sizeof out->device.bytes);
    out->name = short_text(r, PROTO_PEER_NAME_BYTES_MAX);
    uint32_t count = reader_array(r, PROTO_PEER_ADDRESSES_MAX, 2);
    for (uint32_t i = 0; i < count && reader_ok(r); i++)
        out->addresses[i] = short_text(r, PROTO_PEER_ADDRESS_BYTES_MAX);
    out->address_count = reader_ok(r) ? count : 0;
    reader_leave(r);
    reader_leave(r);
}

static void named_write(struct writer *w, const struct named_device *device)
{
    CHECK(device->name.size > 0 && device->name.size <= PROTO_PEER_NAME_BYTES_MAX);
    CHECK(device->address_count <= PROTO_PEER_ADDRESSES_MAX);
    writer_array(w, 3);
    writer_bin(w, device->device.bytes, sizeof device->device.bytes);
    writer_text(w, device->name);
    writer_array(w, device->address_count);
    for (uint32_t i = 0; i < device->address_count; i++) {
        struct slice address = device->addresses[i];
        CHECK(address.size > 0 && address.size <= PROTO_PEER_ADDRESS_BYTES_MAX);
        writer_text(w, address);
    }
}

LIST_TYPE(named, struct named_device, 38)
const struct field_type type_named = {named_list_read, named_list_write, list_empty};
