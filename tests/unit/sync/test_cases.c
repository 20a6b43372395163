// SPDX-License-Identifier: MIT
//
// Hard cases that want a clock, a disk or a peer of their own: docs/CASES.md says which.
#include "tests/unit/sync/rig.h"

enum { SECOND_MS = 1000, DAY_MS = 24 * 3600 * SECOND_MS };

static uint64_t counter_of(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

static void walk(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 60 * SECOND_MS);
}

// ---- a file that is being written while it is looked at

static void save_and_wait(struct rig *rig, const char *path, const char *text, int64_t ms)
{
    rig_save(rig, path, text, rig->now_ms);
    engine_watch(rig->engine, rig->folder, ENGINE_WRITTEN, slice_text(path));
    rig_wait(rig, ms);
}

// Saved, and at once opened to be saved again: the look that the first save asked for finds half of
// the second.
static void test_half_of_a_save_is_not_published(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "first");
    rig_wait(&rig, SECOND_MS);
    uint64_t before = counter_of(&rig);
    rig.held = 1u << JOB_LOOK;
    save_and_wait(&rig, "a", "hal", SECOND_MS);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 1);
    engine_watch(rig.engine, rig.folder, ENGINE_MODIFIED, slice_text("a"));
    rig.held = 0;
    rig_wait(&rig, SECOND_MS);
    assert_int_equal(counter_of(&rig), before);
    save_and_wait(&rig, "a", "half and half", 100);
    assert_int_equal(counter_of(&rig), before + 1);
    rig_close(&rig);
}

// The look sees half of a save, which has ended when it comes back.
static bool save_ends_meanwhile(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_LOOK) return false;
    disk_look(rig, &job->look.looks[0]);
    rig->instead = NULL;
    rig_save(rig, "a", "half and half", rig->now_ms);
    engine_watch(rig->engine, rig->folder, ENGINE_MODIFIED, slice_text("a"));
    engine_watch(rig->engine, rig->folder, ENGINE_WRITTEN, slice_text("a"));
    return true;
}

static void test_half_of_a_save_that_has_ended(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "first");
    rig_wait(&rig, SECOND_MS);
    uint64_t before = counter_of(&rig);
    rig.instead = save_ends_meanwhile;
    save_and_wait(&rig, "a", "hal", 100);
    assert_null(rig.instead);
    assert_int_equal(counter_of(&rig), before + 1);
    assert_int_equal(rig_item(&rig, "a").heads[0].value.size, strlen("half and half"));
    rig_close(&rig);
}

// The look waits for the directory to be published first, and a program begins to write meanwhile.
static bool save_begins_meanwhile(struct rig *rig, struct job *job)
{
    bool is_it = job->kind == JOB_LOOK && slice_equal(job->look.looks[0].path, slice_text("d/a"));
    if (!is_it) return false;
    disk_look(rig, &job->look.looks[0]);
    rig->instead = NULL;
    engine_watch(rig->engine, rig->folder, ENGINE_MODIFIED, slice_text("d/a"));
    return true;
}

static void test_half_of_a_save_while_its_directory_is_new(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    rig.instead = save_begins_meanwhile;
    save_and_wait(&rig, "d/a", "hal", SECOND_MS);
    assert_null(rig.instead);
    assert_int_equal(rig_item(&rig, "d/a").head_count, 0);
    save_and_wait(&rig, "d/a", "half and half", 100);
    assert_int_equal(rig_item(&rig, "d/a").heads[0].value.size, strlen("half and half"));
    rig_close(&rig);
}

// ---- a directory that gives errors is never taken for an empty one

static void test_what_cannot_be_read_is_not_gone(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct on_disk *d = disk_put(&rig, slice_text("d"));
    d->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755, .ino = 99};
    d->value = (struct value){.kind = KIND_DIR, .mode = 0755};
    rig_write(&rig, "d/x", "x");
    rig_write(&rig, "d/y", "y");
    rig_write(&rig, "z", "z");
    rig_wait(&rig, 5 * SECOND_MS);
    uint64_t before = counter_of(&rig);
    rig_delete(&rig, "d/x");
    rig_delete(&rig, "d/y");
    rig.unread = "d";
    walk(&rig);
    engine_watch(rig.engine, rig.folder, ENGINE_GONE, slice_text("d/x"));
    rig_wait(&rig, 5 * SECOND_MS);
    assert_int_equal(counter_of(&rig), before);
    assert_true(version_live(&rig_item(&rig, "d/x").heads[0]));
    assert_true(version_live(&rig_item(&rig, "d/y").heads[0]));
    assert_true(rig_status(&rig).error_count > 0);
    // When it can be read again, what is gone is gone.
    rig.unread = NULL;
    walk(&rig);
    assert_false(version_live(&rig_item(&rig, "d/x").heads[0]));
    assert_true(version_live(&rig_item(&rig, "z").heads[0]));
    rig_close(&rig);
}

