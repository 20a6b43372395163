// SPDX-License-Identifier: MIT
//
// A device that was restored whole, index and files, and has counted on to numbers that it had
// published before: who has the old marks tells.
#include "tests/unit/sync/reinc_test.h"

enum { FOREIGN = 99 };

// By a process of ours that this index knows nothing of.
static struct mark foreign(struct rig *rig, uint64_t inc, uint64_t first, uint64_t counter)
{
    struct mark mark = {.inc = inc, .counter = counter, .first = first, .epoch = FOREIGN};
    mark_sign(rig->identity, rig->id, &mark);
    return mark;
}

static struct mark stored(struct rig *rig, uint64_t inc)
{
    struct mark mark;
    assert_true(store_mark_get(rig->store, rig->folder, inc, &mark));
    return mark;
}

// One counter of before the copy, and two of since; a peer that knew nothing was met.
static struct folder_row open_restored(struct rig *rig)
{
    rig_open(rig);
    rig_write(rig, "a", "1");
    rig_settle(rig);
    script_offer(script_connect(rig, 3), (struct vv){0});
    rig_settle(rig);
    rig_restart(rig);
    rig_write(rig, "b", "1");
    rig_settle(rig);
    script_offer(script_connect(rig, 3), (struct vv){0});
    rig_write(rig, "c", "1");
    rig_settle(rig);
    struct folder_row row = row_of(rig);
    assert_int_equal(row.counter, 3);
    return row;
}

static void assert_new_life(struct rig *rig, struct script *knowing, uint64_t old, uint64_t end,
                            uint64_t again)
{
    struct folder_row after = row_of(rig);
    assert_true(after.inc != old);
    assert_int_equal(after.counter, again);
    script_offer(knowing, (struct vv){0});
    rig_settle(rig);
    const struct msg_rollback *told = &script_last(knowing, MSG_ROLLBACK)->rollback;
    assert_true(told->old == old && told->fresh == after.inc && told->end.count == 1);
    assert_int_equal(told->end.entries[0].counter, end);
    assert_true(mark_verify(identity_device(rig->identity), rig->id, &told->end.entries[0]));
}

static void test_the_same_counter(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig);
    struct mark theirs = foreign(&rig, before.inc, 2, 3);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_mark(knowing, &theirs);
    rig_settle(&rig);
    assert_new_life(&rig, knowing, before.inc, 1, 2);
    rig_close(&rig);
}

// Another process has begun since, and believes the first to have been sure of its numbers.
static void test_another_process_since(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig);
    rig_restart(&rig);
    rig_write(&rig, "d", "1");
    rig_settle(&rig);
    assert_int_equal(row_of(&rig).base, 3);
    struct mark theirs = foreign(&rig, before.inc, 2, 2);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_mark(knowing, &theirs);
    rig_settle(&rig);
    assert_new_life(&rig, knowing, before.inc, 1, 3);
    rig_close(&rig);
}

// The process that was running when the copy was made has gone on after it.
static void test_the_process_of_the_copy_went_on(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig);
    struct mark theirs = foreign(&rig, before.inc, 1, 2);
    rig_restart(&rig);
    struct slice epochs;
    assert_true(store_meta_get(rig.store, rig.arena, "epochs.1", &epochs));
    memcpy(&theirs.epoch, epochs.data + 16, sizeof theirs.epoch); // of the first
    mark_sign(rig.identity, rig.id, &theirs);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_mark(knowing, &theirs);
    rig_settle(&rig);
    assert_new_life(&rig, knowing, before.inc, 1, 2);
    rig_close(&rig);
}

