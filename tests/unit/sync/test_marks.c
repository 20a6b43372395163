// SPDX-License-Identifier: MIT
//
// A counter is believed once its owner's mark was seen, whatever message brought it.
#include "tests/unit/sync/rig.h"

static void say_ranges(struct script *script, struct mark *mark)
{
    struct message m = {.kind = MSG_RANGES};
    m.ranges.folder = script->rig->id;
    m.ranges.audit = 12345;
    m.ranges.step = RANGES_GO;
    if (mark != NULL) m.ranges.marks = (struct marks){mark, 1};
    script_send(script, LANE_CONTROL, &m);
    rig_settle(script->rig);
}

static void say_news(struct script *script, struct dot *k)
{
    struct message m = {.kind = MSG_NEWS};
    m.news.folder = script->rig->id;
    m.news.k = (struct vv){k, 1};
    script_send(script, LANE_CONTROL, &m);
    rig_settle(script->rig);
}

static void open_pair(struct rig *rig, struct script **script)
{
    rig_open(rig);
    *script = script_connect(rig, 3);
    script_offer(*script, (struct vv){0});
    rig_settle(rig);
}

// The audit was given up here; its marks are not shown again.
static void test_mark_of_an_audit_that_is_over(void **state)
{
    (void)state;
    struct rig rig;
    struct script *script;
    open_pair(&rig, &script);
    struct mark mark = script_mark(script, 7);
    struct dot k = {script->inc, 7};
    say_ranges(script, &mark);
    say_news(script, &k);
    assert_false(script_is_cut(script));
    rig_close(&rig);
}

static void test_counter_without_a_mark(void **state)
{
    (void)state;
    struct rig rig;
    struct script *script;
    open_pair(&rig, &script);
    struct dot k = {script->inc, 7};
    say_ranges(script, NULL);
    assert_false(script_is_cut(script));
    say_news(script, &k);
    assert_true(script_is_cut(script));
    assert_true(rig_logged("a counter above its mark"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mark_of_an_audit_that_is_over),
        cmocka_unit_test(test_counter_without_a_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
