// SPDX-License-Identifier: MIT
//
// Brakes on what comes from others, and whose approval counts.
#include "tests/unit/sync/brake_test.h"

static void test_in_few(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 10, NULL);
    assert_int_equal(on_disk(&rig), FILES - 10); // at once
    assert_free(&rig);
    push_changes(peer, &theirs, 10, 25, NULL);
    rig_wait(&rig, 2000);
    assert_int_equal(on_disk(&rig), FILES - 25);
    push_changes(peer, &theirs, 25, 26, NULL);
    rig_wait(&rig, 2000);
    assert_held(&rig, "mass-delete", 1); // one too many
    assert_int_equal(on_disk(&rig), FILES - 25);
    rig_close(&rig);
}

static void test_in_held_and_approved(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    assert_int_equal(on_disk(&rig), FILES);
    assert_true(rig_logged("of=others deleted=60"));
    const struct msg_hold *hold = &script_last(peer, MSG_HELD)->hold;
    assert_true(!hold->unpublished && hold->changes == 60 && hold->span_count == 1);
    assert_true(hold->spans[0].inc == peer->inc && hold->spans[0].from == after + 1);
    assert_true(hold->spans[0].to == after + 60);
    assert_true(engine_deadline(rig.engine) > rig.now_ms + 5000);
    decide(&rig, DECIDE_APPROVE);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    assert_int_equal(script_last(peer, MSG_HELD)->hold.changes, 0);
    const struct approval *said = &script_last(peer, MSG_APPROVALS)->approvals.approvals[0];
    assert_true(approval_verify(rig.id, said));
    assert_true(said->span.inc == peer->inc && said->span.from == after + 1);
    rig_close(&rig);
}

static void test_in_reverted(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    uint64_t before = counter(&rig);
    decide(&rig, DECIDE_REVERT);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig.decided.changed, 60);
    assert_int_equal(counter(&rig), before + 60);
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(rig_status(&rig).items, FILES);
    assert_free(&rig);
    struct item item = rig_item(&rig, name(0));
    assert_true(item.head_count == 1 && version_live(&item.heads[0]) && !item.need);
    assert_true(vv_le(theirs.files[0].vv, item.heads[0].vv));
    assert_int_equal(item.heads[0].flags & VERSION_AUTO, 0);
    rig_close(&rig);
}

static void approve_as(struct script *signer, struct script *sender, struct span span)
{
    struct message m = {.kind = MSG_APPROVALS};
    struct approval approval = approval_sign(signer->identity, signer->rig->id, span);
    m.approvals.folder = signer->rig->id;
    m.approvals.approvals = &approval;
    m.approvals.count = 1;
    script_send(sender, LANE_CONTROL, &m);
    rig_settle(signer->rig);
}

static void test_in_approved_before(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    approve_as(peer, peer, (struct span){peer->inc, peer->counter + 1, peer->counter + 60});
    push_changes(peer, &theirs, 0, 60, NULL);
    assert_int_equal(on_disk(&rig), FILES - 60); // at once
    push_changes(peer, &theirs, 60, 90, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 30); // the next thirty were not meant
    rig_close(&rig);
}

static void test_in_not_believed(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct script *other = script_connect(&rig, 4);
    join(other);
    engine_peer_approves(rig.engine, peer->device, false);
    struct span span = {peer->inc, peer->counter + 1, peer->counter + 60};
    approve_as(peer, peer, span);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    // Nor if somebody else passes it on; nor is it passed on.
    assert_int_equal(script_heard(other, MSG_APPROVALS), 0);
    approve_as(peer, other, span);
    assert_held(&rig, "mass-delete", 60);
    approve_as(other, other, span);
    rig_wait(&rig, 1000);
    assert_free(&rig);
    assert_int_equal(on_disk(&rig), FILES - 60);
    rig_close(&rig);
}

// A peer that may not approve signs as somebody whom nobody knows.
static void test_in_approved_by_nobody(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct script *other = script_connect(&rig, 4), nobody = {.rig = &rig};
    nobody.identity = rig_identity(99, 0);
    join(other);
    engine_peer_approves(rig.engine, peer->device, false);
    struct span span = {peer->inc, peer->counter + 1, peer->counter + 60};
    approve_as(&nobody, peer, span);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    assert_int_equal(script_heard(other, MSG_APPROVALS), 0); // or it would be vouched for there
    engine_peer_approves(rig.engine, peer->device, true);
    approve_as(&nobody, peer, span); // now it vouches
    rig_wait(&rig, 1000);
    assert_free(&rig);
    assert_true(script_heard(other, MSG_APPROVALS) > 0);
    rig_close(&rig);
}

