// SPDX-License-Identifier: MIT
//
// Walks, looks, health and what is ignored.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "crypto/hash.h"
#include "fs_test.h"
#include "proto/path.h"

struct listing {
    char paths[4096];
    uint32_t entries;
    uint32_t problems;
    uint32_t unread;
    bool complete;
    enum err err;
};

static void scan(struct world *w, const char *prefix, uint32_t batch, struct listing *out)
{
    struct walk *walk = NULL;
    char last[4200] = "";
    *out = (struct listing){0};
    for (bool done = false; !done;) {
        struct job *job = job_for(JOB_SCAN);
        job->scan =
            (struct job_scan){.prefix = slice_text(prefix), .walk = walk, .entries_max = batch};
        disk_run(w->disk, job);
        assert_true(job->scan.entry_count <= batch);
        for (uint32_t i = 0; i < job->scan.entry_count; i++) {
            struct slice path = job->scan.entries[i].path;
            assert_true(last[0] == '\0' || path_compare(slice_text(last), path) < 0);
            (void)snprintf(last, sizeof last, "%.*s", SLICE_ARG(path));
            if (strlen(out->paths) + path.size + 2 < sizeof out->paths) {
                size_t at = strlen(out->paths);
                (void)snprintf(out->paths + at, sizeof out->paths - at, "%s\n", last);
            }
        }
        out->entries += job->scan.entry_count;
        out->problems += job->scan.problem_count;
        out->unread += job->scan.unread_count;
        out->complete = job->scan.complete;
        out->err = job->err;
        walk = job->scan.walk;
        done = job->scan.done || job->err != ERR_OK;
        assert_true(!done || walk == NULL);
        job_end(&job);
    }
}

static void test_order_and_batches(void **state)
{
    struct world *w = *state;
    static const char *const files[] = {
        "a.txt", "a/x", "a/b/c", "a-b", "A", "a0", "b", "z/y/x/w", "\xc3\xa9t\xc3\xa9/f"};
    struct listing one;
    struct listing many;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_file(w, files[i], "x");
    put_file(w, ".cfgsync/conflicts/one", "x");
    scan(w, "", 1, &one);
    scan(w, "", 1000, &many);
    assert_string_equal(one.paths, many.paths);
    assert_string_equal(many.paths,
                        ".cfgsync/conflicts/one\nA\na\na/b\na/b/c\na/x\na-b\na.txt\na0\nb\n"
                        "z\nz/y\nz/y/x\nz/y/x/w\n\xc3\xa9t\xc3\xa9\n\xc3\xa9t\xc3\xa9/f\n");
    assert_true(many.complete);
    scan(w, "a", 2, &one);
    assert_string_equal(one.paths, "a\na/b\na/b/c\na/x\n");
    scan(w, "a/b/c", 2, &one);
    assert_string_equal(one.paths, "a/b/c\n");
    scan(w, "nothing/here", 2, &one);
    assert_true(one.entries == 0 && one.complete);
}

static void test_names_that_are_spelled_otherwise(void **state)
{
    struct world *w = *state;
    struct listing all;
    const char *nfc = "caf\xc3\xa9";
    put_file(w, "cafe\xcc\x81/inside", "nfd");
    put_file(w, "bad\xff", "x");
    put_file(w, "name\nwith newline", "x");
    scan(w, "", 10, &all);
    assert_string_equal(all.paths, "caf\xc3\xa9\ncaf\xc3\xa9/inside\nname\nwith newline\n");
    assert_int_equal(all.problems, 1);
    assert_true(all.complete);
    scan(w, nfc, 10, &all);
    assert_string_equal(all.paths, "caf\xc3\xa9\ncaf\xc3\xa9/inside\n");

    struct look looks[2] = {{.path = slice_text(nfc)}, {.path = slice_text("caf\xc3\xa9/inside")}};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = looks, .count = 2};
    disk_run(w->disk, job);
    assert_int_equal(looks[0].result, LOOK_VALUE);
    assert_true(slice_equal(looks[0].disk_name, slice_text("cafe\xcc\x81")));
    assert_int_equal(looks[1].result, LOOK_VALUE);
    assert_true(slice_equal(looks[1].bytes, slice_text("nfd")));
    job_end(&job);
}

