// SPDX-License-Identifier: MIT
//
// Slices and growing buffers. NULL never reaches memcpy or memcmp, not even with size 0, because
// that is undefined.
#include "agent/base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"

enum { BUF_CAPACITY_MIN = 64 };

struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){.data = data, .size = size};
}

struct slice slice_text(const char *text)
{
    return slice_of(text, strlen(text));
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) return order;
    return (a.size > b.size) - (a.size < b.size);
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

void buf_reserve(struct buf *buf, size_t more)
{
    CHECK(more <= SIZE_MAX / 2 && buf->size <= SIZE_MAX / 2);
    size_t need = buf->size + more;
    if (need <= buf->capacity) return;
    size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
    while (capacity < need) {
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    }
    buf->data = mem_realloc(buf->data, capacity);
    buf->capacity = capacity;
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
    if (size == 0) return;
    buf_reserve(buf, size);
    memcpy(buf->data + buf->size, data, size);
    buf->size += size;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    CHECK(length >= 0);
    buf_reserve(buf, (size_t)length + 1);
    va_start(list, format);
    int written = vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, list);
    va_end(list);
    CHECK(written == length);
    buf->size += (size_t)length;
}

struct slice buf_slice(const struct buf *buf)
{
    return slice_of(buf->data, buf->size);
}

const char *buf_text(struct buf *buf)
{
    buf_reserve(buf, 1);
    buf->data[buf->size] = '\0';
    return (const char *)buf->data;
}
