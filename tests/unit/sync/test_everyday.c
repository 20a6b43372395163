// SPDX-License-Identifier: MIT
//
// What people do with files all day, between machines with real disks, and whatever goes wrong
// while it is found, published, taken and put in place.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/sync/sweep.h"

enum { TEXT = 24000 };

static void with_base(struct machine *m)
{
    m->put.base_bytes_max = 8 << 20;
}

// Nothing in it repeats; `edit` changes a few bytes.
static const char *text_of(struct lan *lan, const char *edit)
{
    char *text = arena_alloc(lan->arena, TEXT + 1, 1);
    uint32_t seed = 7;
    for (int i = 0; i < TEXT; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = (char)('a' + (seed >> 24) % 26);
    }
    memcpy(text + TEXT / 2, edit, strlen(edit));
    text[TEXT] = 0;
    return text;
}

static void at_rest(struct lan *lan)
{
    lan_wait(lan, 10000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

static void in_root(const struct machine *m, const char *path, char out[256])
{
    (void)snprintf(out, 256, "%s/%s", m->root, path);
}

static void make_link(struct machine *m, const char *path, const char *target)
{
    char at[256];
    in_root(m, path, at);
    assert_int_equal(symlink(target, at), 0);
}

static void make_private(struct machine *m, const char *path)
{
    char at[256];
    in_root(m, path, at);
    assert_int_equal(chmod(at, 0600), 0);
}

static bool links_to(struct machine *m, const char *path, const char *target)
{
    char at[256], text[256] = {0};
    in_root(m, path, at);
    return readlink(at, text, sizeof text - 1) > 0 && strcmp(text, target) == 0;
}

static bool is_private(struct machine *m, const char *path)
{
    char at[256];
    struct stat st;
    in_root(m, path, at);
    return stat(at, &st) == 0 && (st.st_mode & 0777) == 0600;
}

// ---- one of each kind

static void make_tree(struct lan *lan)
{
    struct machine *a = &lan->machines[0];
    user_write(a, "long", text_of(lan, "first"));
    user_write(a, "dir/one", "1");
    user_write(a, "dir/sub/two", "2");
    user_mkdir(a, "empty");
    user_write(a, "plain", "p");
    user_write(a, "moves", "it will be elsewhere");
    make_link(a, "link", "plain");
    at_rest(lan);
}

static void change_all(struct lan *lan)
{
    struct machine *a = &lan->machines[0];
    user_write(a, "long", text_of(lan, "second"));
    lan_wait(lan, 1000);
    user_remove(a, "dir");
    user_write(a, "dir", "a file now");
    user_remove(a, "plain");
    user_write(a, "plain/in", "a directory now");
    user_rename(a, "moves", "moved");
    user_remove(a, "link");
    make_link(a, "link", "long");
    make_private(a, "long");
    user_remove(a, "empty");
    user_write(a, "an odd name", "");
    lan_wait(lan, 10000);
}

static void all_changed(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        struct machine *m = &lan->machines[i];
        assert_true(shows(m, "long", text_of(lan, "second")));
        assert_true(shows(m, "dir", "a file now"));
        assert_true(shows(m, "plain/in", "a directory now"));
        assert_true(shows(m, "moved", "it will be elsewhere"));
        assert_true(shows(m, "moves", NULL));
        assert_true(shows(m, "an odd name", ""));
        assert_true(links_to(m, "link", "long") && is_private(m, "long"));
    }
}

// ---- both at once

static void change_both(struct lan *lan)
{
    struct machine *a = &lan->machines[0], *b = &lan->machines[1];
    lan_cut(lan);
    user_write(a, "long", text_of(lan, "of a"));
    user_write(b, "long", text_of(lan, "of b"));
    user_remove(a, "dir");
    user_write(b, "dir/sub/three", "3");
    user_remove(b, "plain");
    user_write(b, "plain/below", "b");
    user_write(a, "plain", "edited");
    user_rename(a, "moves", "moved by a");
    user_rename(b, "moves", "moved by b");
    lan_wait(lan, 3000);
    lan_join(lan);
    lan_wait(lan, 10000);
}

static bool somewhere(struct machine *m, const char *path, const char *text)
{
    struct conflict found[16];
    uint32_t count = conflicts_of(m, found, 16);
    for (uint32_t i = 0; i < count; i++) {
        char item[300];
        (void)snprintf(item, sizeof item, "%.*s", SLICE_ARG(found[i].item));
        if (shows(m, item, text)) return true;
    }
    return shows(m, path, text);
}

static void nothing_is_lost(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        struct machine *m = &lan->machines[i];
        assert_true(somewhere(m, "long", text_of(lan, "of a")));
        assert_true(somewhere(m, "long", text_of(lan, "of b")));
        assert_true(somewhere(m, "dir/sub/three", "3"));
        assert_true(somewhere(m, "plain/below", "b"));
        assert_true(somewhere(m, "plain", "edited"));
    }
}

