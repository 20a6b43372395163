// SPDX-License-Identifier: MIT
//
// What a power cut left empty, or full of zeros: put back from what is stored of it, and published
// as it is where nothing is.
#include <string.h>

#include "agent/core/index.h"
#include "tests/unit/sync/base_test.h"
#include "tests/unit/sync/brake_test.h"
#include "tests/unit/sync/mode_test.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

// What a step kept of it; the power cut took the file.
static void kept_gone(struct rig *rig, const char *path)
{
    const struct kept_row row = {.version = rig_item(rig, path).local.version,
                                 .file = slice_text("20250615T120000Z-1-0"),
                                 .when_ms = rig->now_ms,
                                 .by = identity_device(rig->identity),
                                 .batch = 1};
    store_kept_add(rig->store, rig->folder, &row);
}

// A power cut empties a file, or leaves so many zeros, and spoils what was put aside of it.
static void emptied(const char *text, size_t zeros, bool spoilt, bool was_kept)
{
    const size_t size = strlen(text);
    struct rig rig;
    open_with_base(&rig);
    write_and_wait(&rig, "a", text);
    if (was_kept) kept_gone(&rig, "a");
    rig_save_zeros(&rig, "a", zeros, rig.now_ms);
    rig.base_spoilt = spoilt;
    rig_fail_commits(0, 2); // it never noted that it had come to its end
    rig_restart(&rig);
    rig_wait(&rig, 20 * LATER_MS);
    struct item item = rig_item(&rig, "a");
    assert_true(rig_logged("content lost in a crash, to be put back"));
    assert_false(item.need);
    assert_int_equal(item.local.state, LOCAL_OK);
    assert_int_equal(item.heads[0].value.size, spoilt ? zeros : size);
    assert_int_equal(disk_find(&rig, slice_text("a"))->value.size, spoilt ? zeros : size);
    struct digest was = hash_sha256(slice_text(text));
    assert_int_equal(digest_equal(item.heads[0].value.content, was), !spoilt);
    rig_close(&rig);
}

static void test_emptied_comes_back(void **state)
{
    (void)state;
    emptied("one", 0, false, false);
    emptied("one", 3, false, false);
    emptied("one", 5, false, false);
    emptied("one", 3, false, true);
}

// What a crash had left of it is removed before it is put back from what is stored.
static void open_removed(struct rig *rig, uint32_t zeros, bool spoilt)
{
    open_with_base(rig);
    write_and_wait(rig, "a", "one");
    rig_save_zeros(rig, "a", zeros, rig->now_ms);
    rig->base_spoilt = spoilt;
    rig->held = 1U << JOB_STAGE;
    rig_fail_commits(0, 2);
    rig_restart(rig);
    rig_wait(rig, LATER_MS);
    assert_true(rig_logged("content lost in a crash, to be put back"));
    rig_write(rig, "a", NULL);
    rig_wait(rig, LATER_MS);
}

static void emptied_gone(bool spoilt)
{
    struct rig rig;
    open_removed(&rig, 3, spoilt);
    rig.held = 0;
    rig_wait(&rig, 10 * LATER_MS);
    struct item item = rig_item(&rig, "a");
    assert_false(item.need);
    assert_int_equal(version_live(&item.heads[0]), !spoilt);
    assert_int_equal(rig_on_disk(&rig, "a"), !spoilt);
    rig_close(&rig);
}

static void test_emptied_and_removed(void **state)
{
    (void)state;
    emptied_gone(false);
    emptied_gone(true);
}

