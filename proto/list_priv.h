// SPDX-License-Identifier: MIT
//
// proto/list — the list-valued fields of versions and messages.
//
// A list field has its array at `offset` and its count at `count_offset`; min and max are entries.
#ifndef PROTO_LIST_PRIV_H
#define PROTO_LIST_PRIV_H

#include "proto/record_priv.h"

// min, max and presence follow.
#define LIST(key_, type_, record_, array_, count_)                                                 \
    .key = key_, .type = &(type_), .offset = offsetof(record_, array_),                            \
    .count_offset = offsetof(record_, count_)

extern const struct field_type type_vv, type_dots; // flat: inc, counter, inc, counter, ...
extern const struct field_type type_marks, type_mark;
extern const struct field_type type_owners, type_versions, type_rides, type_patches, type_blocked;
extern const struct field_type type_spans, type_approvals, type_named;
extern const struct field_type type_contents, type_digests, type_leaves, type_ranges;

void vv_write(struct writer *w, struct vv v);
struct vv vv_read(struct reader *r);

#endif
