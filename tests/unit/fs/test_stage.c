// SPDX-License-Identifier: MIT
//
// Staging: small contents, large ones by leaves, copies of local files, and reading for peers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "crypto/hash.h"
#include "fs_test.h"

enum { BIG = 2 * PROTO_LEAF_BYTES + 777, LEAVES = 3 };

struct big {
    uint8_t *bytes;
    struct digest leaves[LEAVES];
    struct content content;
};

static void big_make(struct big *big)
{
    big->bytes = mem_alloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        big->bytes[i] = (uint8_t)((i * 31 >> 7) + i / PROTO_LEAF_BYTES);
    for (size_t i = 0; i < LEAVES; i++) {
        size_t size = i + 1 < LEAVES ? PROTO_LEAF_BYTES : 777;
        big->leaves[i] = hash_sha256(slice_of(big->bytes + i * PROTO_LEAF_BYTES, size));
    }
    big->content = (struct content){hash_leaves(big->leaves, LEAVES), BIG};
}

static struct slice leaf_of(const struct big *big, uint32_t leaf)
{
    return slice_of(big->bytes + (size_t)leaf * PROTO_LEAF_BYTES,
                    leaf + 1 < LEAVES ? PROTO_LEAF_BYTES : 777);
}

static enum err leaf_put(struct world *w, const struct big *big, uint32_t leaf, struct slice bytes)
{
    struct job *job = job_for(JOB_LEAF);
    job->leaf = (struct job_leaf){big->content, leaf, big->leaves[leaf], bytes, NULL};
    disk_run(w->disk, job);
    enum err err = job->err;
    job_end(&job);
    return err;
}

static enum err finish(struct world *w, const struct big *big)
{
    struct job *job = job_for(JOB_FINISH);
    job->finish.content = big->content;
    disk_run(w->disk, job);
    enum err err = job->err;
    job_end(&job);
    return err;
}

static uint32_t part_have(struct world *w, struct big *big, bool with_leaves)
{
    struct job *job = job_for(JOB_PART);
    job->part.content = big->content;
    if (with_leaves) job->part.leaves = big->leaves;
    if (with_leaves) job->part.leaf_count = LEAVES;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    uint32_t have = 0;
    for (uint32_t i = 0; i < job->part.leaf_count; i++)
        have |= (uint32_t)job->part.have[i] << i;
    uint32_t count = job->part.leaf_count;
    job_end(&job);
    return count == 0 ? UINT32_MAX : have;
}

static void test_large_content_by_leaves(void **state)
{
    struct world *w = *state;
    struct big big;
    big_make(&big);
    assert_int_equal(part_have(w, &big, false), UINT32_MAX); // no list known
    assert_int_equal(part_have(w, &big, true), 0);
    assert_int_equal(leaf_put(w, &big, 2, leaf_of(&big, 2)), ERR_OK);
    assert_int_equal(leaf_put(w, &big, 0, leaf_of(&big, 1)), ERR_MALFORMED);
    assert_int_equal(leaf_put(w, &big, 0, leaf_of(&big, 0)), ERR_OK);
    assert_int_equal(part_have(w, &big, false), 5); // the list was kept
    assert_int_equal(finish(w, &big), ERR_CHANGED);
    assert_int_equal(leaf_put(w, &big, 1, leaf_of(&big, 1)), ERR_OK);
    // A leaf that a crash lost is found out and asked for again.
    shell("cd '%s/.cfgsync/staging' && printf x | dd of=$(ls | grep part) bs=1 seek=5 conv=notrunc "
          "status=none",
          w->root);
    assert_int_equal(part_have(w, &big, true), 6);
    assert_int_equal(finish(w, &big), ERR_CHANGED);
    assert_int_equal(leaf_put(w, &big, 0, leaf_of(&big, 0)), ERR_OK);
    assert_int_equal(finish(w, &big), ERR_OK);
    assert_int_equal(finish(w, &big), ERR_OK);
    assert_int_equal(part_have(w, &big, false), 7);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);

    struct read_entry entry = {.content = big.content, .staged = true};
    struct job *job = job_for(JOB_READ);
    job->read = (struct job_read){&entry, 1, 1};
    disk_run(w->disk, job);
    assert_int_equal(entry.err, ERR_OK);
    assert_true(slice_equal(entry.bytes, leaf_of(&big, 1)));
    job->read.leaf = PROTO_LEAF_LIST;
    disk_run(w->disk, job);
    assert_true(slice_equal(entry.bytes, slice_of(big.leaves, sizeof big.leaves)));
    job_end(&job);
    free(big.bytes);
}

static void test_wrong_bytes_are_refused(void **state)
{
    struct world *w = *state;
    struct stage_entry entries[12] = {0};
    char texts[12][16];
    struct job *job = job_for(JOB_STAGE);
    for (size_t i = 0; i < 12; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "content %zu", i);
        entries[i].bytes = slice_text(texts[i]);
        entries[i].content = (struct content){hash_content(entries[i].bytes), strlen(texts[i])};
    }
    entries[3].bytes = slice_text("not that");
    entries[4].content.size--;
    job->stage = (struct job_stage){entries, 12};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(entries[i].err, i == 3 || i == 4 ? ERR_MALFORMED : ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 10);
    disk_run(w->disk, job); // again: all there
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 10);
    job_end(&job);
}

