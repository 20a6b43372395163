// SPDX-License-Identifier: MIT
//
// Applying: every kind onto every kind, stale expectations, things in the way, links in the path,
// and intents. After each of them the user's bytes must be somewhere.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fs/apply_priv.h"
#include "crypto/hash.h"
#include "fs_test.h"

enum shape { NOTHING, FILE_A, LINK_A, DIR_A, SHAPES };

static struct step step_of(struct world *w, const char *path, struct version version)
{
    return (struct step){.path = slice_text(path), .version = version, .before = print_at(w, path)};
}

static void run(struct world *w, struct job *job)
{
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
}

static void make_shape(struct world *w, const char *path, enum shape shape)
{
    switch (shape) {
    case NOTHING: break;
    case FILE_A: put_file(w, path, "old bytes"); break;
    case LINK_A: put_link(w, path, "old target"); break;
    case DIR_A: put_dir(w, path, 0750); break;
    case SHAPES: break;
    }
}

static struct version version_of(struct world *w, const char *path, enum shape shape)
{
    switch (shape) {
    case FILE_A: stage_text(w, "new bytes"); return version_file(path, "new bytes", 0640);
    case LINK_A: return version_link(path, "new target");
    case DIR_A: return version_dir(path, 0700);
    case NOTHING:
    case SHAPES: break;
    }
    return version_gone(path);
}

static void check_shape(struct world *w, const char *path, enum shape shape,
                        const struct step *step)
{
    char text[256];
    struct fingerprint now = print_at(w, path);
    assert_true(print_equal(&now, &step->print) || (!now.present && !step->print.present));
    switch (shape) {
    case NOTHING: assert_false(now.present); break;
    case FILE_A:
        assert_string_equal(text_of(w, path, text), "new bytes");
        assert_int_equal(now.mode, 0640);
        assert_true(now.mtime_ns == 1700000000123456789);
        break;
    case LINK_A:
        assert_int_equal(now.kind, KIND_SYMLINK);
        assert_string_equal(link_of(w, path, text), "new target");
        break;
    case DIR_A:
        assert_int_equal(now.kind, KIND_DIR);
        assert_int_equal(now.mode, 0700);
        break;
    case SHAPES: break;
    }
}

static void matrix(struct world *w, bool intent)
{
    uint64_t journal = intent ? 1000 : 1;
    for (enum shape from = NOTHING; from < SHAPES; from++) {
        for (enum shape to = NOTHING; to < SHAPES; to++) {
            char path[32];
            (void)snprintf(path, sizeof path, "d%d/p%d%d", intent, (int)from, (int)to);
            make_shape(w, path, from);
            struct job *job = job_for(JOB_APPLY);
            struct step *step = steps_for(job, 1, journal++);
            *step = step_of(w, path, version_of(w, path, to));
            job->apply.all_or_none = intent;
            run(w, job);
            assert_int_equal(step->result, STEP_DONE);
            check_shape(w, path, to, step);
            assert_int_equal(step->kept, from == FILE_A || from == LINK_A);
            job_end(&job);
        }
    }
    // The marks of intents stay until the index says that it has them.
    uint32_t marks = intent ? SHAPES * SHAPES : 0;
    assert_int_equal(count_in(w, ".cfgsync/staging", "r-"), marks);
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), marks);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), intent ? 16 : 8);
}

static void test_every_kind_onto_every_kind(void **state)
{
    matrix(*state, false);
    matrix(*state, true);
}

static void test_without_exchange(void **state)
{
    struct world *w = *state;
    w->disk->without_exchange = true;
    w->disk->without_openat2 = true;
    matrix(w, false);
}

// The fingerprint is old: the edit since then must be there, untouched.
static void test_stale_before_changes_nothing(void **state)
{
    struct world *w = *state;
    char text[256];
    for (enum shape to = NOTHING; to < SHAPES; to++) {
        put_file(w, "f", "old bytes");
        struct job *job = job_for(JOB_APPLY);
        struct step *step = steps_for(job, 1, 50 + (uint64_t)to);
        *step = step_of(w, "f", version_of(w, "f", to));
        put_file(w, "f", "edited by hand");
        run(w, job);
        assert_int_equal(step->result, STEP_CHANGED);
        assert_string_equal(text_of(w, "f", text), "edited by hand");
        assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
        job_end(&job);
        remove_all(w, "f");
    }
    // What was staged for it is there for the next try.
    assert_int_equal(count_in(w, ".cfgsync/staging", ""), 1);
}