static void test_deep_trees_use_few_descriptors(void **state)
{
    struct world *w = *state;
    struct listing all;
    AUTO(buf_fini) struct buf deep = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&deep, "d%d/", i);
    buf_append_text(&deep, "f");
    put_file(w, buf_text(&deep), "x");
    put_file(w, "d0/z", "x");
    put_file(w, "d0/d1/z", "x");
    scan(w, "", 1, &all);
    assert_int_equal(all.entries, 63);
    assert_true(all.complete);
}

// A name that is three times as long in its normal form, in the deepest directory there may be.
static void test_a_path_that_grows(void **state)
{
    enum { DEPTH = 15, NAME = 255, SIGNS = 63 };
    struct world *w = *state;
    struct listing all;
    char dir[NAME + 1] = "", name[4 * SIGNS + 1] = "";
    memset(dir, 'd', NAME);
    for (int i = 0; i < SIGNS; i++)
        memcpy(name + 4 * i, "\xf0\x9d\x85\xa0", 4);
    int at = open(w->root, O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(at, dir, 0755), 0);
        int below = openat(at, dir, O_DIRECTORY | O_CLOEXEC);
        assert_true(below >= 0);
        (void)close(at);
        at = below;
    }
    int file = openat(at, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(file >= 0);
    (void)close(file);
    (void)close(at);
    scan(w, "", 10, &all);
    assert_int_equal(all.entries, DEPTH);
    assert_int_equal(all.problems, 1);
    assert_true(all.complete);
}

static void *scan_on(void *context)
{
    struct world *w = context;
    struct walk *walk = NULL;
    for (bool done = false; !done;) {
        struct job *job = job_for(JOB_SCAN);
        job->scan = (struct job_scan){.prefix = slice_text(""), .walk = walk, .entries_max = 500};
        disk_run(w->disk, job);
        walk = job->scan.walk;
        done = job->scan.done || job->err != ERR_OK;
        job_end(&job);
    }
    return NULL;
}

// The folder is removed while a job walks its root: the job ends the walk.
static void test_the_root_goes_meanwhile(void **state)
{
    struct world *w = *state;
    const struct disk_root_options options = {.path = w->root};
    shell("cd '%s' && mkdir a b c && for d in a b c; do (cd $d && seq 1500 | xargs touch); done",
          w->root);
    for (long i = 0; i < 40; i++) {
        const struct timespec nap = {.tv_nsec = i * 100 * 1000};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, scan_on, w), 0);
        nanosleep(&nap, NULL);
        disk_root_remove(w->disk, 1);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(disk_root_add(w->disk, 1, &options), ERR_OK);
    }
}

static void expect_rule(struct world *w, const char *path, enum ignored why, const char *rule)
{
    AUTO(buf_fini) struct buf got = {0};
    assert_int_equal(disk_ignored_path(w->disk, 1, slice_text(path), false, &got), why);
    assert_string_equal(buf_text(&got), rule);
}

static void test_what_is_left_out(void **state)
{
    struct world *w = *state;
    struct listing all;
    static const char *const files[] = {
        "keep",       ".f.swp",         "x~",         ".git/config",    "sub/.git/x",
        ".env",       "sub/server.key", "id_ed25519", "id_ed25519.pub", "sub/.cfgsync/x",
        ".CFGSYNC/x", "4913",           "my.local"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put_file(w, files[i], "x");
    shell("mkfifo '%s/pipe'", w->root);
    scan(w, "", 100, &all);
    assert_string_equal(all.paths, "id_ed25519.pub\nkeep\nsub\n");
    assert_true(all.complete && all.problems == 0);
    struct arena *arena = arena_new();
    struct slice held[8];
    assert_int_equal(disk_held(w->disk, 1, arena, 8, held), 3);
    assert_true(slice_equal(held[0], slice_text(".env")));
    arena_destroy(&arena);
    expect_rule(w, "sub/.git/x", IGNORED_DEFAULT, "default: .git");
    expect_rule(w, ".git", IGNORED_NO, ""); // a file of that name: a worktree's
    expect_rule(w, "a/#x#", IGNORED_DEFAULT, "default: #*#");
    expect_rule(w, "a/credentials.json", IGNORED_SECRET, "default: credentials*");
    expect_rule(w, ".cfgsync/conflicts/x", IGNORED_NO, "");
    expect_rule(w, ".cfgsync/kept/x", IGNORED_ALWAYS, "default: .cfgsync");
    disk_root_set(w->disk, 1, true, true);
    expect_rule(w, "a/credentials.json", IGNORED_NO, "");
    expect_rule(w, "sub/.git/x", IGNORED_NO, "");
    disk_root_set(w->disk, 1, false, false);

    struct look look = {.path = slice_text("sub/server.key")};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = &look, .count = 1};
    disk_run(w->disk, job);
    assert_int_equal(look.result, LOOK_PROBLEM);
    look.before = (struct fingerprint){.present = true, .kind = KIND_FILE};
    disk_run(w->disk, job);
    assert_int_equal(look.result, LOOK_VALUE); // synced already: an ordinary file
    job_end(&job);
}

