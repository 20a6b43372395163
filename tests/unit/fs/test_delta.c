// SPDX-License-Identifier: MIT
//
// A delta from a file and back into leaves; files that change meanwhile, and signatures that are
// made to cost time.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/delta/rsync.h"
#include "crypto/hash.h"
#include "fs_test.h"

enum { OLD = 3 * PROTO_LEAF_BYTES - 5000, NEW = OLD + 11, LEAVES = 3 };

static uint8_t *noise(size_t size, uint64_t state)
{
    uint8_t *bytes = mem_alloc(size);
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (uint8_t)(state >> 32);
    }
    return bytes;
}

static void save(struct world *w, const char *name, const uint8_t *bytes, size_t size)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", w->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum err sign(struct world *w, const char *path, uint64_t size, uint32_t block,
                     struct buf *out)
{
    struct job *job = job_for(JOB_SIGN);
    struct byte_run run = {0, size};
    job->sign = (struct job_sign){slice_text(path), &run, 1, block, {0}};
    disk_run(w->disk, job);
    enum err err = job->err;
    if (err == ERR_OK) delta_head(block, out);
    if (err == ERR_OK) buf_append(out, job->sign.entries.data, job->sign.entries.size);
    job_end(&job);
    return err;
}

// The whole delta, job by job.
static enum err diff(struct world *w, const char *path, uint64_t size, struct slice signature,
                     struct buf *out)
{
    struct byte_run run = {0, size};
    struct job_diff diff = {.runs = &run, .run_count = 1, .signature = signature};
    diff.entry = (struct read_entry){.path = slice_text(path), .before = print_at(w, path)};
    diff.entry.content.size = size;
    enum err err = ERR_OK;
    while (err == ERR_OK && !diff.done) {
        struct job *job = job_for(JOB_DIFF);
        job->diff = diff;
        disk_run(w->disk, job);
        err = job->err;
        diff = job->diff;
        buf_append(out, diff.bytes.data, err == ERR_OK ? diff.bytes.size : 0);
        diff.bytes = diff.signature = slice_of("", 0);
        job_end(&job);
    }
    differ_destroy(&diff.differ);
    return err;
}

struct target {
    struct digest leaves[LEAVES];
    struct content content;
};

static struct target target_of(const uint8_t *bytes)
{
    struct target target;
    for (size_t i = 0; i < LEAVES; i++) {
        size_t at = i * PROTO_LEAF_BYTES, left = NEW - at;
        target.leaves[i] =
            hash_sha256(slice_of(bytes + at, left < PROTO_LEAF_BYTES ? left : PROTO_LEAF_BYTES));
    }
    target.content = (struct content){hash_leaves(target.leaves, LEAVES), NEW};
    return target;
}

static void part_make(struct world *w, struct target *target)
{
    struct job *job = job_for(JOB_PART);
    job->part = (struct job_part){.content = target->content, .leaves = target->leaves};
    job->part.leaf_count = LEAVES;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
}

// In pieces of the delta; *out_made: leaves that are in their places.
static enum err patch(struct world *w, struct target *target, const char *path, struct slice delta,
                      uint32_t *out_made)
{
    uint32_t leaves[LEAVES] = {0, 1, 2};
    struct byte_run base = {0, OLD};
    struct patcher *patcher = NULL;
    enum err err = ERR_OK;
    *out_made = 0;
    for (size_t at = 0; at < delta.size && err == ERR_OK && *out_made < LEAVES; at += 3000) {
        struct job *job = job_for(JOB_PATCH);
        size_t left = delta.size - at;
        job->patch = (struct job_patch){.content = target->content, .path = slice_text(path)};
        job->patch.base = &base;
        job->patch.base_count = 1;
        job->patch.patcher = patcher;
        job->patch.bytes = slice_of(delta.data + at, left < 3000 ? left : 3000);
        job->patch.leaves = leaves + *out_made;
        job->patch.expected = target->leaves + *out_made;
        job->patch.count = LEAVES - *out_made;
        disk_run(w->disk, job);
        err = job->err;
        patcher = job->patch.patcher;
        *out_made += job->patch.made;
        job_end(&job);
    }
    patcher_destroy(&patcher);
    return err;
}

static enum err finish(struct world *w, const struct target *target)
{
    struct job *job = job_for(JOB_FINISH);
    job->finish.content = target->content;
    disk_run(w->disk, job);
    enum err err = job->err;
    job_end(&job);
    return err;
}

