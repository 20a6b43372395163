// SPDX-License-Identifier: MIT
//
// Destructors for things that are not ours: descriptors and malloc'ed memory.
#include "agent/base/own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Runs at the end of scopes that are about to report errno, so errno survives. EINTR is not
// retried: the descriptor is gone by then, and a second close could hit someone else's.
void fd_close(int *fd)
{
    if (*fd < 0) return;
    int saved = errno;
    (void)close(*fd);
    *fd = -1;
    errno = saved;
}

// Copies the pointer as bytes, because the caller's variable may have any pointer type.
void mem_free(void *pointer_to_pointer)
{
    void *memory = NULL;
    memcpy(&memory, pointer_to_pointer, sizeof memory);
    free(memory);
    memory = NULL;
    memcpy(pointer_to_pointer, &memory, sizeof memory);
}