static void look_one(struct world *w, struct look *look, struct job **job)
{
    *job = job_for(JOB_LOOK);
    (*job)->look = (struct job_look){.looks = look, .count = 1};
    disk_run(w->disk, *job);
    assert_int_equal((*job)->err, ERR_OK);
}

static void test_look(void **state)
{
    struct world *w = *state;
    struct job *job;
    put_link(w, "l", "../dangling");
    put_dir(w, "d", 0711);
    shell("head -c 2500000 /dev/zero > '%s/big'", w->root);
    put_file(w, "f", "hello");
    struct look look = {.path = slice_text("f")};
    look_one(w, &look, &job);
    assert_int_equal(look.result, LOOK_VALUE);
    struct digest id = hash_sha256(slice_text("hello"));
    assert_memory_equal(&look.value.content, &id, sizeof id);
    assert_true(look.racy && slice_equal(look.bytes, slice_text("hello")));
    job_end(&job);

    look = (struct look){.path = slice_text("f"), .before = print_at(w, "f")};
    look_one(w, &look, &job);
    assert_int_equal(look.result, LOOK_SAME);
    job_end(&job);

    look = (struct look){.path = slice_text("l")};
    look_one(w, &look, &job);
    assert_true(look.value.kind == KIND_SYMLINK &&
                slice_equal(look.value.target, slice_text("../dangling")));
    job_end(&job);

    look = (struct look){.path = slice_text("d")};
    look_one(w, &look, &job);
    assert_true(look.value.kind == KIND_DIR && look.value.mode == 0711 && look.value.size == 0);
    job_end(&job);

    look = (struct look){.path = slice_text("big")};
    look_one(w, &look, &job);
    assert_true(look.leaf_count == 3 && look.bytes.size == 0 && look.value.size == 2500000);
    job_end(&job);

    static const char *const gone[] = {"none", "none/x", "f/x", "l/x"};
    for (size_t i = 0; i < 4; i++) {
        look = (struct look){.path = slice_text(gone[i]), .before = {.present = true}};
        look_one(w, &look, &job);
        assert_int_equal(look.result, LOOK_GONE);
        job_end(&job);
    }
}

static void test_a_large_file_is_read_only_when_asked_for(void **state)
{
    struct world *w = *state;
    struct job *job;
    struct look look = {.path = slice_text("big")};
    shell("truncate -s 256M '%s/big' && truncate -s +1 '%s/big'", w->root, w->root);
    look_one(w, &look, &job);
    assert_int_equal(look.result, LOOK_LARGE);
    assert_true(look.print.present && look.leaf_count == 0);
    job_end(&job);
    look = (struct look){.path = slice_text("big"), .before = print_at(w, "big")};
    look_one(w, &look, &job);
    assert_int_equal(look.result, LOOK_SAME);
    job_end(&job);
    look = (struct look){.path = slice_text("big"), .large = true};
    look_one(w, &look, &job);
    assert_true(look.result == LOOK_VALUE && look.zeros && look.leaf_count > 0);
    job_end(&job);
}

static enum err look_err(struct world *w)
{
    struct look look = {.path = slice_text("f"), .before = {.present = true}};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = &look, .count = 1};
    disk_run(w->disk, job);
    enum err err = job->err;
    job_end(&job);
    return err;
}

static bool healthy(struct world *w, uint8_t id)
{
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, id, sizeof job->health.id.bytes);
    disk_run(w->disk, job);
    bool result = job->health.healthy;
    assert_true(result || job->health.what != NULL);
    job_end(&job);
    return result;
}

