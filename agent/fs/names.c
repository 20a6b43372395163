// SPDX-License-Identifier: MIT
//
// The names of one directory, in the order of a walk: normal forms sorted by bytes, and what cannot
// be an item's name marked with the reason.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/fs/walk_priv.h"
#include "proto/path.h"

struct slice path_joined(struct arena *arena, struct slice parent, struct slice name)
{
    if (parent.size == 0) return arena_copy(arena, name);
    size_t size = parent.size + 1 + name.size;
    uint8_t *text = arena_alloc(arena, size, 1);
    memcpy(text, parent.data, parent.size);
    text[parent.size] = '/';
    memcpy(text + parent.size + 1, name.data, name.size);
    return slice_of(text, size);
}

// Of a name in that directory, from the root on, wherever the walk has begun.
static uint32_t depth_below(struct slice directory)
{
    uint32_t depth = directory.size > 0 ? 2 : 1;
    for (size_t i = 0; i < directory.size; i++)
        depth += directory.data[i] == '/';
    return depth;
}

// path_fault without its cost where the name alone decides.
static const char *name_fault(struct arena *arena, const struct level *level, uint32_t depth,
                              struct slice name)
{
    if (level->path.size + 1 + name.size > PROTO_PATH_BYTES_MAX) return "the path is too long";
    if (depth > PROTO_PATH_DEPTH_MAX) return "too many directories deep";
    return path_is_ascii(name) ? NULL : path_fault(path_joined(arena, level->path, name));
}

static void name_fill(uint32_t depth, struct level *level, const char *raw, struct name *out)
{
    struct slice text = slice_text(raw);
    out->raw = raw;
    out->normal = text;
    if (!path_is_ascii(text) && path_normalize(level->arena, text, &out->normal) != ERR_OK) {
        out->problem = "not UTF-8";
        out->normal = text;
        return;
    }
    out->problem = text.size < FS_NAME_MAX ? name_fault(level->arena, level, depth, out->normal)
                                           : "the name is too long";
}

static int name_compare(const void *a, const void *b)
{
    const struct name *left = a;
    const struct name *right = b;
    int order = slice_compare(left->normal, right->normal);
    if (order != 0) return order;
    // Of several spellings the canonical one is the item.
    bool left_plain = (const void *)left->normal.data == (const void *)left->raw;
    bool right_plain = (const void *)right->normal.data == (const void *)right->raw;
    if (left_plain != right_plain) return left_plain ? -1 : 1;
    return strcmp(left->raw, right->raw);
}

static void names_finish(uint32_t depth, struct level *level, struct slice *raws, size_t count)
{
    level->names = arena_alloc(level->arena, count + 1, sizeof *level->names);
    for (size_t i = 0; i < count; i++)
        name_fill(depth, level, (const char *)raws[i].data, &level->names[i]);
    qsort(level->names, count, sizeof *level->names, name_compare);
    for (size_t i = 1; i < count; i++) {
        struct name *name = &level->names[i];
        bool same = name->problem == NULL && slice_equal(name->normal, level->names[i - 1].normal);
        if (same) name->problem = "another spelling of a name that is there already";
    }
    level->count = count;
}

int names_read(struct level *level)
{
    AUTO(dir_end) DIR *dir = dir_list(level->fd);
    if (dir == NULL) return errno;
    AUTO(buf_fini) struct buf raws = {0};
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL;) {
        struct slice raw = slice_of(entry->d_name, strlen(entry->d_name) + 1);
        raw = arena_copy(level->arena, raw);
        buf_append(&raws, &raw, sizeof raw);
    }
    int code = errno;
    AUTO(mem_free) struct slice *list = mem_alloc(raws.size + sizeof *list);
    if (raws.size > 0) memcpy(list, raws.data, raws.size);
    names_finish(depth_below(level->path), level, list, raws.size / sizeof *list);
    return code;
}
