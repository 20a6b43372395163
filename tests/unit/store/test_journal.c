// SPDX-License-Identifier: MIT
//
// Journal rows: what recovery reads is what apply wrote, and damaged rows are refused unharmed.
#include "agent/core/job.h"
#include "tests/unit/proto/make.h"
#include "tests/unit/store/store_test.h"

static struct job_apply random_apply(struct chance *c, struct arena *arena)
{
    struct job_apply apply = {.all_or_none = chance_below(c, 2), .count = chance_below(c, 5)};
    apply.steps = arena_alloc(arena, apply.count, sizeof *apply.steps);
    for (uint32_t i = 0; i < apply.count; i++) {
        struct step *step = &apply.steps[i];
        step->path = make_path(c, arena);
        if (chance_below(c, 2)) step->disk_name = make_text(c, arena, 1);
        step->version = make_version(c, arena);
        step->parent_mode = chance_below(c, 01000);
        step->dir_implied_mode = chance_below(c, 2);
        step->before_racy = chance_below(c, 2);
        if (step->before_racy) {
            step->was.size = make_number(c);
            step->was.id.bytes[chance_below(c, sizeof step->was.id.bytes)] = 7;
        }
        step->before = (struct fingerprint){
            .present = chance_below(c, 2),
            .kind = (enum kind)chance_below(c, KIND_SYMLINK + 1),
            .ino = make_number(c),
            .ctime_ns = -(int64_t)(make_number(c) >> 1),
        };
    }
    return apply;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct chance c = {7};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 300; i++) {
        struct job_apply apply = random_apply(&c, arena);
        AUTO(buf_fini) struct buf record = {0};
        AUTO(buf_fini) struct buf again = {0};
        journal_encode(&apply, &record);
        struct job_apply got;
        assert_int_equal(journal_decode(arena, buf_slice(&record), &got), ERR_OK);
        assert_int_equal(got.count, apply.count);
        assert_int_equal(got.all_or_none, apply.all_or_none);
        for (uint32_t j = 0; j < got.count; j++) {
            const struct step *a = &apply.steps[j];
            const struct step *b = &got.steps[j];
            assert_true(slice_equal(a->path, b->path));
            assert_true(slice_equal(a->disk_name, b->disk_name));
            assert_true(version_same(&a->version, &b->version));
            assert_int_equal(a->parent_mode, b->parent_mode);
            assert_int_equal(a->dir_implied_mode, b->dir_implied_mode);
            assert_int_equal(a->before.present, b->before.present);
            assert_int_equal(a->before_racy, b->before_racy);
            assert_true(a->was.size == b->was.size);
            assert_memory_equal(&a->was.id, &b->was.id, sizeof a->was.id);
            assert_true(a->before.ino == b->before.ino);
            assert_true(a->before.ctime_ns == b->before.ctime_ns);
        }
        journal_encode(&got, &again);
        assert_true(slice_equal(buf_slice(&record), buf_slice(&again)));
        arena_reset(arena);
    }
}

static void test_cut_rows_are_refused(void **state)
{
    (void)state;
    struct chance c = {11};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct job_apply apply = random_apply(&c, arena);
    AUTO(buf_fini) struct buf record = {0};
    journal_encode(&apply, &record);
    struct job_apply got;
    for (size_t size = 0; size < record.size; size++) {
        // A copy of its own, so that a read behind the end is seen.
        uint8_t *cut = mem_alloc(size + 1);
        memcpy(cut, record.data, size);
        assert_int_equal(journal_decode(arena, slice_of(cut, size), &got), ERR_CORRUPT);
        assert_int_equal(got.count, 0);
        free(cut);
    }
    buf_append(&record, "x", 1);
    assert_int_equal(journal_decode(arena, buf_slice(&record), &got), ERR_CORRUPT);
}

static void test_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    struct chance c = {13};
    for (int i = 0; i < 4000; i++) {
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct job_apply apply = random_apply(&c, arena);
        AUTO(buf_fini) struct buf record = {0};
        journal_encode(&apply, &record);
        for (uint32_t flips = 1 + chance_below(&c, 3); flips > 0; flips--) {
            size_t at = chance_below(&c, 2) ? 0 : chance_below(&c, (uint32_t)record.size);
            if (at == 0) at = chance_below(&c, record.size < 4 ? (uint32_t)record.size : 4);
            record.data[at] ^= (uint8_t)(1u << chance_below(&c, 8));
        }
        struct job_apply got;
        enum err err = journal_decode(arena, buf_slice(&record), &got);
        assert_true(err == ERR_OK || err == ERR_CORRUPT);
    }
}

static void test_absurd_count_is_refused(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct job_apply got;
    struct slice record = slice_of("\x01\x00\xff\xff\xff\xff\x0f", 7);
    assert_int_equal(journal_decode(arena, record, &got), ERR_CORRUPT);
    record = slice_of("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14);
    assert_int_equal(journal_decode(arena, record, &got), ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cut_rows_are_refused),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_absurd_count_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
