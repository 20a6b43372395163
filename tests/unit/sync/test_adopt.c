// SPDX-License-Identifier: MIT
//
// A folder takes another's id: nothing of its old life lands in the new one, and an offer that
// came at a bad moment is looked at again.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

static struct vv empty_k(void)
{
    return (struct vv){0};
}

static const struct folder_id other_id = {{0x20, 1}}; // smaller than the rig's
static const struct folder_id larger_id = {{0x90, 1}};

static bool is_id(const struct rig *rig, struct folder_id id)
{
    struct folder_row row;
    struct arena *arena = rig->arena;
    assert_true(store_folder_get(rig->store, arena, slice_text("f"), &row));
    return memcmp(row.id.bytes, id.bytes, sizeof id.bytes) == 0;
}

// A step of the old life is under way when a person accepts: the new index does not hear of it.
static void test_accept_while_applying(void **state)
{
    (void)state;
    struct rig rig;
    const char *what = "";
    rig_open(&rig);
    struct script *old = script_connect(&rig, 3);
    script_offer(old, empty_k());
    struct script *new = script_connect(&rig, 4);
    rig.held = 1u << JOB_APPLY;
    struct version v = script_file(old, "x", "content");
    script_push(old, 0, &v, 1, "content");
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_APPLY), 1);
    script_offer_as(new, other_id, true, OFFER_READY, empty_k());
    assert_int_equal(engine_folder_accept(rig.engine, "f", new->device, &what), ERR_OK);
    rig_wait(&rig, 3000);
    assert_true(is_id(&rig, rig.id)); // it waits
    // What comes for the old life meanwhile begins nothing new.
    struct version w = script_file(old, "y", "more");
    script_push(old, 1, &w, 1, "more");
    rig_wait(&rig, 1000);
    assert_int_equal(rig.job_count, 1);
    rig.held = 0;
    rig_settle(&rig);
    assert_true(is_id(&rig, other_id));
    assert_memory_equal(rig.told_id.bytes, other_id.bytes, sizeof other_id.bytes);
    // What lies on the disk is found by the first scan of the new life; nothing is from the old.
    struct item x = rig_item(&rig, "x");
    assert_int_equal(x.head_count, 1);
    assert_true(x.heads[0].flags & VERSION_FIRST);
    assert_int_equal(x.heads[0].vv.count, 1);
    assert_true(x.heads[0].dots.entries[0].inc != old->inc);
    assert_int_equal(rig_item(&rig, "y").head_count, 0);
    assert_true(engine_folder_scanned(rig.engine, rig.folder));
    // It syncs in its new life.
    rig.id = other_id;
    struct script *third = script_connect(&rig, 5);
    script_offer(third, empty_k());
    struct version z = script_file(third, "z", "new");
    script_push(third, 0, &z, 1, "new");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "z").local.state, LOCAL_OK);
    rig_close(&rig);
}

// The same with a content on its way: no transfer of the old life goes on in the new one.
static void test_accept_while_fetching(void **state)
{
    (void)state;
    struct rig rig;
    const char *what = "";
    rig_open(&rig);
    struct script *old = script_connect(&rig, 3);
    script_offer(old, empty_k());
    struct script *new = script_connect(&rig, 4);
    struct version v = script_file(old, "x", "content");
    script_push(old, 0, &v, 1, NULL);
    rig_settle(&rig);
    assert_int_equal(script_heard(old, MSG_WANT), 1);
    script_offer_as(new, larger_id, true, OFFER_READY, empty_k());
    assert_int_equal(engine_folder_accept(rig.engine, "f", new->device, &what), ERR_OK);
    rig_wait(&rig, 100 * 1000);
    assert_true(is_id(&rig, larger_id));
    assert_int_equal(script_heard(old, MSG_WANT), 1);
    rig_close(&rig);
}

static void test_empty_side_waits_for_a_look(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.held = 1u << JOB_LOOK;
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("new"));
    rig_wait(&rig, RIG_NEW_QUIET_MS);
    assert_int_equal(rig_jobs(&rig, JOB_LOOK), 1);
    struct script *other = script_connect(&rig, 3);
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    rig_settle(&rig);
    assert_true(is_id(&rig, rig.id));
    rig.held = 0;
    rig_settle(&rig);
    assert_true(is_id(&rig, other_id));
    rig_close(&rig);
}

// An offer that came while a scan was under way.
static void offer_during_scan(bool first)
{
    struct rig rig;
    if (first)
        rig_open_raw(&rig);
    else
        rig_open(&rig);
    rig.held = 1u << JOB_SCAN;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_SCAN), 1);
    struct script *other = script_connect(&rig, 3);
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    rig_settle(&rig);
    assert_true(is_id(&rig, rig.id));
    rig.held = 0;
    rig_settle(&rig);
    assert_true(is_id(&rig, other_id));
    assert_true(engine_folder_scanned(rig.engine, rig.folder));
    rig_close(&rig);
}

static void test_offer_during_first_scan(void **state)
{
    (void)state;
    offer_during_scan(true);
}

static void test_offer_during_later_scan(void **state)
{
    (void)state;
    offer_during_scan(false);
}

static void test_turn_is_tried_again(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *other = script_connect(&rig, 3);
    rig_fail_commits(0, 1);
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    assert_true(is_id(&rig, rig.id));
    rig_wait(&rig, 2000);
    assert_true(is_id(&rig, other_id));
    rig_close(&rig);
}

