// SPDX-License-Identifier: MIT
//
// A dozen files in three directories, for tests of what is held and of what goes one way.
#ifndef TESTS_UNIT_SYNC_HELD_TEST_H
#define TESTS_UNIT_SYNC_HELD_TEST_H

#include "tests/unit/sync/sweep.h"

enum { FILES = 12 };

static inline const struct decision_result *say(struct machine *m, enum decision_kind kind)
{
    return decide(m, &(struct decision){.kind = kind, .folder = "f"});
}

static inline void path_of(int i, char out[32])
{
    (void)snprintf(out, 32, "dir%d/sub/file%d", i % 3, i);
}

static inline void have_files_of(struct machine *m)
{
    char path[32];
    for (int i = 0; i < FILES; i++) {
        path_of(i, path);
        user_write(m, path, path);
    }
    user_write(m, "stays", "here");
    lan_wait(m->lan, 5000);
    assert_true(lan_in_step(m->lan) && trees_equal(m->lan));
}

static inline void have_files(struct lan *lan)
{
    have_files_of(a_of(lan));
}

static inline bool files_show(struct machine *m, bool there)
{
    char path[32];
    for (int i = 0; i < FILES; i++) {
        path_of(i, path);
        if (!shows(m, path, there ? path : NULL)) return false;
    }
    return true;
}

static inline uint32_t files_gone(struct machine *m)
{
    char path[32];
    uint32_t gone = 0;
    for (int i = 0; i < FILES; i++) {
        path_of(i, path);
        gone += !shows(m, path, path);
    }
    return gone;
}

#endif