// That the directory itself can be looked at again says nothing of what is in it.
static void test_what_could_not_be_read_is_read_later(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct on_disk *d = disk_put(&rig, slice_text("d"));
    d->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755, .ino = 99};
    d->value = (struct value){.kind = KIND_DIR, .mode = 0755};
    rig.unread = "d";
    walk(&rig);
    rig_save(&rig, "d/x", "x", rig.now_ms);
    rig.unread = NULL;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_wait(&rig, 30 * SECOND_MS);
    assert_true(version_live(&rig_item(&rig, "d/x").heads[0]));
    assert_int_equal(rig_status(&rig).error_count, 0);
    rig_close(&rig);
}

static bool look_from_before(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_LOOK) return false;
    rig->instead = NULL;
    job->look.looks[0].result = LOOK_GONE;
    return true;
}

// A look at what a directory has taken the place of comes back after a walk of that has failed.
static void test_a_look_older_than_the_failed_walk(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "d", "leaf");
    rig_settle(&rig);
    rig.held = 1U << JOB_LOOK;
    rig_write(&rig, "d", NULL);
    rig_wait(&rig, SECOND_MS);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 1);
    rig_mkdir(&rig, "d");
    rig_save(&rig, "d/x", "x", rig.now_ms);
    rig.unread = "d";
    engine_watch(rig.engine, rig.folder, ENGINE_TREE, slice_text("d"));
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_settle(&rig);
    rig.unread = NULL;
    rig.instead = look_from_before;
    rig.held = 0;
    rig_wait(&rig, 90 * SECOND_MS);
    struct item item = rig_item(&rig, "d/x");
    assert_true(item.head_count == 1 && version_live(&item.heads[0]));
    assert_int_equal(rig_status(&rig).error_count, 0);
    rig_close(&rig);
}

// Nothing tells when: permissions above it, or a file system that was mounted there; and there may
// be more that cannot be synced than is shown.
static void test_what_cannot_be_read_is_tried_again(void **state)
{
    static const enum err errs[] = {ERR_IO, ERR_ACCESS, ERR_IN_THE_WAY};
    (void)state;
    for (uint32_t i = 0; i < 6; i++) {
        struct rig rig;
        rig_open(&rig);
        rig_mkdir(&rig, "d");
        rig.unread = "d";
        rig.unread_err = errs[i % 3];
        rig.names_wrong = i < 3 ? 1 : 1500;
        walk(&rig);
        rig_save(&rig, "d/x", "x", rig.now_ms);
        rig.unread = NULL;
        rig_wait(&rig, 90 * SECOND_MS);
        assert_true(version_live(&rig_item(&rig, "d/x").heads[0]));
        rig_close(&rig);
    }
}

// The disk spells it otherwise than its item is called.
static void test_what_can_be_read_again_is_no_problem(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct on_disk *d = disk_put(&rig, slice_text("\xc3\xa4"));
    d->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755, .ino = 99};
    d->value = (struct value){.kind = KIND_DIR, .mode = 0755};
    rig.unread = "\xc3\xa4";
    rig.unread_name = "a\xcc\x88";
    walk(&rig);
    assert_int_equal(rig_status(&rig).error_count, 1);
    rig.unread = NULL;
    rig_wait(&rig, 30 * SECOND_MS);
    assert_int_equal(rig_status(&rig).error_count, 0);
    rig_close(&rig);
}

// ---- a newer device's field passes through an older one

static void test_unknown_keys_are_passed_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *newer = script_connect(&rig, 3), *other = script_connect(&rig, 5);
    static const uint8_t key[] = {0xa2, 'z', 'z', 0x07};
    struct version v = script_file(newer, "a", "text");
    v.unknown = slice_of(key, sizeof key);
    v.unknown_count = 1;
    script_offer(newer, (struct vv){0});
    script_offer(other, (struct vv){0});
    script_push(newer, 0, &v, 1, "text");
    rig_wait(&rig, SECOND_MS);
    rig_restart(&rig);
    other = script_connect(&rig, 6);
    script_offer(other, (struct vv){0});
    struct message pull = {.kind = MSG_PULL, .pull = {.folder = rig.id, .round = 1}};
    script_send(other, LANE_CONTROL, &pull);
    rig_wait(&rig, SECOND_MS);
    const struct versions *page = &script_last(other, MSG_VERSIONS)->versions.versions;
    assert_int_equal(page->count, 1);
    assert_int_equal(page->entries[0].unknown_count, 1);
    assert_true(slice_equal(page->entries[0].unknown, v.unknown));
    rig_close(&rig);
}

// ---- a log that is appended to every second

static uint64_t published_in(uint64_t hash_ms, int seconds)
{
    struct rig rig;
    rig_open(&rig);
    rig.hash_ms = hash_ms;
    for (int i = 0; i < seconds; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "line %d", i);
        rig_write(&rig, "log", text);
        rig_wait(&rig, SECOND_MS);
    }
    uint64_t count = counter_of(&rig);
    rig_wait(&rig, 120 * SECOND_MS);
    struct item item = rig_item(&rig, "log");
    char last[32];
    (void)snprintf(last, sizeof last, "line %d", seconds - 1);
    assert_true(digest_equal(item.heads[0].value.content, hash_sha256(slice_text(last))));
    rig_close(&rig);
    return count;
}

