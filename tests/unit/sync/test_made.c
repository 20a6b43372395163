// SPDX-License-Identifier: MIT
//
// Directories that steps make on the way to their paths are nobody's, whatever is found when.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

static void say(struct rig *rig, const char *path)
{
    engine_watch(rig->engine, rig->folder, ENGINE_GONE, slice_text(path));
    rig_wait(rig, 1000);
}

static void scan(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 1000);
}

// "a/b" comes, with what it holds.
static struct script *push_below(struct rig *rig, struct version *b)
{
    struct script *peer = script_connect(rig, 7);
    script_offer(peer, (struct vv){0});
    *b = script_file(peer, "a/b", "B");
    script_push(peer, 0, b, 1, "B");
    rig_settle(rig);
    return peer;
}

// It has ended, and "a" is a file, whose content does not come.
static void push_above(struct script *peer, const struct version *b)
{
    struct version v[2] = {script_file(peer, "a/b", ""), script_file(peer, "a", "A")};
    v[0].value = (struct value){.kind = KIND_TOMB};
    v[0].vv = vv_join(peer->rig->arena, v[0].vv, b->vv);
    script_push(peer, 1, v, 2, NULL);
    rig_wait(peer->rig, 1000);
}

static void assert_nobodys(struct rig *rig, const char *path)
{
    struct item item = rig_item(rig, path);
    assert_int_equal(item.own_last, 0);
    assert_int_equal(item.head_count, 1);
    assert_int_equal(item.heads[0].value.kind, KIND_FILE);
}

// A look finds nothing there, and then the step makes it; a walk sees it before the step is over.
static void test_gone_before_it_is_made(void **state)
{
    (void)state;
    struct rig rig;
    struct version b;
    rig_open(&rig);
    rig.held = 1 << JOB_APPLY;
    struct script *peer = push_below(&rig, &b);
    assert_int_equal(rig_jobs(&rig, JOB_APPLY), 1);
    push_above(peer, &b);
    say(&rig, "a");
    rig_mkdir(&rig, "a");
    scan(&rig);
    assert_nobodys(&rig, "a");
    rig.held = 0;
    rig_wait(&rig, 1000);
    assert_false(rig_on_disk(&rig, "a/b"));
    assert_nobodys(&rig, "a");
    rig_close(&rig);
}

// What was in it has ended, and the process, too.
static void test_left_by_another_process(void **state)
{
    (void)state;
    struct rig rig;
    struct version b;
    rig_open(&rig);
    struct script *peer = push_below(&rig, &b);
    assert_true(rig_on_disk(&rig, "a/b"));
    push_above(peer, &b);
    assert_true(rig_on_disk(&rig, "a") && !rig_on_disk(&rig, "a/b"));
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_nobodys(&rig, "a");
    rig_save(&rig, "a/x", "X", 1);
    rig_restart(&rig); // a user's file in it is the user's
    rig_wait(&rig, 1000);
    assert_nobodys(&rig, "a");
    assert_true(rig_item(&rig, "a/x").own_last > 0);
    assert_true(rig_on_disk(&rig, "a/x"));
    rig_close(&rig);
}

// Nothing was ever in it: a user has made it while no process ran.
static void test_a_users(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 7);
    script_offer(peer, (struct vv){0});
    struct version a = script_file(peer, "a", "A");
    script_push(peer, 0, &a, 1, NULL);
    rig_wait(&rig, 1000);
    rig_mkdir(&rig, "a");
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    rig_close(&rig);
}

// A walk has seen it; before the walk is heard it goes, and a look finds nothing, of nothing known.
static bool walk_late(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_SCAN) return false;
    rig->instead = NULL;
    job->scan.entries = arena_alloc(job->arena, 1, sizeof *job->scan.entries);
    job->scan.entries[0] = (struct scan_entry){.path = slice_text("d"),
                                               .print = disk_find(rig, slice_text("d"))->print};
    job->scan.entry_count = 1;
    job->scan.done = job->scan.complete = true;
    rig_delete(rig, "d");
    say(rig, "d");
    return true;
}

static void test_gone_before_the_walk_is_heard(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_mkdir(&rig, "d");
    rig.instead = walk_late;
    scan(&rig);
    assert_null(rig.instead);
    struct item item = rig_item(&rig, "d");
    assert_false(heads_live(&item) || item_local_live(&item));
    rig_close(&rig);
}

