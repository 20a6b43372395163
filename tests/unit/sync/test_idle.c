// SPDX-License-Identifier: MIT
//
// Large contents whose peer does not give them: few are asked for at a time, and those that do not
// come give their place to others, so that no content has to wait for one that nobody sends.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { FILES = 7, SIZE = 200 * 1000, SECONDS = 1000 };

static uint8_t contents[FILES][SIZE];
static const char *const names[FILES] = {"a", "b", "c", "d", "e", "f", "g"};

static struct slice content(int i)
{
    memset(contents[i], 'a' + i, SIZE);
    return slice_of(contents[i], SIZE);
}

static struct script *open_wanting(struct rig *rig)
{
    struct version versions[FILES];
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < FILES; i++) {
        versions[i] = script_file(peer, names[i], "");
        versions[i].value.size = SIZE;
        versions[i].value.content = hash_sha256(content(i));
    }
    script_push(peer, 0, versions, FILES, NULL);
    rig_settle(rig);
    return peer;
}

static bool asked_for(const struct script *peer, int i, uint32_t from)
{
    struct digest id = hash_sha256(content(i));
    for (uint32_t k = from; k < peer->heard_count; k++) {
        const struct message *m = peer->heard[k];
        if (m->kind == MSG_WANT && digest_equal(m->want.ids[0].id, id)) return true;
    }
    return false;
}

static int asked_of_all(const struct script *peer, uint32_t from)
{
    int count = 0;
    for (int i = 0; i < FILES; i++)
        count += asked_for(peer, i, from);
    return count;
}

static void refuse(struct script *peer, struct digest *id)
{
    struct message m = {.kind = MSG_NOT_HELD, .not_held = {.folder = peer->rig->id}};
    m.not_held.ids = id;
    m.not_held.count = 1;
    script_send(peer, LANE_CONTROL, &m);
}

static void give(struct script *peer, int i)
{
    struct message m = {.kind = MSG_DATA};
    m.data = (struct msg_data){.folder = peer->rig->id,
                               .content = hash_sha256(content(i)),
                               .size = SIZE,
                               .bytes = content(i)};
    script_send(peer, LANE_BULK, &m);
}

static void live(struct script *peer)
{
    for (; peer->answered < peer->heard_count; peer->answered++) {
        const struct message *m = peer->heard[peer->answered];
        struct message pong = {.kind = MSG_PONG, .ping = m->ping};
        if (m->kind == MSG_PING) script_send(peer, LANE_CONTROL, &pong);
    }
    rig_settle(peer->rig);
}

// It lives, and has what comes from `first` on.
static void answer(struct script *peer, int first)
{
    for (; peer->answered < peer->heard_count; peer->answered++) {
        const struct message *m = peer->heard[peer->answered];
        if (m->kind == MSG_PING) {
            struct message pong = {.kind = MSG_PONG, .ping = m->ping};
            script_send(peer, LANE_CONTROL, &pong);
        }
        for (int i = 0; m->kind == MSG_WANT && i < FILES; i++) {
            if (!digest_equal(hash_sha256(content(i)), m->want.ids[0].id)) continue;
            if (i >= first)
                give(peer, i);
            else
                refuse(peer, &m->want.ids[0].id);
        }
    }
    rig_settle(peer->rig);
}

static int on_disk(struct rig *rig)
{
    int count = 0;
    for (int i = 0; i < FILES; i++)
        count += rig_on_disk(rig, names[i]);
    return count;
}

static void test_each_has_its_turn(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_wanting(&rig);
    int asked = asked_of_all(peer, 0);
    assert_in_range(asked, 1, FILES - 1);
    for (int i = 0; i < SECONDS && on_disk(&rig) < FILES - asked; i++) {
        rig_wait(&rig, 1000);
        answer(peer, asked);
    }
    assert_int_equal(on_disk(&rig), FILES - asked);
    for (int i = asked; i < FILES; i++)
        assert_true(rig_on_disk(&rig, names[i]));
    // It comes again, and has them all.
    script_down(peer);
    rig_settle(&rig);
    script_reconnect(peer);
    script_offer(peer, (struct vv){0});
    for (int i = 0; i < SECONDS && on_disk(&rig) < FILES; i++) {
        rig_wait(&rig, 1000);
        answer(peer, 0);
    }
    assert_int_equal(on_disk(&rig), FILES);
    assert_int_equal(rig_status(&rig).pending_in, 0);
    rig_close(&rig);
}

// What all deleted meanwhile is not asked for any more, and its place is free.
static void test_not_wanted_any_more(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_wanting(&rig);
    uint64_t after = peer->counter;
    struct version gone[FILES - 1];
    for (int i = 0; i < FILES - 1; i++) {
        gone[i] = script_file(peer, names[i], "");
        gone[i].value = (struct value){.kind = KIND_TOMB};
        gone[i].vv = vv_join(rig.arena, gone[i].vv, rig_item(&rig, names[i]).heads[0].vv);
    }
    script_push(peer, after, gone, FILES - 1, NULL);
    rig_settle(&rig);
    assert_false(asked_for(peer, FILES - 1, 0));
    for (int i = 0; i < SECONDS && !asked_for(peer, FILES - 1, 0); i++) {
        rig_wait(&rig, 1000);
        live(peer);
    }
    assert_true(asked_for(peer, FILES - 1, 0));
    uint32_t from = peer->heard_count; // it is silent, and asked again now and then
    for (int i = 0; i < SECONDS; i++) {
        rig_wait(&rig, 1000);
        live(peer);
    }
    for (int i = 0; i < FILES - 1; i++)
        assert_false(asked_for(peer, i, from));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_turn),
        cmocka_unit_test(test_not_wanted_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
