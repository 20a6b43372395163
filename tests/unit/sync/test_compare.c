// SPDX-License-Identifier: MIT
//
// Two folders of one name side by side, with a peer that tells the truth and with ones that do not:
// what they say is counted as they say it, never stored, and never without an end.
#include "tests/unit/sync/rig.h"

static const struct folder_id other_id = {{0x90, 1}};

enum { LARGE = 3000 };

// Both have items: it waits.
static struct script *pending_peer(struct rig *rig, uint64_t items)
{
    struct script *peer = script_connect(rig, 3);
    peer->features = PROTO_FEATURE_LIST;
    script_reconnect(peer);
    rig_wait(rig, 3000); // the first session has gone
    struct message m = {.kind = MSG_OFFER, .offer = {.folder = other_id, .has_items = true}};
    m.offer.name = slice_text("f");
    m.offer.state = OFFER_READY;
    m.offer.inc = 77;
    m.offer.items = items;
    script_send(peer, LANE_CONTROL, &m);
    return peer;
}

static void rig_with_files(struct rig *rig)
{
    rig_open(rig);
    rig_write(rig, "equal", "the same");
    rig_write(rig, "only-here", "here");
    rig_write(rig, "varies", "of mine");
    rig_wait(rig, 1000);
}

static struct plan_peer seen(struct rig *rig)
{
    struct plan plan;
    assert_true(engine_plan(rig->engine, rig->arena, "f", &plan));
    assert_int_equal(plan.peer_count, 1);
    assert_true(plan.peers[0].pending);
    return plan.peers[0];
}

static const struct msg_ranges *asked(struct script *peer)
{
    const struct msg_ranges *m = &script_last(peer, MSG_RANGES)->ranges;
    assert_int_equal(m->step, RANGES_LIST);
    assert_memory_equal(m->folder.bytes, other_id.bytes, sizeof other_id.bytes);
    assert_true(m->range_count == 1 && m->ranges[0].what == RANGE_ASK);
    return m;
}

// A page from where it was asked for up to `to`.
static void list(struct script *peer, const char *to, struct version *versions, uint32_t count)
{
    const struct msg_ranges *question = asked(peer);
    struct range range = {
        .what = RANGE_ITEMS, .from = question->ranges[0].from, .to = slice_text(to)};
    struct message m = {.kind = MSG_RANGES};
    m.ranges.folder = other_id;
    m.ranges.audit = question->audit;
    m.ranges.step = RANGES_LIST;
    m.ranges.ranges = &range;
    m.ranges.range_count = 1;
    m.ranges.versions = (struct versions){versions, count};
    script_send(peer, LANE_CONTROL, &m);
}

static uint64_t index_commits(struct rig *rig)
{
    struct engine_status status;
    engine_status(rig->engine, rig->arena, &status);
    return status.counters.commits + status.counters.versions_in + status.counters.minted;
}

static void test_honest(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    assert_int_equal(seen(&rig).compared.state, COMPARE_NOT);
    uint64_t commits = index_commits(&rig);
    engine_compare(rig.engine, "f");
    assert_true(engine_comparing(rig.engine, "f") && engine_comparing(rig.engine, NULL));
    assert_false(engine_comparing(rig.engine, "g"));
    struct version v[] = {script_file(peer, "a-there", "1234567"),
                          script_file(peer, "equal", "the same")};
    list(peer, "f", v, 2);
    assert_true(slice_equal(asked(peer)->ranges[0].from, slice_text("f")));
    assert_int_equal(seen(&rig).compared.listed, 2);
    struct version w[] = {script_file(peer, "varies", "of theirs"), script_file(peer, "z", "")};
    list(peer, "", w, 2);
    struct compared c = seen(&rig).compared;
    assert_int_equal(c.state, COMPARE_DONE);
    assert_true(c.parts[COMPARED_EQUAL].items == 1 && c.parts[COMPARED_ONLY_HERE].items == 1);
    assert_true(c.parts[COMPARED_ONLY_THERE].items == 2 && c.parts[COMPARED_DIFFERENT].items == 1);
    assert_int_equal(c.parts[COMPARED_ONLY_THERE].bytes_there, 7);
    assert_true(slice_equal(c.parts[COMPARED_ONLY_THERE].first[0], slice_text("a-there")));
    assert_true(slice_equal(c.parts[COMPARED_ONLY_HERE].first[0], slice_text("only-here")));
    assert_true(c.parts[COMPARED_DIFFERENT].bytes_here == 7 &&
                c.parts[COMPARED_DIFFERENT].bytes_there == 9);
    // Nothing came of it: no item, no mark, no owner, no transaction.
    assert_int_equal(rig_item(&rig, "a-there").head_count, 0);
    assert_int_equal(index_commits(&rig), commits);
    assert_false(script_is_cut(peer));
    assert_false(engine_comparing(rig.engine, NULL));
    rig_close(&rig);
}