// Saved again within a tick of the clock, with the same size: only the content tells.
static void test_racy_file_is_read(void **state)
{
    struct world *w = *state;
    char text[256];
    for (enum shape to = NOTHING; to < SHAPES; to++) {
        for (int same = 0; same < 2; same++) {
            put_file(w, "f", same ? "old bytes" : "new edits");
            struct job *job = job_for(JOB_APPLY);
            struct step *step = steps_for(job, 1, 200 + 2 * (uint64_t)to + (uint64_t)same);
            *step = step_of(w, "f", version_of(w, "f", to));
            step->before_racy = true;
            step->was = (struct content){hash_content(slice_text("old bytes")), 9};
            run(w, job);
            assert_int_equal(step->result, same ? STEP_DONE : STEP_CHANGED);
            if (!same) assert_string_equal(text_of(w, "f", text), "new edits");
            assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
            job_end(&job);
            remove_all(w, "f");
        }
    }
}

// Same size and time, other inode and bytes: found by the inode.
static void test_replaced_file_is_seen(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "aaaa");
    struct job *job = job_for(JOB_APPLY);
    struct step *step = steps_for(job, 1, 60);
    stage_text(w, "new bytes");
    *step = step_of(w, "f", version_file("f", "new bytes", 0644));
    shell("cd '%s' && printf bbbb > g && touch -r f g && mv g f", w->root);
    run(w, job);
    assert_int_equal(step->result, STEP_CHANGED);
    assert_string_equal(text_of(w, "f", text), "bbbb");
    job_end(&job);
}

static void test_something_in_the_way(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "untracked");
    put_dir(w, "d", 0755);
    put_file(w, "d/stray", "stray");
    put_file(w, "p", "a file");
    stage_text(w, "new bytes");
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 5, 70);
    steps[0] = step_of(w, "f", version_file("f", "new bytes", 0644));
    steps[0].before = (struct fingerprint){0};
    steps[1] = step_of(w, "d", version_gone("d"));
    steps[2] = step_of(w, "p/below", version_dir("p/below", 0755));
    steps[3] = step_of(w, "d", version_file("d", "new bytes", 0644));
    steps[4] = step_of(w, "f", version_dir("f", 0755));
    steps[4].before = (struct fingerprint){0};
    run(w, job);
    assert_int_equal(steps[0].result, STEP_BLOCKED);
    assert_int_equal(steps[0].blocked, BLOCKED_IN_THE_WAY);
    assert_int_equal(steps[1].result, STEP_BLOCKED);
    assert_int_equal(steps[1].blocked, BLOCKED_NOT_EMPTY);
    assert_int_equal(steps[2].result, STEP_WAIT);
    assert_int_equal(steps[3].result, STEP_BLOCKED);
    assert_int_equal(steps[3].blocked, BLOCKED_NOT_EMPTY);
    assert_int_equal(steps[4].blocked, BLOCKED_IN_THE_WAY);
    assert_string_equal(text_of(w, "f", text), "untracked");
    assert_string_equal(text_of(w, "d/stray", text), "stray");
    job_end(&job);
}

// A parent became a link to somewhere else: nothing outside is touched, by any kind of step.
static void test_no_step_leaves_the_root(void **state)
{
    struct world *w = *state;
    for (int walk = 0; walk < 2; walk++) {
        w->disk->without_openat2 = walk == 1;
        put_file(w, "d/f", "mine");
        struct job *job = job_for(JOB_APPLY);
        struct step *steps = steps_for(job, 4, 80 + (uint64_t)walk);
        stage_text(w, "new bytes");
        steps[0] = step_of(w, "d/f", version_gone("d/f"));
        steps[1] = step_of(w, "d/f", version_file("d/f", "new bytes", 0644));
        steps[2] = step_of(w, "d/new", version_file("d/new", "new bytes", 0644));
        steps[3] = step_of(w, "d/sub", version_dir("d/sub", 0755));
        shell("cd '%s' && mv d d.away && cp -p d.away/f '%s/f' && ln -s '%s' d", w->root,
              w->outside, w->outside);
        run(w, job);
        assert_int_equal(steps[1].result, STEP_BLOCKED);
        assert_int_equal(steps[1].blocked, BLOCKED_SYMLINK);
        assert_int_equal(steps[2].blocked, BLOCKED_SYMLINK);
        assert_int_equal(steps[3].blocked, BLOCKED_SYMLINK);
        shell("test \"$(ls '%s')\" = f && test \"$(cat '%s/f')\" = mine", w->outside, w->outside);
        job_end(&job);
        shell("cd '%s' && rm -rf d d.away && rm -f '%s/f'", w->root, w->outside);
    }
}

