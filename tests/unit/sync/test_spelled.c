// SPDX-License-Identifier: MIT
//
// A disk that takes names in two cases for one: a save may bring another spelling, and watches tell
// of the new one alone.
#include "tests/unit/sync/rig.h"

enum { SECOND_MS = 1000 };

static bool is_live(struct rig *rig, const char *path)
{
    struct item item = rig_item(rig, path);
    return heads_live(&item);
}

static void put_dir(struct rig *rig, const char *path)
{
    struct on_disk *d = disk_put(rig, slice_text(path));
    d->print = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = 0755};
    d->print.ino = ++rig->last_ino;
    d->value = (struct value){.kind = KIND_DIR, .mode = 0755};
}

static void save_over(struct rig *rig, const char *old, const char *path)
{
    rig_delete(rig, old);
    rig_write(rig, path, "saved over it");
    rig_wait(rig, 5 * SECOND_MS);
}

static void test_a_save_in_other_letters(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.folds = true;
    rig_write(&rig, "README", "first");
    rig_write(&rig, "other", "stays");
    rig_wait(&rig, 5 * SECOND_MS);
    save_over(&rig, "README", "readme");
    assert_true(is_live(&rig, "readme"));
    assert_false(is_live(&rig, "README"));
    assert_true(is_live(&rig, "other"));
    save_over(&rig, "readme", "README"); // a name that was there before
    assert_false(is_live(&rig, "readme"));
    assert_true(is_live(&rig, "README"));
    rig_close(&rig);
}

// And removed at once.
static void test_a_save_in_other_letters_that_went(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.folds = true;
    rig_write(&rig, "README", "first");
    rig_wait(&rig, 5 * SECOND_MS);
    rig_delete(&rig, "README");
    engine_watch(rig.engine, rig.folder, ENGINE_WRITTEN, slice_text("readme"));
    engine_watch(rig.engine, rig.folder, ENGINE_GONE, slice_text("readme"));
    rig_wait(&rig, 5 * SECOND_MS);
    assert_false(is_live(&rig, "README"));
    rig_close(&rig);
}

// What is saved again and again is not looked at before its time.
static void test_saves_to_and_fro(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.folds = true;
    for (int i = 0; i < 3; i++) {
        rig_write(&rig, "README", i == 1 ? "first" : "second");
        rig_wait(&rig, SECOND_MS / 2);
    }
    rig_delete(&rig, "README");
    rig_write(&rig, "readme", "third");
    rig_wait(&rig, SECOND_MS / 2);
    assert_true(is_live(&rig, "README") && is_live(&rig, "readme"));
    rig_delete(&rig, "readme");
    rig_write(&rig, "README", "fourth");
    rig_wait(&rig, 5 * SECOND_MS);
    assert_true(is_live(&rig, "README"));
    assert_false(is_live(&rig, "readme"));
    rig_close(&rig);
}

// What is below other names, and how many they are, does not matter.
static void test_among_many(void **state)
{
    (void)state;
    struct rig rig;
    char path[32];
    rig_open(&rig);
    rig.folds = true;
    put_dir(&rig, "d");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(path, sizeof path, "d/d%d", i);
        put_dir(&rig, path);
        (void)snprintf(path, sizeof path, "d/d%d/f", i);
        rig_write(&rig, path, "below");
        (void)snprintf(path, sizeof path, "d/f%d", i);
        rig_write(&rig, path, "beside");
    }
    put_dir(&rig, "D2");
    rig_write(&rig, "D2/z\xc3\x84", "in another directory");
    rig_write(&rig, "d/z\xc3\x84", "first");
    rig_wait(&rig, 20 * SECOND_MS);
    assert_true(is_live(&rig, "d/d99/f"));
    save_over(&rig, "d/z\xc3\x84", "d/z\xc3\xa4");
    assert_true(is_live(&rig, "d/z\xc3\xa4"));
    assert_false(is_live(&rig, "d/z\xc3\x84"));
    assert_true(is_live(&rig, "D2/z\xc3\x84"));
    assert_true(is_live(&rig, "d/d99/f") && is_live(&rig, "d/f99"));
    rig_close(&rig);
}

// Onto an empty one.
static void test_a_directory_in_other_letters(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig.folds = true;
    put_dir(&rig, "Dir");
    engine_watch(rig.engine, rig.folder, ENGINE_TREE, slice_text("Dir"));
    rig_wait(&rig, 5 * SECOND_MS);
    assert_true(is_live(&rig, "Dir"));
    rig_delete(&rig, "Dir");
    put_dir(&rig, "dir");
    rig_save(&rig, "dir/x", "x", rig.now_ms);
    engine_watch(rig.engine, rig.folder, ENGINE_TREE, slice_text("dir"));
    rig_wait(&rig, 5 * SECOND_MS);
    assert_true(is_live(&rig, "dir") && is_live(&rig, "dir/x"));
    assert_false(is_live(&rig, "Dir"));
    rig_close(&rig);
}

// Elsewhere both are there, whatever the events say.
static void test_two_names(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_write(&rig, "README", "first");
    rig_wait(&rig, 5 * SECOND_MS);
    rig_write(&rig, "readme", "another");
    rig_wait(&rig, 5 * SECOND_MS);
    assert_true(is_live(&rig, "README") && is_live(&rig, "readme"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_save_in_other_letters),
        cmocka_unit_test(test_a_save_in_other_letters_that_went),
        cmocka_unit_test(test_saves_to_and_fro),
        cmocka_unit_test(test_among_many),
        cmocka_unit_test(test_a_directory_in_other_letters),
        cmocka_unit_test(test_two_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
