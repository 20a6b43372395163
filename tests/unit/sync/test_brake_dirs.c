// SPDX-License-Identifier: MIT
//
// Directories and the brake: one that becomes a file, and one that goes with the last of what was
// in it.
#include "tests/unit/sync/brake_test.h"

enum { MANY = 300, LAST = 40 };

static const char *below(struct rig *rig, int i)
{
    return arena_printf(rig->arena, "d/%03d", i);
}

static void set_brake(struct rig *rig, struct engine_brake brake)
{
    const struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig->id, .with_all = true, .brake = brake};
    assert_int_equal(engine_folder_put(rig->engine, &folder, &rig->folder), ERR_OK);
    rig_wait(rig, 100);
}

static void open_with(struct rig *rig, int count)
{
    rig_open(rig);
    rig_mkdir(rig, "d");
    for (int i = 0; i < count; i++)
        rig_save(rig, below(rig, i), text(0), NOW_MS);
    rig_save(rig, "stays", "s", NOW_MS);
    rescan(rig);
    assert_int_equal(rig_status(rig).items, count + 2);
}

static bool lives(struct rig *rig, const char *path)
{
    const struct item item = rig_item(rig, path);
    assert_int_equal(item.head_count, 1);
    return item.heads[0].value.kind != KIND_TOMB;
}

static void test_a_file_in_its_place(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, FILES);
    for (int i = 0; i < FILES; i++)
        rig_delete(&rig, below(&rig, i));
    rig_delete(&rig, "d");
    rig_write(&rig, "d", "a file");
    rig_wait(&rig, 5000);
    assert_held(&rig, "mass-delete", FILES);
    for (int i = 0; i < FILES; i++)
        assert_true(lives(&rig, below(&rig, i)));
    assert_int_equal(rig_item(&rig, "d").heads[0].value.kind, KIND_DIR);
    decide(&rig, DECIDE_APPROVE);
    rig_wait(&rig, 5000);
    assert_free(&rig);
    for (int i = 0; i < FILES; i++)
        assert_false(lives(&rig, below(&rig, i)));
    assert_int_equal(rig_item(&rig, "d").heads[0].value.kind, KIND_FILE);
    rig_close(&rig);
}

// Few: nobody is asked.
static void test_a_file_in_place_of_few(void **state)
{
    (void)state;
    struct rig rig;
    open_with(&rig, 3);
    for (int i = 0; i < 3; i++)
        rig_delete(&rig, below(&rig, i));
    rig_delete(&rig, "d");
    rig_write(&rig, "d", "a file");
    rig_wait(&rig, 5000);
    assert_free(&rig);
    assert_false(lives(&rig, below(&rig, 2)));
    assert_int_equal(rig_item(&rig, "d").heads[0].value.kind, KIND_FILE);
    rig_close(&rig);
}

// Most of what was in it has gone before. Now the rest goes, which is held, and so is the
// directory.
static void test_with_the_last_in_it(void **state)
{
    (void)state;
    static struct rig rig;
    open_with(&rig, MANY);
    set_brake(&rig, (struct engine_brake){.off = true});
    for (int i = 0; i < MANY - LAST; i++)
        rig_write(&rig, below(&rig, i), NULL);
    rig_wait(&rig, 20 * 60 * 1000);
    assert_int_equal(rig_status(&rig).items, LAST + 2);
    set_brake(&rig, (struct engine_brake){.deleted = 5, .deleted_percent = 10});
    for (int i = MANY - LAST; i < MANY; i++)
        rig_write(&rig, below(&rig, i), NULL);
    rig_wait(&rig, 5000);
    assert_string_equal(rig_status(&rig).code, "mass-delete");
    rig_write(&rig, "d", NULL);
    rig_wait(&rig, 5000);
    assert_true(lives(&rig, "d"));
    assert_true(lives(&rig, below(&rig, MANY - 1)));
    decide(&rig, DECIDE_APPROVE);
    rig_wait(&rig, 5000);
    assert_free(&rig);
    assert_false(lives(&rig, "d"));
    assert_int_equal(rig_status(&rig).items, 1);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_in_its_place),
        cmocka_unit_test(test_a_file_in_place_of_few),
        cmocka_unit_test(test_with_the_last_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
