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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_up_incarnations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
