// SPDX-License-Identifier: MIT
//
// The index cannot be read for a while: what is not seen then is told to nobody as if it were not
// there, and all goes on afterwards.
#include "agent/core/job.h"
#include "tests/unit/sync/status_test.h"

enum { TICKET = 7, PATIENCE_MS = 40 * 1000 };

static struct script *open_joined(struct rig *rig)
{
    rig_open(rig);
    rig_write(rig, "mine", "M");
    rig_wait(rig, 1000);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(rig, 1000);
    return peer;
}

static void pull(struct script *peer)
{
    struct message m = {.kind = MSG_PULL, .pull = {.folder = peer->rig->id, .round = 5}};
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(peer->rig);
}

static void is_unread(struct rig *rig)
{
    assert_state(rig, FOLDER_ERROR, "index");
    struct folder_status status = rig_status(rig);
    assert_non_null(strstr(error_of(&status, "index")->message, "cannot be read"));
}

// It can be read again, and is after a while.
static void mend(struct rig *rig)
{
    rig_fail_reads(false);
    rig_wait(rig, PATIENCE_MS);
    assert_string_equal(rig_status(rig).code, "");
}

static void test_round_is_not_done(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    uint32_t before = script_heard(peer, MSG_VERSIONS);
    rig_fail_reads(true);
    pull(peer);
    assert_int_equal(script_heard(peer, MSG_DONE), 0);
    assert_true(script_is_cut(peer));
    is_unread(&rig);
    // Who comes meanwhile hears nothing of the folder.
    uint32_t offers = script_heard(peer, MSG_OFFER);
    script_reconnect(peer);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_OFFER), offers);
    mend(&rig);
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    pull(peer);
    assert_int_equal(script_heard(peer, MSG_DONE), 1);
    assert_int_equal(script_heard(peer, MSG_VERSIONS), before + 1);
    rig_close(&rig);
}

// An audit, whose sums would be those of an empty folder.
static void test_ranges_are_not_told(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    struct message m = {.kind = MSG_RANGES, .ranges = {.folder = rig.id, .step = RANGES_OPEN}};
    m.ranges.audit = 9;
    m.ranges.reconcile = true;
    rig_fail_reads(true);
    script_send(peer, LANE_CONTROL, &m);
    rig_settle(&rig);
    assert_int_equal(script_heard(peer, MSG_RANGES), 0);
    assert_true(script_is_cut(peer));
    rig_close(&rig);
}

// Needs that are not seen are not met.
static void test_wait_is_not_over(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_joined(&rig);
    struct version v = script_file(peer, "theirs", "T");
    static const char *const text = "T";
    rig.held = 1u << JOB_APPLY;
    script_push(peer, 0, &v, 1, text);
    const struct sync_request request = {.folder = "f", .wait = true, .timeout_ms = 60 * 1000};
    engine_sync(rig.engine, TICKET, &request);
    for (int turn = 0; turn < 10; turn++) {
        rig_wait(&rig, 100);
        (void)script_answer(peer, &v, 1, &text, 1);
    }
    struct folder_row row;
    assert_true(store_folder_reload(rig.store, rig.arena, rig.folder, &row));
    struct dot own = {row.inc, row.counter}, its = {peer->inc, peer->counter};
    struct vv a = vv_with(rig.arena, vv_with(rig.arena, (struct vv){0}, own), its);
    rig_fail_reads(true);
    script_applied(peer, a, NULL, NULL); // all that was saved here is there
    rig_wait(&rig, 100);
    assert_int_equal(rig.synced, 0);
    is_unread(&rig);
    rig_close(&rig);
}

// Staging is not cleaned of what the journal's rows name.
static void test_journal_is_awaited(void **state)
{
    (void)state;
    struct rig rig;
    (void)open_joined(&rig);
    rig.held = 1u << JOB_RECOVER;
    rig_fail_reads(true);
    rig_restart(&rig);
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_RECOVER), 0);
    is_unread(&rig);
    rig.held = 0;
    mend(&rig);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_is_not_done),
        cmocka_unit_test(test_ranges_are_not_told),
        cmocka_unit_test(test_wait_is_not_over),
        cmocka_unit_test(test_journal_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
