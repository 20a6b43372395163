// SPDX-License-Identifier: MIT
//
// Whatever bytes: a path that is said to be canonical is one, component by component, and what
// parts, order and folding say of two paths fits together.
#include "proto/limits.h"
#include "proto/path.h"
#include "tests/fuzz/fuzz.h"

static bool is(struct slice s, const char *text)
{
    return slice_equal(s, slice_text(text));
}

static void canonical(struct arena *arena, struct slice path)
{
    struct slice normal;
    CHECK(path.size > 0 && path.size <= PROTO_PATH_BYTES_MAX);
    CHECK(memchr(path.data, 0, path.size) == NULL);
    CHECK(path_normalize(arena, path, &normal) == ERR_OK && slice_equal(normal, path));
    uint32_t depth = 0;
    for (struct slice left = path; left.size > 0; left = path_parent(left), depth++) {
        struct slice base = path_base(left);
        CHECK(base.size > 0 && base.size <= PROTO_COMPONENT_BYTES_MAX);
        CHECK(memchr(base.data, '/', base.size) == NULL && !is(base, ".") && !is(base, ".."));
        CHECK(!path_is_internal(base) || path_is_conflict_item(path));
        CHECK(!is(path_fold(arena, base), ".cfgsync") || path_is_conflict_item(path));
        struct slice parent = path_parent(left);
        CHECK(path_below(left, parent));
        CHECK(left.size == base.size + parent.size + (parent.size > 0));
        if (parent.size > 0) CHECK(path_compare(parent, left) < 0);
    }
    CHECK(depth > 0 && depth <= PROTO_PATH_DEPTH_MAX);
    if (path_is_conflict_item(path)) CHECK(is(path_parent(path), PATH_CONFLICTS));
}

static void normal_form(struct arena *arena, struct slice name)
{
    struct slice once, twice;
    if (path_normalize(arena, name, &once) != ERR_OK) {
        CHECK(path_fault(name) != NULL && !path_is_ascii(name));
        return;
    }
    CHECK(path_normalize(arena, once, &twice) == ERR_OK && slice_equal(once, twice));
    if (path_is_ascii(name)) CHECK(slice_equal(once, name));
    struct slice folded = path_fold(arena, once);
    CHECK(slice_equal(path_fold(arena, folded), folded));
}

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

// A total order in which a directory comes directly before what is in it.
static void order(struct slice a, struct slice b, struct slice c)
{
    CHECK(sign(path_compare(a, b)) == -sign(path_compare(b, a)));
    CHECK((path_compare(a, b) == 0) == slice_equal(a, b));
    if (path_compare(a, b) <= 0 && path_compare(b, c) <= 0) CHECK(path_compare(a, c) <= 0);
    if (a.size > 0 && path_below(c, a) && path_compare(a, b) < 0 && path_compare(b, c) < 0)
        CHECK(path_below(b, a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct slice left = slice_of(data, size);
    for (int i = 0; i < 3; i++) { // a line each
        const uint8_t *end = left.size > 0 ? memchr(left.data, '\n', left.size) : NULL;
        parts[i] =
            slice_of(left.data, i == 2 || end == NULL ? left.size : (size_t)(end - left.data));
        left = end == NULL || i == 2 ? slice_of(NULL, 0)
                                     : slice_of(end + 1, left.size - parts[i].size - 1);
    }
    bool fine = true;
    for (int i = 0; i < 3; i++) {
        normal_form(arena, parts[i]);
        bool good = path_fault(parts[i]) == NULL;
        if (good) canonical(arena, parts[i]);
        fine = fine && good;
    }
    if (fine) order(parts[0], parts[1], parts[2]);
    return 0;
}
