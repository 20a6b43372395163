// SPDX-License-Identifier: MIT
//
// agent/base/check — assertions about our own code; they stay on in release builds.
//
// Never CHECK data that came from a peer, a disk or a user.
#ifndef AGENT_BASE_CHECK_H
#define AGENT_BASE_CHECK_H

#include <stddef.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

_Noreturn void check_failed(const char *condition, const char *file, int line);

// Allocation that ends the program with one message when memory is exhausted. Sizes that come from
// outside must have been compared with a limit before.
void *mem_alloc(size_t size) __attribute__((malloc));
void *mem_zalloc(size_t count, size_t size) __attribute__((malloc)); // zeroed
void *mem_realloc(void *old, size_t size);
char *mem_strdup(const char *text) __attribute__((malloc));
_Noreturn void mem_exhausted(void); // where a library has found out

#endif
