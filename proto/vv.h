// SPDX-License-Identifier: MIT
//
// proto/vv — version vectors and dot sets. Results live on the arena handed in; arguments are never
// changed.
//
// Source: Mattern 1989; concise version vectors (Malkhi & Terry 2007) for knowledge.
#ifndef PROTO_VV_H
#define PROTO_VV_H

#include "proto/types.h"

uint64_t vv_get(struct vv v, uint64_t inc); // 0 if absent
bool vv_covers(struct vv v, struct dot d);
bool vv_le(struct vv a, struct vv b);
bool vv_equal(struct vv a, struct vv b);
struct vv vv_copy(struct arena *arena, struct vv v);
struct vv vv_join(struct arena *arena, struct vv a, struct vv b);
struct vv vv_with(struct arena *arena, struct vv v, struct dot d); // join with one dot
struct vv vv_set(struct arena *arena, struct vv v,
                 struct dot d); // entry becomes d.counter (0 removes it), also downwards
struct vv vv_meet(struct arena *arena, struct vv a, struct vv b);  // the lesser of each entry
struct vv vv_above(struct arena *arena, struct vv a, struct vv b); // entries of a that are > b's

bool dots_contain(struct dots s, struct dot d);
bool dots_equal(struct dots a, struct dots b);
struct dots dots_copy(struct arena *arena, struct dots s);
struct dots dots_union(struct arena *arena, struct dots a, struct dots b);
bool dots_covered(struct dots s, struct vv v); // every dot

bool value_equal(const struct value *a, const struct value *b);
int birth_compare(struct birth a, struct birth b);                   // by wall, inc, counter
bool version_same(const struct version *a, const struct version *b); // equal dots, vv and value
struct version version_copy(struct arena *arena, const struct version *v); // deep
bool digest_equal(struct digest a, struct digest b);
struct content value_content(const struct value *file); // id and size
bool content_equal(const struct content *a, const struct content *b);
bool device_equal(struct device_id a, struct device_id b);

#endif
