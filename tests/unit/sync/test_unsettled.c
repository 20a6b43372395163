// SPDX-License-Identifier: MIT
//
// A file that cannot be read while a walk goes that takes what it finds for something else than an
// edit: after a crash, in doubt, at first. When it can be read later it is no edit either.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { LATER_MS = 30 * 1000 };

static const char *unreadable; // NULL: all can be read

static bool some_fail(struct rig *rig, struct job *job)
{
    if (job->kind != JOB_LOOK || unreadable == NULL) return false;
    for (uint32_t i = 0; i < job->look.count; i++) {
        struct look *look = &job->look.looks[i];
        disk_look(rig, look);
        if (!slice_equal(look->path, slice_text(unreadable))) continue;
        look->result = LOOK_PROBLEM;
        look->err = ERR_IO;
        look->what = "cannot be read";
    }
    return true;
}

static void rescan(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 1000);
}

static bool holds(struct rig *rig, const char *path, const char *text)
{
    struct item item = rig_item(rig, path);
    return item.head_count == 1 && item.local.state == LOCAL_OK &&
           digest_equal(item.heads[0].value.content, hash_sha256(slice_text(text)));
}

// Both are empty after the crash, and one of them cannot even be read then.
static void test_after_a_crash(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    rig_base_limit(&rig, 8 * BASE_BLOCK_BYTES);
    rig_write(&rig, "a", "one");
    rig_write(&rig, "b", "two");
    rig_wait(&rig, LATER_MS);
    rig_save_zeros(&rig, "a", 0, rig.now_ms);
    rig_save_zeros(&rig, "b", 0, rig.now_ms);
    rig_fail_commits(0, 2); // it never noted that it had come to its end
    unreadable = "b";
    rig_restart(&rig);
    rig.instead = some_fail;
    rig_wait(&rig, 5000);
    assert_true(holds(&rig, "a", "one"));
    unreadable = NULL;
    rig_wait(&rig, LATER_MS);
    assert_true(holds(&rig, "b", "two"));
    // What is empty later was emptied by its user.
    rig_save_zeros(&rig, "b", 0, rig.now_ms);
    rescan(&rig);
    rig_wait(&rig, LATER_MS);
    assert_true(holds(&rig, "b", ""));
    rig_close(&rig);
}

static void save_both(struct rig *rig, const char *text, int64_t mtime_ms)
{
    rig_save(rig, "a", text, mtime_ms);
    rig_save(rig, "b", text, mtime_ms);
}

static void test_in_doubt(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    save_both(&rig, "version two", 5000);
    rescan(&rig);
    rig.witness[0] ^= 1;
    unreadable = "b";
    save_both(&rig, "one", 1000);
    rig_restart(&rig);
    rig.instead = some_fail;
    rig_wait(&rig, 5000);
    assert_int_equal(rig_item(&rig, "a").head_count, 2);
    rig_wait(&rig, LATER_MS); // the doubt is over
    rig_restart(&rig);        // and is remembered for that one
    rig_wait(&rig, 5000);
    unreadable = NULL;
    rig.held = 1U << JOB_APPLY;
    rig_wait(&rig, LATER_MS);
    assert_int_equal(rig_item(&rig, "b").head_count, 2);
    rig_close(&rig);
}

static bool is_first(struct rig *rig, const char *path)
{
    struct item item = rig_item(rig, path);
    return item.head_count == 1 && (item.heads[0].flags & VERSION_FIRST);
}

static void test_at_first(void **state)
{
    (void)state;
    struct rig rig;
    rig_open_raw(&rig);
    rig.instead = some_fail;
    unreadable = "b";
    rig_mkdir(&rig, "d");
    rig_save(&rig, "d/f", "mine", 1000);
    save_both(&rig, "mine", 1000);
    rig.unread = "d";
    rig_wait(&rig, 5000);
    assert_true(engine_folder_scanned(rig.engine, rig.folder));
    assert_true(is_first(&rig, "a"));
    assert_int_equal(rig_item(&rig, "b").head_count + rig_item(&rig, "d/f").head_count, 0);
    unreadable = rig.unread = NULL;
    rig_wait(&rig, LATER_MS);
    assert_true(is_first(&rig, "b"));
    assert_true(is_first(&rig, "d/f"));
    // What comes now does not.
    rig_write(&rig, "c", "mine");
    rig_write(&rig, "d/g", "mine");
    rig_wait(&rig, 1000);
    assert_int_equal(rig_item(&rig, "c").head_count, 1);
    assert_int_equal(rig_item(&rig, "d/g").head_count, 1);
    assert_false(is_first(&rig, "c") || is_first(&rig, "d/g"));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_crash),
        cmocka_unit_test(test_in_doubt),
        cmocka_unit_test(test_at_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
