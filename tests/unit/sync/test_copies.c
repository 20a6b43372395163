// SPDX-License-Identifier: MIT
//
// Contents that are here already come from here: renamed and copied files cost their versions
// alone, and many of them one job.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { FILES = 5 };

static const char *const TEXTS[FILES] = {"one", "two", "three", "four", "five"};

static const char *named(struct rig *rig, const char *folder, uint32_t number)
{
    return arena_printf(rig->arena, "%s%u", folder, number);
}

// FILES files of this device, and a peer that has said that its disk shows nothing.
static struct script *open_files(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    for (uint32_t i = 0; i < FILES; i++)
        rig_write(rig, named(rig, "old", i), TEXTS[i]);
    rig_wait(rig, 1000);
    return peer;
}

static void copies_make(struct script *peer, struct version out[FILES])
{
    for (uint32_t i = 0; i < FILES; i++)
        out[i] = script_file(peer, named(peer->rig, "new", i), TEXTS[i]);
}

static void all_are_there(struct rig *rig, const struct script *peer)
{
    for (uint32_t i = 0; i < FILES; i++) {
        struct on_disk *at = disk_find(rig, slice_text(named(rig, "new", i)));
        assert_non_null(at);
        assert_true(digest_equal(at->value.content, hash_sha256(slice_text(TEXTS[i]))));
    }
    assert_int_equal(script_heard(peer, MSG_WANT), 0);
}

static void test_push_without_contents(void **state)
{
    (void)state;
    struct rig rig;
    struct version v[FILES];
    struct script *peer = open_files(&rig);
    copies_make(peer, v);
    rig.held = 1u << JOB_STAGE;
    script_push(peer, 0, v, FILES, NULL);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_STAGE), 1);
    assert_int_equal(rig.jobs[0]->stage.count, FILES);
    rig.held = 0;
    rig_wait(&rig, 1000);
    all_are_there(&rig, peer);
    rig_close(&rig);
}

static void test_round_without_contents(void **state)
{
    (void)state;
    struct rig rig;
    struct version v[FILES];
    struct script *peer = open_files(&rig);
    copies_make(peer, v);
    struct dot k = {peer->inc, peer->counter};
    rig.held = 1u << JOB_STAGE;
    script_offer(peer, (struct vv){&k, 1});
    rig_wait(&rig, 1000);
    assert_true(script_answer(peer, v, FILES, NULL, 0));
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_STAGE), 1);
    assert_int_equal(rig.jobs[0]->stage.count, FILES);
    rig.held = 0;
    rig_wait(&rig, 1000);
    all_are_there(&rig, peer);
    rig_close(&rig);
}

// What a version changes is not its content.
static void test_mode_alone(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_files(&rig);
    struct item item = rig_item(&rig, "old0");
    struct version v = script_file(peer, "old0", TEXTS[0]);
    v.value.mode = 0755;
    v.vv = vv_join(rig.arena, v.vv, item.heads[0].vv);
    rig.held = 1u << JOB_STAGE;
    script_push(peer, 0, &v, 1, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(rig_jobs(&rig, JOB_STAGE), 0);
    assert_int_equal(disk_find(&rig, slice_text("old0"))->value.mode, 0755);
    rig_close(&rig);
}

// The file here is another by now: the others come from here, this one is asked for.
static void test_gone_meanwhile(void **state)
{
    (void)state;
    struct rig rig;
    struct version v[FILES];
    struct script *peer = open_files(&rig);
    copies_make(peer, v);
    rig_save(&rig, "old2", "something else", 7000);
    script_push(peer, 0, v, FILES, NULL);
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    assert_int_equal(script_last(peer, MSG_WANT)->want.id_count, 1);
    assert_true(script_answer(peer, v, FILES, TEXTS, FILES));
    rig_wait(&rig, 1000);
    peer->heard_count = 0;
    all_are_there(&rig, peer);
    rig_close(&rig);
}

static uint32_t rides_of(struct rig *rig, struct script *peer, const char *path, const char *text)
{
    uint32_t before = script_heard(peer, MSG_PUSH);
    rig_write(rig, path, text);
    disk_find(rig, slice_text(path))->bytes = slice_text(text);
    rig_wait(rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PUSH), before + 1);
    return script_last(peer, MSG_PUSH)->push.ride_count;
}

// Whether a content rides along is decided by what the peer's disk shows, not by what it knows.
static void test_what_the_peer_has_does_not_ride(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_files(&rig);
    struct folder_row row;
    assert_int_equal(rides_of(&rig, peer, "again", TEXTS[0]), 1);
    assert_true(store_folder_reload(rig.store, rig.arena, rig.folder, &row));
    struct message m = {.kind = MSG_APPLIED};
    struct dot all = {row.inc, row.counter};
    m.applied.folder = rig.id;
    m.applied.a = (struct vv){&all, 1};
    script_send(peer, LANE_CONTROL, &m);
    rig_wait(&rig, 1000);
    assert_int_equal(rides_of(&rig, peer, "moved", TEXTS[0]), 0);
    assert_int_equal(rides_of(&rig, peer, "fresh", "of nobody yet"), 1);
    assert_int_equal(rides_of(&rig, peer, "fresher", "of nobody yet"), 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_without_contents),
        cmocka_unit_test(test_round_without_contents),
        cmocka_unit_test(test_mode_alone),
        cmocka_unit_test(test_gone_meanwhile),
        cmocka_unit_test(test_what_the_peer_has_does_not_ride),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
