// SPDX-License-Identifier: MIT
//
// What a look at the disk means, where that is not plain.
#include "agent/core/job.h"
#include "tests/unit/sync/status_test.h"

// A directory goes, and a file in it that is published now and then only, since it is written all
// the time: the directory waits for it, and looks for nothing meanwhile.
static void test_a_directory_with_a_log(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_wait(&rig, 1000);
    rig.hash_ms = 6000;
    for (int i = 0; i < 5; i++) {
        char text[8];
        (void)snprintf(text, sizeof text, "%d", i);
        rig_write(&rig, "d/log", text);
        rig_wait(&rig, 1000);
    }
    rig.walks = 0;
    rig_write(&rig, "d/log", NULL);
    rig_write(&rig, "d", NULL);
    rig_wait(&rig, 70 * 1000);
    assert_in_range(rig.walks, 0, 100);
    assert_int_equal(rig_item(&rig, "d/log").heads[0].value.kind, KIND_TOMB);
    assert_int_equal(rig_item(&rig, "d").heads[0].value.kind, KIND_TOMB);
    rig_close(&rig);
}

// The same where what is gone here is not published: it stays as it is.
static void test_in_a_folder_that_receives(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    rig_write(&rig, "d/x", "X");
    rig_wait(&rig, 1000);
    struct engine_folder folder = {.name = "f", .path = "/f", .id = rig.id, .with_all = true};
    uint32_t number;
    folder.mode = MODE_RECEIVE_ONLY;
    assert_int_equal(engine_folder_put(rig.engine, &folder, &number), ERR_OK);
    rig_wait(&rig, 1000);
    rig.walks = 0;
    rig_write(&rig, "d/x", NULL);
    rig_write(&rig, "d", NULL);
    rig_wait(&rig, 60 * 1000);
    assert_in_range(rig.walks, 0, 20);
    assert_true(version_live(&rig_item(&rig, "d/x").heads[0]));
    assert_int_equal(rig_status(&rig).changed_here, 2);
    rig_close(&rig);
}

// A program saves into a file of two names, and the kernel speaks of one.
static void both_names(struct rig *rig, const char *text)
{
    rig_save(rig, "a", text, rig->now_ms);
    disk_find(rig, slice_text("a"))->print.links = 2;
    struct on_disk *other = disk_put(rig, slice_text("b"));
    *other = *disk_find(rig, slice_text("a"));
    other->path = slice_text("b");
    engine_watch(rig->engine, rig->folder, ENGINE_WRITTEN, slice_text("a"));
}

static bool published(struct rig *rig, const char *path, const char *text)
{
    struct item item = rig_item(rig, path);
    return item.head_count == 1 &&
           digest_equal(item.heads[0].value.content, hash_sha256(slice_text(text)));
}

static void test_two_names_of_a_file(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    both_names(&rig, "one");
    rig_wait(&rig, 1000);
    assert_true(published(&rig, "a", "one") && published(&rig, "b", "one"));
    // All the time is not walked, however often it is saved; in the end it is.
    rig.walks = 0;
    for (int i = 0; i < 10; i++) {
        both_names(&rig, i < 9 ? "more" : "last");
        rig_wait(&rig, 100);
    }
    assert_in_range(rig.walks, 0, 2);
    rig_wait(&rig, 60 * 1000);
    assert_true(published(&rig, "a", "last") && published(&rig, "b", "last"));
    rig_close(&rig);
}

static bool has_no_permissions(struct rig *rig, struct job *job)
{
    if (job->kind == JOB_HEALTH) job->health.modeless = true;
    (void)rig;
    return false;
}

// Where the disk has no permissions those that are known stay, and what is new gets plain ones.
static void test_a_disk_without_permissions(void **state)
{
    (void)state;
    struct rig rig;
    rig_open_raw(&rig);
    rig.instead = has_no_permissions;
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "tool", "t");
    v.value.mode = 0750;
    script_push(peer, 0, &v, 1, "t");
    rig_wait(&rig, 1000);
    rig_write(&rig, "tool", "edited"); // shown as 0644
    rig_write(&rig, "new", "n");
    disk_find(&rig, slice_text("new"))->value.mode = 0777;
    rig_mkdir(&rig, "dir");
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("dir"));
    rig_wait(&rig, 5000);
    assert_true(published(&rig, "tool", "edited"));
    assert_int_equal(rig_item(&rig, "tool").heads[0].value.mode, 0750);
    assert_int_equal(rig_item(&rig, "new").heads[0].value.mode, 0644);
    assert_int_equal(rig_item(&rig, "dir").heads[0].value.mode, 0755);
    rig_close(&rig);
}

// Every step finds that something else is there.
static bool finds_it_changed(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++)
        job->apply.steps[i].result = STEP_CHANGED;
    return true;
}

