// SPDX-License-Identifier: MIT
//
// Contents that nobody has: when they count as lost, whose word is taken for it, and who is named.
#include "tests/unit/sync/orphan_test.h"

static void test_a_week(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "a", NULL);
    rig_wait(&rig, 10000);
    struct orphan orphan = only_orphan(&rig);
    assert_true(slice_equal(orphan.path, slice_text("a")) && orphan.value.size == 4);
    assert_true(slice_equal(orphan.by, slice_text("peer3")));
    assert_true(slice_equal(orphan.holder, slice_text("peer3")) && orphan.holder_seen_ms > 0);
    assert_true(!orphan.here && orphan.left_ms > 6 * DAY_MS);
    days(&rig, 4);
    rig_restart(&rig); // it is remembered
    days(&rig, 2);
    assert_false(status_names(&rig, "a"));
    assert_int_equal(abandon(&rig, "a", false).err, ERR_DENIED);
    days(&rig, 1);
    assert_true(status_names(&rig, "a"));
    assert_int_equal(rig_status(&rig).state, FOLDER_ERROR);
    assert_string_equal(rig_status(&rig).code, "no-source");
    (void)abandon(&rig, "a", false);
    rig_wait(&rig, 10000);
    assert_int_equal(rig.abandon.err, ERR_OK);
    assert_int_equal(rig.abandon.count, 1);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && item.heads[0].value.kind == KIND_TOMB && !item.need);
    assert_true(item.heads[0].flags & VERSION_AUTO);
    assert_int_equal(rig_status(&rig).state, FOLDER_SYNCED);
    assert_int_equal(engine_orphans(rig.engine, rig.arena, NULL, 1, &orphan), 0);
    rig_close(&rig);
}

// Seen a day ago it could have been asked a day ago, and asked it was.
static void test_seen_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    days(&rig, 6);
    (void)back(peer, "a");
    refuse_wants(peer);
    go(peer);
    days(&rig, 2);
    assert_false(status_names(&rig, "a"));
    assert_in_range(only_orphan(&rig).left_ms, 4 * DAY_MS, 5 * DAY_MS + 1000);
    days(&rig, 6);
    assert_true(status_names(&rig, "a"));
    rig_close(&rig);
}

static void applied_say(struct script *script, struct vv a)
{
    struct message m = {.kind = MSG_APPLIED, .applied = {.folder = script->rig->id, .a = a}};
    script_send(script, LANE_CONTROL, &m);
    rig_settle(script->rig);
}

// It is connected and says NOT_HELD to all, because the disk with its folder is away.
static void test_a_disk_is_away(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = rig_item(&rig, "a").heads[0];
    struct vv k = store_k(rig.store, rig.arena, rig.folder);
    script_reconnect(peer);
    script_offer_as(peer, rig.id, true, OFFER_ERROR, k);
    rig_settle(&rig);
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    for (int i = 0; i < 5; i++) {
        refuse_wants(peer);
        rig_wait(&rig, 1000);
    }
    assert_int_equal(rig.abandoned, 0);
    script_offer(peer, k);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 0); // it has not been asked since
    refuse_wants(peer);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.count, 1);
    rig_close(&rig);
}

// Its disk comes back while another is asked: what it said before that counts for nothing.
static void test_the_disk_comes_back(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *other = script_connect(&rig, 5); // whoever came later is asked first
    script_offer(other, (struct vv){0});
    struct version seen[2] = {{.flags = 0}, script_file(other, "b", "there")};
    script_push(other, 0, &seen[1], 1, "there");
    rig_settle(&rig);
    go(other);
    struct script *peer = orphan_made(&rig, "a", NULL);
    seen[0] = rig_item(&rig, "a").heads[0];
    struct vv k = store_k(rig.store, rig.arena, rig.folder);
    script_reconnect(peer);
    script_offer_as(peer, rig.id, true, OFFER_ERROR, k);
    script_reconnect(other);
    script_offer(other, k);
    rig_settle(&rig);
    for (int i = 0; i < 2; i++) {
        refuse_wants(peer);
        refuse_wants(other);
    }
    (void)abandon(&rig, "a", true);
    answer_audit(peer, seen, 2);
    answer_audit(other, seen, 2);
    rig_wait(&rig, 200);
    uint32_t asked = script_heard(other, MSG_WANT);
    refuse_wants(peer);
    assert_int_equal(script_heard(other, MSG_WANT), asked + 1);
    script_offer(peer, k);
    refuse_wants(other);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 0);
    refuse_wants(peer);
    refuse_wants(other);
    refuse_wants(peer);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandon.count, 1);
    rig_close(&rig);
}

