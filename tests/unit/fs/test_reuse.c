// SPDX-License-Identifier: MIT
//
// A large content that takes leaves from a file that is here: what was hashed is what counts,
// whatever the file is by then.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "crypto/hash.h"
#include "fs_test.h"

enum { LEAVES = 4, TAIL = 777, BIG = (LEAVES - 1) * PROTO_LEAF_BYTES + TAIL };

struct big {
    uint8_t *bytes;
    struct digest leaves[LEAVES];
    struct content content;
};

static size_t size_of(uint32_t leaf)
{
    return leaf + 1 < LEAVES ? PROTO_LEAF_BYTES : TAIL;
}

static uint8_t *at_leaf(const struct big *big, uint32_t leaf)
{
    return big->bytes + (size_t)leaf * PROTO_LEAF_BYTES;
}

static void big_hash(struct big *big)
{
    for (uint32_t i = 0; i < LEAVES; i++)
        big->leaves[i] = hash_sha256(slice_of(at_leaf(big, i), size_of(i)));
    big->content = (struct content){hash_leaves(big->leaves, LEAVES), BIG};
}

static void big_make(struct big *big)
{
    big->bytes = mem_alloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        big->bytes[i] = (uint8_t)((i * 31 >> 7) + i / PROTO_LEAF_BYTES);
    big_hash(big);
}

static void big_save(struct world *w, const struct big *big, const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", w->root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(big->bytes, 1, BIG, file), BIG);
    assert_int_equal(fclose(file), 0);
}

static uint32_t part_have_of(struct world *w, struct big *big)
{
    struct job *job = job_for(JOB_PART);
    job->part = (struct job_part){.content = big->content, .leaves = big->leaves};
    job->part.leaf_count = LEAVES;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    uint32_t have = 0;
    for (uint32_t i = 0; i < LEAVES; i++)
        have |= (uint32_t)job->part.have[i] << i;
    job_end(&job);
    return have;
}

static uint32_t reuse(struct world *w, const struct big *big, const char *path,
                      const uint32_t from[LEAVES])
{
    struct leaf_from leaves[LEAVES];
    struct job *job = job_for(JOB_REUSE);
    for (uint32_t i = 0; i < LEAVES; i++)
        leaves[i] = (struct leaf_from){.leaf = i, .from = from[i], .expected = big->leaves[i]};
    job->reuse = (struct job_reuse){big->content, slice_text(path), leaves, LEAVES};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    uint32_t have = 0;
    for (uint32_t i = 0; i < LEAVES; i++)
        have |= (uint32_t)leaves[i].have << i;
    return have;
}

static const uint32_t in_place[LEAVES] = {0, 1, 2, 3};

static void leaves_that_are_the_same_are_taken(void **state)
{
    struct world *w = *state;
    struct big big;
    big_make(&big);
    big_save(w, &big, "f");
    at_leaf(&big, 1)[17] ^= 1;
    big_hash(&big);
    assert_int_equal(part_have_of(w, &big), 0);
    assert_int_equal(reuse(w, &big, "f", in_place), 13);
    assert_int_equal(part_have_of(w, &big), 13); // and hashed again
    struct job *job = job_for(JOB_LEAF);
    struct slice bytes = slice_of(at_leaf(&big, 1), PROTO_LEAF_BYTES);
    job->leaf = (struct job_leaf){
        .content = big.content, .leaf = 1, .expected = big.leaves[1], .bytes = bytes};
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    job = job_for(JOB_FINISH);
    job->finish.content = big.content;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    job_end(&job);
    assert_int_equal(part_have_of(w, &big), 15);
    free(big.bytes);
}

static void leaves_may_have_been_elsewhere(void **state)
{
    struct world *w = *state;
    static const uint32_t turned[LEAVES] = {1, 0, 2, 2};
    struct big big;
    big_make(&big);
    big_save(w, &big, "f");
    for (size_t i = 0; i < PROTO_LEAF_BYTES; i++) {
        uint8_t was = big.bytes[i];
        big.bytes[i] = big.bytes[i + PROTO_LEAF_BYTES];
        big.bytes[i + PROTO_LEAF_BYTES] = was;
    }
    big_hash(&big);
    assert_int_equal(part_have_of(w, &big), 0);
    assert_int_equal(reuse(w, &big, "f", turned), 7);
    assert_int_equal(part_have_of(w, &big), 7);
    free(big.bytes);
}

static void a_file_that_is_another_by_now_gives_nothing(void **state)
{
    struct world *w = *state;
    struct big big;
    big_make(&big);
    assert_int_equal(part_have_of(w, &big), 0);
    assert_int_equal(reuse(w, &big, "f", in_place), 0); // gone
    put_file(w, "f", "short");
    assert_int_equal(reuse(w, &big, "f", in_place), 0);
    remove_all(w, "f");
    put_dir(w, "f", 0755);
    assert_int_equal(reuse(w, &big, "f", in_place), 0);
    remove_all(w, "f");
    shell("mkfifo '%s/f'", w->root);
    assert_int_equal(reuse(w, &big, "f", in_place), 0);
    remove_all(w, "f");
    at_leaf(&big, 0)[0] ^= 1;
    big_save(w, &big, "f");
    assert_int_equal(reuse(w, &big, "f", in_place), 14);
    assert_int_equal(part_have_of(w, &big), 14);
    free(big.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaves_that_are_the_same_are_taken, world_open,
                                        world_close),
        cmocka_unit_test_setup_teardown(leaves_may_have_been_elsewhere, world_open, world_close),
        cmocka_unit_test_setup_teardown(a_file_that_is_another_by_now_gives_nothing, world_open,
                                        world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
