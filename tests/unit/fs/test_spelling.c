// SPDX-License-Identifier: MIT
//
// Steps at names that the disk spells otherwise than the path, or otherwise than the index knows:
// nothing may pass for done because it was not found.
#include "fs_test.h"

enum { JOURNAL = 7 };

#define NFC "caf\xc3\xa9"
#define NFD "cafe\xcc\x81"

static struct step step_at(struct world *w, const char *on_disk, const char *known,
                           struct version version)
{
    return (struct step){.path = slice_text(NFC),
                         .version = version,
                         .before = print_at(w, on_disk),
                         .disk_name = slice_text(known)};
}

static void run(struct world *w, enum job_kind kind, struct step *step)
{
    struct job *job = job_for(kind);
    struct step *steps = steps_for(job, 1, JOURNAL);
    steps[0] = *step;
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
    step->result = steps[0].result;
    step->print = steps[0].print;
    job_end(&job);
}

static const struct {
    const char *on_disk, *known;
} spellings[] = {{NFC, ""}, {NFC, NFD}, {NFD, ""}, {NFD, NFD}};
enum { SPELLINGS = sizeof spellings / sizeof *spellings };

static void a_removal_finds_the_name(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2 * SPELLINGS; i++) {
        const char *name = spellings[i / 2].on_disk;
        if (i % 2 == 0)
            put_file(w, name, "old bytes");
        else
            put_dir(w, name, 0755);
        struct step step = step_at(w, name, spellings[i / 2].known, version_gone(NFC));
        // After a crash before it: it has not happened.
        run(w, JOB_RECOVER, &step);
        assert_int_equal(step.result, STEP_UNDONE);
        assert_true(exists(w, name));
        run(w, JOB_APPLY, &step);
        assert_int_equal(step.result, STEP_DONE);
        assert_false(exists(w, name));
        run(w, JOB_RECOVER, &step);
        assert_int_equal(step.result, STEP_DONE);
    }
}

static void a_replacement_finds_the_name(void **state)
{
    struct world *w = *state;
    char text[256];
    for (int i = 0; i < SPELLINGS; i++) {
        const char *name = spellings[i].on_disk;
        put_file(w, name, "old bytes");
        stage_text(w, "new bytes");
        struct version version = version_file(NFC, "new bytes", 0644);
        struct step step = step_at(w, name, spellings[i].known, version);
        run(w, JOB_APPLY, &step);
        assert_int_equal(step.result, STEP_DONE);
        assert_string_equal(text_of(w, name, text), "new bytes");
        struct fingerprint now = print_at(w, name);
        assert_true(print_equal(&now, &step.print));
        step.print = (struct fingerprint){0};
        run(w, JOB_RECOVER, &step);
        assert_int_equal(step.result, STEP_DONE);
        assert_int_equal(step.print.ino, now.ino);
        remove_all(w, name);
    }
}

// Half of an intent is taken back where it was done.
static void what_is_taken_back_finds_the_name(void **state)
{
    struct world *w = *state;
    char text[256];
    for (int i = 0; i < SPELLINGS; i++) {
        const char *name = spellings[i].on_disk;
        put_file(w, name, "old bytes");
        put_file(w, "z", "somebody's");
        stage_text(w, "new bytes");
        stage_text(w, "z");
        struct job *job = job_for(JOB_APPLY);
        struct step *steps = steps_for(job, 2, JOURNAL);
        job->apply.all_or_none = true;
        steps[0] = step_at(w, name, spellings[i].known, version_file(NFC, "new bytes", 0644));
        steps[1] = (struct step){.path = slice_text("z"), .version = version_file("z", "z", 0644)};
        disk_run(w->disk, job);
        assert_int_equal(job->err, ERR_OK);
        assert_int_equal(steps[0].result, STEP_UNDONE);
        assert_string_equal(text_of(w, name, text), "old bytes");
        job_end(&job);
        remove_all(w, name);
    }
}

// Of two names that are one the path's own is looked at, and is the step's.
static void the_own_name_is_the_best(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "\xe1\xba\xb9\xcc\x81", "own");
    put_file(w, "\xc3\xa9\xcc\xa3", "other");
    struct step step = {.path = slice_text("\xe1\xba\xb9\xcc\x81"),
                        .version = version_gone("\xe1\xba\xb9\xcc\x81"),
                        .before = print_at(w, "\xe1\xba\xb9\xcc\x81"),
                        .disk_name = slice_text("e\xcc\xa3\xcc\x81")};
    run(w, JOB_APPLY, &step);
    assert_int_equal(step.result, STEP_DONE);
    assert_false(exists(w, "\xe1\xba\xb9\xcc\x81"));
    assert_string_equal(text_of(w, "\xc3\xa9\xcc\xa3", text), "other");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(a_removal_finds_the_name),
        T(a_replacement_finds_the_name),
        T(what_is_taken_back_finds_the_name),
        T(the_own_name_is_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
