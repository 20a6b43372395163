// SPDX-License-Identifier: MIT
//
// Folders that go one way: what others change stays away from a send-only one and is named to them;
// what is changed in a receive-only one is not published; and what override does about it.
#include "tests/unit/sync/mode_test.h"

// With "mine" and "gone" of this device, and what the peer has made of them.
static struct script *open_send_only(struct rig *rig)
{
    rig_open(rig);
    set_mode(rig, MODE_SEND_ONLY);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_write(rig, "mine", "here");
    rig_write(rig, "gone", "here too");
    rig_wait(rig, 1000);
    push(peer, after(peer, "mine", "there"), "there");
    push(peer, after(peer, "gone", NULL), NULL);
    push(peer, script_file(peer, "new", "n"), "n");
    return peer;
}

static void test_send_only(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_send_only(&rig);
    assert_true(shows(&rig, "mine", "here"));
    assert_true(shows(&rig, "gone", "here too"));
    assert_false(rig_on_disk(&rig, "new"));
    assert_int_equal(rig_item(&rig, "mine").heads[0].value.size, 5); // known
    assert_int_equal(rig_status(&rig).differs, 3);
    assert_int_equal(rig_status(&rig).state, FOLDER_PENDING_OUT); // the peer is silent
    assert_int_equal(rig_status(&rig).error_count, 0);
    assert_int_equal(rig_status(&rig).held, 0);
    // The peers are told, do not wait, and know of the deletion.
    assert_true(vv_le(all_of(peer), applied(peer)->a));
    assert_int_equal(applied(peer)->blocked_total, 3);
    assert_true(slice_equal(applied(peer)->blocked[0].path, slice_text("gone")));
    assert_true(slice_equal(applied(peer)->blocked[0].reason, slice_text("send-only")));

    // What is saved here goes out, beside what is known.
    uint32_t pushes = script_heard(peer, MSG_PUSH);
    rig_write(&rig, "mine", "here again");
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PUSH), pushes + 1);
    assert_int_equal(rig_item(&rig, "mine").head_count, 2); // somebody else resolves it
    assert_true(shows(&rig, "mine", "here again"));
    assert_int_equal(rig_status(&rig).differs, 3);
    rig_restart(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(rig_status(&rig).differs, 3);
    assert_true(shows(&rig, "mine", "here again"));
    rig_close(&rig);
}

// What the disk shows already does not differ: made and deleted there, or changed there and back.
static void test_same_in_the_end(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_send_only(&rig);
    push(peer, after(peer, "new", NULL), NULL);
    push(peer, after(peer, "mine", "here"), NULL);
    push(peer, after(peer, "never", NULL), NULL);
    rig_wait(&rig, 5000);
    assert_int_equal(rig_status(&rig).differs, 1); // "gone"
    assert_int_equal(rig_status(&rig).pending_in, 0);
    assert_true(shows(&rig, "mine", "here"));
    assert_int_equal(rig_item(&rig, "mine").need, false);
    assert_int_equal(script_heard(peer, MSG_WANT), 0);
    rig_close(&rig);
}

static void test_override(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_send_only(&rig);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 3);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_int_equal(rig_status(&rig).differs, 0);
    struct item mine = rig_item(&rig, "mine"), gone = rig_item(&rig, "gone"),
                new = rig_item(&rig, "new");
    assert_int_equal(mine.head_count, 1);
    assert_int_equal(mine.heads[0].value.size, 4);
    assert_int_equal(gone.head_count, 1);
    assert_int_equal(gone.heads[0].value.kind, KIND_FILE);
    assert_int_equal(new.head_count, 1);
    assert_int_equal(new.heads[0].value.kind, KIND_TOMB);
    assert_false(mine.need || gone.need || new.need);
    assert_true(vv_get(new.heads[0].vv, peer->inc) == 3); // it has seen theirs
    assert_true(script_heard(peer, MSG_APPROVALS) > 0);   // a person wants it
    assert_true(shows(&rig, "mine", "here"));
    decide(&rig, DECIDE_RESET);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    rig_close(&rig);
}

static void test_send_only_no_more(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_send_only(&rig);
    set_mode(&rig, MODE_TWO_WAY);
    for (int i = 0; i < 10; i++)
        have(peer, "there", "n");
    assert_true(shows(&rig, "mine", "there"));
    assert_false(rig_on_disk(&rig, "gone"));
    assert_true(shows(&rig, "new", "n"));
    assert_int_equal(rig_status(&rig).differs, 0);
    rig_close(&rig);
}

// Also if that was said while the agent did not run.
static void test_said_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_send_only(&rig);
    rig.mode = MODE_TWO_WAY;
    rig_restart(&rig);
    engine_peer_put(rig.engine, peer->device, "peer3");
    for (int i = 0; i < 20; i++)
        have(peer, "there", "n");
    assert_true(shows(&rig, "mine", "there"));
    assert_false(rig_on_disk(&rig, "gone"));
    rig_close(&rig);
}

static void test_receive_only(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    assert_int_equal(counter(&rig), 0); // nothing is minted,
    assert_int_equal(script_heard(peer, MSG_PUSH), 0);
    assert_int_equal(rig_status(&rig).changed_here, 3);
    assert_int_equal(rig_status(&rig).state, FOLDER_PENDING_OUT); // the peer is silent
    rig_restart(&rig);
    rig_wait(&rig, 2000);
    assert_int_equal(rig_status(&rig).changed_here, 3); // found again
    rig_write(&rig, "a", "one");                        // taken back by hand
    rig_wait(&rig, 2000);
    assert_int_equal(rig_status(&rig).changed_here, 2);
    assert_int_equal(counter(&rig), 0);
    const struct decision restore = {
        .kind = DECIDE_RESTORE, .folder = "f", .path = slice_text("a")};
    engine_decide(rig.engine, 9, &restore);
    assert_int_equal(rig.decided.err, ERR_DENIED); // it would be published
    rig_close(&rig);
}

