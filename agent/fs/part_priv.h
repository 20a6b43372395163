// SPDX-License-Identifier: MIT
//
// A large content on its way, as files in staging; see part.c.
#ifndef AGENT_FS_PART_PRIV_H
#define AGENT_FS_PART_PRIV_H

#include "agent/fs/disk_priv.h"

enum { PART_NAME_MAX = STAGE_NAME_MAX + 8 };

struct part {
    int dir_fd;
    int part_fd;
    int map_fd;
    uint32_t leaves;
    char staged[STAGE_NAME_MAX];
    char part[PART_NAME_MAX];
    char map[PART_NAME_MAX];
};

#define PART_NONE                                                                                  \
    {                                                                                              \
        .dir_fd = -1, .part_fd = -1, .map_fd = -1                                                  \
    }

enum err part_open(const struct grip *grip, const struct content *content, struct part *out);
enum err part_files(struct part *part, int flags);          // CHANGED: there are none
void part_close(struct part *part);                         // for AUTO
bool staged_exists(const struct part *part, uint64_t size); // it is here as a whole
uint64_t part_leaf_offset(uint32_t leaf);
size_t part_leaf_size(const struct content *content, uint32_t leaf);
// It is in its place, and on its way to the disk; those before it are waited for.
int part_have(const struct part *part, uint32_t leaf);

#endif
