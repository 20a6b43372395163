// SPDX-License-Identifier: MIT
//
// Marks of several processes of others' lives: what is kept of them, and who is told.
#include "agent/store/store.h"
#include "tests/unit/sync/rig.h"

static void show_knowing(struct script *from, const struct script *owner, struct mark mark,
                         struct vv k)
{
    struct rig *rig = from->rig;
    mark.inc = owner->inc;
    mark_sign(owner->identity, rig->id, &mark);
    struct message m = {.kind = MSG_NEWS, .news = {.folder = rig->id, .k = k}};
    m.news.marks = (struct marks){&mark, 1};
    script_send(from, LANE_CONTROL, &m);
    rig_settle(rig);
}

static void show(struct script *from, const struct script *owner, uint64_t first, uint64_t counter,
                 uint64_t epoch)
{
    struct mark mark = {.first = first, .counter = counter, .epoch = epoch};
    show_knowing(from, owner, mark, (struct vv){0});
}

// 0: it has none.
static uint64_t counter_in(const struct marks *marks, uint64_t inc, uint64_t epoch)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct mark *mark = &marks->entries[i];
        if (mark->inc == inc && mark->epoch == epoch && mark->counter > most) most = mark->counter;
    }
    return most;
}

static bool has(const struct marks *marks, uint64_t inc, uint64_t epoch)
{
    return counter_in(marks, inc, epoch) > 0;
}

static uint64_t shown_to(const struct script *script, uint64_t inc, uint64_t epoch)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < script->heard_count; i++) {
        const struct message *m = script->heard[i];
        if (m->kind != MSG_NEWS && m->kind != MSG_OFFER) continue;
        const struct marks *marks = m->kind == MSG_NEWS ? &m->news.marks : &m->offer.marks;
        uint64_t counter = counter_in(marks, inc, epoch);
        if (counter > most) most = counter;
    }
    return most;
}

static bool was_shown(const struct script *script, uint64_t inc, uint64_t epoch)
{
    return shown_to(script, inc, epoch) > 0;
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

// Something to be known of the owner.
static void pull_from(struct script *owner)
{
    struct version v = script_file(owner, "o", "o");
    script_push(owner, 0, &v, 1, "o");
    rig_wait(owner->rig, 1000);
}

static void test_epochs_of_another(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *owner = join(&rig, 3), *a = join(&rig, 4), *b = join(&rig, 5);
    pull_from(owner); // of epoch 1, up to 1
    show(owner, owner, 10, 12, 4);
    assert_false(was_shown(owner, owner->inc, 4));
    show(b, owner, 6, 8, 2);
    assert_true(was_shown(owner, owner->inc, 2)); // at once: the owner may not know it
    assert_false(was_shown(a, owner->inc, 2));
    show(b, owner, 6, 9, 2); // it went on: all that is known goes with it
    const struct msg_news *news = &script_last(owner, MSG_NEWS)->news;
    assert_int_equal(news->marks.count, 3);
    assert_true(has(&news->marks, owner->inc, 1) && has(&news->marks, owner->inc, 4));
    show(a, owner, 20, 22, 7);
    assert_true(was_shown(owner, owner->inc, 7));
    rig_restart(&rig);
    join_again(owner);
    join_again(a);
    for (int i = 0; i < 2; i++) {
        const struct script *one = i == 0 ? owner : a;
        assert_true(was_shown(one, owner->inc, 1) && was_shown(one, owner->inc, 2));
        assert_true(was_shown(one, owner->inc, 4));
        assert_false(script_is_cut(one));
    }
    rig_close(&rig);
}

// Neither of the two who showed them can know: the owner was restored, and to the other it is the
// same epoch going on.
static void test_two_histories_meet(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        static struct rig rig;
        rig_open(&rig);
        rig_wait(&rig, 1000);
        struct script *owner = join(&rig, 3), *a = join(&rig, 4);
        pull_from(owner); // of epoch 1, up to 1
        if (order == 0) show(owner, owner, 2, 3, 9);
        show(a, owner, 1, 5, 1);
        assert_int_equal(was_shown(owner, owner->inc, 1), order == 0);
        if (order == 1) show(owner, owner, 2, 3, 9);
        assert_int_equal(shown_to(owner, owner->inc, 1), 5);
        rig_close(&rig);
    }
}

// The higher one stays known, though what was learned cannot be written.
static void test_an_older_epoch_and_a_full_disk(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *owner = join(&rig, 3), *a = join(&rig, 4);
    show(owner, owner, 10, 12, 4);
    struct dot high = {owner->inc, 12};
    struct mark older = {.first = 6, .counter = 8, .epoch = 2};
    rig_wait(&rig, 1000);
    rig_fail_commits(0, 1);
    show_knowing(a, owner, older, (struct vv){&high, 1});
    assert_true(rig_commits_failed() && !script_is_cut(a));
    rig_close(&rig);
}

// Nobody but the owner can tell that they do not fit, and it is heard of by way of others alone.
static void test_they_go_on_by_way_of_others(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *owner = join(&rig, 3), *a = join(&rig, 4), *b = join(&rig, 5);
    pull_from(owner); // of epoch 1, up to 1
    script_down(owner);
    a->heard_count = b->heard_count = 0;
    show(a, owner, 6, 8, 2);
    rig_wait(&rig, 2000);
    for (int i = 0; i < 2; i++)
        assert_true(was_shown(i == 0 ? a : b, owner->inc, 1));
    uint32_t before = script_heard(a, MSG_NEWS);
    show(b, owner, 6, 8, 2);
    rig_wait(&rig, 2000);
    assert_int_equal(script_heard(a, MSG_NEWS), before);
    rig_close(&rig);
}

