// SPDX-License-Identifier: MIT
//
// Whom contents are asked for: one of very many peers has them, or none that answers.
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

// A content whose list has come in part gives its place to another. What it has of the list is no
// list: it is asked for again, and no leaf before.
static void test_half_a_list(void **state)
{
    (void)state;
    enum { COUNT = 5, TURNS_OF_LIST = 12 };
    static struct rig rig;
    struct version v[COUNT];
    uint32_t lists = 0;
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(&rig);
    for (uint32_t i = 0; i < COUNT; i++) {
        const char *path = arena_printf(rig.arena, "large%u", i);
        v[i] = script_file(peer, path, path);
        v[i].value.size = 3 * PROTO_LEAF_BYTES;
    }
    script_push(peer, 0, v, COUNT, NULL);
    rig_settle(&rig);
    struct message m = {.kind = MSG_DATA};
    m.data = (struct msg_data){.folder = rig.id,
                               .content = v[0].value.content,
                               .leaf = PROTO_LEAF_LIST,
                               .size = 32,
                               .bytes = slice_of(v[1].value.content.bytes, 32)};
    script_send(peer, LANE_BULK, &m);
    for (int turn = 0; turn < TURNS_OF_LIST; turn++) {
        rig_wait(&rig, 15 * 1000);
        script_pong(peer);
    }
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct message *heard = peer->heard[i];
        if (heard->kind != MSG_WANT) continue;
        assert_int_equal(heard->want.leaves[0], PROTO_LEAF_LIST);
        lists += digest_equal(heard->want.ids[0].id, v[0].value.content);
    }
    assert_true(lists > 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_very_many_has_it),
        cmocka_unit_test(test_half_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
