// SPDX-License-Identifier: MIT
//
// Contents of more than 1 MiB between machines with real disks: leaf by leaf, what is here already
// taken from there, changes as deltas; and whatever goes wrong while they come.
#include <dirent.h>

#include "agent/base/check.h"
#include "proto/message.h"
#include "tests/unit/sync/large_test.h"

static const struct scenario scenarios[] = {
    {.machines = 2, .act = send_large, .after = large_is_there},
    {.machines = 2, .before = have_large, .act = edit_large, .after = edit_is_there},
    {.machines = 2, .before = have_large, .act = shuffle_large, .after = shuffle_is_there},
    {.machines = 3, .act = send_large, .after = large_is_there},
};

static void test_sound(void **state)
{
    (void)state;
    scenarios_run(scenarios, sizeof scenarios / sizeof *scenarios);
}

// Of several leaves that are being written the first finds no space: that is why it is blocked,
// whatever became of the others.
static void test_first_fault_counts(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    b_of(&lan)->held = 1U << JOB_LEAF;
    send_large(&lan);
    assert_true(b_of(&lan)->job_count > 1);
    lan_arm(
        &lan,
        &(struct lan_fault){
            .kind = FAULT_JOB, .machine = 1, .at = 1, .err = ERR_NO_SPACE, .jobs = 1U << JOB_LEAF});
    b_of(&lan)->held = 0;
    lan_settle(&lan);
    assert_int_equal(item_of(b_of(&lan), "big").blocked, BLOCKED_NO_SPACE);
    laws_hold(&lan, false);
    large_is_there(&lan);
    lan_close(&lan);
}

// The disk is slower than the line: what waits for it does not grow with the content.
static void test_slow_disk(void **state)
{
    enum { MANY_LEAVES = 40 };
    struct lan lan;
    (void)state;
    uint64_t *bytes = mem_alloc((size_t)MANY_LEAVES * LEAF);
    noise(bytes, (size_t)MANY_LEAVES * LEAF / sizeof *bytes, 7);
    lan_open(&lan, 2);
    b_of(&lan)->held = 1U << JOB_LEAF;
    user_bytes(a_of(&lan), "big", (const uint8_t *)bytes, (size_t)MANY_LEAVES * LEAF);
    lan_wait(&lan, 5000);
    assert_in_range(b_of(&lan)->job_count, 1, MANY_LEAVES / 2);
    b_of(&lan)->held = 0;
    lan_wait(&lan, 20000);
    assert_true(lan_in_step(&lan) && trees_equal(&lan));
    lan_close(&lan);
    mem_free(&bytes);
}

static size_t left_in_staging(const struct machine *m)
{
    char path[256];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/.cfgsync/staging", m->root);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(dir);
    return count;
}

// What had come of a content when the process died is progress, as long as somebody may want it.
static void test_left_by_another_process(void **state)
{
    struct lan lan;
    char path[256];
    (void)state;
    lan_open(&lan, 2);
    machine_stop(b_of(&lan));
    (void)snprintf(path, sizeof path, "%s/.cfgsync/staging/%064d-2000000.part", b_of(&lan)->root,
                   7);
    FILE *part = fopen(path, "w");
    assert_non_null(part);
    assert_int_equal(fclose(part), 0);
    lan_cut(&lan);
    machine_start(b_of(&lan));
    lan_wait(&lan, 60000);
    assert_int_equal(left_in_staging(b_of(&lan)), 1);
    lan_join(&lan);
    lan_wait(&lan, 60000);
    assert_int_equal(left_in_staging(b_of(&lan)), 0);
    lan_close(&lan);
}

static void test_index_fails(void **state)
{
    (void)state;
    sweep_commits(scenarios, 3, 2);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(scenarios, 3, 9);
}

static void test_lines_fail(void **state)
{
    (void)state;
    sweep_lines(scenarios, 3, 13);
    sweep_lines(&scenarios[3], 1, 60);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(scenarios, 3, 3);
}

// All of a long file has moved by some bytes. Its first leaves show that a delta pays, and then one
// brings the rest: next to nothing travels.
static void test_all_has_moved(void **state)
{
    enum { MANY_LEAVES = 70 };
    static const size_t size = (size_t)MANY_LEAVES * LEAF;
    struct lan lan;
    (void)state;
    uint64_t *bytes = mem_alloc(size + 8);
    noise(bytes + 1, size / sizeof *bytes, 9);
    memcpy(bytes, "inserted", 8);
    lan_open(&lan, 2);
    user_bytes(a_of(&lan), "big", (const uint8_t *)(bytes + 1), size);
    lan_wait(&lan, 20000);
    assert_true(lan_in_step(&lan) && trees_equal(&lan));
    uint64_t before = counters_of(b_of(&lan)).content_bytes_in;
    user_bytes(a_of(&lan), "big", (const uint8_t *)bytes, size + 8);
    lan_wait(&lan, 30000);
    assert_true(lan_in_step(&lan) && trees_equal(&lan));
    assert_true(shows_bytes(b_of(&lan), "big", (const uint8_t *)bytes, size + 8));
    assert_in_range(counters_of(b_of(&lan)).content_bytes_in - before, 1, 2 * LEAF);
    lan_close(&lan);
    mem_free(&bytes);
}

static bool asks_for_the_list(struct arena *arena, struct message *m)
{
    (void)arena;
    return m->kind == MSG_WANT && m->want.leaf_count > 0 && m->want.leaves[0] == PROTO_LEAF_LIST;
}

static void keep_nothing(struct machine *m)
{
    m->put.kept_bytes_max = 1;
}

// A content that was here once: its leaves are known, and only they are asked for.
static void test_known_leaves(void **state)
{
    struct lan lan;
    (void)state;
    lan_open_tuned(&lan, 2, keep_nothing);
    have_large(&lan);
    user_write(a_of(&lan), "big", "something else");
    lan_wait(&lan, 24 * 3600 * 1000);
    assert_true(lan_in_step(&lan) && trees_equal(&lan));
    uint64_t before = counters_of(b_of(&lan)).content_bytes_in;
    lan_arm(&lan, &(struct lan_fault){
                      .kind = FAULT_LIE, .machine = 0, .at = 1, .lie = asks_for_the_list});
    send_large(&lan);
    large_is_there(&lan);
    assert_true(counters_of(b_of(&lan)).content_bytes_in - before >= SIZE); // it was not kept here
    assert_false(lan.fired);
    lan_close(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_first_fault_counts),
        cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_lines_fail),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_left_by_another_process),
        cmocka_unit_test(test_slow_disk),
        cmocka_unit_test(test_all_has_moved),
        cmocka_unit_test(test_known_leaves),
    };
    return cmocka_run_group_tests_name("sync/large", tests, NULL, NULL);
}