// An empty side takes the other's id by itself, but not once something of its own has come.
static void test_no_longer_empty(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *own = script_connect(&rig, 3), *other = script_connect(&rig, 4);
    script_offer(own, empty_k());
    rig.held = 1u << JOB_STAGE;
    struct version v = script_file(own, "x", "content");
    script_push(own, 0, &v, 1, "content");
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    rig.held = 0;
    rig_wait(&rig, 5000);
    assert_true(is_id(&rig, rig.id));
    assert_string_equal(rig_status(&rig).code, "join-pending");
    assert_true(rig_on_disk(&rig, "x"));
    rig_close(&rig);
}

// A side that is still looking at its disk may turn out to be empty, too.
static void test_it_is_scanning_there(void **state)
{
    (void)state;
    struct rig rig;
    struct engine_status status;
    rig_open(&rig);
    struct script *other = script_connect(&rig, 3);
    script_offer_as(other, other_id, true, OFFER_SCANNING, empty_k());
    rig_wait(&rig, 5000);
    assert_true(is_id(&rig, rig.id));
    engine_status(rig.engine, rig.arena, &status);
    assert_string_equal(status.peers[0].folders[0].state, "scanning");
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    assert_true(is_id(&rig, other_id));
    rig_close(&rig);
}

static void is_not_accepted(struct rig *rig, const char *name, struct device_id from, enum err err,
                            const char *why)
{
    const char *what = NULL;
    assert_int_equal(engine_folder_accept(rig->engine, name, from, &what), err);
    assert_string_equal(what, why);
    rig_wait(rig, 1000);
    assert_true(is_id(rig, rig->id));
}

static void test_not_to_be_accepted(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "mine", "m");
    rig_wait(&rig, 1000);
    struct script *other = script_connect(&rig, 3), *joined = script_connect(&rig, 4);
    const struct device_id nobody = {{1}};
    script_offer(joined, empty_k());
    is_not_accepted(&rig, "g", other->device, ERR_DENIED, "there is no such folder");
    is_not_accepted(&rig, "f", nobody, ERR_UNREACHABLE, "the peer is not connected");
    is_not_accepted(&rig, "f", other->device, ERR_DENIED,
                    "the peer does not offer a folder of this name");
    is_not_accepted(&rig, "f", joined->device, ERR_DENIED, "the folder is joined already");
    script_offer_as(other, other_id, true, OFFER_READY, empty_k());
    rig.away = true;
    engine_watch(rig.engine, rig.folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(&rig, 1000);
    is_not_accepted(&rig, "f", other->device, ERR_UNREACHABLE, "the folder's root is not there");
    rig_close(&rig);
}

static void offer_of(struct script *peer, uint32_t number, const char *name, enum offer_state state)
{
    struct message m = {.kind = MSG_OFFER, .offer = {.items = number, .bytes = UINT64_MAX >> 1}};
    m.offer.folder.bytes[0] = (uint8_t)number;
    m.offer.folder.bytes[1] = (uint8_t)(number >> 8);
    m.offer.folder.bytes[2] = 1;
    m.offer.name = slice_text(name);
    m.offer.state = state;
    script_send(peer, LANE_CONTROL, &m);
}

// What is not here is remembered for people, as much of it as the protocol has.
static void test_offered(void **state)
{
    (void)state;
    struct rig rig;
    struct offer_seen *seen;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, empty_k());
    assert_int_equal(engine_offers(rig.engine, rig.arena, &seen), 0); // it is here
    for (uint32_t i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "n%u", i);
        offer_of(peer, i, name, OFFER_READY);
    }
    assert_int_equal(engine_offers(rig.engine, rig.arena, &seen), PROTO_FOLDERS_MAX - 1);
    offer_of(peer, 9, "n9", OFFER_GONE);
    offer_of(peer, 9, "n9", OFFER_GONE);
    offer_of(peer, 1000, "n10", OFFER_READY); // it has taken another's id
    uint32_t count = engine_offers(rig.engine, rig.arena, &seen), others = 0;
    assert_int_equal(count, PROTO_FOLDERS_MAX - 2);
    for (uint32_t i = 0; i < count; i++) {
        others += slice_equal(seen[i].name, slice_text("n10"));
        assert_false(slice_equal(seen[i].name, slice_text("n9")));
        assert_true(slice_equal(seen[i].peer, slice_text("peer3")) && !seen[i].here);
    }
    assert_int_equal(others, 1);
    // Here, and not shared with it.
    const struct engine_folder unshared = {.name = "f", .path = "/f"};
    uint32_t number;
    assert_int_equal(engine_folder_put(rig.engine, &unshared, &number), ERR_OK);
    assert_int_equal(engine_offers(rig.engine, rig.arena, &seen), count + 1);
    engine_peer_remove(rig.engine, peer->device);
    assert_int_equal(engine_offers(rig.engine, rig.arena, &seen), 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_while_applying),
        cmocka_unit_test(test_accept_while_fetching),
        cmocka_unit_test(test_empty_side_waits_for_a_look),
        cmocka_unit_test(test_offer_during_first_scan),
        cmocka_unit_test(test_offer_during_later_scan),
        cmocka_unit_test(test_turn_is_tried_again),
        cmocka_unit_test(test_no_longer_empty),
        cmocka_unit_test(test_it_is_scanning_there),
        cmocka_unit_test(test_not_to_be_accepted),
        cmocka_unit_test(test_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
