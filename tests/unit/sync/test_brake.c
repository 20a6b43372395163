// SPDX-License-Identifier: MIT
//
// Brakes on what is found here: what is held and what passes, and what approving and reverting do.
#include "tests/unit/sync/brake_test.h"

// ---- found here

static void test_few_at_once(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 20);
    rig_wait(&rig, 310);
    assert_int_equal(counter(&rig), before + 20);
    remove_some(&rig, 20, 25);
    rig_wait(&rig, 310);
    assert_int_equal(counter(&rig), before + 20); // they wait for others
    rig_wait(&rig, 1100);
    assert_int_equal(counter(&rig), before + 25); // there were none
    assert_free(&rig);
    remove_some(&rig, 25, 26);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 1); // more than a quarter in ten minutes
    rig_close(&rig);
}

static void test_window_ends(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 60; i += 20) {
        remove_some(&rig, i, i + 20);
        rig_wait(&rig, 11 * 60 * 1000);
    }
    assert_int_equal(counter(&rig), before + 60);
    assert_free(&rig);
    rig_close(&rig);
}

static void test_held(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 60 * 1000);
    assert_held(&rig, "mass-delete", 60);
    assert_int_equal(counter(&rig), before);
    assert_true(rig_logged("deleted=60"));
    // Nothing wakes it up while it waits.
    assert_true(engine_deadline(rig.engine) > rig.now_ms + 5000);
    // Other edits go on, and do not let it go, however many there are.
    for (int i = 60; i < FILES; i++)
        rig_save(&rig, name(i), i % 2 ? "edited" : text(i), NOW_MS + 5000);
    for (int i = 0; i < 400; i++) {
        char more[16];
        (void)snprintf(more, sizeof more, "g%03d", i);
        rig_save(&rig, more, more, NOW_MS + 5000);
    }
    rescan(&rig);
    rig_wait(&rig, 60 * 1000);
    assert_int_equal(counter(&rig), before + 420);
    assert_held(&rig, "mass-delete", 60);
    rig_close(&rig);
}

// What could not be written is found again, and is one deletion all the time.
static void test_index_fails_for_a_while(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < 50; i++)
        rig_write(&rig, name(i), text(i));
    rig_wait(&rig, 3000);
    uint64_t before = counter(&rig);
    rig_write(&rig, name(0), NULL);
    rig_fail_commits(0, 60);
    rig_wait(&rig, 9 * 60 * 1000);
    assert_true(rig_commits_failed());
    assert_free(&rig);
    assert_int_equal(counter(&rig), before + 1);
    rig_close(&rig);
}

static void test_nothing_left(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_save(&rig, "a", "1", NOW_MS);
    rescan(&rig);
    rig_delete(&rig, "a");
    rescan(&rig);
    assert_free(&rig); // one item is nobody's mass
    rig_save(&rig, "a", "1", NOW_MS);
    rig_save(&rig, "b", "2", NOW_MS);
    rescan(&rig);
    rig_delete(&rig, "a");
    rig_delete(&rig, "b");
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_held(&rig, "mass-delete", 2);
    rig_close(&rig);
}

static void test_moved(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 60; i++) {
        char there[24];
        (void)snprintf(there, sizeof there, "moved-%03d", i);
        rig_delete(&rig, name(i));
        rig_save(&rig, there, text(i), NOW_MS);
    }
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 120);
    assert_free(&rig);
    rig_close(&rig);
}

// One new file excuses one deletion of the same content, not sixty.
static void test_moved_one_for_one(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), "", NOW_MS);
    rescan(&rig);
    for (int i = 0; i < 60; i++)
        rig_delete(&rig, name(i));
    rig_save(&rig, "new", "", NOW_MS);
    rig_wait(&rig, 11 * 60 * 1000); // what was there before is of an earlier window
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    rig_close(&rig);
}

static void test_back(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 60);
    for (int i = 0; i < 60; i++)
        rig_save(&rig, name(i), text(i), NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 2000);
    assert_free(&rig);
    assert_int_equal(counter(&rig), before);
    rig_close(&rig);
}

static void test_rewritten(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < FILES; i++)
        rig_save(&rig, name(i), "encrypted", NOW_MS + 5000);
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 50);
    assert_held(&rig, "mass-rewrite", 50);
    // The same file again and again is one.
    rig_close(&rig);
    open_full(&rig);
    for (int i = 0; i < 200; i++) {
        char again[16];
        (void)snprintf(again, sizeof again, "%d", i);
        rig_save(&rig, name(0), again, NOW_MS + 5000 + i);
        rescan(&rig);
        rig_wait(&rig, 2500);
    }
    assert_free(&rig);
    rig_close(&rig);
}

