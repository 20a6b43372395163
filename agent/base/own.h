// SPDX-License-Identifier: MIT
//
// agent/base/own — AUTO runs a destructor at the end of the scope, TAKE hands a value out.
//
// Destructors take `struct x **`, accept NULL inside, and null the pointer. An AUTO variable is
// initialised where it is declared.
#ifndef AGENT_BASE_OWN_H
#define AGENT_BASE_OWN_H

#define AUTO(destructor) __attribute__((cleanup(destructor)))

// Yields the pointer and nulls the variable, so that its destructor does nothing.
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) take_ = (pointer);                                                     \
        (pointer) = NULL;                                                                          \
        take_;                                                                                     \
    })

// Closes *fd unless it is negative, and sets it to -1; for AUTO(fd_close) int fd = -1.
void fd_close(int *fd);

// free(*p) for AUTO(mem_free) char *p = NULL; also the destructor of anything malloc'ed.
void mem_free(void *pointer_to_pointer);

#endif