// What is answered is no more than what was asked for, in order, and goes on.
static void refused(const char *to, const struct version *versions, uint32_t count, bool deleted,
                    const char *what)
{
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    struct version v[4];
    for (uint32_t i = 0; i < count; i++) {
        v[i] = script_file(peer, (const char *)versions[i].path.data, "x");
        if (deleted) v[i].value = (struct value){.kind = KIND_TOMB};
    }
    list(peer, "m", NULL, 0);
    assert_false(script_is_cut(peer));
    list(peer, to, v, count);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged(what));
    assert_int_equal(engine_comparing(rig.engine, NULL), false);
    rig_close(&rig);
}

static void test_lies(void **state)
{
    (void)state;
    struct version up[] = {{.path = slice_text("n")}, {.path = slice_text("o")}};
    struct version down[] = {{.path = slice_text("o")}, {.path = slice_text("n")}};
    struct version twice[] = {{.path = slice_text("n")}, {.path = slice_text("n")}};
    struct version before[] = {{.path = slice_text("a")}};
    refused("", down, 2, false, "a list out of order");
    refused("", twice, 2, false, "a list out of order");
    refused("", before, 1, false, "a list of more than it says");
    refused("o", up, 2, false, "a list of more than it says");
    refused("m", NULL, 0, false, "a list that does not go on");
    refused("a", NULL, 0, false, "a list that does not go on");
    refused("", up, 2, true, "a deletion in a list");
}

static void test_another_part(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    struct range range = {.what = RANGE_ITEMS, .from = slice_text("q")};
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = other_id}};
    m.ranges.step = RANGES_LIST;
    m.ranges.ranges = &range;
    m.ranges.range_count = 1;
    m.ranges.audit = asked(peer)->audit + 1;
    script_send(peer, LANE_CONTROL, &m); // of one that is not under way: of no interest
    assert_false(script_is_cut(peer));
    assert_true(engine_comparing(rig.engine, "f"));
    m.ranges.audit--;
    script_send(peer, LANE_CONTROL, &m);
    assert_true(script_is_cut(peer));
    assert_true(rig_logged("a list of another part"));
    rig_close(&rig);
}

