// SPDX-License-Identifier: MIT
//
// Whoever comes back after deletions were forgotten is compared with in full: what the other has
// known and does not have any more goes here, too, and nothing else.
#include "tests/unit/sync/rig.h"

enum { MANY = 100, KEPT = 60 };

static struct version theirs[MANY];

static uint64_t own_inc(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.inc;
}

static const char *path_of(int i)
{
    static char path[16];
    (void)snprintf(path, sizeof path, "p%03d", i);
    return path;
}

// It has all of ours, we have all of its, but for one content that nobody sends.
static struct script *open_full(struct rig *rig, int count)
{
    rig_open(rig);
    rig_write(rig, "mine0", "m"), rig_write(rig, "mine1", "n"), rig_write(rig, "mine2", "o");
    rig_wait(rig, 1000);
    rig_write(rig, "mine2", NULL);
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < count; i++)
        theirs[i] = script_file(peer, path_of(i), i == count - 1 ? "nobody has it" : "t");
    script_push(peer, 0, theirs, (uint32_t)count, "t");
    rig_wait(rig, 1000);
    return peer;
}

static struct vv k_of(struct script *peer)
{
    struct arena *arena = peer->rig->arena;
    struct vv k = vv_set(arena, (struct vv){0}, (struct dot){own_inc(peer->rig), 4});
    return vv_set(arena, k, (struct dot){peer->inc, peer->counter});
}

// It has made something since, deleted it, and forgotten that.
static void forgets(struct script *peer)
{
    struct rig *rig = peer->rig;
    peer->counter++;
    struct dot floor = {peer->inc, peer->counter};
    struct mark mark = script_mark(peer, peer->counter);
    struct message news = {.kind = MSG_NEWS, .news = {.folder = rig->id, .k = k_of(peer)}};
    news.news.marks = (struct marks){&mark, 1};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(rig, 200);
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig->id, .k = k_of(peer)}};
    done.done.round = script_last(peer, MSG_PULL)->pull.round;
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
    rig_settle(rig);
    const struct msg_ranges *open = &script_last(peer, MSG_RANGES)->ranges;
    assert_int_equal(open->step, RANGES_OPEN);
    assert_true(open->reconcile);
}

static const struct msg_ranges *say(struct script *peer, enum ranges_step step,
                                    const struct range *range, uint32_t count)
{
    struct range one = range != NULL ? *range : (struct range){.what = RANGE_ITEMS};
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = peer->rig->id}};
    m.ranges.audit = script_last(peer, MSG_RANGES)->ranges.audit;
    m.ranges.step = step;
    m.ranges.reconcile = true;
    m.ranges.ranges = &one;
    m.ranges.range_count = range != NULL;
    m.ranges.versions = (struct versions){theirs, count};
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(peer->rig);
    return &script_last(peer, MSG_RANGES)->ranges;
}

static bool is_known(struct script *peer)
{
    struct rig *rig = peer->rig;
    return vv_get(store_k(rig->store, rig->arena, rig->folder), peer->inc) == peer->counter;
}

static void what_it_forgot_is_gone(struct rig *rig, int kept, int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(rig_item(rig, path_of(i)).head_count, i < kept);
        assert_int_equal(rig_on_disk(rig, path_of(i)), i < kept);
    }
    static const char *const mine[] = {"mine0", "mine1", "mine2"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_item(rig, mine[i]).head_count, 0);
        assert_int_equal(rig_item(rig, mine[i]).local.state, LOCAL_NONE);
        assert_false(rig_on_disk(rig, mine[i]));
    }
}