// Whoever is paired can make up a device and lives of it, and any number of marks.
static void test_made_up_epochs(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *stranger = join(&rig, 3), *a = join(&rig, 4), *b = join(&rig, 5);
    struct owner lives[2] = {owner_of(&rig, stranger->device, 77),
                             owner_of(&rig, stranger->device, 78)};
    struct message owners = {.kind = MSG_OWNERS,
                             .owners = {.folder = rig.id, .owners = lives, .count = 2}};
    script_send(a, LANE_CONTROL, &owners);
    script_down(stranger);
    b->heard_count = 0;
    static struct mark marks[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        marks[i] =
            (struct mark){.inc = lives[i % 2].inc, .first = 1, .counter = 10 + i, .epoch = 5 + i};
        mark_sign(stranger->identity, rig.id, &marks[i]);
    }
    struct message m = {.kind = MSG_NEWS, .news = {.folder = rig.id}};
    m.news.marks = (struct marks){marks, COUNT};
    script_send(a, LANE_CONTROL, &m);
    rig_wait(&rig, 5000);
    assert_true(was_shown(b, lives[0].inc, 5 + COUNT - 2));
    assert_true(was_shown(b, lives[1].inc, 5 + COUNT - 1));
    assert_int_equal(script_heard(b, MSG_NEWS), 1);
    rig_close(&rig);
}

// One message has room for the epochs of so many; of the others one follows.
static void test_very_many_epochs_of_others(void **state)
{
    (void)state;
    enum { LIVES = 150, AT_ONCE = 75, EPOCHS = INDEX_MARK_EPOCHS };
    static struct rig rig;
    static struct owner lives[LIVES];
    static struct mark marks[AT_ONCE * EPOCHS];
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *stranger = join(&rig, 3), *a = join(&rig, 4), *b = join(&rig, 5);
    for (uint64_t i = 0; i < LIVES; i++)
        lives[i] = owner_of(&rig, stranger->device, 100 + i);
    struct message owners = {.kind = MSG_OWNERS,
                             .owners = {.folder = rig.id, .owners = lives, .count = LIVES}};
    script_send(a, LANE_CONTROL, &owners);
    script_down(stranger);
    b->heard_count = 0;
    for (uint64_t from = 0; from < LIVES; from += AT_ONCE) {
        for (uint64_t i = 0; i < AT_ONCE * EPOCHS; i++) {
            marks[i] = (struct mark){.inc = lives[from + i / EPOCHS].inc,
                                     .first = 1,
                                     .counter = 10 + i % EPOCHS,
                                     .epoch = 5 + i % EPOCHS};
            mark_sign(stranger->identity, rig.id, &marks[i]);
        }
        struct message m = {.kind = MSG_NEWS, .news = {.folder = rig.id}};
        m.news.marks = (struct marks){marks, AT_ONCE * EPOCHS};
        script_send(a, LANE_CONTROL, &m);
    }
    rig_wait(&rig, 5000);
    for (uint32_t i = 0; i < LIVES; i++)
        assert_true(was_shown(b, lives[i].inc, 5) && was_shown(b, lives[i].inc, 4 + EPOCHS));
    assert_int_equal(script_heard(b, MSG_NEWS), 2);
    rig_close(&rig);
}

static bool heard_owner(const struct script *script, uint64_t inc)
{
    for (uint32_t i = 0; i < script->heard_count; i++) {
        const struct msg_owners *owners = &script->heard[i]->owners;
        for (uint32_t j = 0; script->heard[i]->kind == MSG_OWNERS && j < owners->count; j++) {
            if (owners->owners[j].inc == inc) return true;
        }
    }
    return false;
}

// A life that its owner, who was restored, does not know of any more: whose it is comes before the
// mark, at once or with the OFFER, though it is in no K.
static void test_a_life_that_was_lost(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *owner = join(&rig, 3), *a = join(&rig, 4);
    struct owner lost = owner_of(&rig, owner->device, 77);
    struct message owners = {.kind = MSG_OWNERS,
                             .owners = {.folder = rig.id, .owners = &lost, .count = 1}};
    struct script life = {.inc = lost.inc, .identity = owner->identity};
    script_send(a, LANE_CONTROL, &owners);
    show(a, &life, 1, 3, 5);
    assert_true(was_shown(owner, lost.inc, 5) && heard_owner(owner, lost.inc));
    rig_write(&rig, "x", "x");
    rig_wait(&rig, 1000);
    rig_restart(&rig);
    join_again(owner);
    assert_true(was_shown(owner, lost.inc, 5) && heard_owner(owner, lost.inc));
    rig_close(&rig);
}

// Who makes up processes without end fills his own places only.
static void test_epochs_without_end(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *honest = join(&rig, 3), *liar = join(&rig, 4);
    pull_from(honest);
    for (uint64_t i = 0; i < 100; i++)
        show(liar, liar, 1, 1 + i % 50, 2 + i);
    struct mark marks[2 * INDEX_MARK_EPOCHS];
    assert_int_equal(store_marks(rig.store, rig.folder, liar->inc, 2 * INDEX_MARK_EPOCHS, marks),
                     INDEX_MARK_EPOCHS);
    assert_int_equal(store_marks(rig.store, rig.folder, honest->inc, 2 * INDEX_MARK_EPOCHS, marks),
                     1);
    assert_int_equal(marks[0].counter, 1);
    assert_false(script_is_cut(liar));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_epochs_of_another),
        cmocka_unit_test(test_two_histories_meet),
        cmocka_unit_test(test_an_older_epoch_and_a_full_disk),
        cmocka_unit_test(test_made_up_epochs),
        cmocka_unit_test(test_very_many_epochs_of_others),
        cmocka_unit_test(test_they_go_on_by_way_of_others),
        cmocka_unit_test(test_a_life_that_was_lost),
        cmocka_unit_test(test_epochs_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
