// SPDX-License-Identifier: MIT
//
// tests/sim/index_disk — where SQLite keeps the index of a machine: files in memory, of which a
// power cut forgets any part that was not flushed, and which can be full or broken.
#ifndef TESTS_SIM_INDEX_DISK_H
#define TESTS_SIM_INDEX_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct rng;

struct index_disk {
    struct index_file *files;
    uint32_t file_count;
    // Before each write and flush: true makes it fail as if the disk were full, or broken.
    bool (*fails)(void *context, bool *out_full);
    void *context;
};

void index_disk_register(void);                // once per process, before the first open
void index_disk_use(struct index_disk *disk);  // whose files the next open finds
void index_disk_wipe(struct index_disk *disk); // no file is left
void index_disk_cut(struct index_disk *disk, struct rng *rng); // the power goes and comes back

#endif
