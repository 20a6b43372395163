// SPDX-License-Identifier: MIT
#include "proto/path.h"

#include <string.h>

#include <utf8proc.h>

#include "proto/limits.h"
#include "proto/utf8_priv.h"

// Unicode's NFKC_Casefold: case, compatibility and invisible characters do not count.
static const utf8proc_option_t FOLD =
    UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
static const utf8proc_option_t NFC = UTF8PROC_STABLE | UTF8PROC_COMPOSE;

static const char INTERNAL[] = ".cfgsync";
enum {
    INTERNAL_SIZE = sizeof INTERNAL - 1,
    CONFLICTS_SIZE = sizeof PATH_CONFLICTS "/" - 1,
    // A component has at most 255 bytes, and no character has more code points in its canonical
    // decomposition than 1.5 times its UTF-8 bytes.
    COMPONENT_POINTS_MAX = 512,
};

static uint8_t ascii_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

static bool internal_ascii(struct slice component)
{
    if (component.size != INTERNAL_SIZE) return false;
    for (size_t i = 0; i < INTERNAL_SIZE; i++)
        if (ascii_lower(component.data[i]) != (uint8_t)INTERNAL[i]) return false;
    return true;
}

bool path_is_internal(struct slice component)
{
    if (utf8_is_ascii(component)) return internal_ascii(component);
    // All of ".cfgsync" is ASCII, which nothing composes into: the decomposed form decides.
    utf8proc_int32_t points[INTERNAL_SIZE];
    utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT |
                                UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_ssize_t count = utf8proc_decompose(component.data, (utf8proc_ssize_t)component.size,
                                                points, INTERNAL_SIZE, options);
    if (count != INTERNAL_SIZE) return false;
    for (size_t i = 0; i < INTERNAL_SIZE; i++)
        if (points[i] != INTERNAL[i]) return false;
    return true;
}

// Below U+0300 nothing decomposes away or composes: such text is NFC as it stands.
static bool nfc_surely(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0xcc) return false;
    return true;
}

// `component` is valid UTF-8.
static bool component_is_nfc(struct slice component)
{
    if (nfc_surely(component)) return true;
    utf8proc_int32_t points[COMPONENT_POINTS_MAX];
    utf8proc_ssize_t count = utf8proc_decompose(component.data, (utf8proc_ssize_t)component.size,
                                                points, COMPONENT_POINTS_MAX, NFC);
    if (count < 0 || count > COMPONENT_POINTS_MAX) return false;
    count = utf8proc_normalize_utf32(points, count, NFC);
    size_t at = 0;
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        utf8proc_int32_t point = -1;
        utf8proc_ssize_t size =
            utf8proc_iterate(component.data + at, (utf8proc_ssize_t)(component.size - at), &point);
        if (size <= 0 || point != points[i]) return false;
        at += (size_t)size;
    }
    return at == component.size;
}

static const char *component_fault(struct slice component, bool may_be_internal)
{
    if (component.size == 0) return "path has an empty component";
    if (component.size > PROTO_COMPONENT_BYTES_MAX) return "path component is too long";
    if (component.data[0] == '.' &&
        (component.size == 1 || (component.size == 2 && component.data[1] == '.')))
        return "path has a dot component";
    if (!utf8_is_ascii(component)) {
        if (!utf8_valid(component)) return "path is not UTF-8";
        if (!component_is_nfc(component)) return "path is not NFC";
    }
    if (!may_be_internal && path_is_internal(component)) return "path is inside .cfgsync";
    return NULL;
}

// Bytes from `start` up to the next '/' or the end.
static size_t component_size(struct slice path, size_t start)
{
    size_t left = path.size - start;
    const uint8_t *end = left > 0 ? memchr(path.data + start, '/', left) : NULL;
    return end != NULL ? (size_t)(end - path.data) - start : left;
}

