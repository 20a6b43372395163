// SPDX-License-Identifier: MIT
//
// A rig with a base store, for the tests of what is put aside.
#ifndef TESTS_UNIT_SYNC_BASE_TEST_H
#define TESTS_UNIT_SYNC_BASE_TEST_H

#include "tests/unit/sync/rig.h"

enum { ROOM = 8 * BASE_BLOCK_BYTES, LATER_MS = 5000 };

static inline void write_and_wait(struct rig *rig, const char *path, const char *text)
{
    rig_write(rig, path, text);
    rig_wait(rig, LATER_MS);
}

static inline void open_with_base(struct rig *rig)
{
    rig_open(rig);
    rig_base_limit(rig, ROOM);
}

#endif