// What one that may not approve has signed is no better for its removal, though somebody else
// passes it on.
static void test_in_approved_by_one_removed(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct script *other = script_connect(&rig, 4), *server = script_connect(&rig, 5);
    join(other);
    engine_peer_approves(rig.engine, server->device, false);
    struct span span = {peer->inc, peer->counter + 1, peer->counter + 60};
    approve_as(server, other, span);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    engine_peer_remove(rig.engine, server->device);
    approve_as(other, other, (struct span){other->inc, 1, 1}); // all are looked at
    rig_wait(&rig, 1000);
    assert_held(&rig, "mass-delete", 60);
    rig_restart(&rig);
    engine_peer_put(rig.engine, other->device, "other");
    engine_peer_distrust(rig.engine, server->device);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    engine_peer_put(rig.engine, server->device, "server");
    engine_peer_approves(rig.engine, server->device, true);
    rig_wait(&rig, 1000);
    assert_free(&rig);
    rig_close(&rig);
}

static void test_forged_approval(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct message m = {.kind = MSG_APPROVALS};
    struct approval approval =
        approval_sign(peer->identity, rig.id, (struct span){peer->inc, 1, 9});
    approval.span.to = 900;
    m.approvals.folder = rig.id;
    m.approvals.approvals = &approval;
    m.approvals.count = 1;
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged("an approval that its signer has not signed"));
    struct approval_row rows[4];
    assert_int_equal(store_approvals(rig.store, rig.arena, rig.folder, 0, 4, rows), 0);
    rig_close(&rig);
}

// A peer says that it holds what it has not even published: that is not approved.
static void test_in_approved_as_far_as_known(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    struct script *other = script_connect(&rig, 4);
    join(other);
    struct span all = {peer->inc, 1, INT64_MAX};
    struct message m = {.kind = MSG_HELD};
    m.hold = (struct msg_hold){.folder = rig.id, .changes = 1, .spans = &all, .span_count = 1};
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    uint64_t known = peer->counter;
    decide(&rig, DECIDE_APPROVE);
    const struct approval *said = &script_last(other, MSG_APPROVALS)->approvals.approvals[0];
    assert_true(said->span.inc == peer->inc && said->span.to == known);
    engine_peer_approves(rig.engine, peer->device, false);
    push_changes(peer, &theirs, 0, 60, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-delete", 60);
    rig_close(&rig);
}

static void test_in_rewritten(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    push_changes(peer, &theirs, 0, 80, "encrypted");
    answer_all(&rig, peer, &theirs);
    assert_held(&rig, "mass-rewrite", 80);
    for (int i = 0; i < 80; i++) {
        struct item item = rig_item(&rig, name(i));
        assert_true(
            digest_equal(item.local.version.value.content, hash_sha256(slice_text(text(i)))));
    }
    rig_close(&rig);
}

// A file that becomes a directory is gone, too.
static void test_in_made_directories(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = peer->counter;
    for (int i = 0; i < 80; i++) {
        theirs.files[i] = changed(peer, &theirs.files[i], NULL);
        theirs.files[i].value = (struct value){.kind = KIND_DIR, .mode = 0755};
    }
    script_push(peer, after, theirs.files, 80, NULL);
    rig_wait(&rig, 3000);
    assert_held(&rig, "mass-rewrite", 80);
    rig_close(&rig);
}

static void test_in_moved(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    static struct version both[2 * FILES];
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = peer->counter;
    for (int i = 0; i < 60; i++) {
        char there[24];
        (void)snprintf(there, sizeof there, "moved-%03d", i);
        both[2 * i] = changed(peer, &theirs.files[i], NULL);
        both[2 * i + 1] = script_file(peer, there, text(i));
    }
    script_push(peer, after, both, 120, NULL);
    answer_all(&rig, peer, &theirs);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    assert_false(rig_logged("of=others"));
    rig_close(&rig);
}

// Deletions of a year, seen at once: none of its days was too much.
static void test_in_long_ago(void **state)
{
    (void)state;
    struct rig rig;
    static struct theirs theirs;
    struct script *peer = open_theirs(&rig, &theirs);
    uint64_t after = peer->counter;
    for (int i = 0; i < 60; i++) {
        theirs.files[i] = changed(peer, &theirs.files[i], NULL);
        theirs.files[i].birth.wall_ms += INT64_C(3600) * 1000 * i;
    }
    script_push(peer, after, theirs.files, 60, NULL);
    rig_wait(&rig, 3000);
    assert_int_equal(on_disk(&rig), FILES - 60);
    assert_free(&rig);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_few),
        cmocka_unit_test(test_in_held_and_approved),
        cmocka_unit_test(test_in_reverted),
        cmocka_unit_test(test_in_approved_before),
        cmocka_unit_test(test_in_not_believed),
        cmocka_unit_test(test_in_approved_as_far_as_known),
        cmocka_unit_test(test_in_approved_by_nobody),
        cmocka_unit_test(test_in_approved_by_one_removed),
        cmocka_unit_test(test_forged_approval),
        cmocka_unit_test(test_in_rewritten),
        cmocka_unit_test(test_in_made_directories),
        cmocka_unit_test(test_in_moved),
        cmocka_unit_test(test_in_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