// Before it is put back another publishes just what was left of it.
static void test_emptied_removed_and_emptied(void **state)
{
    (void)state;
    struct rig rig;
    open_removed(&rig, 0, false);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "a", "");
    v.value = rig_item(&rig, "a").local.version.value;
    v.vv = vv_join(rig.arena, v.vv, rig_item(&rig, "a").local.version.vv);
    script_push(peer, 0, &v, 1, NULL);
    rig.held = 0;
    for (uint32_t turn = 0; turn < 4; turn++) {
        rig_wait(&rig, LATER_MS);
        (void)script_answer(peer, &v, 1, (const char *const[]){""}, 1);
    }
    rig_wait(&rig, LATER_MS);
    assert_false(rig_item(&rig, "a").need);
    assert_int_equal(rig_item(&rig, "a").heads[0].value.size, 0);
    assert_true(version_live(&rig_item(&rig, "a").heads[0]) && rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

// Another publishes beside it just what was left of it: it is not there any more.
static void test_emptied_removed_and_against_empty(void **state)
{
    (void)state;
    struct rig rig;
    open_removed(&rig, 0, false);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "a", "");
    v.birth.wall_ms += INT64_C(1) << 40;
    script_push(peer, 0, &v, 1, NULL);
    rig.held = 0;
    for (uint32_t turn = 0; turn < 4; turn++) {
        rig_wait(&rig, LATER_MS);
        (void)script_answer(peer, &v, 1, (const char *const[]){""}, 1);
    }
    rig_wait(&rig, LATER_MS);
    assert_false(rig_item(&rig, "a").need);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    assert_int_equal(rig_item(&rig, "a").heads[0].value.size, 0);
    assert_true(rig_on_disk(&rig, "a"));
    rig_close(&rig);
}

// In a folder that only sends: another has changed what it was, and the user wants what is here.
static void test_emptied_removed_and_override(void **state)
{
    (void)state;
    struct rig rig;
    open_removed(&rig, 3, false);
    set_mode(&rig, MODE_SEND_ONLY);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, "a", "two");
    v.vv = vv_join(rig.arena, v.vv, rig_item(&rig, "a").local.version.vv);
    script_push(peer, 0, &v, 1, NULL);
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig_item(&rig, "a").blocked, BLOCKED_SEND_ONLY);
    decide(&rig, DECIDE_OVERRIDE);
    assert_int_equal(rig.decided.err, ERR_OK);
    assert_int_equal(rig_item(&rig, "a").head_count, 1);
    assert_false(version_live(&rig_item(&rig, "a").heads[0]));
    rig_close(&rig);
}

static void test_emptied_for_good(void **state)
{
    (void)state;
    emptied("one", 0, true, false);
    emptied("one", 3, true, false);
    emptied("one", 3, true, true);
}

// So large that it is fetched by leaves: nobody has one.
static void test_large_emptied_for_good(void **state)
{
    (void)state;
    static char text[PROTO_PACK_CONTENT_BYTES_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    emptied(text, 0, true, true);
    emptied(text, 16, true, true);
}

// What was saved last was taken by a peer, who had not said so before the power cut.
static struct script *power_cut(struct rig *rig, const char *path)
{
    open_with_base(rig);
    rig_mkdir(rig, "d");
    struct script *peer = script_connect(rig, 1);
    script_offer(peer, (struct vv){0});
    write_and_wait(rig, path, "one");
    rig_save_zeros(rig, path, 3, rig->now_ms);
    rig->base_count = 0; // what was put aside is gone
    rig_fail_commits(0, 2);
    rig_restart(rig);
    engine_peer_put(rig->engine, peer->device, "peer1");
    return peer;
}

static bool is_one(struct rig *rig, const char *path)
{
    struct digest one = hash_sha256(slice_text("one"));
    assert_false(rig_item(rig, path).need);
    return digest_equal(rig_item(rig, path).heads[0].value.content, one) &&
           digest_equal(disk_find(rig, slice_text(path))->value.content, one);
}

static void peer_answers(struct script *peer, bool has_it)
{
    const char *text = "one";
    for (int turn = 0; turn < 60; turn++) {
        (void)script_answer(peer, NULL, 0, &text, has_it);
        rig_wait(peer->rig, LATER_MS);
    }
}

// He is away when it is found so.
static struct script *open_taken(struct rig *rig)
{
    struct script *peer = power_cut(rig, "a");
    rig_wait(rig, 20 * LATER_MS);
    assert_true(rig_item(rig, "a").need);
    return peer;
}

static void emptied_and_taken(bool taken)
{
    struct rig rig;
    peer_answers(open_taken(&rig), taken);
    assert_int_equal(is_one(&rig, "a"), taken);
    rig_close(&rig);
}

// A directory that cannot be listed.
static bool looks_all_the_same(struct rig *rig, struct job *job)
{
    const char *unread = rig->unread;
    if (job->kind != JOB_LOOK) return false;
    rig->unread = NULL;
    for (uint32_t i = 0; i < job->look.count; i++)
        disk_look(rig, &job->look.looks[i]);
    rig->unread = unread;
    return true;
}

// He is here when it is found so, and may have it beyond his A. What the crash means lasts for
// what is below a directory that cannot be listed.
static void taken_by_who_is_here(const char *path, bool taken)
{
    struct rig rig;
    struct script *peer = power_cut(&rig, path);
    rig.unread = "d";
    rig.instead = looks_all_the_same;
    script_reconnect(peer);
    peer->answered = peer->heard_count;
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 100);
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text(path));
    peer_answers(peer, taken);
    assert_true(rig_logged("content lost in a crash, to be put back"));
    assert_int_equal(is_one(&rig, path), taken);
    rig_close(&rig);
}

