// SPDX-License-Identifier: MIT
//
// Events: how editors save, directories that come and go, lost events, and the root itself.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs_test.h"

static void scan(struct world *w, const char *prefix)
{
    struct job *job = job_for(JOB_SCAN);
    job->scan = (struct job_scan){.prefix = slice_text(prefix), .entries_max = 100000};
    disk_run(w->disk, job);
    assert_true(job->err == ERR_OK && job->scan.done);
    job_end(&job);
}

// All waiting events as "letter path" lines.
static void events(struct world *w, char *out, size_t size)
{
    static const char letters[] = {'W', 'M', 'G', 'T', 'S', 'R'};
    struct watch_event event;
    out[0] = '\0';
    for (size_t at = 0; disk_watch_next(w->disk, &event);) {
        int n =
            snprintf(out + at, size - at, "%c %.*s\n", letters[event.what], SLICE_ARG(event.path));
        if (n > 0 && (size_t)n < size - at) at += (size_t)n;
    }
}

static void expect(struct world *w, const char *wanted)
{
    char got[4096];
    events(w, got, sizeof got);
    assert_string_equal(got, wanted);
}

static void test_saves(void **state)
{
    struct world *w = *state;
    put_file(w, "d/f", "1");
    scan(w, "");
    expect(w, "");
    put_file(w, "d/f", "2"); // truncated, written, closed
    expect(w, "M d/f\nW d/f\n");
    // As vim does: write aside, move the old away, move the new in, remove the old.
    shell("cd '%s/d' && printf 3 > 4913 && rm 4913 && mv f f~ && printf 3 > f && rm f~", w->root);
    expect(w, "G d/f\nM d/f\nW d/f\n");
    shell("cd '%s/d' && printf 4 > .f.swp && mv .f.swp f && chmod 600 f", w->root);
    expect(w, "W d/f\n");
    shell("cd '%s/d' && ln -s x l && ln f h", w->root);
    char got[256];
    events(w, got, sizeof got);
    assert_non_null(strstr(got, "W d/l\n"));
    assert_non_null(strstr(got, "W d/h\n"));
    put_file(w, ".cfgsync/conflicts/c", "x");
    stage_text(w, "staged");
    expect(w, "M .cfgsync/conflicts/c\nW .cfgsync/conflicts/c\n");
}

// What an event is about is looked for under its own spelling only: another, however large the
// directory, is not searched for.
static void test_spellings(void **state)
{
    struct world *w = *state;
    put_file(w, "cafe\xcc\x81", "1");
    scan(w, "");
    expect(w, "");
    shell("cd '%s' && : > caf\xc3\xa9 && rm caf\xc3\xa9", w->root);
    expect(w, "W caf\xc3\xa9\nG caf\xc3\xa9\n");
    put_file(w, "cafe\xcc\x81", "2");
    expect(w, "M caf\xc3\xa9\nW caf\xc3\xa9\n");
    shell("cd '%s' && chmod 600 cafe\xcc\x81", w->root);
    expect(w, "W caf\xc3\xa9\n");
}

static void test_directories(void **state)
{
    struct world *w = *state;
    scan(w, "");
    shell("cd '%s' && mkdir -p a/b && printf 1 > a/b/f", w->root);
    expect(w, "T a\n");
    scan(w, "a"); // sees a/b/f, and watches before it reads
    put_file(w, "a/b/f", "2");
    expect(w, "M a/b/f\nW a/b/f\n");
    shell("cd '%s' && mv a c", w->root);
    expect(w, "G a\nT c\n");
    scan(w, "c");
    put_file(w, "c/b/f", "3");
    expect(w, "M c/b/f\nW c/b/f\n");
    shell("cd '%s' && rm -rf c", w->root);
    char got[256];
    events(w, got, sizeof got);
    assert_non_null(strstr(got, "G c/b/f\nG c/b\nG c\n"));
    shell("cd '%s' && mkdir c", w->root);
    scan(w, "");
    put_file(w, "c/f", "4");
    events(w, got, sizeof got);
    assert_non_null(strstr(got, "W c/f\n"));
    assert_int_equal(disk_unwatched(w->disk, 1), 0);
}

// It is a problem that it is there; what a program writes into it is not looked at.
static void test_a_name_that_cannot_be(void **state)
{
    struct world *w = *state;
    scan(w, "");
    put_file(w, "bad\xff", "1");
    expect(w, "T \n");
    put_file(w, "bad\xff", "2");
    expect(w, "");
    remove_all(w, "bad\xff");
    expect(w, "T \n");
}

static void test_lost_events_mean_a_rescan(void **state)
{
    struct world *w = *state;
    scan(w, "");
    shell("cd '%s' && seq 6000 | xargs touch", w->root);
    struct watch_event event;
    uint32_t rescans = 0;
    while (disk_watch_next(w->disk, &event))
        rescans += event.what == WATCH_RESCAN;
    assert_int_equal(rescans, 1);
}

static void test_the_root_itself(void **state)
{
    struct world *w = *state;
    scan(w, "");
    shell("mv '%s' '%s/away'", w->root, w->top);
    expect(w, "R \n");
    shell("rm -rf '%s/away/.cfgsync'", w->top);
    char got[4096];
    events(w, got, sizeof got);
    assert_non_null(strstr(got, "R \n"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {T(test_saves),
                                       T(test_spellings),
                                       T(test_directories),
                                       T(test_a_name_that_cannot_be),
                                       T(test_lost_events_mean_a_rescan),
                                       T(test_the_root_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
