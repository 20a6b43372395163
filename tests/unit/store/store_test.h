// SPDX-License-Identifier: MIT
//
// What the tests of the store share: a temporary directory, an open store, simple versions.
#ifndef TESTS_UNIT_STORE_STORE_TEST_H
#define TESTS_UNIT_STORE_STORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/store/store.h"
#include "proto/path.h"
#include "proto/vv.h"

struct place {
    char dir[64];
    char path[96]; // of an index in it
};

void place_init(struct place *place);
void place_fini(struct place *place); // removes it with all that is in it

// A directory and a file of the store in it, not made yet. Setup and teardown of a test.
struct room {
    struct place place;
    int dir_fd;
    char file[96];
};

int room_open(void **state, const char *name);
int room_close(void **state);

struct store *open_store(const char *path); // fails the test unless it opens
void commit(struct store *store);           // fails the test unless it commits
uint32_t add_folder(struct store *store, const char *name);

bool slice_is(struct slice slice, const char *text);
struct digest digest_of(uint64_t number);

// A version with one dot that descends from nothing.
struct version simple_version(struct arena *arena, const char *path, enum kind kind, uint64_t inc,
                              uint64_t counter);
// An item with that one head, on this disk if `here`, else needed.
struct item simple_item(struct arena *arena, const char *path, enum kind kind, uint64_t inc,
                        uint64_t counter, bool here);

// Reads every item and compares the folder's numbers with what it finds; returns how many.
uint32_t check_counts(struct store *store, uint32_t folder);

#endif
