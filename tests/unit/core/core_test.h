// SPDX-License-Identifier: MIT
//
// Makers of versions and items for the tests of core.
#ifndef TESTS_UNIT_CORE_CORE_TEST_H
#define TESTS_UNIT_CORE_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "proto/limits.h"
#include "proto/vv.h"

enum { INC_A = 1, INC_B = 2, INC_C = 3 };

static inline struct digest digest_of(uint8_t seed)
{
    struct digest d;
    memset(&d, seed, sizeof d);
    return d;
}

static inline struct dots one_dot(struct arena *arena, struct dot d)
{
    return dots_union(arena, (struct dots){0}, (struct dots){.entries = &d, .count = 1});
}

static inline struct value file_value(uint8_t content, uint32_t mode)
{
    return (struct value){
        .kind = KIND_FILE, .mode = mode, .size = 10, .content = digest_of(content)};
}

// A version that device `d.inc` minted, with `base` (may be NULL) on its disk.
static inline struct version mint(struct arena *arena, struct dot d, const struct version *base,
                                  struct value value)
{
    struct version v = {.dots = one_dot(arena, d), .value = value};
    v.vv = vv_with(arena, base != NULL ? base->vv : (struct vv){0}, d);
    v.birth = (struct birth){.wall_ms = (int64_t)d.counter, .inc = d.inc, .counter = d.counter};
    if (base != NULL && base->value.kind != KIND_TOMB) {
        v.has_parent = true;
        v.parent = base->value.content;
        v.parent_mode = base->value.mode;
    }
    return v;
}

static inline struct version edit(struct arena *arena, struct dot d, const struct version *base,
                                  uint8_t content)
{
    return mint(arena, d, base, file_value(content, 0644));
}

static inline struct version tomb(struct arena *arena, struct dot d, const struct version *base)
{
    return mint(arena, d, base, (struct value){.kind = KIND_TOMB});
}

static inline struct item item_of(const char *path)
{
    return (struct item){.path = slice_text(path)};
}

static inline struct ingested ingest(struct arena *arena, struct item *item,
                                     const struct version *v)
{
    return heads_ingest(arena, item, v, INC_A);
}

#endif
