// SPDX-License-Identifier: MIT
//
// Very many items that cannot be put in place, for one reason.
#include <string.h>

#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { ITEMS = 1500, RETRY_MS = 60 * 1000 };

static bool last_is_free;

static bool refuse_all(struct rig *rig, struct job *job)
{
    (void)rig;
    if (job->kind != JOB_APPLY) return false;
    for (uint32_t i = 0; i < job->apply.count; i++) {
        struct step *step = &job->apply.steps[i];
        bool free = last_is_free && slice_equal(step->path, slice_text("z"));
        step->result = free ? STEP_DONE : STEP_BLOCKED;
        step->blocked = free ? BLOCKED_NONE : BLOCKED_PERMISSION;
        step->print = (struct fingerprint){.present = true, .kind = KIND_SYMLINK, .ino = 1};
    }
    return true;
}

static void test_the_last_has_its_turn(void **state)
{
    (void)state;
    static struct rig rig;
    static struct version versions[ITEMS];
    rig_open(&rig);
    rig_wait(&rig, 1000);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.instead = refuse_all;
    last_is_free = false;
    for (int i = 0; i < ITEMS - 1; i++)
        versions[i] = script_link(peer, arena_printf(rig.arena, "a%04d", i), "target");
    versions[ITEMS - 1] = script_link(peer, "z", "target");
    script_push(peer, 0, versions, ITEMS, NULL);
    rig_wait(&rig, 5000);
    assert_int_equal(rig_item(&rig, "z").blocked, BLOCKED_PERMISSION);
    last_is_free = true;
    rig_wait(&rig, 3 * RETRY_MS);
    assert_int_equal(rig_item(&rig, "z").blocked, BLOCKED_NONE);
    assert_int_equal(rig_item(&rig, "z").local.state, LOCAL_OK);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_has_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
