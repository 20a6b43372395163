// SPDX-License-Identifier: MIT
//
// Contents that nobody has: when they count as lost, who is asked before they are given up, and
// what is there then.
#include "tests/unit/sync/rig.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

static void go(struct script *script)
{
    for (int lane = 0; lane < 2; lane++)
        engine_conn_down(script->rig->engine, script->conns[lane]);
    rig_settle(script->rig);
}

static void days(struct rig *rig, int count)
{
    for (int day = 0; day < count; day++)
        rig_wait(rig, DAY_MS);
}

static struct abandon_result abandon(struct rig *rig, const char *path, bool now)
{
    struct slice paths[] = {slice_text(path)};
    const struct abandon_request request = {.folder = "f", .paths = paths, .count = 1, .now = now};
    uint64_t ticket = rig->abandoned + 1;
    engine_abandon(rig->engine, ticket, &request);
    return rig->abandon;
}

static struct orphan only_orphan(struct rig *rig)
{
    struct orphan out[4];
    assert_int_equal(engine_orphans(rig->engine, rig->arena, NULL, 4, out), 1);
    return out[0];
}

static bool status_names(struct rig *rig, const char *path)
{
    struct folder_status status = rig_status(rig);
    for (uint32_t i = 0; i < status.error_count; i++) {
        if (strcmp(status.errors[i].code, "no-source") == 0 &&
            slice_equal(status.errors[i].path, slice_text(path)))
            return true;
    }
    return false;
}

// What the peer has made of the first head of a path.
static struct version edit_of(struct script *script, const char *path, const char *text)
{
    struct rig *rig = script->rig;
    struct item item = rig_item(rig, path);
    struct version v = script_file(script, path, text);
    v.vv = vv_join(rig->arena, v.vv, item.heads[0].vv);
    v.has_parent = true;
    v.parent = item.heads[0].value.content;
    v.parent_mode = 0644;
    return v;
}

static bool shows(struct rig *rig, const char *path, const char *text)
{
    const struct on_disk *at = disk_find(rig, slice_text(path));
    return at != NULL && digest_equal(at->value.content, hash_sha256(slice_text(text)));
}

static bool says(const struct version *v, const char *text)
{
    return v->value.kind == KIND_FILE &&
           digest_equal(v->value.content, hash_sha256(slice_text(text)));
}

// A version comes, its content does not, and who made it goes.
static struct script *orphan_made(struct rig *rig, const char *path, const char *before)
{
    if (before != NULL) rig_write(rig, path, before);
    rig_settle(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v =
        before != NULL ? edit_of(peer, path, "lost") : script_file(peer, path, "lost");
    script_push(peer, 0, &v, 1, NULL);
    rig_settle(rig);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    go(peer);
    return peer;
}

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

static void test_what_waits_for_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "a", "here");
    rig_settle(&rig);
    assert_int_equal(abandon(&rig, "a", true).err, ERR_DENIED);
    assert_int_equal(abandon(&rig, "none", true).err, ERR_DENIED);
    assert_true(says(&rig_item(&rig, "a").heads[0], "here"));
    rig_close(&rig);
}

// What is on the disk stays, and supersedes what nobody has.
static void test_what_is_on_disk(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", "old");
    struct birth birth = rig_item(&rig, "a").local.version.birth;
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandon.count, 1);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "old") && !item.need);
    assert_true(birth_compare(item.heads[0].birth, birth) == 0);
    assert_true(vv_covers(item.heads[0].vv, (struct dot){peer->inc, 1}));
    assert_true(shows(&rig, "a", "old"));
    rig_close(&rig);
}

// ---- who is connected is compared with, and asked

static void answer_audit(struct script *script, struct version *has, uint32_t count)
{
    const struct msg_ranges *open = &script_last(script, MSG_RANGES)->ranges;
    struct range all = {.what = RANGE_ITEMS};
    struct message m = {.kind = MSG_RANGES};
    assert_int_equal(open->step, RANGES_OPEN);
    m.ranges.folder = script->rig->id;
    m.ranges.audit = open->audit;
    m.ranges.step = RANGES_GO;
    m.ranges.ranges = &all;
    m.ranges.range_count = 1;
    m.ranges.versions = (struct versions){has, count};
    script_send(script, LANE_CONTROL, &m);
    struct message end = {.kind = MSG_RANGES, .ranges = {.folder = script->rig->id}};
    end.ranges.audit = open->audit;
    end.ranges.step = RANGES_END;
    script_send(script, LANE_CONTROL, &end);
    rig_settle(script->rig);
}