static void test_order_parents_and_shared_content(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "old/a/b", "b");
    stage_text(w, "new bytes");
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 6, 90);
    steps[0] = step_of(w, "x/y/one", version_file("x/y/one", "new bytes", 0600));
    steps[1] = step_of(w, "x/two", version_file("x/two", "new bytes", 0644));
    steps[2] = step_of(w, "old", version_gone("old"));
    steps[3] = step_of(w, "old/a", version_gone("old/a"));
    steps[4] = step_of(w, "old/a/b", version_gone("old/a/b"));
    steps[5] = step_of(w, "x", version_dir("x", 0710));
    run(w, job);
    for (int i = 0; i < 6; i++)
        assert_int_equal(steps[i].result, STEP_DONE);
    assert_string_equal(text_of(w, "x/y/one", text), "new bytes");
    assert_string_equal(text_of(w, "x/two", text), "new bytes");
    assert_int_not_equal(print_at(w, "x/y/one").ino, print_at(w, "x/two").ino);
    assert_int_equal(mode_of(w, "x"), 0710);
    assert_false(exists(w, "old"));
    assert_true(anywhere(w, ".cfgsync/kept", "b"));
    job_end(&job);
}

static void test_mode_only(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "same");
    put_dir(w, "d", 0755);
    uint64_t ino = print_at(w, "f").ino;
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 2, 95);
    steps[0] = step_of(w, "f", version_file("f", "same", 0755));
    steps[1] = step_of(w, "d", version_dir("d", 0711));
    steps[0].dir_implied_mode = true;
    steps[1].dir_implied_mode = true;
    run(w, job);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_int_equal(steps[1].result, STEP_DONE);
    assert_int_equal(mode_of(w, "f"), 0755);
    assert_int_equal(mode_of(w, "d"), 0711);
    assert_int_equal(print_at(w, "f").ino, ino);
    assert_string_equal(text_of(w, "f", text), "same");
    job_end(&job);
}

static void test_intent_is_undone_as_a_whole(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "replaced", "r old");
    put_file(w, "removed", "d old");
    put_file(w, "to-dir", "t old");
    put_dir(w, "to-file", 03701);
    put_dir(w, "moded", 0750);
    put_file(w, "blocker", "untracked");
    stage_text(w, "new bytes");
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 8, 99);
    steps[0] = step_of(w, "created", version_file("created", "new bytes", 0644));
    steps[1] = step_of(w, "replaced", version_file("replaced", "new bytes", 0644));
    steps[2] = step_of(w, "removed", version_gone("removed"));
    steps[3] = step_of(w, "to-dir", version_dir("to-dir", 0755));
    steps[4] = step_of(w, "to-file", version_file("to-file", "new bytes", 0644));
    steps[5] = step_of(w, "moded", version_dir("moded", 0777));
    steps[6] = step_of(w, "blocker", version_file("blocker", "new bytes", 0644));
    steps[6].before = (struct fingerprint){0};
    steps[7] = step_of(w, "never", version_dir("never", 0755));
    job->apply.all_or_none = true;
    run(w, job);
    for (int i = 0; i < 8; i++)
        assert_int_equal(steps[i].result, i == 6 ? STEP_BLOCKED : STEP_UNDONE);
    assert_false(exists(w, "created"));
    assert_false(exists(w, "never"));
    assert_string_equal(text_of(w, "replaced", text), "r old");
    assert_string_equal(text_of(w, "removed", text), "d old");
    assert_string_equal(text_of(w, "to-dir", text), "t old");
    assert_string_equal(text_of(w, "blocker", text), "untracked");
    assert_int_equal(print_at(w, "to-file").kind, KIND_DIR);
    assert_int_equal(mode_of(w, "to-file"), 03701);
    assert_int_equal(mode_of(w, "moded"), 0750);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
    assert_int_equal(count_in(w, ".cfgsync/kept", ""), 0);
    job_end(&job);
}

static void test_missing_content_fails_alone(void **state)
{
    struct world *w = *state;
    char text[256];
    put_file(w, "f", "old bytes");
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 2, 110);
    steps[0] = step_of(w, "f", version_file("f", "never staged", 0644));
    steps[1] = step_of(w, "d", version_dir("d", 0755));
    run(w, job);
    assert_int_equal(steps[0].result, STEP_FAILED);
    assert_int_equal(steps[1].result, STEP_DONE);
    assert_string_equal(text_of(w, "f", text), "old bytes");
    job_end(&job);
}

// A directory that forbids writing is the owner's habit, not an obstacle; its mode stays.
static void test_read_only_directory(void **state)
{
    struct world *w = *state;
    if (geteuid() != 0) skip();
    put_file(w, "d/f", "old bytes");
    put_dir(w, "d", 0555);
    shell("chmod 755 '%s' && chown -R 12345 '%s'", w->top, w->top);
    assert_int_equal(seteuid(12345), 0);
    stage_text(w, "new bytes");
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 2, 120);
    steps[0] = step_of(w, "d/f", version_file("d/f", "new bytes", 0444));
    steps[1] = step_of(w, "d/g", version_link("d/g", "f"));
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_int_equal(steps[1].result, STEP_DONE);
    assert_int_equal(mode_of(w, "d"), 0555);
    job_end(&job);
}