// "a" as it is said, and "a/b".
static void open_pushed(struct rig *rig, struct value a)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 7);
    script_offer(peer, (struct vv){0});
    struct version v[2] = {script_file(peer, "a", ""), script_file(peer, "a/b", "B")};
    v[0].value = a;
    script_push(peer, 0, v, 2, "B");
    rig_wait(rig, 1000);
}

static void chmod_a(struct rig *rig)
{
    struct on_disk *a = disk_find(rig, slice_text("a"));
    a->value.mode = a->print.mode = 0700;
    engine_watch(rig->engine, rig->folder, ENGINE_WRITTEN, slice_text("a"));
    rig_wait(rig, 1000);
}

// A directory that lives on for what is in it alone: whatever mode it has is nobody's edit.
static void test_mode_of_nobody(void **state)
{
    (void)state;
    struct rig rig;
    open_pushed(&rig, (struct value){.kind = KIND_TOMB});
    assert_true(rig_on_disk(&rig, "a/b"));
    chmod_a(&rig);
    struct item item = rig_item(&rig, "a");
    assert_true(item.own_last == 0 && item_local_live(&item) && !heads_live(&item));
    rig_close(&rig);
}

// The mode that it was seen with is what there is to change once somebody has an opinion.
static void test_mode_that_was_seen(void **state)
{
    (void)state;
    struct rig rig;
    struct version b;
    rig_open(&rig);
    struct script *peer = push_below(&rig, &b);
    chmod_a(&rig);
    struct version v[2] = {script_file(peer, "a", ""), script_file(peer, "a/c", "C")};
    v[0].value = (struct value){.kind = KIND_TOMB};
    script_push(peer, 1, v, 2, "C");
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "a/c"));
    assert_int_equal(rig_item(&rig, "a").local.version.value.mode, 0700);
    struct version a = script_file(peer, "a", "");
    a.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    script_push(peer, 3, &a, 1, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(disk_find(&rig, slice_text("a"))->value.mode, 0755);
    rig_close(&rig);
}

// A look finds that what was made on the way is what everyone has, before its own step is due: an
// undo takes it away with what it was made for.
static void test_taken_back(void **state)
{
    (void)state;
    struct rig rig;
    struct version b;
    rig_open(&rig);
    struct script *peer = push_below(&rig, &b);
    rig.held = 1 << JOB_LOOK;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("a"));
    rig_settle(&rig);
    struct version a = script_file(peer, "a", "");
    a.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    script_push(peer, 1, &a, 1, NULL);
    rig_settle(&rig);
    struct item item = rig_item(&rig, "a");
    assert_true(heads_live(&item) && !item_local_live(&item));
    rig.held = 1 << JOB_APPLY;
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_APPLY), 0);
    item = rig_item(&rig, "a");
    assert_true(item_local_live(&item) && item.own_last == 0);
    rig.held = 0;
    engine_decide(rig.engine, 7, &(struct decision){.kind = DECIDE_UNDO, .folder = "f"});
    rig_wait(&rig, 5000);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_false(rig_on_disk(&rig, "a/b") || rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

// Its deletion was forgotten elsewhere before it came here; what is in it keeps it, and is deleted.
static void test_forgotten_with_something_in_it(void **state)
{
    (void)state;
    struct rig rig;
    open_pushed(&rig, (struct value){.kind = KIND_DIR, .mode = 0755});
    struct item a = rig_item(&rig, "a");
    a.head_count = 0;
    a.local.state = LOCAL_OBSOLETE;
    a.need = true;
    store_begin(rig.store);
    store_item_put(rig.store, rig.folder, &a, true);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    rig_restart(&rig);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "a").local.state, LOCAL_NONE);
    rig_delete(&rig, "a/b");
    say(&rig, "a/b");
    rig_wait(&rig, 5000);
    assert_false(rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gone_before_it_is_made),
        cmocka_unit_test(test_left_by_another_process),
        cmocka_unit_test(test_a_users),
        cmocka_unit_test(test_gone_before_the_walk_is_heard),
        cmocka_unit_test(test_mode_of_nobody),
        cmocka_unit_test(test_mode_that_was_seen),
        cmocka_unit_test(test_taken_back),
        cmocka_unit_test(test_forgotten_with_something_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