// The directory of conflict items is no item, and stays when the last of them goes.
static void test_the_last_conflict_item_goes(void **state)
{
    (void)state;
    static const char path[] = ".cfgsync/conflicts/aaaaaaaaaaaa-x";
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    struct version copy = script_file(peer, path, "1");
    copy.origin = slice_text("x");
    script_push(peer, 0, &copy, 1, "1");
    rig_settle(&rig);
    assert_true(rig_on_disk(&rig, path));
    struct version gone = script_file(peer, path, "");
    gone.value = (struct value){.kind = KIND_TOMB};
    gone.origin = slice_text("x");
    script_push(peer, 1, &gone, 1, NULL);
    rig_settle(&rig);
    assert_false(rig_on_disk(&rig, path));
    rig_close(&rig);
}

static void test_a_log_every_second(void **state)
{
    (void)state;
    assert_in_range(published_in(0, 300), 100, 160);  // every other second
    assert_in_range(published_in(2000, 300), 10, 20); // ten times what reading takes
    assert_in_range(published_in(60000, 300), 4, 9);  // at most a minute
}

// ---- a clock that was far ahead for a minute

static uint32_t kept(struct rig *rig)
{
    struct kept_row row;
    return engine_kept(rig->engine, rig->arena, "f", slice_text("a"), 0, 1, &row);
}

static void test_a_clock_in_2099(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "b", "b");
    rig_settle(&rig);
    rig_write(&rig, "b", NULL);
    rig_wait(&rig, DAY_MS);
    struct kept_row row = {.file = slice_text("file"), .when_ms = 1700000000000 + rig.now_ms};
    row.version = rig_item(&rig, "b").heads[0];
    row.version.path = slice_text("a");
    store_kept_add(rig.store, rig.folder, &row);
    rig.skew_ms = INT64_C(75) * 365 * DAY_MS;
    rig_wait(&rig, 60 * SECOND_MS);
    rig_restart(&rig);
    rig_wait(&rig, 3 * 3600 * SECOND_MS);
    rig.skew_ms = 0;
    rig_wait(&rig, DAY_MS);
    assert_int_equal(rig_item(&rig, "b").head_count, 1); // the deletion is known
    assert_int_equal(kept(&rig), 1);
    for (int day = 0; day < 31; day++)
        rig_wait(&rig, DAY_MS);
    assert_int_equal(rig_item(&rig, "b").head_count, 0);
    assert_int_equal(kept(&rig), 0);
    rig_close(&rig);
}

// ---- what lives where a link is, and has two heads itself

// As a disk has it: nothing can be put below a link.
static bool below_a_link(struct rig *rig, struct job *job)
{
    const struct on_disk *above = disk_find(rig, slice_text("b"));
    if (job->kind != JOB_APPLY || above == NULL || above->value.kind != KIND_SYMLINK) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        if (!slice_equal(step->path, slice_text("b/d"))) return false;
        step->result = STEP_BLOCKED;
        step->blocked = BLOCKED_SYMLINK;
    }
    return true;
}

static void test_two_heads_below_a_link(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, SECOND_MS);
    struct script *one = script_connect(&rig, 3), *two = script_connect(&rig, 4);
    script_offer(one, (struct vv){0});
    script_offer(two, (struct vv){0});
    struct version above = script_link(one, "b", "elsewhere");
    script_push(one, 0, &above, 1, NULL);
    rig_wait(&rig, SECOND_MS);
    assert_true(rig_on_disk(&rig, "b"));
    for (int turn = 0; turn < 2; turn++) {
        struct script *peer = turn == 0 ? one : two;
        struct version below = script_link(peer, "b/d", "there");
        if (turn == 0) below.value = (struct value){.kind = KIND_TOMB};
        script_push(peer, peer->counter - 1, &below, 1, NULL);
    }
    for (int i = 0; i < 60; i++) {
        rig.instead = below_a_link;
        rig_wait(&rig, SECOND_MS);
    }
    struct item b = rig_item(&rig, "b"), d = rig_item(&rig, "b/d");
    assert_true(!b.need && !d.need && d.head_count == 1 && version_live(&d.heads[0]));
    assert_true(rig_on_disk(&rig, "b/d"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_of_a_save_is_not_published),
        cmocka_unit_test(test_half_of_a_save_that_has_ended),
        cmocka_unit_test(test_half_of_a_save_while_its_directory_is_new),
        cmocka_unit_test(test_what_cannot_be_read_is_not_gone),
        cmocka_unit_test(test_what_could_not_be_read_is_read_later),
        cmocka_unit_test(test_what_cannot_be_read_is_tried_again),
        cmocka_unit_test(test_what_can_be_read_again_is_no_problem),
        cmocka_unit_test(test_a_look_older_than_the_failed_walk),
        cmocka_unit_test(test_unknown_keys_are_passed_on),
        cmocka_unit_test(test_the_last_conflict_item_goes),
        cmocka_unit_test(test_a_log_every_second),
        cmocka_unit_test(test_a_clock_in_2099),
        cmocka_unit_test(test_two_heads_below_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
