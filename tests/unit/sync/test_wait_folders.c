// SPDX-License-Identifier: MIT
//
// `sync --wait` with no folder, and with two of which one goes, or cannot go on.
#include "tests/unit/sync/wait_test.h"

// Without a folder there is nothing to wait for, and nothing wrong.
static void test_no_folder(void **state)
{
    (void)state;
    struct rig rig;
    const struct sync_request request = {.wait = true, .timeout_ms = TIMEOUT_MS};
    (void)open_joined(&rig);
    engine_folder_remove(rig.engine, "f");
    rig_settle(&rig);
    engine_sync(rig.engine, TICKET, &request);
    ended(&rig, 0, "");
    rig_close(&rig);
}

static struct script *open_two(struct rig *rig, uint32_t *out_number)
{
    struct script *peer = open_joined(rig);
    const struct engine_folder other = {
        .name = "g", .path = "/g", .id = {{0x81}}, .with_all = true};
    assert_int_equal(engine_folder_put(rig->engine, &other, out_number), ERR_OK);
    rig_wait(rig, 1000);
    return peer;
}

// It is freed while what waits for all folders goes on for the other.
static void test_one_of_two_removed(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t number;
    const struct sync_request request = {.wait = true, .timeout_ms = 2000};
    struct script *peer = open_two(&rig, &number);
    script_down(peer);
    engine_sync(rig.engine, TICKET, &request);
    rig_wait(&rig, 500);
    engine_folder_remove(rig.engine, "g");
    rig_wait(&rig, 500);
    assert_int_equal(rig.synced, 0);
    rig_wait(&rig, 1000);
    assert_int_equal(rig.synced, TICKET);
    rig_close(&rig);
}

// One folder cannot go on; of the other all is waited for, and that the peer is away is worse.
static void test_one_of_two_folders(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t number;
    struct script *peer = open_two(&rig, &number);
    rig.away = true;
    engine_watch(rig.engine, number, ENGINE_ROOT, slice_text(""));
    rig_wait(&rig, 100);
    rig.away = false;
    const struct sync_request request = {.wait = true, .timeout_ms = 2000};
    rig.synced = 0;
    engine_sync(rig.engine, TICKET, &request);
    rig_settle(&rig);
    assert_int_equal(rig.synced, 0);
    script_down(peer);
    rig_wait(&rig, 2000);
    assert_int_equal(rig.synced, TICKET);
    assert_int_equal(rig.sync_exit, 4);
    assert_non_null(strstr(rig.sync_said, "! f: peer3 is not connected\n"));
    assert_non_null(strstr(rig.sync_said, "! g: stopped: "));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_one_of_two_folders),
        cmocka_unit_test(test_one_of_two_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
