// SPDX-License-Identifier: MIT
//
// A bit of everything between machines with real disks, and whatever goes wrong meanwhile: commits,
// jobs, lines, processes, and users who save just where a job is at work.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sync/sweep.h"

enum { BLOB = 100000, BLOBS = 20, LARGE = 3 << 20 }; // too large to ride along

static void with_base(struct machine *m)
{
    m->put.base_bytes_max = 64 * BASE_BLOCK_BYTES;
    m->put.kept_bytes_max = 3 * BLOB;
    m->put.brake.off = true;
}

static void blob_write(struct machine *m, const char *path, unsigned seed)
{
    uint8_t *bytes = arena_alloc(m->lan->arena, BLOB, 1);
    uint32_t x = seed * 2654435761u + 12345;
    for (size_t i = 0; i < BLOB; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(x >> 24);
    }
    user_bytes(m, path, bytes, BLOB);
}

static void have_some(struct lan *lan)
{
    user_write(a_of(lan), "dir/one", "one");
    user_write(a_of(lan), "dir/two", "two");
    user_write(a_of(lan), "dir/deep/three", "three");
    user_write(b_of(lan), "text", "a text of some length, of which most stays as it is\n");
    user_mkdir(b_of(lan), "empty");
    blob_write(a_of(lan), "blob", 1);
    lan_wait(lan, 5000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

static void change_much(struct lan *lan)
{
    user_rename(a_of(lan), "dir", "moved/dir");
    user_write(b_of(lan), "text", "a text of some length, of which most stays as it was\n");
    user_rename(b_of(lan), "blob", "blob2");
    lan_wait(lan, 2000);
    user_remove(b_of(lan), "empty");
    user_write(b_of(lan), "empty", "a file now");
    blob_write(a_of(lan), "more/blob", 2);
    user_write(a_of(lan), "moved/dir/one", "");
    lan_wait(lan, 2000);
    user_remove(a_of(lan), "moved/dir/two");
    user_write(a_of(lan), "moved/dir/two/inner", "a directory now");
    blob_write(b_of(lan), "blob2", 3);
    lan_wait(lan, 20000);
}

static void all_is_changed(struct lan *lan)
{
    assert_true(shows(b_of(lan), "moved/dir/deep/three", "three"));
    assert_true(shows(b_of(lan), "moved/dir/two/inner", "a directory now"));
    assert_true(shows(a_of(lan), "empty", "a file now"));
    assert_true(shows(a_of(lan), "text", "a text of some length, of which most stays as it was\n"));
    assert_true(shows(a_of(lan), "dir", NULL));
}

// Saves at the same paths on both sides of a line that is not there.
static void conflict_much(struct lan *lan)
{
    lan_cut(lan);
    for (uint32_t i = 0; i < lan->count; i++) {
        struct machine *m = &lan->machines[i];
        char text[] = {'o', 'f', ' ', m->name[0], 0};
        user_write(m, "text", text);
        blob_write(m, "blob", 10 + i);
        if (i == 0) user_remove(m, "dir");
        if (i == 1) user_write(m, "dir/one", "edited");
    }
    lan_wait(lan, 3000);
    lan_join(lan);
    lan_wait(lan, 20000);
}

// What was edited is not deleted, and of two texts both are there.
static void nothing_is_lost(struct lan *lan)
{
    struct conflict conflicts[8];
    assert_int_equal(conflicts_of(a_of(lan), conflicts, 8), 2);
    assert_true(shows(a_of(lan), "dir/one", "edited"));
    assert_true(shows(a_of(lan), "dir/two", NULL));
}

static const struct scenario much = {.machines = 2,
                                     .tune = with_base,
                                     .before = have_some,
                                     .act = change_much,
                                     .after = all_is_changed};
static const struct scenario conflicts = {.machines = 2,
                                          .tune = with_base,
                                          .before = have_some,
                                          .act = conflict_much,
                                          .after = nothing_is_lost};
static const struct scenario edits = {
    .machines = 2, .tune = with_base, .before = have_some, .act = change_much};
static const struct scenario three = {.machines = 3,
                                      .tune = with_base,
                                      .before = have_some,
                                      .act = change_much,
                                      .after = all_is_changed};

static void test_sound(void **state)
{
    (void)state;
    scenarios_run(&much, 1);
    scenarios_run(&conflicts, 1);
    scenarios_run(&three, 1);
}

static void test_index_fails(void **state)
{
    (void)state;
    sweep_commits(&much, 1, 6);
    sweep_commits(&conflicts, 1, 4);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    sweep_jobs(&much, 1, 23);
    sweep_jobs(&conflicts, 1, 17);
}

static void test_lines_fail(void **state)
{
    (void)state;
    sweep_lines(&much, 1, 13);
    sweep_lines(&conflicts, 1, 11);
    sweep_lines(&three, 1, 40);
}

static void test_crashes(void **state)
{
    (void)state;
    sweep_crashes(&much, 1, 11);
    sweep_crashes(&conflicts, 1, 5);
}

static void test_edits(void **state)
{
    (void)state;
    for (uint32_t m = 0; m < 2; m++)
        assert_true(sweep(&edits, &(struct lan_fault){.kind = FAULT_EDIT, .machine = m}, 3) > 0);
}

// ---- a program that goes on writing into what a step has taken away

static void test_late_write(void **state)
{
    struct lan lan;
    char at[600];
    struct conflict found[4];
    (void)state;
    lan_open(&lan, 2);
    user_write(b_of(&lan), "log", "first");
    lan_wait(&lan, 3000);
    (void)snprintf(at, sizeof at, "%s/log", b_of(&lan)->root);
    int fd = open(at, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    user_write(a_of(&lan), "log", "another");
    lan_wait(&lan, 3000);
    if (disk_watch_fd(b_of(&lan)->disk) < 0) skip(); // nobody would tell
    assert_true(shows(b_of(&lan), "log", "another"));
    assert_int_equal(write(fd, " and on", 7), 7);
    assert_int_equal(close(fd), 0);
    laws_hold(&lan, false);
    assert_true(shows(a_of(&lan), "log", "another"));
    assert_int_equal(conflicts_of(a_of(&lan), found, 4), 1);
    char item[300];
    (void)snprintf(item, sizeof item, "%.*s", SLICE_ARG(found[0].item));
    assert_true(shows(a_of(&lan), item, "first and on"));
    lan_close(&lan);
}

// The copy fails, and what would thin out the kept versions comes before it succeeds. What was
// written is large, so that its leaves are asked for.
static void test_late_write_is_retried(void **state)
{
    struct lan lan;
    char at[600], item[900];
    struct stat st;
    struct conflict found[4];
    static const char *const saves[] = {"oldest", "first", "another", "a third"};
    (void)state;
    lan_open(&lan, 2);
    const char *large = arena_alloc(lan.arena, LARGE, 1);
    (void)snprintf(at, sizeof at, "%s/log", b_of(&lan)->root);
    int fd = -1;
    for (int i = 0; i < 4; i++) {
        user_write(a_of(&lan), "log", saves[i]);
        lan_wait(&lan, 1500);
        assert_true(shows(b_of(&lan), "log", saves[i]));
        if (disk_watch_fd(b_of(&lan)->disk) < 0) skip(); // nobody would tell
        if (i == 1) fd = open(at, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (i != 2) continue;
        assert_int_equal(write(fd, large, LARGE), LARGE);
        assert_int_equal(close(fd), 0);
        lan_arm(&lan, &(struct lan_fault){.kind = FAULT_JOB,
                                          .machine = 1,
                                          .at = 1,
                                          .count = 4,
                                          .err = ERR_IO,
                                          .jobs = 1U << JOB_COPY});
    }
    laws_hold(&lan, false);
    assert_int_equal(conflicts_of(a_of(&lan), found, 4), 1);
    (void)snprintf(item, sizeof item, "%s/%.*s", a_of(&lan)->root, SLICE_ARG(found[0].item));
    assert_int_equal(stat(item, &st), 0);
    assert_int_equal(st.st_size, LARGE + 5);
    lan_close(&lan);
}

// ---- contents that nobody has

static bool want_nothing(struct arena *arena, struct message *m)
{
    (void)arena;
    for (uint32_t i = 0; m->kind == MSG_WANT && i < m->want.id_count; i++)
        m->want.ids[i].id.bytes[3] ^= 1;
    return m->kind == MSG_WANT;
}

static void path_of(int i, char out[16])
{
    (void)snprintf(out, 16, "blob%02d", i);
}

// "b" knows of what "a" had, and has none of it.
static void have_orphans(struct lan *lan)
{
    char path[16];
    const struct lan_fault fault = {
        .kind = FAULT_LIE, .machine = 0, .at = 1, .count = 100000, .lie = want_nothing};
    lan_arm(lan, &fault);
    for (int i = 0; i < BLOBS; i++) {
        path_of(i, path);
        blob_write(a_of(lan), path, 100 + (unsigned)i);
    }
    lan_wait(lan, 5000);
    machine_stop(a_of(lan));
    lan_wait(lan, 10000);
    assert_int_equal(status_of(b_of(lan)).pending_in, BLOBS);
}

static void give_up_all(struct lan *lan)
{
    struct slice paths[BLOBS];
    struct machine *m = b_of(lan);
    for (int i = 0; i < BLOBS; i++) {
        char path[16];
        path_of(i, path);
        paths[i] = slice_text(arena_text(lan->arena, slice_text(path)));
    }
    const struct abandon_request request = {
        .folder = "f", .paths = paths, .count = BLOBS, .now = true};
    uint32_t before = m->abandons, starts = m->starts;
    engine_abandon(m->engine, before + 1U, &request);
    for (int s = 0; s < 120 && m->abandons == before && m->starts == starts; s++)
        lan_wait(lan, 1000);
    if (m->starts == starts) assert_int_equal(m->abandons, before + 1);
}

static void test_given_up(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_orphans(&lan);
    give_up_all(&lan);
    assert_int_equal(b_of(&lan)->abandoned.err, ERR_OK);
    assert_int_equal(b_of(&lan)->abandoned.count, BLOBS);
    assert_int_equal(status_of(b_of(&lan)).pending_in, 0);
    lan_close(&lan);
}

// Whatever fails: it is all given up, or it is all still known; and then it comes when it can.
static void test_given_up_with_faults(void **state)
{
    static const enum lan_fault_kind kinds[] = {FAULT_COMMIT, FAULT_CRASH};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        bool fired = true;
        for (uint32_t at = 1; fired; at++) {
            struct lan lan;
            lan_open(&lan, 2);
            have_orphans(&lan);
            lan_arm(&lan, &(struct lan_fault){.kind = kinds[k], .machine = 1, .at = at});
            give_up_all(&lan);
            fired = lan.fired;
            lan_arm(&lan, &(struct lan_fault){.kind = FAULT_NONE});
            lan_wait(&lan, 5000);
            uint64_t left = status_of(b_of(&lan)).pending_in;
            assert_true(left == 0 || left == BLOBS);
            machine_start(a_of(&lan));
            laws_hold(&lan, false);
            assert_int_equal(shows(b_of(&lan), "blob07", NULL), left == 0);
            lan_close(&lan);
        }
    }
}

// The folder goes while it is asked whether somebody has them.
static void test_given_up_and_closed(void **state)
{
    struct lan lan;
    (void)state;
    lan_open(&lan, 2);
    have_orphans(&lan);
    struct slice path = slice_text("blob07");
    const struct abandon_request request = {.folder = "f", .paths = &path, .count = 1};
    struct abandon_request now = request;
    now.now = true;
    engine_abandon(b_of(&lan)->engine, 1, &request);
    assert_int_equal(b_of(&lan)->abandoned.err, ERR_DENIED); // not yet
    machine_start(a_of(&lan));
    lan_settle(&lan);
    engine_abandon(b_of(&lan)->engine, 2, &now);
    engine_abandon_cancel(b_of(&lan)->engine, 2);
    engine_abandon(b_of(&lan)->engine, 3, &now);
    engine_folder_remove(b_of(&lan)->engine, "f");
    assert_int_equal(b_of(&lan)->abandoned.err, ERR_BUSY);
    assert_int_equal(b_of(&lan)->abandons, 2);
    lan_close(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_index_fails),
        cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_lines_fail),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_late_write),
        cmocka_unit_test(test_late_write_is_retried),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_given_up_with_faults),
        cmocka_unit_test(test_given_up_and_closed),
    };
    return cmocka_run_group_tests_name("sync/mixed", tests, NULL, NULL);
}