// ---- much at once, while one is away

static void many_while_away(struct lan *lan)
{
    struct machine *a = &lan->machines[0];
    lan_cut(lan);
    for (int i = 0; i < 300; i++) {
        char path[32], text[32];
        (void)snprintf(path, sizeof path, "many/%c/%03d", 'a' + i % 3, i);
        (void)snprintf(text, sizeof text, "content %d", i);
        user_write(a, path, text);
    }
    lan_wait(lan, 5000);
    lan_join(lan);
    lan_wait(lan, 20000);
}

static const struct scenario scenarios[] = {
    {.machines = 2,
     .tune = with_base,
     .before = make_tree,
     .act = change_all,
     .after = all_changed},
    {.machines = 2,
     .tune = with_base,
     .before = make_tree,
     .act = change_both,
     .after = nothing_is_lost},
    {.machines = 2, .act = many_while_away},
    {.machines = 3, .before = make_tree, .act = change_both},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static void test_sound(void **state)
{
    (void)state;
    scenarios_run(scenarios, SCENARIOS);
}

// A small change of what a peer's disk shows goes there as a patch.
static void test_patch(void **state)
{
    (void)state;
    static struct lan lan;
    lan_open_tuned(&lan, 2, with_base);
    make_tree(&lan);
    lan_wait(&lan, 5000);
    uint64_t before = counters_of(&lan.machines[0]).content_bytes_out;
    user_write(&lan.machines[0], "long", text_of(&lan, "second"));
    at_rest(&lan);
    assert_true(counters_of(&lan.machines[0]).content_bytes_out - before < TEXT / 8);
    assert_true(counters_of(&lan.machines[1]).content_bytes_reused >= TEXT);
    lan_close(&lan);
}

static void test_index_fails(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        assert_true(sweep(&scenarios[i / 2],
                          &(struct lan_fault){.kind = FAULT_COMMIT, .machine = i % 2}, 4) > 0);
}

static void test_jobs_fail(void **state)
{
    (void)state;
    static const enum err errs[] = {ERR_IO, ERR_CHANGED, ERR_UNREACHABLE};
    for (uint32_t i = 0; i < 3; i++) {
        const struct lan_fault fault = {.kind = FAULT_JOB, .machine = i % 2, .err = errs[i]};
        assert_true(sweep(&scenarios[1], &fault, 5) > 0);
    }
}

static void test_lines_fail(void **state)
{
    (void)state;
    assert_true(sweep(&scenarios[1], &(struct lan_fault){.kind = FAULT_CUT, .machine = 1}, 7) > 0);
    assert_true(sweep(&scenarios[2], &(struct lan_fault){.kind = FAULT_CUT}, 23) > 0);
}

static void test_crashes(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        assert_true(
            sweep(&scenarios[i], &(struct lan_fault){.kind = FAULT_CRASH, .machine = i}, 5) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),       cmocka_unit_test(test_patch),
        cmocka_unit_test(test_index_fails), cmocka_unit_test(test_jobs_fail),
        cmocka_unit_test(test_lines_fail),  cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