static void test_emptied_and_taken(void **state)
{
    (void)state;
    emptied_and_taken(true);
    taken_by_who_is_here("a", true);
    taken_by_who_is_here("d/a", true);
}

static void test_emptied_and_not_taken(void **state)
{
    (void)state;
    emptied_and_taken(false);
    taken_by_who_is_here("a", false);
    taken_by_who_is_here("d/a", false);
}

// Who may have taken it stays away.
static void test_emptied_and_never_told(void **state)
{
    struct rig rig;
    (void)state;
    (void)open_taken(&rig);
    rig_wait(&rig, 6 * DAY_MS);
    assert_true(rig_item(&rig, "a").need);
    rig_wait(&rig, 2 * DAY_MS);
    assert_false(is_one(&rig, "a"));
    rig_close(&rig);
}

// Its user has removed what was left of it, and gives it up: nothing is there.
static void test_emptied_removed_and_given_up(void **state)
{
    struct rig rig;
    (void)state;
    (void)open_taken(&rig);
    rig_write(&rig, "a", NULL);
    rig_wait(&rig, LATER_MS);
    assert_true(rig_item(&rig, "a").need);
    const struct slice path = slice_text("a");
    const struct abandon_request request = {.folder = "f", .paths = &path, .count = 1, .now = true};
    engine_abandon(rig.engine, 1, &request);
    rig_wait(&rig, 20 * LATER_MS);
    assert_int_equal(rig.abandon.count, 1);
    assert_false(rig_item(&rig, "a").need || version_live(&rig_item(&rig, "a").heads[0]));
    rig_close(&rig);
}

// There is no room for it at first: what is stored of it stays.
static bool no_room(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_STAGE) return false;
    for (uint32_t i = 0; i < job->stage.count; i++)
        job->stage.entries[i].err = ERR_NO_SPACE;
    return true;
}

static void test_emptied_with_a_full_disk(void **state)
{
    struct rig rig;
    (void)state;
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig_save_zeros(&rig, "a", 3, rig.now_ms);
    rig_fail_commits(0, 2);
    rig.instead = no_room;
    rig_restart(&rig);
    rig_wait(&rig, 20 * LATER_MS);
    assert_int_equal(rig_item(&rig, "a").blocked, BLOCKED_NO_SPACE);
    assert_true(rig_base_has(&rig, "one"));
    rig.instead = NULL;
    rig_wait(&rig, 20 * LATER_MS);
    assert_true(is_one(&rig, "a"));
    assert_true(rig_base_has(&rig, "one"));
    rig_close(&rig);
}

// It was waited for, and he says now that he is ready, and has it.
static void had_from(struct script *peer)
{
    struct rig *rig = peer->rig;
    assert_true(rig_item(rig, "a").need);
    script_offer(peer, (struct vv){0});
    peer_answers(peer, true);
    assert_true(is_one(rig, "a"));
    rig_close(rig);
}