static void refuse_wants(struct script *script)
{
    for (; script->answered < script->heard_count; script->answered++) {
        const struct message *m = &script->heard[script->answered];
        if (m->kind != MSG_WANT) continue;
        struct message no = {.kind = MSG_NOT_HELD, .not_held = {.folder = script->rig->id}};
        no.not_held.ids = &m->want.ids[0].id;
        no.not_held.count = 1;
        script_send(script, LANE_CONTROL, &no);
    }
    rig_settle(script->rig);
}

// It comes back, knowing what we know.
static struct version back(struct script *script, const char *path)
{
    struct version v = rig_item(script->rig, path).heads[0];
    script->answered = script->heard_count;
    script_reconnect(script);
    script_offer(script, store_k(script->rig->store, script->rig->arena, script->rig->folder));
    rig_settle(script->rig);
    return v;
}

static void test_nobody_has_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    refuse_wants(peer);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 0); // not before all was compared
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 0); // what it said before counts for nothing
    refuse_wants(peer);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.count, 1);
    assert_int_equal(script_last(peer, MSG_PUSH)->push.versions.count, 1);
    rig_close(&rig);
}

static void test_a_holder_turns_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    const char *texts[] = {"lost"};
    struct script *peer = orphan_made(&rig, "a", "old");
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    for (int i = 0; i < 4; i++) {
        (void)script_answer(peer, &v, 1, texts, 1);
        rig_wait(&rig, 100);
    }
    assert_int_equal(rig.abandoned, 1);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.count == 0 && rig.abandon.came == 1);
    assert_true(shows(&rig, "a", "lost"));
    rig_close(&rig);
}

// It lives, and answers nothing but that.
static void alive(struct script *script, int seconds)
{
    uint32_t at = script->answered;
    for (int i = 0; i < seconds; i++) {
        rig_wait(script->rig, 1000);
        for (; at < script->heard_count; at++) {
            struct message pong = {.kind = MSG_PONG, .ping = script->heard[at].ping};
            if (script->heard[at].kind == MSG_PING) script_send(script, LANE_CONTROL, &pong);
        }
    }
}

static void test_who_does_not_compare(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    (void)back(peer, "a");
    (void)abandon(&rig, "a", true);
    alive(peer, 28);
    assert_int_equal(rig.abandoned, 0);
    alive(peer, 3);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    (void)abandon(&rig, "a", true);
    go(peer); // perhaps it has it
    assert_int_equal(rig.abandoned, 2);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    rig_close(&rig);
}

static void test_who_does_not_answer(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    alive(peer, 62);
    assert_int_equal(rig.abandoned, 1);
    assert_true(rig.abandon.err == ERR_OK && rig.abandon.unsure == 1);
    assert_true(says(&rig_item(&rig, "a").heads[0], "lost"));
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 1000);
    go(peer); // perhaps it has it
    rig_wait(&rig, 1000);
    assert_int_equal(rig.abandoned, 2);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
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

// Somebody comes while it is being given up.
static void test_another_comes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    struct version v = back(peer, "a");
    (void)abandon(&rig, "a", true);
    answer_audit(peer, &v, 1);
    rig_wait(&rig, 200);
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    refuse_wants(peer);
    rig_wait(&rig, 200);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    rig_close(&rig);
}

static void test_the_client_goes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = orphan_made(&rig, "a", NULL);
    (void)back(peer, "a");
    (void)abandon(&rig, "a", true);
    engine_abandon_cancel(rig.engine, 1);
    (void)abandon(&rig, "a", true);
    engine_folder_remove(rig.engine, "f");
    rig_settle(&rig);
    assert_int_equal(rig.abandoned, 1);
    assert_int_equal(rig.abandon.err, ERR_BUSY);
    rig_close(&rig);
}

// ---- what comes afterwards

static void given_up(struct rig *rig, const char *before)
{
    (void)orphan_made(rig, "a", before);
    (void)abandon(rig, "a", true);
    rig_wait(rig, 1000);
    assert_int_equal(rig->abandon.count, 1);
}