static void test_many(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_full(&rig, MANY);
    forgets(peer);
    struct range sum = {.what = RANGE_SUM, .count = KEPT}, items = {.what = RANGE_ITEMS};
    const struct msg_ranges *m = say(peer, RANGES_GO, &sum, 0);
    assert_int_equal(m->range_count, 15); // smaller parts
    assert_int_equal(m->ranges[0].what, RANGE_SUM);
    assert_int_equal(say(peer, RANGES_GO, &items, KEPT)->step, RANGES_END);
    // Forgotten since it sent DONE, perhaps: whoever pulls from here has to compare, too.
    struct vv floor = store_gcfloor(rig.store, rig.arena, rig.folder);
    assert_int_equal(vv_get(floor, own_inc(&rig)), 4);
    assert_int_equal(vv_get(floor, peer->inc), MANY);
    (void)say(peer, RANGES_END, NULL, 0);
    assert_true(is_known(peer));
    rig_wait(&rig, 1000);
    what_it_forgot_is_gone(&rig, KEPT, MANY);
    // A dot that was lost is not covered again by what is published next.
    rig_write(&rig, "next", "x");
    rig_wait(&rig, 1000);
    assert_int_equal(script_last(peer, MSG_PUSH)->push.after, 4);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static void test_few(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_full(&rig, 10);
    forgets(peer);
    struct range sum = {.what = RANGE_SUM, .count = 99};
    const struct msg_ranges *m = say(peer, RANGES_GO, &sum, 0);
    assert_int_equal(m->range_count, 1);
    assert_int_equal(m->ranges[0].what, RANGE_ASK); // nothing of ours is said: it only takes
    assert_int_equal(m->versions.count, 0);
    // Where we have nothing there is nothing to ask for.
    struct range beyond = {.what = RANGE_SUM, .from = slice_text("z"), .count = 3};
    assert_int_equal(say(peer, RANGES_GO, &beyond, 0)->step, RANGES_END);
    (void)say(peer, RANGES_MOVED, NULL, 0);
    assert_false(is_known(peer));
    // It was not to be: the round begins anew.
    uint32_t pulls = script_heard(peer, MSG_PULL);
    rig_wait(&rig, 1000);
    assert_int_equal(script_heard(peer, MSG_PULL), pulls + 1);
    assert_int_equal(rig_item(&rig, path_of(9)).head_count, 1);
    rig_close(&rig);
}

static void test_not_written(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peer = open_full(&rig, 10);
    forgets(peer);
    struct range items = {.what = RANGE_ITEMS};
    rig_fail_commits(0, 1);
    (void)say(peer, RANGES_GO, &items, 5);
    assert_true(script_is_cut(peer));
    assert_int_equal(rig_item(&rig, path_of(9)).head_count, 1);
    assert_false(is_known(peer));
    script_reconnect(peer);
    script_offer(peer, k_of(peer));
    rig_settle(&rig);
    peer->counter--;
    forgets(peer);
    (void)say(peer, RANGES_GO, &items, 5);
    (void)say(peer, RANGES_END, NULL, 0);
    rig_wait(&rig, 1000);
    assert_true(is_known(peer));
    what_it_forgot_is_gone(&rig, 5, 10);
    rig_close(&rig);
}

static struct mark mark_by(const struct script *peer, uint64_t inc, uint64_t counter)
{
    struct mark mark = {.inc = inc, .counter = counter, .first = 1, .epoch = 1};
    mark_sign(peer->identity, peer->rig->id, &mark);
    return mark;
}

// Forgotten since its DONE: what it told of in this round by another incarnation of its own, made
// of something that nobody is told of; and what superseded ours before. The floor covers what K
// does.
static void test_floor_of_what_is_dropped(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "mine", "m");
    rig_settle(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    struct dot own = {own_inc(&rig), 1};
    struct version over = script_file(peer, "mine", "t");
    over.vv = vv_with(rig.arena, over.vv, own);
    script_push(peer, 0, &over, 1, "t");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "mine").head_count, 1);
    struct owner lives[2] = {owner_of(&rig, peer->device, 77), owner_of(&rig, peer->device, 78)};
    struct message owners = {.kind = MSG_OWNERS, .owners = {.folder = rig.id, .owners = lives}};
    owners.owners.count = 2;
    script_send(peer, LANE_CONTROL, &owners);
    struct dot told = {lives[0].inc, 3}, untold = {lives[1].inc, 7};
    struct mark marks[3] = {mark_by(peer, told.inc, 3), mark_by(peer, untold.inc, 7),
                            script_mark(peer, ++peer->counter)};
    struct vv k = vv_with(rig.arena, (struct vv){0}, own);
    k = vv_with(rig.arena, vv_with(rig.arena, k, told), (struct dot){peer->inc, peer->counter});
    struct message news = {.kind = MSG_NEWS, .news = {.folder = rig.id, .k = k}};
    news.news.marks = (struct marks){marks, 3};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(&rig, 200);
    struct version late = over;
    late.path = slice_text("late");
    late.dots = (struct dots){&told, 1};
    late.vv = vv_with(rig.arena, vv_with(rig.arena, (struct vv){0}, told), untold);
    struct message page = {.kind = MSG_VERSIONS, .versions = {.folder = rig.id, .page = 1}};
    page.versions.round = script_last(peer, MSG_PULL)->pull.round;
    page.versions.versions = (struct versions){&late, 1};
    script_send(peer, LANE_CONTROL, &page);
    struct dot floor = {peer->inc, peer->counter};
    struct message done = {.kind = MSG_DONE, .done = {.folder = rig.id, .k = k, .pages = 1}};
    done.done.round = page.versions.round;
    done.done.gcfloor = (struct vv){&floor, 1};
    script_send(peer, LANE_CONTROL, &done);
    rig_settle(&rig);
    assert_int_equal(rig_item(&rig, "late").head_count, 1);
    struct range items = {.what = RANGE_ITEMS};
    (void)say(peer, RANGES_GO, &items, 0);
    assert_int_equal(rig_item(&rig, "late").head_count + rig_item(&rig, "mine").head_count, 0);
    struct vv now = store_gcfloor(rig.store, rig.arena, rig.folder);
    assert_true(vv_covers(now, own));
    assert_true(vv_le(now, store_k(rig.store, rig.arena, rig.folder)));
    (void)say(peer, RANGES_END, NULL, 0);
    now = store_gcfloor(rig.store, rig.arena, rig.folder);
    assert_true(vv_covers(now, told) && vv_covers(now, floor));
    assert_true(vv_le(now, store_k(rig.store, rig.arena, rig.folder)));
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// What it knows, with what it has forgotten of that; the rig asks for the rest.
static void knows(struct script *peer, struct vv k, struct vv forgotten)
{
    struct mark mark = script_mark(peer, peer->counter);
    struct message news = {.kind = MSG_NEWS, .news = {.folder = peer->rig->id, .k = k}};
    news.news.gcfloor = forgotten;
    news.news.marks = (struct marks){&mark, 1};
    script_send(peer, LANE_CONTROL, &news);
    rig_wait(peer->rig, 200);
}