const char *path_fault(struct slice path)
{
    if (path.size == 0) return "path is empty";
    if (path.size > PROTO_PATH_BYTES_MAX) return "path is too long";
    if (memchr(path.data, 0, path.size) != NULL) return "path has a NUL";
    bool conflict = path_is_conflict_item(path);
    size_t start = 0;
    unsigned depth = 0;
    while (start <= path.size) {
        if (++depth > PROTO_PATH_DEPTH_MAX) return "path is too deep";
        size_t size = component_size(path, start);
        struct slice component = slice_of(path.data + start, size);
        const char *fault = component_fault(component, conflict && start == 0);
        if (fault != NULL) return fault;
        start += size + 1;
    }
    return NULL;
}

// `text` normalised with `options`, on the arena; empty slice with data NULL if it is not UTF-8.
static struct slice normalized(struct arena *arena, struct slice text, utf8proc_option_t options)
{
    utf8proc_ssize_t size = (utf8proc_ssize_t)text.size;
    utf8proc_ssize_t count = utf8proc_decompose(text.data, size, NULL, 0, options);
    if (count < 0) return (struct slice){NULL, 0};
    // One more than the points: utf8proc ends its output with a NUL.
    utf8proc_int32_t *points = arena_alloc(arena, (size_t)count + 1, sizeof *points);
    count = utf8proc_decompose(text.data, size, points, count, options);
    if (count >= 0) count = utf8proc_reencode(points, count, options);
    return count < 0 ? (struct slice){NULL, 0} : slice_of(points, (size_t)count);
}

enum err path_normalize(struct arena *arena, struct slice name, struct slice *out)
{
    *out = name;
    if (utf8_is_ascii(name)) return ERR_OK;
    if (!utf8_valid(name)) return ERR_UNREPRESENTABLE;
    if (nfc_surely(name)) return ERR_OK;
    struct slice nfc = normalized(arena, name, NFC);
    if (nfc.data == NULL) return ERR_UNREPRESENTABLE;
    if (!slice_equal(nfc, name)) *out = nfc;
    return ERR_OK;
}

bool path_is_conflict_item(struct slice path)
{
    if (path.size <= CONFLICTS_SIZE || memcmp(path.data, PATH_CONFLICTS "/", CONFLICTS_SIZE) != 0)
        return false;
    struct slice base = slice_of(path.data + CONFLICTS_SIZE, path.size - CONFLICTS_SIZE);
    if (memchr(base.data, '/', base.size) != NULL) return false;
    return !slice_equal(base, slice_text(".")) && !slice_equal(base, slice_text(".."));
}

// Bytes before the last '/', or SIZE_MAX if there is none.
static size_t last_slash(struct slice path)
{
    for (size_t i = path.size; i > 0; i--)
        if (path.data[i - 1] == '/') return i - 1;
    return SIZE_MAX;
}

struct slice path_parent(struct slice path)
{
    size_t slash = last_slash(path);
    return slice_of(path.data, slash == SIZE_MAX ? 0 : slash);
}

struct slice path_base(struct slice path)
{
    size_t slash = last_slash(path);
    return slash == SIZE_MAX ? path : slice_of(path.data + slash + 1, path.size - slash - 1);
}

bool path_below(struct slice path, struct slice ancestor)
{
    if (ancestor.size == 0) return path.size > 0;
    return path.size > ancestor.size && path.data[ancestor.size] == '/' &&
           memcmp(path.data, ancestor.data, ancestor.size) == 0;
}

bool path_in_tree(struct slice path, struct slice top)
{
    return slice_equal(path, top) || path_below(path, top);
}

static unsigned tree_rank(uint8_t byte)
{
    return byte == '/' ? 0 : byte + 1u;
}

int path_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    for (size_t i = 0; i < common; i++)
        if (a.data[i] != b.data[i]) return tree_rank(a.data[i]) < tree_rank(b.data[i]) ? -1 : 1;
    return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

struct slice path_fold(struct arena *arena, struct slice path)
{
    if (path.size == 0) return path;
    if (!utf8_is_ascii(path)) {
        struct slice folded = normalized(arena, path, FOLD);
        return folded.data == NULL ? path : folded;
    }
    uint8_t *folded = arena_alloc(arena, path.size, 1);
    for (size_t i = 0; i < path.size; i++)
        folded[i] = ascii_lower(path.data[i]);
    return slice_of(folded, path.size);
}

bool path_is_ascii(struct slice path)
{
    return utf8_is_ascii(path);
}
