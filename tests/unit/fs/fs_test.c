// SPDX-License-Identifier: MIT
#include "fs_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "crypto/hash.h"

void shell(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_int_equal(system(line), 0);
}

int world_open(void **state)
{
    struct world *w = mem_zalloc(1, sizeof *w);
    (void)snprintf(w->top, sizeof w->top, "/tmp/fs-test-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    (void)snprintf(w->root, sizeof w->root, "%s/root", w->top);
    (void)snprintf(w->outside, sizeof w->outside, "%s/outside", w->top);
    assert_int_equal(mkdir(w->outside, 0755), 0);
    w->disk = disk_new();
    struct disk_root_options options = {.path = w->root};
    assert_int_equal(disk_root_add(w->disk, 1, &options), ERR_OK);
    struct job *job = job_for(JOB_HEALTH);
    job->health.create = true;
    memset(job->health.id.bytes, 7, sizeof job->health.id.bytes);
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_true(job->health.healthy);
    job_end(&job);
    *state = w;
    return 0;
}

int world_close(void **state)
{
    struct world *w = *state;
    disk_close(&w->disk);
    shell("rm -rf '%s'", w->top);
    free(w);
    return 0;
}

static const char *full(struct world *w, const char *path, char out[512])
{
    (void)snprintf(out, 512, "%s/%s", w->root, path);
    return out;
}

void put_dir(struct world *w, const char *path, uint32_t mode)
{
    char at[512];
    shell("mkdir -p '%s'", full(w, path, at));
    assert_int_equal(chmod(at, (mode_t)mode), 0);
}

static void parent_make(struct world *w, const char *path)
{
    char at[512];
    full(w, path, at);
    *strrchr(at, '/') = '\0';
    if (access(at, F_OK) != 0) shell("mkdir -p '%s'", at);
}

void put_file(struct world *w, const char *path, const char *text)
{
    char at[512];
    parent_make(w, path);
    FILE *file = fopen(full(w, path, at), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void put_link(struct world *w, const char *path, const char *target)
{
    char at[512];
    parent_make(w, path);
    assert_int_equal(symlink(target, full(w, path, at)), 0);
}

void remove_all(struct world *w, const char *path)
{
    char at[512];
    shell("rm -rf '%s'", full(w, path, at));
}

const char *text_of(struct world *w, const char *path, char out[256])
{
    char at[512];
    int fd = open(full(w, path, at), O_RDONLY | O_NOFOLLOW);
    if (fd < 0) return NULL;
    ssize_t got = read(fd, out, 255);
    close(fd);
    if (got < 0) return NULL;
    out[got] = '\0';
    return out;
}

const char *link_of(struct world *w, const char *path, char out[256])
{
    char at[512];
    ssize_t size = readlink(full(w, path, at), out, 255);
    if (size < 0) return NULL;
    out[size] = '\0';
    return out;
}

bool exists(struct world *w, const char *path)
{
    return print_at(w, path).present;
}

uint32_t mode_of(struct world *w, const char *path)
{
    return print_at(w, path).mode;
}

struct fingerprint print_at(struct world *w, const char *path)
{
    char at[512];
    struct stat st;
    struct fingerprint print = {0};
    if (lstat(full(w, path, at), &st) == 0) print_of(&st, &print);
    return print;
}

uint32_t count_in(struct world *w, const char *path, const char *prefix)
{
    char at[512];
    uint32_t count = 0;
    DIR *dir = opendir(full(w, path, at));
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0) count++;
    }
    closedir(dir);
    return count;
}

bool anywhere(struct world *w, const char *path, const char *text)
{
    char at[512];
    char line[700];
    (void)snprintf(line, sizeof line, "grep -rqxF -e '%s' '%s'", text, full(w, path, at));
    return system(line) == 0;
}

struct job *job_for(enum job_kind kind)
{
    struct job *job = mem_zalloc(1, sizeof *job);
    job->kind = kind;
    job->folder = 1;
    job->arena = arena_new();
    return job;
}

void job_end(struct job **job)
{
    arena_destroy(&(*job)->arena);
    free(*job);
    *job = NULL;
}

static struct content content_of(const char *text)
{
    return (struct content){hash_content(slice_text(text)), strlen(text)};
}

struct content stage_text(struct world *w, const char *text)
{
    struct stage_entry entry = {.content = content_of(text), .bytes = slice_text(text)};
    struct job *job = job_for(JOB_STAGE);
    job->stage.entries = &entry;
    job->stage.count = 1;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(entry.err, ERR_OK);
    job_end(&job);
    return entry.content;
}

struct version version_file(const char *path, const char *text, uint32_t mode)
{
    struct content content = content_of(text);
    return (struct version){
        .path = slice_text(path),
        .mtime_ns = 1700000000123456789,
        .value = {.kind = KIND_FILE, .mode = mode, .size = content.size, .content = content.id}};
}

struct version version_dir(const char *path, uint32_t mode)
{
    return (struct version){.path = slice_text(path), .value = {.kind = KIND_DIR, .mode = mode}};
}

struct version version_link(const char *path, const char *target)
{
    return (struct version){.path = slice_text(path),
                            .value = {.kind = KIND_SYMLINK, .target = slice_text(target)}};
}

struct version version_gone(const char *path)
{
    return (struct version){.path = slice_text(path), .value = {.kind = KIND_TOMB}};
}

struct step *steps_for(struct job *job, uint32_t count, uint64_t journal)
{
    job->apply.steps = arena_alloc(job->arena, count, sizeof *job->apply.steps);
    job->apply.count = count;
    job->apply.journal = journal;
    return job->apply.steps;
}
