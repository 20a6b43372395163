// SPDX-License-Identifier: MIT
//
// Sessions: of two between the same agents either side may use another for a while.
#include "tests/unit/sync/rig.h"

// What was heard last of this kind: its place among all that was heard, from 1. 0: never.
static uint32_t place_of(const struct script *script, enum message_kind kind)
{
    for (uint32_t i = script->heard_count; i-- > 0;) {
        if (script->heard[i].kind == kind) return i + 1;
    }
    return 0;
}

// Its bulk lane has not come: the script has it in use, the agent has not.
static void test_a_pong_follows_the_offers(void **state)
{
    (void)state;
    static struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 1);
    rig_settle(&rig);
    uint32_t before = peer->heard_count;
    script_open(peer, LANE_CONTROL, 4711);
    struct message ping = {.kind = MSG_PING, .ping = {.token = 7}};
    script_send(peer, LANE_CONTROL, &ping);
    uint32_t offer = place_of(peer, MSG_OFFER), pong = place_of(peer, MSG_PONG);
    assert_int_equal(script_last(peer, MSG_PONG)->ping.token, 7);
    assert_true(pong > before);
    assert_in_range(offer, before + 1, pong);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pong_follows_the_offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