// A backup that was copied back, with the time of the copy: what was kept tells.
static void test_restore_copied(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    rig_base_limit(&rig, FILES * (uint64_t)BASE_BLOCK_BYTES);
    rig_wait(&rig, 10 * 1000);
    assert_int_equal(rig.base_count, FILES);
    for (int i = 0; i < 30; i++) {
        rig_save(&rig, name(i), "written since", NOW_MS + 5000);
        engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text(name(i)));
    }
    rig_wait(&rig, 20 * 60 * 1000);
    uint64_t before = counter(&rig);
    assert_int_equal(rig.kept_count, 30);
    // Copied back one by one while it watches, they are somebody's edits.
    for (int i = 0; i < 5; i++) {
        rig_save(&rig, name(i), text(i), NOW_MS + 9000);
        engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text(name(i)));
    }
    rig_wait(&rig, 20 * 60 * 1000);
    assert_int_equal(counter(&rig), before + 5);
    for (int i = 5; i < 30; i++)
        rig_save(&rig, name(i), text(i), NOW_MS + 9000);
    for (int i = 90; i < 95; i++)
        rig_delete(&rig, name(i));
    for (int i = 95; i < 98; i++)
        rig_save(&rig, name(i), "new", NOW_MS + 9000);
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "restore", 33);
    assert_int_equal(counter(&rig), before + 5);
    decide(&rig, DECIDE_REVERT);
    assert_free(&rig);
    assert_int_equal(counter(&rig), before + 5);
    assert_true(digest_equal(disk_find(&rig, slice_text(name(7)))->value.content,
                             hash_sha256(slice_text("written since"))));
    assert_true(rig_on_disk(&rig, name(92)));
    rig_close(&rig);
}

static void test_restore(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    for (int i = 0; i < 30; i++)
        rig_save(&rig, name(i), "as it once was", NOW_MS - 1000);
    for (int i = 90; i < 95; i++)
        rig_delete(&rig, name(i));
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_held(&rig, "restore", 35); // with what was made since
    assert_int_equal(counter(&rig), before);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(counter(&rig), before + 35);
    assert_free(&rig);
    // Some files that go back are somebody's edits.
    for (int i = 30; i < 49; i++)
        rig_save(&rig, name(i), "as it once was", NOW_MS - 1000);
    rescan(&rig);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + 54);
    rig_close(&rig);
}

static void test_off_and_limits(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    struct engine_folder folder = {.name = "f", .path = "/f", .with_all = true};
    folder.brake = (struct engine_brake){.deleted = 3, .deleted_percent = 5};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    remove_some(&rig, 0, 6);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 6);
    decide(&rig, DECIDE_APPROVE);
    folder.brake = (struct engine_brake){.off = true};
    assert_int_equal(engine_folder_put(rig.engine, &folder, &rig.folder), ERR_OK);
    remove_some(&rig, 6, FILES);
    rig_wait(&rig, 3000);
    assert_int_equal(counter(&rig), before + FILES);
    rig_close(&rig);
}

static void test_approved(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    struct script *peer = script_connect(&rig, 3);
    join(peer);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    const struct msg_hold *hold = &script_last(peer, MSG_HELD)->hold;
    assert_true(hold->unpublished && hold->changes == 60);
    assert_true(slice_equal(hold->brake, slice_text("mass-delete")));
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(counter(&rig), before + 60);
    assert_int_equal(script_last(peer, MSG_HELD)->hold.changes, 0);
    // Every tombstone comes after an approval that covers it.
    const struct msg_approvals *said = NULL;
    uint64_t deleted = 0;
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct message *m = peer->heard[i];
        if (m->kind == MSG_APPROVALS) said = &m->approvals;
        for (uint32_t v = 0; m->kind == MSG_PUSH && v < m->push.versions.count; v++) {
            const struct version *w = &m->push.versions.entries[v];
            if (w->value.kind != KIND_TOMB) continue;
            deleted++;
            assert_non_null(said);
            const struct approval *last = &said->approvals[said->count - 1];
            assert_true(approval_verify(rig.id, last));
            assert_true(last->span.inc == w->dots.entries[0].inc);
            assert_in_range(w->dots.entries[0].counter, last->span.from, last->span.to);
        }
    }
    assert_int_equal(deleted, 60);
    // What comes afterwards is not approved.
    remove_some(&rig, 60, 90);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 30);
    rig_close(&rig);
}

// ---- putting back

static void test_reverted(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", 60);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    answer_all(&rig, peer, &theirs);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(counter(&rig), before); // nothing has happened
    assert_free(&rig);
    rig_close(&rig);
}