static void test_read_and_copy_of_local_files(void **state)
{
    struct world *w = *state;
    put_file(w, "d/f", "local");
    struct content content = {hash_content(slice_text("local")), 5};
    struct read_entry entry = {
        .content = content, .path = slice_text("d/f"), .before = print_at(w, "d/f")};
    struct job *job = job_for(JOB_READ);
    job->read = (struct job_read){&entry, 1, JOB_READ_WHOLE};
    disk_run(w->disk, job);
    assert_true(entry.err == ERR_OK && slice_equal(entry.bytes, slice_text("local")));
    job_end(&job);

    job = job_for(JOB_COPY);
    job->copy = (struct job_copy){
        .content = content, .path = slice_text("d/f"), .before = print_at(w, "d/f")};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
    job_end(&job);

    put_file(w, "d/f", "other");
    job = job_for(JOB_READ);
    job->read = (struct job_read){&entry, 1, JOB_READ_WHOLE};
    disk_run(w->disk, job);
    assert_int_equal(entry.err, ERR_CHANGED);
    job_end(&job);
    job = job_for(JOB_COPY);
    struct content lie = {hash_content(slice_text("x")), 5};
    job->copy =
        (struct job_copy){.content = lie, .path = slice_text("d/f"), .before = print_at(w, "d/f")};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_CHANGED);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
    job_end(&job);
}

// Out of a file, a kept one and the base store, in one job.
static void test_many_of_what_is_here(void **state)
{
    struct world *w = *state;
    const char *const texts[] = {"in a file", "kept", "another now", "nowhere"};
    struct stage_entry entries[4] = {{.from = STAGE_ITEM, .path = slice_text("d/f")},
                                     {.from = STAGE_KEPT, .path = slice_text("k")},
                                     {.from = STAGE_ITEM, .path = slice_text("d/g")},
                                     {.from = STAGE_STORED}};
    put_file(w, "d/f", texts[0]);
    put_file(w, ".cfgsync/kept/k", texts[1]);
    put_file(w, "d/g", "more than it was");
    for (size_t i = 0; i < 4; i++)
        entries[i].content = (struct content){hash_content(slice_text(texts[i])), strlen(texts[i])};
    struct job *job = job_for(JOB_STAGE);
    job->stage = (struct job_stage){entries, 4};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(entries[i].err, i < 2 ? ERR_OK : ERR_CHANGED);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 2);
    put_file(w, "d/g", "another noW");
    disk_run(w->disk, job);
    assert_int_equal(entries[2].err, ERR_MALFORMED);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 2);
    job_end(&job);
}

static enum err list_err(struct world *w, const struct big *big)
{
    struct read_entry entry = {
        .content = big->content, .path = slice_text("big"), .before = print_at(w, "big")};
    struct job *job = job_for(JOB_READ);
    job->read = (struct job_read){&entry, 1, PROTO_LEAF_LIST};
    disk_run(w->disk, job);
    assert_true(entry.err == ERR_OK || entry.bytes.size == 0);
    job_end(&job);
    return entry.err;
}

static enum err copy_err(struct world *w, const struct big *big)
{
    struct job *job = job_for(JOB_COPY);
    job->copy = (struct job_copy){
        .content = big->content, .path = slice_text("big"), .before = print_at(w, "big")};
    disk_run(w->disk, job);
    enum err err = job->err;
    job_end(&job);
    return err;
}

static enum look_result look_result(struct world *w)
{
    struct look look = {.path = slice_text("big")};
    struct job *job = job_for(JOB_LOOK);
    job->look = (struct job_look){.looks = &look, .count = 1};
    disk_run(w->disk, job);
    job_end(&job);
    return look.result;
}

// Nothing half done counts, and nothing that was there is lost.
static void test_a_halt_ends_what_reads_much(void **state)
{
    struct world *w = *state;
    struct big big;
    big_make(&big);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/big", w->root);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(big.bytes, 1, BIG, file), BIG);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(part_have(w, &big, true), 0);
    assert_int_equal(leaf_put(w, &big, 2, leaf_of(&big, 2)), ERR_OK);

    disk_halt(w->disk);
    assert_int_equal(look_result(w), LOOK_PROBLEM);
    assert_int_equal(list_err(w, &big), ERR_IO);
    assert_int_equal(copy_err(w, &big), ERR_IO);
    struct job *job = job_for(JOB_PART);
    job->part.content = big.content;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_IO);
    job_end(&job);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 2); // the part and its map

    atomic_store(&w->disk->halted, false); // as after the next start
    assert_int_equal(part_have(w, &big, false), 4);
    assert_int_equal(look_result(w), LOOK_VALUE);
    assert_int_equal(list_err(w, &big), ERR_OK);
    assert_int_equal(copy_err(w, &big), ERR_OK);
    free(big.bytes);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_large_content_by_leaves), T(test_wrong_bytes_are_refused),
        T(test_read_and_copy_of_local_files), T(test_many_of_what_is_here),
        T(test_a_halt_ends_what_reads_much)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