// A directory that counts for nothing, deleted by others: what is in it keeps it.
static void test_obsolete_directory_lives_on(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version dir = script_file(peer, "d", "");
    dir.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    script_push(peer, 0, &dir, 1, NULL);
    rig_wait(&rig, 500);
    rig_write(&rig, "d/f", "f");
    rig_wait(&rig, 1000);
    struct item d = rig_item(&rig, "d");
    assert_int_equal(d.local.version.value.kind, KIND_DIR);
    d.local.state = LOCAL_OBSOLETE;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &d, false);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    struct version gone = script_file(peer, "d", "");
    gone.vv = vv_join(rig.arena, gone.vv, d.heads[0].vv);
    gone.value = (struct value){.kind = KIND_TOMB};
    script_push(peer, 1, &gone, 1, NULL);
    rig_wait(&rig, 2000);
    d = rig_item(&rig, "d");
    assert_true(local_implied(&d) && !d.need);
    assert_true(rig_on_disk(&rig, "d/f"));
    rig_write(&rig, "d/f", NULL);
    rig_wait(&rig, 5000);
    assert_false(rig_on_disk(&rig, "d")); // nothing keeps it any more
    rig_close(&rig);
}

// A step opens a directory that forbids writing: that is nobody's change of its mode.
static void test_a_directory_is_open_for_a_step(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    struct on_disk *d = disk_find(&rig, slice_text("d"));
    d->value.mode = d->print.mode = 0555;
    rig_write(&rig, "d/x", "x");
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 1000);
    uint64_t counter = rig_item(&rig, "d").local.version.dots.entries[0].counter;
    assert_int_equal(rig_item(&rig, "d").local.version.value.mode, 0555);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "d/y", "y");
    rig.held = 1U << JOB_APPLY;
    script_push(peer, 0, &v, 1, "y");
    rig_settle(&rig);
    d = disk_find(&rig, slice_text("d"));
    d->value.mode = d->print.mode = 0755;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_wait(&rig, 200);
    d = disk_find(&rig, slice_text("d"));
    d->value.mode = d->print.mode = 0555;
    rig.held = 0;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_wait(&rig, 2000);
    assert_true(rig_on_disk(&rig, "d/y"));
    assert_int_equal(rig_item(&rig, "d").local.version.dots.entries[0].counter, counter);
    rig_close(&rig);
}

// A step left it in doubt whether what was deleted is there again, and before anybody looked the
// process ended, and it was deleted by everybody: the doubt ends, too.
static void test_doubt_outlives_a_process(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_wait(&rig, 1000);
    rig_write(&rig, "x", NULL);
    rig_wait(&rig, 5000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "x", "again");
    v.vv = vv_join(rig.arena, v.vv, rig_item(&rig, "x").heads[0].vv);
    rig.instead = finds_it_changed;
    rig.held = 1U << JOB_LOOK;
    script_push(peer, 0, &v, 1, "again");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "x").local.state, LOCAL_DIRTY);
    struct version gone = script_file(peer, "x", "");
    gone.vv = vv_join(rig.arena, gone.vv, v.vv);
    gone.value = (struct value){.kind = KIND_TOMB};
    script_push(peer, 1, &gone, 1, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "x").heads[0].value.kind, KIND_TOMB);
    rig.instead = NULL;
    rig.held = 0;
    rig_restart(&rig);
    rig_wait(&rig, 5000);
    struct item x = rig_item(&rig, "x");
    assert_int_equal(x.local.state, LOCAL_OK);
    assert_false(x.need);
    rig_close(&rig);
}

static bool compares;

static bool sees_comparing(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind == JOB_APPLY) compares = job->apply.steps[0].before_racy;
    return false;
}

// A save gets the time that the file has already where a clock that was ahead has given it that: a
// step which replaces the file then goes by its content.
static void test_a_time_that_is_not_over(void **state)
{
    static const struct {
        int64_t ahead_ms;
        bool compared;
    } cases[] = {{-60001, false}, {2003, true}, {86400 * 1000, true}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct rig rig;
        rig_open(&rig);
        rig_save(&rig, "f", "old", 1700000000000 + rig.now_ms + cases[i].ahead_ms);
        engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("f"));
        rig_wait(&rig, RIG_NEW_QUIET_MS);
        struct script *b = script_connect(&rig, 2);
        script_offer(b, (struct vv){0});
        rig.instead = sees_comparing;
        struct version v = script_file(b, "f", "new");
        v.vv = vv_join(rig.arena, v.vv, rig_item(&rig, "f").heads[0].vv);
        script_push(b, 0, &v, 1, "new");
        rig_settle(&rig);
        assert_true(digest_equal(rig_item(&rig, "f").local.version.value.content, v.value.content));
        assert_int_equal(compares, cases[i].compared);
        rig_close(&rig);
    }
}

static uint64_t minted(struct rig *rig)
{
    struct engine_status status;
    engine_status(rig->engine, rig->arena, &status);
    return status.counters.minted;
}

static void publish_many(struct rig *rig, char first, int count)
{
    for (int i = 0; i < count; i++)
        rig_save(rig, arena_printf(rig->arena, "%c%03d", first, i), "x", 2000);
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 1000);
    assert_int_equal(rig_status(rig).items, count);
    for (int i = 0; i < count; i++)
        rig_write(rig, arena_printf(rig->arena, "%c%03d", first, i), NULL);
    rig_wait(rig, 1000);
    assert_int_equal(rig_status(rig).items, 0);
}