static void round_ends(struct script *peer, struct vv k, struct vv forgotten, uint32_t pages)
{
    struct message done = {.kind = MSG_DONE, .done = {.folder = peer->rig->id, .k = k}};
    done.done.pages = pages;
    done.done.round = script_last(peer, MSG_PULL)->pull.round;
    done.done.gcfloor = forgotten;
    script_send(peer, LANE_CONTROL, &done);
    rig_settle(peer->rig);
}

// It has deleted what is here, and forgotten that.
static struct script *open_deleted(struct rig *rig, struct vv *out_forgotten)
{
    rig_open(rig);
    rig_write(rig, "p", "deleted elsewhere");
    rig_settle(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(rig, 1000);
    peer->counter++; // the deletion
    struct dot floor[2] = {{own_inc(rig), 1}, {peer->inc, 1}};
    *out_forgotten = vv_with(rig->arena, (struct vv){floor, 1}, floor[1]);
    return peer;
}

// Deleted by others, who have forgotten that, and made anew as something else: what we have of it
// does not come back as a conflict item.
static void test_what_was_made_anew(void **state)
{
    (void)state;
    static struct rig rig;
    struct vv forgotten;
    struct script *peer = open_deleted(&rig, &forgotten);
    theirs[0] = script_link(peer, "p", "anew");
    struct vv k = vv_set(rig.arena, forgotten, (struct dot){peer->inc, peer->counter});
    knows(peer, k, forgotten);
    struct message page = {.kind = MSG_VERSIONS, .versions = {.folder = rig.id, .page = 1}};
    page.versions.round = script_last(peer, MSG_PULL)->pull.round;
    page.versions.versions = (struct versions){theirs, 1};
    script_send(peer, LANE_CONTROL, &page);
    rig_wait(&rig, 500);
    assert_int_equal(rig_item(&rig, "p").head_count, 2);
    round_ends(peer, k, forgotten, 1);
    struct range items = {.what = RANGE_ITEMS};
    (void)say(peer, RANGES_GO, &items, 1);
    (void)say(peer, RANGES_END, NULL, 0);
    rig_wait(&rig, 3000);
    assert_true(is_known(peer));
    assert_int_equal(rig_item(&rig, "p").head_count, 1);
    assert_int_equal(rig_item(&rig, "p").local.version.value.kind, KIND_SYMLINK);
    assert_int_equal(rig.disk_count, 1);
    rig_close(&rig);
}

// More items than go into one message, be it that some of them do not count: the first of them, and
// then the others. What adds up to few would be asked for again otherwise, for ever.
static void test_more_than_a_few(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < MANY; i++)
        rig_write(&rig, path_of(i), "x");
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    struct range all = {.what = RANGE_ASK};
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig.id, .audit = 7}};
    m.ranges.step = RANGES_OPEN;
    m.ranges.reconcile = true;
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    m.ranges.step = RANGES_GO;
    uint32_t given = 0, turns = 0;
    for (m.ranges.ranges = &all, m.ranges.range_count = 1; given < MANY; m.ranges.range_count = 0) {
        assert_true(turns++ < 2);
        script_send(peer, LANE_CONTROL, &m);
        rig_settle(&rig);
        const struct msg_ranges *said = &script_last(peer, MSG_RANGES)->ranges;
        assert_int_equal(said->step, RANGES_GO);
        assert_true(said->range_count == 1 && said->ranges[0].what == RANGE_ITEMS);
        assert_true(said->versions.count <= PROTO_RANGE_ITEMS_MAX);
        assert_int_equal(said->ranges[0].to.size > 0, turns == 1);
        for (uint32_t i = 0; i < said->versions.count; i++)
            assert_true(
                slice_equal(said->versions.entries[i].path, slice_text(path_of((int)(given + i)))));
        given += said->versions.count;
    }
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static bool stays_there(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        job->apply.steps[i].result = STEP_BLOCKED;
        job->apply.steps[i].blocked = BLOCKED_NOT_EMPTY;
    }
    return true;
}

// Of what everybody has forgotten nobody can be told that it is blocked here: they do not wait for
// it to be named.
static void test_forgotten_and_blocked(void **state)
{
    (void)state;
    static struct rig rig;
    struct vv forgotten;
    struct script *peer = open_deleted(&rig, &forgotten);
    knows(peer, forgotten, forgotten);
    rig.instead = stays_there;
    round_ends(peer, forgotten, forgotten, 0);
    struct range items = {.what = RANGE_ITEMS};
    (void)say(peer, RANGES_GO, &items, 0);
    (void)say(peer, RANGES_END, NULL, 0);
    rig_wait(&rig, 3000);
    struct item p = rig_item(&rig, "p");
    assert_true(p.head_count == 0 && p.blocked == BLOCKED_NOT_EMPTY);
    assert_int_equal(script_last(peer, MSG_APPLIED)->applied.blocked_total, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_not_written),
        cmocka_unit_test(test_floor_of_what_is_dropped),
        cmocka_unit_test(test_forgotten_and_blocked),
        cmocka_unit_test(test_more_than_a_few),
        cmocka_unit_test(test_what_was_made_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
