// SPDX-License-Identifier: MIT
//
// How much is asked for in a second: on average, and never nothing. What is given is in
// tests/e2e/test_rates.py, for the rig has no contents.
#include "tests/unit/sync/rig.h"

enum { FILES = 64, BYTES = 64 << 10, RATE = 512 << 10 };

static char content[BYTES + 1];

static const char *text(int i)
{
    memset(content, 'a', BYTES);
    (void)snprintf(content, sizeof content, "%d", i);
    content[strlen(content)] = 'x';
    return content;
}

// Bytes that the rig has asked the peer for.
static uint64_t asked(const struct script *peer)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct message *m = peer->heard[i];
        for (uint32_t k = 0; m->kind == MSG_WANT && k < m->want.id_count; k++)
            sum += m->want.ids[k].size;
    }
    return sum;
}

static void name_of(int i, char out[16])
{
    (void)snprintf(out, 16, "f%02d", i);
}

static void offer_all(struct script *peer)
{
    struct version versions[FILES];
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(i, name);
        versions[i] = script_file(peer, name, text(i));
    }
    script_push(peer, 0, versions, FILES, NULL);
}

static void answer(struct script *peer)
{
    static char contents[FILES][BYTES + 1];
    const char *all[FILES];
    for (int i = 0; i < FILES; i++) {
        memcpy(contents[i], text(i), sizeof content);
        all[i] = contents[i];
    }
    (void)script_answer(peer, NULL, 0, all, FILES);
}

// What comes is limited, and there is much to come.
static struct script *open_limited(struct rig *rig)
{
    rig_open(rig);
    engine_rates(rig->engine, 0, RATE);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    offer_all(peer);
    return peer;
}

static void test_down(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_limited(&rig);
    // A second's worth at once, one PACK too much, and then as time goes by.
    uint64_t slack = RATE + (1 << 20);
    for (int i = 0; i < 40; i++) {
        uint64_t most = (uint64_t)RATE * (uint64_t)i / 4 + slack;
        assert_true(asked(peer) <= most);
        answer(peer);
        rig_wait(&rig, 250);
    }
    for (int i = 0; i < FILES; i++) {
        char name[16];
        name_of(i, name);
        assert_true(rig_on_disk(&rig, name)); // 4 MiB in 8 seconds
    }
    rig_close(&rig);
}

// As much is asked for as may be at once, and nothing comes: it is not the limit that it waits for.
static void test_down_and_silent(void **state)
{
    (void)state;
    struct rig rig;
    struct script *peer = open_limited(&rig);
    rig_wait(&rig, 10 * 1000);
    assert_true(asked(peer) < (uint64_t)FILES * BYTES);
    assert_true(engine_deadline(rig.engine) > rig.now_ms);
    rig_close(&rig);
}

static void test_not_limited(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    engine_rates(rig.engine, 0, RATE);
    engine_rates(rig.engine, 0, 0);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    offer_all(peer);
    for (int i = 0; i < 4; i++) {
        answer(peer);
        rig_wait(&rig, 50);
    }
    assert_int_equal(asked(peer), (uint64_t)FILES * BYTES);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_down_and_silent),
        cmocka_unit_test(test_not_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