static uint64_t counter_of(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

// Another device gives up the same, and shows the same: equal values, which join.
static void test_two_give_up(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, "old");
    struct version ours = rig_item(&rig, "a").heads[0];
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "old");
    theirs.vv = vv_join(rig.arena, theirs.vv, vv_set(rig.arena, ours.vv, ours.dots.entries[0]));
    theirs.vv = vv_set(rig.arena, theirs.vv, (struct dot){ours.dots.entries[0].inc, 1});
    theirs.birth = ours.birth;
    theirs.flags = VERSION_AUTO;
    uint64_t before = counter_of(&rig);
    script_push(other, 0, &theirs, 1, NULL);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && item.heads[0].dots.count == 2 && !item.need);
    assert_int_equal(counter_of(&rig), before);
    rig_close(&rig);
}

// Another has nothing on disk: its tombstone loses against what is here.
static void test_nothing_there_loses(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, "old");
    struct version ours = rig_item(&rig, "a").heads[0];
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "");
    theirs.value = (struct value){.kind = KIND_TOMB};
    theirs.vv = vv_join(rig.arena, theirs.vv,
                        vv_set(rig.arena, ours.vv, (struct dot){ours.dots.entries[0].inc, 1}));
    theirs.flags = VERSION_AUTO;
    script_push(other, 0, &theirs, 1, NULL);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "old") && shows(&rig, "a", "old"));
    rig_close(&rig);
}

// Who had it has edited it meanwhile, and comes back.
static void edited_comes_back(const char *before)
{
    struct rig rig;
    rig_open(&rig);
    given_up(&rig, before);
    struct script *peer = rig.scripts[0];
    struct version edit = script_file(peer, "a", "edited");
    edit.vv = vv_with(rig.arena, edit.vv, (struct dot){peer->inc, 2});
    if (before != NULL) { // it descends from what was here, too
        struct birth first = rig_item(&rig, "a").heads[0].birth;
        edit.vv = vv_with(rig.arena, edit.vv, (struct dot){first.inc, first.counter});
    }
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    script_push(peer, 1, &edit, 1, "edited");
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "edited"));
    assert_true(shows(&rig, "a", "edited"));
    struct conflict conflict;
    assert_int_equal(engine_conflicts(rig.engine, rig.arena, "f", 1, &conflict), 0);
    rig_close(&rig);
}

static void test_an_edit_comes_back(void **state)
{
    (void)state;
    edited_comes_back(NULL);
    edited_comes_back("old");
}

// Beside it lives what another has made at the same time, and that is not given up with it.
static void test_what_lives_beside_it(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    (void)orphan_made(&rig, "a", NULL);
    struct script *other = script_connect(&rig, 5);
    script_offer(other, (struct vv){0});
    struct version theirs = script_file(other, "a", "beside");
    script_push(other, 0, &theirs, 1, "beside");
    rig_settle(&rig);
    go(other);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    (void)abandon(&rig, "a", true);
    rig_wait(&rig, 1000);
    struct item item = rig_item(&rig, "a");
    assert_true(item.head_count == 1 && says(&item.heads[0], "beside"));
    assert_true(shows(&rig, "a", "beside"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_week),
        cmocka_unit_test(test_what_waits_for_nothing),
        cmocka_unit_test(test_what_is_on_disk),
        cmocka_unit_test(test_nobody_has_it),
        cmocka_unit_test(test_a_holder_turns_up),
        cmocka_unit_test(test_who_does_not_compare),
        cmocka_unit_test(test_who_does_not_answer),
        cmocka_unit_test(test_seen_meanwhile),
        cmocka_unit_test(test_a_disk_is_away),
        cmocka_unit_test(test_the_disk_comes_back),
        cmocka_unit_test(test_who_had_it_last),
        cmocka_unit_test(test_the_root_goes),
        cmocka_unit_test(test_another_comes),
        cmocka_unit_test(test_the_client_goes),
        cmocka_unit_test(test_two_give_up),
        cmocka_unit_test(test_nothing_there_loses),
        cmocka_unit_test(test_an_edit_comes_back),
        cmocka_unit_test(test_what_lives_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
