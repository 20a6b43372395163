// SPDX-License-Identifier: MIT
//
// What is said of one path to a person who asks why it is or is not in sync.
#include "agent/core/job.h"
#include "tests/unit/sync/brake_test.h"
#include "tests/unit/sync/orphan_test.h"
#include "tests/unit/sync/status_test.h"

static void test_no_such_folder(void **state)
{
    (void)state;
    struct rig rig;
    struct path_status out;
    rig_open(&rig);
    rig_write(&rig, "x", "X");
    rig_settle(&rig);
    assert_false(engine_path(rig.engine, rig.arena, rig.folder + 1, slice_text("x"), &out));
    rig.held = 1U << JOB_LOOK; // a folder that is removed stays until its jobs have ended
    rig_write(&rig, "x", "Y");
    rig_settle(&rig);
    assert_true(engine_path(rig.engine, rig.arena, rig.folder, slice_text("x"), &out));
    engine_folder_remove(rig.engine, "f");
    assert_false(engine_path(rig.engine, rig.arena, rig.folder, slice_text("x"), &out));
    assert_false(out.known);
    rig.held = 0;
    rig_settle(&rig);
    rig_close(&rig);
}

static void push(struct script *peer, struct version v, const char *ride)
{
    script_push(peer, peer->counter - 1, &v, 1, ride);
    rig_wait(peer->rig, 1000);
}

// A directory that everybody has deleted, or nobody has ever published, is there because of what is
// in it.
static void test_implied(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version dir = script_file(peer, "d", "");
    dir.value = (struct value){.kind = KIND_DIR, .mode = 0755};
    push(peer, dir, NULL);
    rig_write(&rig, "d/x", "X");
    rig_write(&rig, "e/y", "Y");
    rig_wait(&rig, 1000);
    assert_false(why(&rig, "d").implied);
    struct path_status e = why(&rig, "e");
    assert_true(e.implied && !e.known);
    struct version gone = changed(peer, &dir, NULL);
    push(peer, gone, NULL);
    struct path_status d = why(&rig, "d");
    assert_true(d.implied && d.known && d.deleted);
    rig_write(&rig, "d/x", NULL);
    rig_wait(&rig, 1000);
    d = why(&rig, "d");
    assert_true(!d.implied && d.known && d.deleted);
    rig_close(&rig);
}

// A week after nobody had its content it says so. Who had it, and is away, is no source.
static void test_sought(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct version lost = script_file(peer, "a", "lost");
    script_push(peer, 0, &lost, 1, NULL);
    rig_wait(&rig, 1000);
    say_applied(peer);
    struct path_status a = why(&rig, "a");
    assert_true(a.awaits_content && !a.no_source && a.peers[0].connected);
    go(peer);
    int64_t went_ms = 1700000000000 + rig.now_ms;
    days(&rig, 2);
    a = why(&rig, "a");
    assert_true(a.awaits_content && a.no_source && !a.peers[0].connected);
    assert_int_equal(a.peers[0].has, PATH_ON_DISK);
    assert_int_equal(a.peers[0].last_seen_wall_ms, went_ms);
    assert_null(a.sought);
    days(&rig, 6);
    assert_non_null(why(&rig, "a").sought);
    assert_non_null(strstr(why(&rig, "a").sought, " days"));
    rig_close(&rig);
}

// One of two edits has no content that could be waited for, the other has.
static void test_awaits_one_of_two(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    script_offer(peer, (struct vv){0});
    script_offer(other, (struct vv){0});
    push(peer, script_link(peer, "a", "to"), NULL);
    assert_false(why(&rig, "a").awaits_content);
    push(other, script_file(other, "a", "text"), NULL);
    struct path_status a = why(&rig, "a");
    assert_true(a.heads == 2 && a.awaits_content);
    rig_close(&rig);
}

// What holds a change of it is named, and not taken for work that is under way.
static void test_held(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    remove_some(&rig, 0, FILES);
    rig_wait(&rig, 5000);
    struct path_status held = why(&rig, name(FILES - 1));
    assert_string_equal(held.held, "mass-delete");
    assert_false(held.looking);
    decide(&rig, DECIDE_APPROVE);
    assert_null(why(&rig, name(FILES - 1)).held);
    rig_close(&rig);

    rig_open(&rig);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig.id, .with_all = true, .mode = MODE_RECEIVE_ONLY};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    held = why(&rig, "mine");
    assert_string_equal(held.held, "receive-only");
    assert_false(held.looking || held.known);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_such_folder), cmocka_unit_test(test_implied),
        cmocka_unit_test(test_sought),         cmocka_unit_test(test_awaits_one_of_two),
        cmocka_unit_test(test_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