static void a_content_that_has_shifted(void **state)
{
    struct world *w = *state;
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    uint8_t *now = noise(NEW, 1);
    struct target target = target_of(now);
    uint32_t made;
    save(w, "new", now, NEW);
    save(w, "old", now + 11, OLD); // eleven bytes came in front
    assert_int_equal(sign(w, "old", OLD, delta_block(OLD), &signature), ERR_OK);
    assert_int_equal(diff(w, "new", NEW, buf_slice(&signature), &delta), ERR_OK);
    assert_true(delta.size < 200);
    part_make(w, &target);
    assert_int_equal(patch(w, &target, "old", buf_slice(&delta), &made), ERR_OK);
    assert_int_equal(made, LEAVES);
    assert_int_equal(finish(w, &target), ERR_OK);
    free(now);
}

static void a_base_that_changes_leaves_leaves_out(void **state)
{
    struct world *w = *state;
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    uint8_t *now = noise(NEW, 1);
    struct target target = target_of(now);
    uint32_t made;
    save(w, "new", now, NEW);
    save(w, "old", now + 11, OLD);
    assert_int_equal(sign(w, "old", OLD, delta_block(OLD), &signature), ERR_OK);
    assert_int_equal(diff(w, "new", NEW, buf_slice(&signature), &delta), ERR_OK);
    part_make(w, &target);
    now[PROTO_LEAF_BYTES + 77] ^= 1;
    save(w, "old", now + 11, OLD);
    assert_int_equal(patch(w, &target, "old", buf_slice(&delta), &made), ERR_MALFORMED);
    assert_int_equal(made, 1);
    assert_int_equal(finish(w, &target), ERR_CHANGED);
    save(w, "old", now + 11, OLD / 2);
    assert_int_equal(patch(w, &target, "old", buf_slice(&delta), &made), ERR_MALFORMED);
    assert_int_equal(sign(w, "old", OLD, delta_block(OLD), &signature), ERR_CHANGED);
    remove_all(w, "old");
    assert_int_equal(patch(w, &target, "old", buf_slice(&delta), &made), ERR_MALFORMED);
    assert_int_equal(sign(w, "old", OLD, delta_block(OLD), &signature), ERR_CHANGED);
    buf_clear(&signature);
    assert_int_equal(diff(w, "new", NEW, buf_slice(&signature), &delta), ERR_MALFORMED);
    free(now);
}

static void what_costs_too_much_ends(void **state)
{
    struct world *w = *state;
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    uint8_t *zeros = mem_zalloc(1, 4 * PROTO_LEAF_BYTES);
    save(w, "zeros", zeros, 4 * PROTO_LEAF_BYTES);
    // As weak a sum as all of the content has, at every byte, and never the right strong one.
    assert_int_equal(sign(w, "zeros", DELTA_BLOCK_MAX, DELTA_BLOCK_MAX, &signature), ERR_OK);
    signature.data[signature.size - 1] ^= 1;
    assert_int_equal(diff(w, "zeros", 4 * PROTO_LEAF_BYTES, buf_slice(&signature), &delta),
                     ERR_LIMIT);
    free(zeros);
}

static void what_saves_nothing_ends(void **state)
{
    struct world *w = *state;
    enum { MUCH = 17 << 20 };
    AUTO(buf_fini) struct buf signature = {0};
    AUTO(buf_fini) struct buf delta = {0};
    uint8_t *now = noise(MUCH, 3);
    save(w, "new", now, MUCH);
    save(w, "old", (const uint8_t *)"something else", 14);
    assert_int_equal(sign(w, "old", 14, DELTA_BLOCK_MIN, &signature), ERR_OK);
    assert_int_equal(diff(w, "new", MUCH, buf_slice(&signature), &delta), ERR_LIMIT);
    buf_clear(&signature);
    buf_clear(&delta);
    memset(now, 0, MUCH / 2);
    save(w, "new", now, MUCH);
    save(w, "old", now, MUCH / 2);
    assert_int_equal(sign(w, "old", MUCH / 2, delta_block(MUCH / 2), &signature), ERR_OK);
    assert_int_equal(diff(w, "new", MUCH, buf_slice(&signature), &delta), ERR_OK);
    assert_true(delta.size < MUCH / 2 + 100000);
    free(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_content_that_has_shifted, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_base_that_changes_leaves_leaves_out, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(what_costs_too_much_ends, world_open, world_close),
        cmocka_unit_test_setup_teardown(what_saves_nothing_ends, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
