// SPDX-License-Identifier: MIT
//
// What a peer owes us: it has on its disk what ours lacks.
#include "tests/unit/sync/rig.h"

static struct peer_status status_of(struct rig *rig, const struct script *peer)
{
    struct engine_status status;
    engine_status(rig->engine, rig->arena, &status);
    for (uint32_t i = 0; i < status.peer_count; i++) {
        if (memcmp(&status.peers[i].device, &peer->device, sizeof peer->device) == 0)
            return status.peers[i];
    }
    fail();
    return (struct peer_status){0};
}

static void test_who_has_it(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *maker = script_connect(&rig, 1);
    struct script *other = script_connect(&rig, 2);
    script_offer(maker, (struct vv){0});
    script_offer(other, (struct vv){0});
    rig_settle(&rig);
    struct version theirs = script_file(maker, "y", "content");
    struct dot dot = {maker->inc, maker->counter};
    script_push(maker, 0, &theirs, 1, NULL); // its content does not come
    struct message m = {.kind = MSG_APPLIED,
                        .applied = {.folder = rig.id, .a = (struct vv){&dot, 1}}};
    script_send(maker, LANE_CONTROL, &m);
    rig_wait(&rig, 100);
    struct peer_status from = status_of(&rig, maker);
    assert_int_equal(from.in_changes, 1);
    assert_int_equal(from.in_bytes, strlen("content"));
    assert_int_equal(status_of(&rig, other).in_changes, 0);
    script_push(maker, 0, &theirs, 1, "content"); // now it does
    rig_settle(&rig);
    assert_int_equal(status_of(&rig, maker).in_changes, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