// He was here in this process, and comes again: until he has said his folders he may have it.
static void test_emptied_and_taken_by_who_comes_again(void **state)
{
    struct rig rig;
    (void)state;
    struct script *peer = open_taken(&rig);
    peer->answered = peer->heard_count;
    script_reconnect(peer);
    script_offer_as(peer, rig.id, true, OFFER_ERROR, (struct vv){0});
    for (int turn = 0; turn < 4; turn++) {
        script_pong(peer);
        rig_wait(&rig, 100);
    }
    script_down(peer);
    rig_wait(&rig, 120 * 1000);
    assert_true(rig_item(&rig, "a").need);
    script_reconnect(peer);
    rig_wait(&rig, LATER_MS + 1000);
    had_from(peer);
}

// The clock of the machine went with the power, and is in 1970.
static void test_emptied_and_taken_before_the_clock_fell(void **state)
{
    struct rig rig;
    (void)state;
    open_with_base(&rig);
    struct script *peer = script_connect(&rig, 1);
    script_offer(peer, (struct vv){0});
    write_and_wait(&rig, "a", "one");
    rig_wait(&rig, 3600 * 1000);
    peer_answers(peer, true);
    rig_save_zeros(&rig, "a", 3, rig.now_ms);
    rig.base_count = 0;
    rig_fail_commits(0, 2);
    rig.skew_ms = -INT64_C(1700000000000);
    rig_restart(&rig);
    engine_peer_put(rig.engine, peer->device, "peer1");
    rig_wait(&rig, 20 * LATER_MS);
    assert_true(rig_item(&rig, "a").need);
    // He comes, and goes before he has answered.
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 100);
    script_down(peer);
    rig_wait(&rig, 120 * 1000);
    assert_true(rig_item(&rig, "a").need);
    rig_close(&rig);
}

// He is here, and has paused: before the look, or after it.
static void test_emptied_and_taken_by_who_has_paused(void **state)
{
    struct rig rig;
    (void)state;
    struct script *peer = power_cut(&rig, "a");
    rig.held = 1U << JOB_SCAN;
    peer->answered = peer->heard_count;
    script_reconnect(peer);
    script_offer_as(peer, rig.id, true, OFFER_PAUSED, (struct vv){0});
    rig_wait(&rig, 100);
    script_pong(peer);
    rig_wait(&rig, 100);
    rig.held = 0;
    for (int turn = 0; turn < 20; turn++) {
        rig_wait(&rig, LATER_MS);
        script_pong(peer);
    }
    had_from(peer);
}

// Zeros are zeros if there was no crash.
static void test_zeros_are_published(void **state)
{
    (void)state;
    struct rig rig;
    open_with_base(&rig);
    write_and_wait(&rig, "a", "one");
    rig_save_zeros(&rig, "a", 3, rig.now_ms);
    rig_restart(&rig);
    rig_wait(&rig, 10 * LATER_MS);
    struct digest one = hash_sha256(slice_text("one"));
    assert_false(digest_equal(rig_item(&rig, "a").heads[0].value.content, one));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emptied_comes_back),
        cmocka_unit_test(test_emptied_for_good),
        cmocka_unit_test(test_large_emptied_for_good),
        cmocka_unit_test(test_emptied_and_removed),
        cmocka_unit_test(test_emptied_removed_and_emptied),
        cmocka_unit_test(test_emptied_removed_and_against_empty),
        cmocka_unit_test(test_emptied_removed_and_override),
        cmocka_unit_test(test_emptied_and_taken),
        cmocka_unit_test(test_emptied_and_not_taken),
        cmocka_unit_test(test_emptied_and_never_told),
        cmocka_unit_test(test_emptied_removed_and_given_up),
        cmocka_unit_test(test_emptied_with_a_full_disk),
        cmocka_unit_test(test_emptied_and_taken_by_who_comes_again),
        cmocka_unit_test(test_emptied_and_taken_before_the_clock_fell),
        cmocka_unit_test(test_emptied_and_taken_by_who_has_paused),
        cmocka_unit_test(test_zeros_are_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
