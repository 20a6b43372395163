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

// A peer shows these marks.
static void heard(struct rig *rig, uint64_t old, struct mark *marks, uint32_t count, uint64_t end,
                  uint64_t again)
{
    struct script *knowing = script_connect(rig, 4);
    offer_with_marks(knowing, marks, count);
    rig_settle(rig);
    assert_new_life(rig, knowing, old, end, again);
    rig_close(rig);
}

static void test_the_same_counter(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig);
    struct mark theirs = foreign(&rig, before.inc, 2, 3);
    heard(&rig, before.inc, &theirs, 1, 1, 2);
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
    heard(&rig, before.inc, &theirs, 1, 1, 3);
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
    heard(&rig, before.inc, &theirs, 1, 1, 2);
}

// Both have started again since the copy; what the peer has of each process tells where they part.
static void test_several_processes(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig); // 1 | 2 3
    rig_restart(&rig);
    rig_write(&rig, "d", "1");
    rig_write(&rig, "e", "1");
    rig_settle(&rig); // 1 | 2 3 | 4 5
    struct mark theirs[2] = {foreign(&rig, before.inc, 5, 6), foreign(&rig, before.inc, 2, 4)};
    theirs[0].epoch = FOREIGN + 1;
    mark_sign(rig.identity, rig.id, &theirs[0]);
    heard(&rig, before.inc, theirs, 2, 1, 4);
}

// While it is heard the root turns out to be of another time, too.
static void test_beside_another_reason(void **state)
{
    (void)state;
    static struct rig rig;
    struct folder_row before = open_restored(&rig);
    rig.held = 1U << JOB_HEALTH;
    rig_restart(&rig);
    memset(rig.witness, 7, sizeof rig.witness);
    struct mark theirs = foreign(&rig, before.inc, 2, 3);
    struct script *knowing = script_connect(&rig, 4);
    offer_with_marks(knowing, &theirs, 1);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc);
    rig.held = 0;
    rig_settle(&rig);
    assert_new_life(&rig, knowing, before.inc, 1, 2);
    rig_close(&rig);
}

// More processes than are remembered; and the marks of some time ago say nothing.
static void test_very_many_processes(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < MANY; i++) {
        char text[8];
        rig_restart(&rig);
        (void)snprintf(text, sizeof text, "%d", i);
        rig_write(&rig, "a", text);
        rig_settle(&rig);
    }
    struct folder_row before = row_of(&rig);
    assert_int_equal(before.counter, MANY);
    struct mark marks[INDEX_MARK_EPOCHS + 1];
    uint32_t count = store_marks(rig.store, rig.folder, before.inc, INDEX_MARK_EPOCHS + 1, marks);
    assert_int_equal(count, INDEX_MARK_EPOCHS);
    for (uint32_t i = 0; i < count; i++)
        assert_true(marks[i].first == MANY - i && marks[i].counter == MANY - i);
    struct script *peer = script_connect(&rig, 4);
    struct mark old = foreign(&rig, before.inc, 1, 40), plain = foreign(&rig, before.inc, 290, 290);
    plain.epoch = 0;
    mark_sign(rig.identity, rig.id, &plain);
    offer_with_marks(peer, &old, 1);
    offer_with_marks(peer, &plain, 1);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc);
    struct mark late = foreign(&rig, before.inc, 290, 290);
    offer_with_marks(peer, &late, 1);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc != before.inc);
    rig_close(&rig);
}

// An index of before there were epochs: its marks stay what they were.
static void test_marks_without_epochs(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct folder_row row = row_of(&rig);
    struct mark plain = {.inc = row.inc, .counter = 1, .first = 1};
    mark_sign(rig.identity, rig.id, &plain);
    row.counter = 1;
    store_begin(rig.store);
    store_mark_put(rig.store, rig.folder, &plain);
    store_k_set(rig.store, rig.folder, (struct dot){row.inc, 1});
    store_folder_put(rig.store, &row);
    assert_int_equal(store_commit(rig.store), ERR_OK);
    rig_restart(&rig);
    struct script *peer = script_connect(&rig, 4);
    const struct msg_offer *offer = &script_last(peer, MSG_OFFER)->offer;
    assert_true(offer->marks.count == 1 && offer->marks.entries[0].epoch == 0);
    assert_true(mark_verify(identity_device(rig.identity), rig.id, &offer->marks.entries[0]));
    script_offer(peer, (struct vv){0});
    rig_write(&rig, "b", "1");
    rig_settle(&rig);
    const struct mark *upto = &script_last(peer, MSG_PUSH)->push.upto;
    assert_true(upto->counter == 2 && upto->first == 2 && upto->epoch != 0);
    assert_true(mark_verify(identity_device(rig.identity), rig.id, upto));
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
    offer_with_marks(peer, &first, 1);
    offer_with_marks(peer, &second, 1);
    rig_settle(&rig);
    assert_true(row_of(&rig).inc == before.inc && !script_is_cut(peer));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_counter),
        cmocka_unit_test(test_another_process_since),
        cmocka_unit_test(test_the_process_of_the_copy_went_on),
        cmocka_unit_test(test_several_processes),
        cmocka_unit_test(test_beside_another_reason),
        cmocka_unit_test(test_very_many_processes),
        cmocka_unit_test(test_marks_without_epochs),
        cmocka_unit_test(test_what_is_ours_is_no_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