static void test_what_is_ours_is_no_evidence(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "1");
    rig_settle(&rig);
    struct folder_row before = row_of(&rig);
    struct mark first = stored(&rig, before.inc);
    rig_restart(&rig);
    rig_write(&rig, "b", "1");
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 4), *ignorant = script_connect(&rig, 3);
    script_offer(ignorant, (struct vv){0});
    rig_settle(&rig);
    struct mark second = stored(&rig, before.inc);
    assert_true(first.epoch != second.epoch);
    assert_true(first.first == 1 && second.first == 2);
    offer_with_mark(peer, &first);
    offer_with_mark(peer, &second);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc && !script_is_cut(peer));
    rig_close(&rig);
}

// ---- of others

static void show(struct script *from, const struct script *owner, uint64_t first, uint64_t counter,
                 uint64_t epoch)
{
    struct rig *rig = from->rig;
    struct mark mark = {.inc = owner->inc, .counter = counter, .first = first, .epoch = epoch};
    mark_sign(owner->identity, rig->id, &mark);
    struct message m = {.kind = MSG_NEWS, .news = {.folder = rig->id}};
    m.news.marks = (struct marks){&mark, 1};
    script_send(from, LANE_CONTROL, &m);
    rig_settle(rig);
}

static bool has_both(const struct script *script, uint64_t inc)
{
    uint64_t epochs = 0;
    if (script_heard(script, MSG_NEWS) == 0) return false;
    const struct msg_news *news = &script_last(script, MSG_NEWS)->news;
    for (uint32_t i = 0; i < news->marks.count; i++) {
        if (news->marks.entries[i].inc == inc) epochs |= news->marks.entries[i].epoch;
    }
    return epochs == 3;
}

static struct script *join(struct rig *rig, uint8_t seed)
{
    struct script *script = script_connect(rig, seed);
    script_offer(script, (struct vv){0});
    rig_settle(rig);
    return script;
}

// In another session, of which alone is known what was heard.
static void join_again(struct script *script)
{
    engine_peer_put(script->rig->engine, script->device, "again");
    script->heard_count = 0;
    script_reconnect(script);
    script_offer(script, (struct vv){0});
    rig_settle(script->rig);
}

static void goes_on_anew(struct script *owner)
{
    struct rig *rig = owner->rig;
    struct owner fresh = owner_of(rig, owner->device, 77);
    struct message owners = {.kind = MSG_OWNERS,
                             .owners = {.folder = rig->id, .owners = &fresh, .count = 1}};
    struct message rollback = {.kind = MSG_ROLLBACK, .rollback = {.folder = rig->id}};
    rollback.rollback.old = owner->inc;
    rollback.rollback.fresh = fresh.inc;
    script_send(owner, LANE_CONTROL, &owners);
    script_send(owner, LANE_CONTROL, &rollback);
    rig_settle(rig);
}

static void test_two_histories_of_another(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *owner = join(&rig, 3), *a = join(&rig, 4), *b = join(&rig, 5);
    show(a, owner, 1, 4, 1);
    show(a, owner, 5, 9, 2);
    show(b, owner, 1, 4, 1); // one after the other
    assert_false(rig_logged("two histories of an incarnation"));
    show(b, owner, 3, 6, 1);
    assert_true(rig_logged("two histories of an incarnation"));
    assert_true(has_both(owner, owner->inc) && has_both(a, owner->inc) && has_both(b, owner->inc));
    rig_wait(&rig, 1000);
    rig_restart(&rig); // whoever comes later hears it, too
    struct script *late = join(&rig, 6);
    assert_true(has_both(late, owner->inc));
    join_again(owner); // and has heard it
    goes_on_anew(owner);
    join_again(a);
    assert_false(has_both(a, owner->inc));
    show(a, owner, 1, 20, 4); // of a life that has ended
    join_again(b);
    assert_false(has_both(b, owner->inc));
    assert_false(script_is_cut(a) || script_is_cut(b));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_counter),
        cmocka_unit_test(test_another_process_since),
        cmocka_unit_test(test_the_process_of_the_copy_went_on),
        cmocka_unit_test(test_what_is_ours_is_no_evidence),
        cmocka_unit_test(test_two_histories_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
