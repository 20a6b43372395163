// SPDX-License-Identifier: MIT
//
// What the tests of agent/fs share: a root in a temporary folder, and short ways to make jobs.
#ifndef TESTS_FS_TEST_H
#define TESTS_FS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/fs/disk_priv.h"

struct world {
    struct disk *disk;
    char top[64];  // temporary folder
    char root[80]; // the synced root in it
    char outside[80];
};

int world_open(void **state);
int world_close(void **state);

void put_file(struct world *w, const char *path, const char *text); // makes parents
void put_dir(struct world *w, const char *path, uint32_t mode);
void put_link(struct world *w, const char *path, const char *target);
void remove_all(struct world *w, const char *path);
const char *text_of(struct world *w, const char *path, char out[256]); // NULL: not a readable file
const char *link_of(struct world *w, const char *path, char out[256]); // NULL: not a link
bool exists(struct world *w, const char *path);
uint32_t mode_of(struct world *w, const char *path);
struct fingerprint print_at(struct world *w, const char *path);
uint32_t count_in(struct world *w, const char *path, const char *prefix);
bool anywhere(struct world *w, const char *path, const char *text); // a file below path holds it

struct job *job_for(enum job_kind kind);
void job_end(struct job **job);
struct content stage_text(struct world *w, const char *text);
struct version version_file(const char *path, const char *text, uint32_t mode);
struct version version_dir(const char *path, uint32_t mode);
struct version version_link(const char *path, const char *target);
struct version version_gone(const char *path);
struct step *steps_for(struct job *job, uint32_t count, uint64_t journal);
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
