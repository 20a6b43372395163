// SPDX-License-Identifier: MIT
//
// A link has come where a directory is, and what ends the directory has not: a machine was shut in
// between.
#include "agent/core/index.h"
#include "tests/unit/sync/rig.h"

enum { MINUTE_MS = 60 * 1000, ALL = 4 };

static const char *const text = "below";

struct scene {
    struct rig rig;
    struct script *peer;
    struct version made[2]; // the directory, and the file in it
    struct version link, end;
};

static struct version of_kind(struct scene *s, const char *path, enum kind kind)
{
    struct version v = script_file(s->peer, path, "");
    v.value = (struct value){.kind = kind, .mode = kind == KIND_DIR ? 0755 : 0};
    return v;
}

static void open_with_gap(struct scene *s)
{
    rig_open(&s->rig);
    s->peer = script_connect(&s->rig, 7);
    script_offer(s->peer, (struct vv){0});
    s->made[0] = of_kind(s, "a", KIND_DIR);
    s->made[1] = script_file(s->peer, "a/b", text);
    script_push(s->peer, 0, s->made, 2, text);
    rig_settle(&s->rig);
    assert_true(rig_on_disk(&s->rig, "a/b"));
    s->end = of_kind(s, "a/b", KIND_TOMB);
    s->end.vv = vv_join(s->rig.arena, s->end.vv, s->made[1].vv);
    s->link = script_link(s->peer, "a", "elsewhere");
    s->link.vv = vv_join(s->rig.arena, s->link.vv, s->made[0].vv);
    script_push(s->peer, ALL - 1, &s->link, 1, NULL);
    rig_settle(&s->rig);
    assert_true(rig_item(&s->rig, "a").need);
}

static bool has_conflict(struct scene *s)
{
    struct slice path;
    return store_conflicts_of(s->rig.store, s->rig.arena, s->rig.folder, slice_text("a"), 1,
                              &path) > 0;
}

static void both_are_kept(struct scene *s)
{
    assert_false(rig_item(&s->rig, "a").need);
    assert_true(rig_on_disk(&s->rig, "a/b") && has_conflict(s));
}

// Nobody else was there: no conflict of two versions that one machine made one after the other.
static void test_its_maker_comes_back(void **state)
{
    struct scene s;
    (void)state;
    open_with_gap(&s);
    script_down(s.peer);
    rig_wait(&s.rig, 30 * MINUTE_MS);
    assert_true(rig_item(&s.rig, "a").need && rig_on_disk(&s.rig, "a/b"));
    assert_false(has_conflict(&s));
    struct version all[] = {s.made[0], s.end, s.link};
    s.peer->answered = s.peer->heard_count;
    script_reconnect(s.peer);
    struct dot k = {s.peer->inc, ALL};
    script_offer(s.peer, (struct vv){&k, 1});
    for (int turn = 0; turn < 4; turn++) {
        rig_wait(&s.rig, 1000);
        (void)script_answer(s.peer, all + 1, 2, &text, 1);
    }
    rig_wait(&s.rig, MINUTE_MS);
    assert_false(rig_item(&s.rig, "a").need || rig_on_disk(&s.rig, "a/b") || has_conflict(&s));
    assert_int_equal(rig_item(&s.rig, "a").local.version.value.kind, KIND_SYMLINK);
    rig_close(&s.rig);
}

// It may never come back: both are kept. What others say meanwhile is no reason to wait longer.
static void test_its_maker_stays_away(void **state)
{
    struct scene s;
    (void)state;
    open_with_gap(&s);
    script_down(s.peer);
    struct script *other = script_connect(&s.rig, 8);
    for (int hour = 0; hour < 25; hour++) {
        struct dot k = {other->inc, other->counter};
        script_offer(other, (struct vv){&k, hour > 0});
        uint64_t after = other->counter;
        struct version v = script_file(other, "other", text);
        script_push(other, after, &v, 1, text);
        rig_wait(&s.rig, MINUTE_MS / 6);
        if (hour == 23) assert_true(rig_item(&s.rig, "a").need && !has_conflict(&s));
        script_down(other);
        rig_wait(&s.rig, 60 * MINUTE_MS);
        script_reconnect(other);
    }
    both_are_kept(&s);
    rig_close(&s.rig);
}

// Its index was lost, and with it the end of what was below.
static void test_its_maker_knows_no_more(void **state)
{
    struct scene s;
    (void)state;
    open_with_gap(&s);
    script_down(s.peer);
    s.peer->answered = s.peer->heard_count;
    script_reconnect(s.peer);
    struct dot k = {s.peer->inc, 2};
    script_offer(s.peer, (struct vv){&k, 1});
    for (int turn = 0; turn < 120; turn++) {
        rig_wait(&s.rig, 1000);
        script_pong(s.peer);
    }
    assert_false(script_is_cut(s.peer));
    both_are_kept(&s);
    rig_close(&s.rig);
}

// What is below was written here since.
static void test_written_below(void **state)
{
    struct scene s;
    (void)state;
    open_with_gap(&s);
    rig_write(&s.rig, "a/b", "written here");
    script_down(s.peer);
    rig_wait(&s.rig, 15 * MINUTE_MS);
    both_are_kept(&s);
    rig_close(&s.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_maker_comes_back),
        cmocka_unit_test(test_its_maker_stays_away),
        cmocka_unit_test(test_its_maker_knows_no_more),
        cmocka_unit_test(test_written_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
