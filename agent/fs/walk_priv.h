// SPDX-License-Identifier: MIT
//
// agent/fs inside: a directory of a walk and its names.
#ifndef AGENT_FS_WALK_PRIV_H
#define AGENT_FS_WALK_PRIV_H

#include "agent/fs/disk_priv.h"

struct name {
    const char *raw;     // as on disk
    struct slice normal; // canonical; borrowed from raw when they are the same
    const char *problem; // reported instead of an entry
};

struct level {
    int fd;              // -1: given back, or not opened yet
    bool read;           // names are filled in
    struct slice path;   // canonical
    struct slice raw;    // as on disk, for opening it again
    struct arena *arena; // all of this level
    struct name *names;
    size_t count;
    size_t next;
};

struct slice path_joined(struct arena *arena, struct slice parent, struct slice name);

// Reads level->fd. An errno says that the list is not whole; what was read is there.
int names_read(struct level *level);

#endif