static uint32_t walks;

static bool counts_walks(struct rig *rig, struct job *job)
{
    (void)rig;
    walks += job->kind == JOB_SCAN;
    assert_in_range(walks, 0, 20);
    return false;
}

// A directory that is not published stays new, and what is in it cannot be read: the walk does not
// ask for a look that asks for a walk.
static void test_receive_only_unreadable(void **state)
{
    (void)state;
    struct rig rig;
    (void)open_receive_only(&rig);
    rig_mkdir(&rig, "lost");
    rig.unread = "lost";
    walks = 0;
    rig.instead = counts_walks;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 5000);
    assert_true(walks > 0);
    assert_int_equal(rig_status(&rig).changed_here, 4);
    rig_close(&rig);
}

// What comes for a path that was changed here waits, and does not hold the rest up.
static void test_changed_on_both_sides(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    push(peer, after(peer, "a", "one more"), "one more");
    push(peer, after(peer, "b", "two more"), "two more");
    push(peer, after(peer, "c", "three more"), "three more");
    assert_true(shows(&rig, "a", "changed"));
    assert_false(rig_on_disk(&rig, "b"));
    assert_true(shows(&rig, "c", "three more"));
    assert_true(vv_le(all_of(peer), applied(peer)->a));
    assert_int_equal(applied(peer)->blocked_total, 2);
    assert_true(slice_equal(applied(peer)->blocked[0].reason, slice_text("changed-here")));
    rig_write(&rig, "a", "one"); // taken back by hand: what is new comes
    for (int i = 0; i < 10; i++)
        have(peer, "one more", "two more");
    assert_true(shows(&rig, "a", "one more"));
    assert_int_equal(applied(peer)->blocked_total, 1);
    assert_int_equal(counter(&rig), 0);
    rig_close(&rig);
}

// What others make the same is not changed here any more.
static void test_agreed(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    push(peer, after(peer, "a", "changed"), NULL);
    push(peer, after(peer, "b", NULL), NULL);
    push(peer, script_file(peer, "mine", "new"), NULL);
    rig_wait(&rig, 5000);
    assert_int_equal(rig_status(&rig).changed_here, 0);
    assert_int_equal(rig_status(&rig).blocked, 0);
    assert_int_equal(rig_status(&rig).pending_in, 0);
    assert_int_equal(script_heard(peer, MSG_WANT), 0);
    assert_int_equal(rig_item(&rig, "mine").local.state, LOCAL_OK);
    assert_int_equal(counter(&rig), 0);
    rig_close(&rig);
}

static void test_receive_only_no_more(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_receive_only(&rig);
    set_mode(&rig, MODE_TWO_WAY);
    rig_wait(&rig, 5000);
    assert_int_equal(counter(&rig), 3);
    assert_true(script_heard(peer, MSG_PUSH) > 0);
    assert_int_equal(rig_status(&rig).changed_here, 0);
    assert_int_equal(rig_item(&rig, "b").heads[0].value.kind, KIND_TOMB);
    rig_close(&rig);
}

// Nor does one hold what is not put in place.
static void test_many_deleted_there(void **state)
{
    (void)state;
    struct rig rig;
    struct version gone[FILES];
    open_full(&rig);
    set_mode(&rig, MODE_SEND_ONLY);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < FILES; i++)
        gone[i] = after(peer, name(i), NULL);
    script_push(peer, 0, gone, FILES, NULL);
    rig_wait(&rig, 5000);
    assert_free(&rig);
    assert_int_equal(rig_status(&rig).differs, FILES);
    set_mode(&rig, MODE_TWO_WAY); // now one does
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", FILES);
    rig_close(&rig);
}

// No brake holds what is not published, and each deletion counts.
static void test_many(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    set_mode(&rig, MODE_RECEIVE_ONLY);
    remove_some(&rig, 0, FILES);
    rig_wait(&rig, 5000);
    assert_free(&rig);
    assert_int_equal(rig_status(&rig).changed_here, FILES);
    assert_int_equal(counter(&rig), before);
    set_mode(&rig, MODE_TWO_WAY); // now it does
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", FILES - (counter(&rig) - before));
    rig_close(&rig);
}

// Held here, and not meant: it comes back, though nothing of others is put in place.
static void test_send_only_reverts(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    const struct engine_folder folder = {.name = "f",
                                         .path = "/f",
                                         .id = rig.id,
                                         .with_all = true,
                                         .mode = MODE_SEND_ONLY,
                                         .base_bytes_max = 2 * FILES * BASE_BLOCK_BYTES};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), text(i), NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 20 * 1000); // all of it is stored
    remove_some(&rig, 0, FILES);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", FILES);
    decide(&rig, DECIDE_REVERT);
    for (int i = 0; i < FILES; i++)
        assert_true(rig_on_disk(&rig, name(i)));
    assert_int_equal(rig_status(&rig).differs, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_only_reverts),
        cmocka_unit_test(test_send_only),
        cmocka_unit_test(test_same_in_the_end),
        cmocka_unit_test(test_override),
        cmocka_unit_test(test_send_only_no_more),
        cmocka_unit_test(test_said_meanwhile),
        cmocka_unit_test(test_receive_only),
        cmocka_unit_test(test_receive_only_unreadable),
        cmocka_unit_test(test_changed_on_both_sides),
        cmocka_unit_test(test_agreed),
        cmocka_unit_test(test_receive_only_no_more),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_many_deleted_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