// A list that goes on by one name with every page.
static void test_endless(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    uint32_t pages = 0;
    for (; engine_comparing(rig.engine, "f") && pages < 100000; pages++) {
        char to[16];
        (void)snprintf(to, sizeof to, "x%08u", pages);
        list(peer, to, NULL, 0);
        *peer->heard[0] = *script_last(peer, MSG_RANGES);
        peer->heard_count = 1;
    }
    struct compared c = seen(&rig).compared;
    assert_int_equal(c.state, COMPARE_FAILED);
    assert_string_equal(c.why, "its list does not end");
    assert_true(pages < 100000);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

static void test_silent(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    rig_wait(&rig, 29 * 1000);
    assert_true(engine_comparing(rig.engine, "f"));
    rig_wait(&rig, 2 * 1000);
    assert_string_equal(seen(&rig).compared.why, "it does not answer");
    list(peer, "", NULL, 0); // too late, and no offence
    assert_int_equal(seen(&rig).compared.state, COMPARE_FAILED);
    assert_false(script_is_cut(peer));
    // Asked again it begins anew; joined meanwhile there is nothing to compare any more.
    const char *what;
    engine_compare(rig.engine, "f");
    assert_int_equal(engine_folder_accept(rig.engine, "f", peer->device, &what), ERR_OK);
    assert_false(engine_comparing(rig.engine, NULL));
    list(peer, "", NULL, 0);
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// It would end the session over what it does not know.
static void test_too_old(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    peer->features = 0;
    script_reconnect(peer);
    rig_wait(&rig, 3000);
    script_offer_as(peer, other_id, true, OFFER_READY, (struct vv){0});
    engine_compare(rig.engine, "f");
    assert_string_equal(seen(&rig).compared.why, "its program is too old for this");
    assert_int_equal(script_heard(peer, MSG_RANGES), 0);
    assert_false(engine_comparing(rig.engine, "f"));
    rig_close(&rig);
}

// What a rule here leaves out would not come, and what one left out here is not here.
static void test_left_out(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    rig.left_out = "varies";
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("varies"));
    rig_wait(&rig, 1000);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    struct version v[] = {script_file(peer, "equal", "the same"), script_file(peer, "new", "n"),
                          script_file(peer, "varies", "of theirs")};
    v[0].value.mode = 0600;
    list(peer, "", v, 3);
    struct compared c = seen(&rig).compared;
    assert_int_equal(c.state, COMPARE_DONE);
    assert_int_equal(c.parts[COMPARED_MODE].items, 1);
    assert_int_equal(c.parts[COMPARED_LEFT_OUT].items, 1);
    assert_int_equal(c.parts[COMPARED_ONLY_THERE].items, 1);
    assert_int_equal(c.parts[COMPARED_ONLY_HERE].items, 1);
    assert_int_equal(c.parts[COMPARED_DIFFERENT].items, 0);
    rig_close(&rig);
}

// It has nothing to list yet, and says so.
static void test_not_ready_there(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    uint64_t number = asked(peer)->audit;
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = other_id, .audit = number + 1}};
    m.ranges.step = RANGES_LIST;
    script_send(peer, LANE_CONTROL, &m); // of another
    assert_true(engine_comparing(rig.engine, "f"));
    m.ranges.audit = number;
    script_send(peer, LANE_CONTROL, &m);
    assert_string_equal(seen(&rig).compared.why, "its folder is not ready");
    assert_false(engine_comparing(rig.engine, "f"));
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// Sums of what a peer claims do not turn over.
static void test_sizes(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = pending_peer(&rig, 4);
    engine_compare(rig.engine, "f");
    struct version v[] = {script_file(peer, "x", "x"), script_file(peer, "y", "y"),
                          script_file(peer, "z", "z")};
    for (uint32_t i = 0; i < 3; i++)
        v[i].value.size = INT64_MAX;
    list(peer, "", v, 3);
    struct compared c = seen(&rig).compared;
    assert_int_equal(c.state, COMPARE_DONE);
    assert_true(c.parts[COMPARED_ONLY_THERE].bytes_there == INT64_MAX);
    rig_close(&rig);
}

// ---- asked of us

static void ask(struct script *peer, struct folder_id id, const char *from, const char *to)
{
    struct range range = {.what = RANGE_ASK, .from = slice_text(from), .to = slice_text(to)};
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = id, .audit = 5}};
    m.ranges.step = RANGES_LIST;
    m.ranges.ranges = &range;
    m.ranges.range_count = 1;
    script_send(peer, LANE_CONTROL, &m);
}