static void test_who_had_it_last(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *maker = orphan_made(&rig, "a", NULL);
    struct script *peer = script_connect(&rig, 5);
    script_offer_as(peer, rig.id, true, OFFER_ERROR, (struct vv){0});
    applied_say(peer, vv_with(rig.arena, (struct vv){0}, (struct dot){maker->inc, 1}));
    refuse_wants(peer);
    rig_wait(&rig, 10000);
    assert_true(slice_equal(only_orphan(&rig).holder, slice_text("peer5")));
    script_offer(peer, (struct vv){0}); // it can tell, and has not got it any more
    refuse_wants(peer);
    assert_true(slice_equal(only_orphan(&rig).holder, slice_text("peer3")));
    rig_close(&rig);
}

// What is asked for while the root is away is not there: that it is away is told first.
static void test_the_root_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "here");
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    assert_int_equal(script_last(peer, MSG_OFFER)->offer.state, OFFER_READY);
    rig.away = true;
    struct content content = {.id = hash_sha256(slice_text("here")), .size = 4};
    struct message m = {.kind = MSG_WANT, .want = {.folder = rig.id, .ids = &content}};
    m.want.id_count = 1;
    script_send(peer, LANE_CONTROL, &m);
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_NOT_HELD), 1);
    assert_int_equal(script_last(peer, MSG_OFFER)->offer.state, OFFER_ERROR);
    rig.away = false;
    rig_wait(&rig, 10000);
    assert_int_equal(script_last(peer, MSG_OFFER)->offer.state, OFFER_READY);
    rig_close(&rig);
}

// The younger ones come first in the tree, and are more than are shown.
static void test_many_younger(void **state)
{
    (void)state;
    enum { MANY = 250 };
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "z", NULL);
    days(&rig, 8);
    assert_true(status_names(&rig, "z"));
    struct script *other = script_connect(&rig, 5);
    struct version *versions = arena_alloc(rig.arena, MANY, sizeof *versions);
    script_offer(other, (struct vv){0});
    for (int i = 0; i < MANY; i++) {
        char *path = arena_printf(rig.arena, "a%03d", i);
        versions[i] = script_file(other, path, path);
    }
    script_push(other, 0, versions, MANY, NULL);
    rig_settle(&rig);
    go(other);
    rig_wait(&rig, 20000);
    struct orphan *out = arena_alloc(rig.arena, MANY + 2U, sizeof *out);
    assert_int_equal(engine_orphans(rig.engine, rig.arena, NULL, MANY + 2, out), MANY + 1);
    assert_true(status_names(&rig, "z"));
    assert_string_equal(rig_status(&rig).code, "no-source");
    rig_close(&rig);
}

// Of two edits that nobody has the later one is named, and whether something else is there.
static void test_the_later_of_two(void **state)
{
    (void)state;
    static const char *const before[] = {NULL, "old"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        struct rig rig;
        rig_open(&rig);
        (void)orphan_made(&rig, "a", before[i]);
        struct script *other = script_connect(&rig, 5);
        script_offer(other, (struct vv){0});
        struct version later = script_file(other, "a", "lost as well");
        later.birth.wall_ms += 1000 * 1000;
        script_push(other, 0, &later, 1, NULL);
        rig_settle(&rig);
        go(other);
        days(&rig, 1);
        const struct orphan orphan = only_orphan(&rig);
        assert_int_equal(orphan.value.size, strlen("lost as well"));
        assert_true(slice_equal(orphan.by, slice_text("peer5")));
        assert_true(slice_equal(orphan.holder, slice_text("peer5")));
        assert_int_equal(orphan.here, before[i] != NULL);
        rig_close(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_later_of_two),    cmocka_unit_test(test_a_week),
        cmocka_unit_test(test_seen_meanwhile),      cmocka_unit_test(test_a_disk_is_away),
        cmocka_unit_test(test_the_disk_comes_back), cmocka_unit_test(test_who_had_it_last),
        cmocka_unit_test(test_the_root_goes),       cmocka_unit_test(test_many_younger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
