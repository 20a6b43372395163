// SPDX-License-Identifier: MIT
//
// What the index remembers of a folder besides its items, each under a name of its own.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static const char *record_key(const struct folder *folder, const char *what)
{
    return arena_printf(folder->engine->scratch, "%s.%u", what, folder->number);
}

void record_put(struct folder *folder, const char *what, struct slice record)
{
    INDEX(folder)->meta_set(INDEX(folder)->self, record_key(folder, what), record);
}

bool record_get(struct folder *folder, const char *what, struct slice *out)
{
    return INDEX(folder)->meta_get(INDEX(folder)->self, folder->engine->scratch,
                                   record_key(folder, what), out);
}

// ---- records of many paths: of each its value, of one size for all, its bytes, and a zero

void record_add(struct buf *record, struct slice value, struct slice path)
{
    buf_append(record, value.data, value.size);
    buf_append(record, path.data, path.size);
    buf_append(record, "", 1);
}

bool record_next(struct slice *rest, size_t value_size, struct slice *value, struct slice *path)
{
    if (rest->size <= value_size) return false;
    const uint8_t *begin = rest->data + value_size;
    const uint8_t *end = memchr(begin, 0, rest->size - value_size);
    if (end == NULL) return false;
    *value = slice_of(rest->data, value_size);
    *path = slice_of(begin, (size_t)(end - begin));
    *rest = slice_of(end + 1, rest->size - (size_t)(end + 1 - rest->data));
    return true;
}