static void test_listed(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    rig_write(&rig, "gone", "g");
    rig_wait(&rig, 1000);
    rig_write(&rig, "gone", NULL);
    rig_wait(&rig, 5000);
    struct script *peer = script_connect(&rig, 3);
    ask(peer, other_id, "", ""); // there is none of that id
    assert_int_equal(script_heard(peer, MSG_RANGES), 0);
    ask(peer, rig.id, "", "p");
    const struct msg_ranges *m = &script_last(peer, MSG_RANGES)->ranges;
    assert_true(m->audit == 5 && m->range_count == 1 && m->ranges[0].what == RANGE_ITEMS);
    assert_true(slice_equal(m->ranges[0].to, slice_text("p")));
    assert_int_equal(m->versions.count, 2); // nothing of what is deleted
    assert_true(slice_equal(m->versions.entries[0].path, slice_text("equal")));
    assert_true(slice_equal(m->versions.entries[1].path, slice_text("only-here")));
    assert_false(script_is_cut(peer));
    rig_close(&rig);
}

// Whom it is not shared with hears nothing, as of a folder that does not exist.
static void test_not_shared(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *friend = script_connect(&rig, 3), *stranger = script_connect(&rig, 4);
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .with = &friend->device, .with_count = 1};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig.engine, &folder, &number), ERR_OK);
    ask(stranger, rig.id, "", "");
    assert_int_equal(script_heard(stranger, MSG_RANGES), 0);
    assert_false(script_is_cut(stranger));
    ask(friend, rig.id, "", "");
    assert_int_equal(script_heard(friend, MSG_RANGES), 1);
    rig_close(&rig);
}

// A page is bounded, and the pages together are all there is, each once.
static void test_pages(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *maker = script_connect(&rig, 4), *peer = script_connect(&rig, 3);
    script_offer(maker, (struct vv){0});
    for (uint32_t done = 0; done < LARGE;) {
        struct version v[500];
        for (uint32_t i = 0; i < 500; i++, done++) {
            char name[16];
            (void)snprintf(name, sizeof name, "%05u", done);
            v[i] = script_file(maker, name, "x");
        }
        script_push(maker, done - 500, v, 500, NULL);
        rig_settle(&rig);
    }
    AUTO(buf_fini) struct buf from = {0};
    uint32_t count = 0, pages = 0;
    do {
        ask(peer, rig.id, buf_text(&from), "");
        const struct msg_ranges *m = &script_last(peer, MSG_RANGES)->ranges;
        for (uint32_t i = 0; i < m->versions.count; i++, count++) {
            char name[16];
            (void)snprintf(name, sizeof name, "%05u", count);
            assert_true(slice_equal(m->versions.entries[i].path, slice_text(name)));
        }
        assert_true(m->versions.count <= 1024);
        buf_clear(&from);
        buf_append(&from, m->ranges[0].to.data, m->ranges[0].to.size);
    } while (from.size > 0 && ++pages < 100);
    assert_int_equal(count, LARGE);
    assert_int_equal(pages, 2);
    rig_close(&rig);
}

static void test_neither(void **state)
{
    (void)state;
    struct rig rig;
    rig_with_files(&rig);
    struct script *peer = script_connect(&rig, 3);
    struct range ranges[2] = {{.what = RANGE_ASK}, {.what = RANGE_ASK}};
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig.id}};
    m.ranges.step = RANGES_LIST;
    m.ranges.ranges = ranges;
    m.ranges.range_count = 2;
    script_send(peer, LANE_CONTROL, &m);
    assert_true(script_is_cut(peer));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),          cmocka_unit_test(test_lies),
        cmocka_unit_test(test_another_part),    cmocka_unit_test(test_endless),
        cmocka_unit_test(test_silent),          cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_listed),          cmocka_unit_test(test_not_shared),
        cmocka_unit_test(test_pages),           cmocka_unit_test(test_neither),
        cmocka_unit_test(test_too_old),         cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_not_ready_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
