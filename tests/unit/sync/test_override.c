// SPDX-License-Identifier: MIT
//
// Override and reset of very many paths, of some that are just being changed, and when the index
// cannot be written.
#include "agent/core/job.h"
#include "tests/unit/sync/brake_test.h"

enum { MANY = 300 }; // more than go into one transaction

static const char *path_of(struct rig *rig, int i)
{
    return arena_printf(rig->arena, "n%03d", i);
}

static struct script *open_as(struct rig *rig, enum engine_mode mode)
{
    rig_open(rig);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig->id, .with_all = true, .mode = mode};
    assert_int_equal(engine_folder_put(rig->engine, &folder, &rig->folder), ERR_OK);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(rig, 1000);
    return peer;
}

// Theirs, which are not put in place here.
static void push_many(struct script *peer, int count)
{
    static struct version versions[MANY];
    uint64_t after = peer->counter;
    for (int i = 0; i < count; i++)
        versions[i] = script_file(peer, path_of(peer->rig, i), "t");
    script_push(peer, after, versions, (uint32_t)count, NULL);
    rig_wait(peer->rig, 1000);
    assert_int_equal(rig_status(peer->rig).differs, count);
}

static bool approved(const struct script *peer, uint64_t inc, uint64_t counter)
{
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct message *m = peer->heard[i];
        for (uint32_t k = 0; m->kind == MSG_APPROVALS && k < m->approvals.count; k++) {
            const struct span *span = &m->approvals.approvals[k].span;
            if (span->inc == inc && span->from <= counter && counter <= span->to) return true;
        }
    }
    return false;
}

static void test_override_many(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_as(&rig, MODE_SEND_ONLY);
    push_many(peer, MANY);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, MANY);
    assert_int_equal(rig.decided.left_alone, 0);
    assert_int_equal(rig_status(&rig).differs, 0);
    for (int i = 0; i < MANY; i++) {
        struct item item = rig_item(&rig, path_of(&rig, i));
        assert_true(item.head_count == 1 && item.heads[0].value.kind == KIND_TOMB);
        const struct dot *dot = &item.heads[0].dots.entries[0];
        assert_true(approved(peer, dot->inc, dot->counter)); // a peer need not hold any
    }
    rig_close(&rig);
}

// Left out here, by a rule or for looking like a secret, whether it lies on this disk or not.
static void test_override_leaves_out(void **state)
{
    (void)state;
    for (int secret = 0; secret < 2; secret++) {
        static struct rig rig;
        struct script *peer = open_as(&rig, MODE_SEND_ONLY);
        rig.left_out = "n000";
        rig.left_out_secret = secret == 1;
        if (secret == 1) rig_save(&rig, "n000", "mine", NOW_MS);
        struct version versions[2] = {script_file(peer, "n000", "t"),
                                      script_file(peer, "n001", "t")};
        script_push(peer, 0, versions, 2, NULL);
        rig_wait(&rig, 1000);
        decide(&rig, DECIDE_OVERRIDE);
        assert_int_equal(rig.decided.changed, 1);
        assert_true(version_live(&rig_item(&rig, "n000").heads[0]));
        assert_false(version_live(&rig_item(&rig, "n001").heads[0]));
        rig_close(&rig);
    }
}

static void test_reset_many(void **state)
{
    (void)state;
    static struct rig rig;
    (void)open_as(&rig, MODE_RECEIVE_ONLY);
    for (int i = 0; i < MANY; i++)
        rig_save(&rig, path_of(&rig, i), "mine", NOW_MS);
    rescan(&rig);
    assert_int_equal(rig_status(&rig).changed_here, MANY);
    decide(&rig, DECIDE_RESET);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, MANY);
    assert_int_equal(rig_status(&rig).changed_here, 0);
    for (int i = 0; i < MANY; i++)
        assert_false(rig_on_disk(&rig, path_of(&rig, i)));
    rig_close(&rig);
}

// What a user is saving just now is not overridden with what was there before.
static void test_saved_meanwhile(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_as(&rig, MODE_SEND_ONLY);
    push_many(peer, 2);
    rig.held = 1U << JOB_LOOK;
    rig_write(&rig, path_of(&rig, 0), "mine");
    rig_settle(&rig);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 1);
    assert_int_equal(rig.decided.left_alone, 1);
    struct item item = rig_item(&rig, path_of(&rig, 0));
    assert_true(item.head_count == 1 && item.heads[0].birth.inc == peer->inc);
    rig.held = 0;
    rig_wait(&rig, 1000);
    item = rig_item(&rig, path_of(&rig, 0));
    assert_int_equal(item.head_count, 2); // it had not seen theirs
    rig_close(&rig);
}

// A directory that is here for what is in it has no permissions that could win.
static void test_directory_of_a_file(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_as(&rig, MODE_SEND_ONLY);
    rig_write(&rig, "d/x", "X");
    rig_wait(&rig, 1000);
    struct version dir = script_file(peer, "d", "");
    dir.value = (struct value){.kind = KIND_DIR, .mode = 0700};
    script_push(peer, 0, &dir, 1, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_status(&rig).differs, 1);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 0);
    assert_int_equal(rig.decided.left_alone, 1);
    assert_int_equal(rig_item(&rig, "d").heads[0].value.kind, KIND_DIR);
    assert_true(rig_on_disk(&rig, "d/x"));
    rig_close(&rig);
}

static void test_index_fails(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_as(&rig, MODE_SEND_ONLY);
    push_many(peer, MANY);
    rig_fail_commits(1, 1); // the second transaction
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_IO);
    assert_string_equal(rig.decided.what, "the index cannot be written");
    assert_in_range(rig.decided.changed, 1, MANY - 1);
    assert_int_equal(rig_status(&rig).differs, MANY - rig.decided.changed);
    decide(&rig, DECIDE_OVERRIDE); // the rest
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig_status(&rig).differs, 0);
    rig_close(&rig);

    (void)open_as(&rig, MODE_RECEIVE_ONLY);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    rig_fail_commits(0, 1);
    decide(&rig, DECIDE_RESET);
    assert_int_equal(rig.decided.err, ERR_IO);
    assert_true(rig_on_disk(&rig, "mine"));
    assert_int_equal(rig_status(&rig).changed_here, 1);
    decide(&rig, DECIDE_RESET);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_false(rig_on_disk(&rig, "mine"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_override_leaves_out), cmocka_unit_test(test_override_many),
        cmocka_unit_test(test_reset_many),          cmocka_unit_test(test_saved_meanwhile),
        cmocka_unit_test(test_directory_of_a_file), cmocka_unit_test(test_index_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
