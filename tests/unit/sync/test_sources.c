// SPDX-License-Identifier: MIT
//
// Whom contents are asked for: one of very many peers has them.
#include "tests/unit/sync/rig.h"

enum { PEERS = 20, TURNS = 100, TURN_MS = 100 };

static uint32_t refused; // requests, by all together

static void refuse(struct script *script)
{
    while (script->answered < script->heard_count) {
        const struct message *m = script->heard[script->answered++];
        if (m->kind != MSG_WANT) continue;
        struct message no = {.kind = MSG_NOT_HELD};
        no.not_held.folder = script->rig->id;
        struct digest id = m->want.ids[0].id;
        no.not_held.ids = &id;
        no.not_held.count = 1;
        script_send(script, LANE_CONTROL, &no);
        refused++;
    }
}

static void test_one_of_very_many_has_it(void **state)
{
    (void)state;
    static struct rig rig;
    struct script *peers[PEERS];
    const char *const text = "what only the first one has";
    rig_open(&rig);
    rig_wait(&rig, 1000);
    for (uint8_t i = 0; i < PEERS; i++) {
        peers[i] = script_connect(&rig, (uint8_t)(3 + i));
        script_offer(peers[i], (struct vv){0});
        rig_settle(&rig);
    }
    for (int i = 1; i < PEERS; i++)
        peers[i]->answered = peers[i]->heard_count;
    struct version v = script_file(peers[0], "f", text);
    script_push(peers[0], 0, &v, 1, NULL);
    refused = 0;
    for (int turn = 0; turn < TURNS && rig_item(&rig, "f").local.state != LOCAL_OK; turn++) {
        rig_wait(&rig, TURN_MS);
        (void)script_answer(peers[0], &v, 1, &text, 1);
        for (int i = 1; i < PEERS; i++)
            refuse(peers[i]);
    }
    assert_int_equal(rig_item(&rig, "f").local.state, LOCAL_OK);
    assert_in_range(refused, 0, PEERS - 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_very_many_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
