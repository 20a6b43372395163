// SPDX-License-Identifier: MIT
//
// Lives of devices that are made up: by themselves, or by others of whom nobody can tell.
#include "agent/core/incarnation.h"
#include "tests/unit/sync/rig.h"

static struct script *joined(struct rig *rig, uint8_t seed)
{
    struct script *script = script_connect(rig, seed);
    script_offer(script, (struct vv){0});
    rig_settle(rig);
    return script;
}

static void owners_send(struct script *hostile, struct owner *owners, uint32_t count)
{
    struct message m = {.kind = MSG_OWNERS,
                        .owners = {.folder = hostile->rig->id, .owners = owners, .count = count}};
    script_send(hostile, LANE_CONTROL, &m);
}

// A device whose index was lost comes with a new life.
static void comes_anew(struct script *script)
{
    script->nonce[1]++;
    script->inc = incarnation_of(script->device, script->rig->id, script->nonce);
    script->counter = 0;
    script_down(script);
    script_reconnect(script);
    script_offer(script, (struct vv){0});
    rig_settle(script->rig);
    assert_false(script_is_cut(script));
}

// All of one device, or of any that are trusted: they take no place of others' lives.
static void test_made_up_incarnations(void **state)
{
    (void)state;
    enum { COUNT = PROTO_OWNERS_TRUSTED_MAX - 1 };
    for (int own = 0; own < 2; own++) {
        struct rig rig;
        rig_open(&rig);
        struct script *hostile = joined(&rig, 3), *honest = joined(&rig, 4);
        struct owner *owners = arena_alloc(rig.arena, COUNT, sizeof *owners);
        for (uint32_t i = 0; i < COUNT; i++)
            owners[i] = owner_of(&rig, own ? hostile->device : honest->device, 1000 + i);
        for (uint32_t i = 0; i < 8; i++)
            owners_send(hostile, owners + i * (COUNT / 8), COUNT / 8);
        assert_int_equal(script_is_cut(hostile), own);
        assert_int_equal(own, rig_logged("too many incarnations of a device"));
        comes_anew(honest);
        assert_in_range(store_owner_count(rig.store, rig.folder), 4, PROTO_OWNERS_DEVICE_MAX + 4);
        rig_close(&rig);
    }
}

// Whoever can make up lives can make up that they ended, one by another.
static void test_made_up_rollbacks(void **state)
{
    (void)state;
    enum { LIVES = 40 };
    struct rig rig;
    rig_open(&rig);
    struct script *hostile = joined(&rig, 3), *honest = joined(&rig, 4);
    struct owner owners[LIVES];
    struct rollback rows[256];
    for (uint32_t i = 0; i < LIVES; i++)
        owners[i] = owner_of(&rig, honest->device, 1000 + i);
    owners_send(hostile, owners, LIVES);
    struct message m = {.kind = MSG_ROLLBACK, .rollback = {.folder = rig.id}};
    for (uint32_t i = 0; i < LIVES * LIVES; i++) {
        m.rollback.old = owners[i / LIVES].inc;
        m.rollback.fresh = owners[i % LIVES].inc;
        if (m.rollback.old != m.rollback.fresh) script_send(hostile, LANE_CONTROL, &m);
    }
    assert_int_equal(store_rollbacks_after(rig.store, rig.folder, 0, 256, rows), 32);
    m.rollback.old = honest->inc;
    comes_anew(honest);
    m.rollback.fresh = honest->inc;
    script_send(honest, LANE_CONTROL, &m); // itself it is believed
    assert_int_equal(store_rollbacks_after(rig.store, rig.folder, 0, 256, rows), 33);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_up_incarnations),
        cmocka_unit_test(test_made_up_rollbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