// A root that is away, replaced or without its marker is never an empty one.
// However many are looked at in one job, of which not all contents are kept.
static void test_files_of_zeros(void **state)
{
    enum { FILES = 40 };
    struct world *w = *state;
    struct look looks[FILES] = {0};
    char names[FILES][16];
    shell("cd '%s' && for i in $(seq 0 37); do truncate -s 200K f$i; done; truncate -s 20M f38;"
          " truncate -s 20M f39; printf x >> f39; printf x >> f7; : > f8",
          w->root);
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(names[i], sizeof names[i], "f%d", i);
        looks[i].path = slice_text(names[i]);
        looks[i].was.size = 1;
    }
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = looks, .count = FILES};
    disk_run(w->disk, job);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(looks[i].zeros, i != 7 && i != 8 && i != 39);
    job_end(&job);
}

static void test_a_missing_root_is_no_deletion(void **state)
{
    struct world *w = *state;
    struct listing all;
    put_file(w, "f", "x");
    assert_int_equal(look_err(w), ERR_OK);
    shell("mv '%s' '%s/away' && mkdir '%s'", w->root, w->top, w->root);
    assert_int_equal(look_err(w), ERR_UNREACHABLE);
    scan(w, "", 10, &all);
    assert_true(all.err == ERR_UNREACHABLE && all.entries == 0 && !all.complete);
    assert_false(healthy(w, 7));
    assert_false(healthy(w, 7));
    shell("rmdir '%s'", w->root);
    assert_false(healthy(w, 7));
    shell("mv '%s/away' '%s'", w->top, w->root);
    assert_int_equal(look_err(w), ERR_UNREACHABLE); // until health says so
    assert_true(healthy(w, 7));
    assert_int_equal(look_err(w), ERR_OK);
    assert_false(healthy(w, 8));
    shell("mv '%s/.cfgsync/root' '%s/marker'", w->root, w->top);
    assert_int_equal(look_err(w), ERR_UNREACHABLE);
    assert_false(healthy(w, 7));
    shell("mv '%s/marker' '%s/.cfgsync/root'", w->top, w->root);
    assert_true(healthy(w, 7));
    // A copy with the marker: one break is seen, then it is the root.
    shell("cp -a '%s' '%s/copy' && rm -rf '%s' && mv '%s/copy' '%s'", w->root, w->top, w->root,
          w->top, w->root);
    assert_false(healthy(w, 7));
    assert_true(healthy(w, 7));
}

static void test_layout_and_witness(void **state)
{
    struct world *w = *state;
    static const char *const dirs[] = {".cfgsync", ".cfgsync/staging", ".cfgsync/kept",
                                       ".cfgsync/conflicts"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(mode_of(w, dirs[i]), 0700);
    char text[256];
    assert_string_equal(text_of(w, ".cfgsync/.gitignore", text), "*\n");
    struct job *job = job_for(JOB_HEALTH);
    memset(job->health.id.bytes, 7, 16);
    memset(job->health.witness_next, 9, 16);
    job->health.set_witness = true;
    disk_run(w->disk, job);
    assert_true(job->health.healthy && !job->health.has_witness);
    job->health.set_witness = false;
    disk_run(w->disk, job);
    assert_true(job->health.has_witness && job->health.witness[15] == 9);
    memset(job->health.id.bytes, 5, 16);
    job->health.write_id = true;
    disk_run(w->disk, job);
    assert_true(job->health.healthy && job->health.found.bytes[0] == 5);
    job_end(&job);
}

static void test_many_files_are_cheap(void **state)
{
    struct world *w = *state;
    struct listing all;
    shell("cd '%s' && for d in $(seq 20); do mkdir m$d; (cd m$d && seq 150 | xargs touch); done",
          w->root);
    int64_t start = clock_ns(CLOCK_MONOTONIC);
    scan(w, "", 4096, &all);
    int64_t ms = (clock_ns(CLOCK_MONOTONIC) - start) / 1000000;
    print_message("3,000 files walked in %d ms\n", (int)ms);
    assert_int_equal(all.entries, 3020);
    assert_true(ms < 2000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_order_and_batches),
        T(test_names_that_are_spelled_otherwise),
        T(test_deep_trees_use_few_descriptors),
        T(test_a_path_that_grows),
        T(test_the_root_goes_meanwhile),
        T(test_what_is_left_out),
        T(test_look),
        T(test_a_large_file_is_read_only_when_asked_for),
        T(test_files_of_zeros),
        T(test_a_missing_root_is_no_deletion),
        T(test_layout_and_witness),
        T(test_many_files_are_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