// How often a path is written is remembered of so many paths only. What was written long ago makes
// room, so that a log is published now and then also after very many others.
static void test_a_log_after_many(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig.id, .with_all = true, .brake = {.off = true}};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    publish_many(&rig, 'a', 700);
    publish_many(&rig, 'b', 700);
    rig_wait(&rig, 20 * 1000);
    uint64_t before = minted(&rig);
    for (int i = 0; i < 100; i++) {
        rig_write(&rig, "log", arena_printf(rig.arena, "line %d", i));
        rig_wait(&rig, 100);
    }
    assert_in_range(minted(&rig) - before, 3, 20);
    rig_wait(&rig, 20 * 1000);
    assert_int_equal(rig_item(&rig, "log").heads[0].value.size, strlen("line 99"));
    rig_close(&rig);
}

static bool leaves_the_rest(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        bool stays = step->version.value.kind == KIND_TOMB && rig_on_disk(rig, "d/rest");
        if (stays && slice_equal(step->path, slice_text("d"))) {
            step->result = STEP_BLOCKED;
            step->blocked = BLOCKED_NOT_EMPTY;
        } else {
            disk_step(rig, step);
        }
    }
    return true;
}

// A directory that others have deleted stays for a file that cannot be read, and goes at once when
// that has gone.
static void test_the_rest_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.instead = leaves_the_rest;
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version dir = script_file(peer, "d", "");
    dir.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    script_push(peer, 0, &dir, 1, NULL);
    rig_wait(&rig, 1000);
    rig.unread = "d";
    rig_write(&rig, "d/rest", "r");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "d/rest").head_count, 0);
    struct version gone = script_file(peer, "d", "");
    gone.value = (struct value){.kind = KIND_TOMB};
    gone.vv = vv_join(rig.arena, gone.vv, dir.vv);
    script_push(peer, 1, &gone, 1, NULL);
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "d"));
    assert_int_equal(rig_item(&rig, "d").blocked, BLOCKED_NOT_EMPTY);
    rig.unread = NULL;
    rig_write(&rig, "d/rest", NULL);
    rig_wait(&rig, 1000);
    assert_false(rig_on_disk(&rig, "d"));
    assert_false(rig_item(&rig, "d").need);
    rig_close(&rig);
}

// A look of a moment in which a leaf was there comes back late: what has been found in the
// directory since has not ended.
static void test_an_older_look(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("d"));
    rig_write(&rig, "d/x", "X");
    rig_wait(&rig, 1000);
    uint64_t dir_last = rig_item(&rig, "d").own_last, last = rig_item(&rig, "d/x").own_last;
    rig_delete(&rig, "d/x");
    rig.held = 1U << JOB_LOOK;
    rig_write(&rig, "d", "leaf");
    rig_settle(&rig);
    assert_int_equal(rig.job_count, 1);
    struct job *older = rig.jobs[--rig.job_count];
    disk_look(&rig, &older->look.looks[0]);
    rig.held = 0;
    rig_delete(&rig, "d");
    rig_mkdir(&rig, "d");
    rig_write(&rig, "d/x", "another");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "d/x").own_last, last + 1);
    engine_job_done(rig.engine, older);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "d/x").own_last, last + 1);
    assert_int_equal(rig_item(&rig, "d").own_last, dir_last);
    rig_close(&rig);
}

static void expect_spelled(struct rig *rig, const char *name, uint64_t counter)
{
    rig_wait(rig, 3000);
    struct item item = rig_item(rig, "caf\xc3\xa9");
    assert_true(slice_equal(item.local.disk_name, slice_text(name)));
    assert_int_equal(item.own_last, counter);
}

// The name goes from one normal form to the other: no edit, and the next step finds it.
static void test_a_name_that_is_spelled_anew(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.spelled = "cafe\xcc\x81";
    rig_write(&rig, "caf\xc3\xa9", "x");
    rig_wait(&rig, 3000);
    uint64_t counter = rig_item(&rig, "caf\xc3\xa9").own_last;
    expect_spelled(&rig, rig.spelled, counter);
    for (int i = 0; i < 2; i++) {
        rig.looks_same = i == 1;
        rig.spelled = NULL;
        engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("caf\xc3\xa9"));
        expect_spelled(&rig, "", counter);
        rig.spelled = "cafe\xcc\x81";
        engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("caf\xc3\xa9"));
        expect_spelled(&rig, rig.spelled, counter);
    }
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rest_goes),
        cmocka_unit_test(test_an_older_look),
        cmocka_unit_test(test_a_log_after_many),
        cmocka_unit_test(test_a_directory_with_a_log),
        cmocka_unit_test(test_in_a_folder_that_receives),
        cmocka_unit_test(test_two_names_of_a_file),
        cmocka_unit_test(test_a_disk_without_permissions),
        cmocka_unit_test(test_a_name_that_is_spelled_anew),
        cmocka_unit_test(test_obsolete_directory_lives_on),
        cmocka_unit_test(test_a_directory_is_open_for_a_step),
        cmocka_unit_test(test_doubt_outlives_a_process),
        cmocka_unit_test(test_a_time_that_is_not_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
