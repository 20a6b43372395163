// SPDX-License-Identifier: MIT
//
// The two ways this program ends itself: a broken assertion and exhausted memory. Both write with
// stdio to stderr and abort, since nothing else can be trusted at that point.
#include "agent/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "cfgsync-agent: check failed at %s:%d: %s\n", file, line, condition);
    abort();
}

_Noreturn void mem_exhausted(void)
{
    fputs("cfgsync-agent: out of memory\n", stderr);
    abort();
}

static void *alive(void *memory)
{
    if (memory == NULL) mem_exhausted();
    return memory;
}

// Size 0 yields memory too, so that NULL never means anything.
void *mem_alloc(size_t size)
{
    return alive(malloc(size ? size : 1));
}

void *mem_zalloc(size_t count, size_t size)
{
    return alive(count && size ? calloc(count, size) : calloc(1, 1));
}

void *mem_realloc(void *old, size_t size)
{
    return alive(realloc(old, size ? size : 1));
}

char *mem_strdup(const char *text)
{
    return alive(strdup(text));
}
