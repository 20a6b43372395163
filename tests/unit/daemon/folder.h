// SPDX-License-Identifier: MIT
//
// tests/unit/daemon/folder — a temporary directory for one test, and files in it.
#ifndef TESTS_UNIT_DAEMON_FOLDER_H
#define TESTS_UNIT_DAEMON_FOLDER_H

#include <stddef.h>

int folder_make(void **state); // setup: *state is its path
int folder_drop(void **state); // teardown: removes all of it

// "DIR/NAME" into out.
const char *folder_path(void **state, const char *name, char *out, size_t size);
void folder_write(void **state, const char *name, const char *text);
void folder_read(void **state, const char *name, char *out, size_t size); // NUL-terminated

#endif