// One that may not be written to cannot be moved into another: it is made where it is to be.
static void test_a_file_becomes_a_read_only_directory(void **state)
{
    struct world *w = *state;
    if (geteuid() != 0) skip();
    put_file(w, "f", "old bytes");
    shell("chmod 755 '%s' && chown -R 12345 '%s'", w->top, w->top);
    assert_int_equal(seteuid(12345), 0);
    struct job *job = job_for(JOB_APPLY);
    struct step *steps = steps_for(job, 1, 121);
    steps[0] = step_of(w, "f", version_dir("f", 0555));
    disk_run(w->disk, job);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(steps[0].result, STEP_DONE);
    assert_int_equal(print_at(w, "f").kind, KIND_DIR);
    assert_int_equal(mode_of(w, "f"), 0555);
    assert_true(steps[0].kept);
    assert_true(anywhere(w, ".cfgsync/kept", "old bytes"));
    job_end(&job);
}

// An editor saves by rename all the time while replacements are applied: at the end every save that
// was not itself saved over is at the path or in kept, and no job claims what it did not do.
static void test_racing_editor_loses_nothing(void **state)
{
    struct world *w = *state;
    char line[512];
    put_file(w, "f", "start");
    (void)snprintf(
        line, sizeof line,
        "cd '%s' && for i in $(seq 1 150); do printf 'edit %%s' $i > ../t; mv ../t f; done &",
        w->root);
    assert_int_equal(system(line), 0);
    char text[256];
    for (uint64_t i = 0; i < 400; i++) {
        char bytes[32];
        (void)snprintf(bytes, sizeof bytes, "remote %d", (int)i);
        stage_text(w, bytes);
        struct job *job = job_for(JOB_APPLY);
        struct step *step = steps_for(job, 1, 2000 + i);
        *step = step_of(w, "f", version_file("f", bytes, 0644));
        run(w, job);
        assert_true(step->result == STEP_DONE || step->result == STEP_CHANGED);
        job_end(&job);
    }
    for (int i = 0; i < 100 && text_of(w, "f", text) == NULL; i++)
        usleep(1000);
    shell("cd '%s'; for i in $(seq 100); do test -e ../t || break; sleep 0.02; done; sleep 0.2",
          w->root);
    // The last save is the one nobody saved over.
    assert_true(anywhere(w, ".cfgsync/kept", "edit 150") ||
                strcmp(text_of(w, "f", text), "edit 150") == 0);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
}

// A directory has its mode, though there is no descriptor to change it with.
static void test_directory_without_descriptors(void **state)
{
    struct world *w = *state;
    struct grip grip;
    struct group group = {.grip = &grip};
    struct place place;
    struct rlimit limit;
    assert_int_equal(grip_take(w->disk, 1, &grip), ERR_OK);
    assert_int_equal(place_open(&grip, slice_text("d"), slice_text(""), &place), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    mode_t mask = umask(0); // as an agent has it
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int code = dir_create(&group, &place, 0775);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(code, 0);
    assert_int_equal(print_at(w, "d").mode, 0775);
    (void)umask(mask);
    place_close(&place);
    grip_drop(&grip);
}

// As a default ACL of the directory above does: what was taken away is put there, and what the
// directory above hands down stays.
static void test_directory_made_narrower(void **state)
{
    struct world *w = *state;
    struct grip grip;
    struct group group = {.grip = &grip};
    struct place place;
    struct job *job = job_for(JOB_APPLY);
    group.apply = &job->apply;
    put_dir(w, "g", 02755);
    assert_int_equal(grip_take(w->disk, 1, &grip), ERR_OK);
    assert_int_equal(place_open(&grip, slice_text("g/d"), slice_text(""), &place), 0);
    mode_t mask = umask(077);
    assert_int_equal(dir_create(&group, &place, 0755), 0);
    (void)umask(mask);
    assert_int_equal(print_at(w, "g/d").mode, print_at(w, "g").mode);
    place_close(&place);
    grip_drop(&grip);
    job_end(&job);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        T(test_every_kind_onto_every_kind),
        T(test_without_exchange),
        T(test_stale_before_changes_nothing),
        T(test_racy_file_is_read),
        T(test_replaced_file_is_seen),
        T(test_something_in_the_way),
        T(test_no_step_leaves_the_root),
        T(test_order_parents_and_shared_content),
        T(test_mode_only),
        T(test_intent_is_undone_as_a_whole),
        T(test_missing_content_fails_alone),
        T(test_read_only_directory),
        T(test_a_file_becomes_a_read_only_directory),
        T(test_directory_without_descriptors),
        T(test_directory_made_narrower),
        T(test_racing_editor_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
