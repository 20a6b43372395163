// SPDX-License-Identifier: MIT
//
// Runs of bytes of a file as if they were one behind the other.
#ifndef AGENT_FS_RUNS_PRIV_H
#define AGENT_FS_RUNS_PRIV_H

#include "agent/fs/disk_priv.h"

struct runs {
    int fd;
    const struct byte_run *runs;
    uint32_t count;
};

uint64_t runs_size(const struct runs *runs);
// False: the file has not so much, or cannot be read.
bool runs_read(const struct runs *runs, uint64_t at, void *out, size_t size);

#endif