// Nobody has them: they stay held, and come back when somebody has.
static void test_not_to_be_had(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    uint64_t before = counter(&rig);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.changed, 0);
    assert_int_equal(rig.decided.left_alone, 60);
    assert_held(&rig, "mass-delete", 60);
    rig_save(&rig, name(0), "written again", NOW_MS + 9000);
    for (int i = 1; i < 58; i++)
        rig_save(&rig, name(i), text(i), NOW_MS);
    rescan(&rig);
    rig_wait(&rig, 5000);
    assert_int_equal(counter(&rig), before + 1);
    assert_held(&rig, "mass-delete", 2); // not let go because they are few
    assert_false(rig_logged("own chain broken"));
    rig_close(&rig);
}

// A file that is saved again while it is being put back is an edit of what was there.
static void test_saved_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    rig_save(&rig, name(5), "saved again", NOW_MS + 9000);
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text(name(5)));
    answer_all(&rig, peer, &theirs);
    struct item item = rig_item(&rig, name(5));
    assert_true(item.head_count == 1 && !item.need);
    assert_true(vv_le(theirs.files[5].vv, item.heads[0].vv));
    assert_true(digest_equal(item.heads[0].value.content, hash_sha256(slice_text("saved again"))));
    assert_false(rig_logged("own chain broken"));
    rig_close(&rig);
}

static void test_decided_twice(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    remove_some(&rig, 0, 60);
    rig_wait(&rig, 5000);
    const struct decision revert = {.kind = DECIDE_REVERT, .folder = "f"};
    engine_decide(rig.engine, 7, &revert);
    remove_some(&rig, 60, 95);
    rig_wait(&rig, 2000);
    assert_held(&rig, "mass-delete", 35);
    assert_int_equal(rig.decisions, 0);
    engine_decide(rig.engine, 8, &revert);
    assert_int_equal(rig.decisions, 1);
    assert_int_equal(rig.decided.err, ERR_BUSY);
    engine_decide_cancel(rig.engine, 8);
    answer_all(&rig, peer, &theirs);
    assert_int_equal(rig.decisions, 2);
    assert_int_equal(rig.decided.changed, 60);
    assert_held(&rig, "mass-delete", 35);
    rig_close(&rig);
}

static void hold_looks(struct rig *rig)
{
    open_full(rig);
    remove_some(rig, 0, 60);
    rig_wait(rig, 3000);
    assert_held(rig, "mass-delete", 60);
    rig->held = 1U << JOB_LOOK;
    engine_decide(rig->engine, 7, &(struct decision){.kind = DECIDE_APPROVE, .folder = "f"});
    rig_wait(rig, 1000);
}

// Nothing of it would be known after a restart before that.
static void test_approved_when_published(void **state)
{
    (void)state;
    struct rig rig;
    hold_looks(&rig);
    uint64_t before = counter(&rig);
    assert_int_equal(rig.decisions, 0);
    rig.held = 0;
    rig_fail_commits(0, 1); // what was looked at is looked at again, and still approved
    rig_wait(&rig, 5000);
    assert_true(rig_commits_failed());
    assert_int_equal(rig.decisions, 1);
    assert_true(rig.decided.changed == 60 && rig.decided.left_alone == 0);
    assert_int_equal(counter(&rig), before + 60);
    assert_int_equal(rig_status(&rig).held, 0);
    rig_close(&rig);
}

static void test_approved_not_yet(void **state)
{
    (void)state;
    struct rig rig;
    hold_looks(&rig);
    rig_wait(&rig, 5 * 60 * 1000);
    assert_int_equal(rig.decisions, 1);
    assert_true(rig.decided.changed == 0 && rig.decided.left_alone == 60);
    rig_close(&rig);
}

static void test_nothing_to_decide(void **state)
{
    (void)state;
    struct rig rig;
    open_full(&rig);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.err, ERR_DENIED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_at_once),
        cmocka_unit_test(test_window_ends),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_index_fails_for_a_while),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_moved_one_for_one),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_rewritten),
        cmocka_unit_test(test_restore),
        cmocka_unit_test(test_restore_copied),
        cmocka_unit_test(test_off_and_limits),
        cmocka_unit_test(test_approved),
        cmocka_unit_test(test_reverted),
        cmocka_unit_test(test_not_to_be_had),
        cmocka_unit_test(test_saved_meanwhile),
        cmocka_unit_test(test_decided_twice),
        cmocka_unit_test(test_approved_when_published),
        cmocka_unit_test(test_approved_not_yet),
        cmocka_unit_test(test_nothing_to_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
