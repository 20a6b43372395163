// SPDX-License-Identifier: MIT
//
// An arena is a chain of blocks, newest first. The first block is small, because thousands of
// arenas may live at once, and each further one is twice its predecessor up to a cap. Memory is
// zeroed when it is handed out, not when it is reset, so that resetting costs nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/bytes.h"
#include "agent/base/check.h"

enum {
    BLOCK_BYTES_FIRST = 1 << 10,
    BLOCK_BYTES_MAX = 256 << 10,
    BLOCK_BYTES_KEPT = 1 << 20, // a reset arena does not sit on more
};

struct block {
    struct block *older;
    size_t capacity;
    size_t used;
    _Alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *newest;
};

struct arena *arena_new(void)
{
    return mem_zalloc(1, sizeof(struct arena));
}

static void free_chain(struct block *block)
{
    while (block) {
        struct block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_destroy(struct arena **arena)
{
    if (!*arena) return;
    free_chain((*arena)->newest);
    free(*arena);
    *arena = NULL;
}

// The largest block under the cap stays, so that an arena used for like work again and again soon
// does it all in one block.
void arena_reset(struct arena *arena)
{
    struct block *kept = NULL;
    for (struct block *block = arena->newest, *older; block; block = older) {
        older = block->older;
        bool better =
            block->capacity <= BLOCK_BYTES_KEPT && (!kept || block->capacity > kept->capacity);
        if (better) {
            free(kept);
            kept = block;
        } else {
            free(block);
        }
    }
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
    }
    arena->newest = kept;
}

static void add_block(struct arena *arena, size_t need)
{
    size_t capacity = BLOCK_BYTES_FIRST;
    if (arena->newest) capacity = arena->newest->capacity * 2;
    if (capacity > BLOCK_BYTES_MAX) capacity = BLOCK_BYTES_MAX;
    if (capacity < need) capacity = need;
    struct block *block = mem_alloc(sizeof *block + capacity);
    block->older = arena->newest;
    block->capacity = capacity;
    block->used = 0;
    arena->newest = block;
}

// Zero bytes get an address of their own too: callers may pass it to memcpy.
static void *take(struct arena *arena, size_t bytes)
{
    size_t align = _Alignof(max_align_t);
    size_t room = bytes ? (bytes + align - 1) / align * align : align;
    if (!arena->newest || arena->newest->capacity - arena->newest->used < room) {
        add_block(arena, room);
    }
    struct block *block = arena->newest;
    void *memory = block->data + block->used;
    block->used += room;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / 4 / size);
    return memset(take(arena, count * size), 0, count * size);
}

uint8_t *arena_bytes(struct arena *arena, size_t size)
{
    CHECK(size <= SIZE_MAX / 4);
    return take(arena, size);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    if (bytes.size == 0) return (struct slice){0};
    uint8_t *copy = arena_bytes(arena, bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    return slice_of(copy, bytes.size);
}

char *arena_text(struct arena *arena, struct slice bytes)
{
    CHECK(bytes.size < SIZE_MAX);
    char *text = arena_alloc(arena, 1, bytes.size + 1);
    if (bytes.size) memcpy(text, bytes.data, bytes.size);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    CHECK(length >= 0);
    char *text = arena_alloc(arena, 1, (size_t)length + 1);
    va_start(list, format);
    int written = vsnprintf(text, (size_t)length + 1, format, list);
    va_end(list);
    CHECK(written == length);
    return text;
}
