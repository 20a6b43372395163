// SPDX-License-Identifier: MIT
//
// Two indexes are compared as a whole: whatever one has lost, or holds under another's dot, is made
// good, though both claim to know all.
#include <unistd.h>

#include "tests/unit/sync/sweep.h"

enum { FILES = 430, LINKS = 60, TARGET_BYTES = 3900 };

static const char *path_of(int i)
{
    static char path[16];
    (void)snprintf(path, sizeof path, "%c%03d", "pq"[i % 2], i);
    return path;
}

static void link_long(struct machine *m, int i)
{
    char path[128], target[TARGET_BYTES + 1];
    (void)snprintf(path, sizeof path, "%s/l%02d", m->root, i);
    memset(target, 'a' + i % 20, TARGET_BYTES);
    for (int at = 200; at < TARGET_BYTES; at += 200)
        target[at] = '/';
    target[TARGET_BYTES] = 0;
    assert_int_equal(symlink(target, path), 0);
}

static void put(struct machine *m, struct item *item)
{
    store_begin(m->store);
    store_item_put(m->store, m->folder, item, true);
    assert_int_equal(store_commit(m->store), ERR_OK);
}

// Its index knows nothing of a path any more, and does not know that.
static void lose(struct machine *m, const char *path)
{
    struct item item = item_of(m, path);
    assert_int_equal(item.head_count, 1);
    item.head_count = 0;
    item.need = false;
    put(m, &item);
}

static int compare(struct machine *m)
{
    const struct verify_request request = {.folder = "f", .timeout_ms = 60000};
    uint32_t before = m->verifies;
    engine_verify(m->engine, before + 1U, &request);
    for (int second = 0; second < 60 && m->verifies == before; second++)
        lan_wait(m->lan, 1000);
    assert_int_equal(m->verifies, before + 1U);
    return m->verify_exit;
}

static void test_much_is_lost(void **state)
{
    (void)state;
    static struct lan lan;
    lan_open(&lan, 2);
    struct machine *a = &lan.machines[0], *b = &lan.machines[1];
    for (int i = 0; i < FILES; i++)
        user_write(a, path_of(i), i % 3 ? "one" : "other");
    for (int i = 0; i < LINKS; i++)
        link_long(a, i);
    engine_watch(a->engine, a->folder, ENGINE_RESCAN, slice_text(""));
    lan_wait(&lan, 60000);
    assert_int_equal(status_of(b).items, FILES + LINKS);
    for (int i = 0; i < FILES; i++) {
        if (i % 7 == 0 || (i > 100 && i < 300))
            lose(b, path_of(i));
        else if (i % 11 == 1)
            lose(a, path_of(i));
    }
    for (int i = 0; i < LINKS; i++) {
        char path[8];
        (void)snprintf(path, sizeof path, "l%02d", i);
        lose(i < 40 ? b : a, path);
    }
    assert_int_equal(compare(a), 1);
    lan_wait(&lan, 10000);
    assert_int_equal(compare(b), 0);
    laws_hold(&lan, false);
    for (uint32_t m = 0; m < 2; m++) {
        assert_int_equal(status_of(&lan.machines[m]).items, FILES + LINKS);
        for (int i = 0; i < FILES; i++)
            assert_int_equal(item_of(&lan.machines[m], path_of(i)).head_count, 1);
    }
    lan_close(&lan);
}

// ---- two things under one dot

static void make_some(struct lan *lan)
{
    user_write(&lan->machines[0], "x", "of a");
    user_write(&lan->machines[0], "y", "another of a");
    user_write(&lan->machines[1], "z", "of b");
    lan_wait(lan, 10000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

// An index that holds another content under the dot of a path.
static void falsify(struct machine *m, const char *path, const char *with)
{
    struct item item = item_of(m, path), other = item_of(m, with);
    item.heads[0].value = item.local.version.value = other.heads[0].value;
    put(m, &item);
    user_write(m, path, strcmp(with, "x") == 0 ? "of a" : "another of a");
    lan_wait(m->lan, 5000);
}

static bool has_content(struct machine *m, const char *text)
{
    struct conflict found[8];
    uint32_t count = conflicts_of(m, found, 8);
    for (uint32_t i = 0; i < count; i++) {
        char path[200];
        (void)snprintf(path, sizeof path, "%.*s", SLICE_ARG(found[i].item));
        if (shows(m, path, text)) return true;
    }
    return shows(m, "x", text) || shows(m, "y", text) || shows(m, "z", text);
}

static void nothing_is_lost(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++) {
        assert_true(has_content(&lan->machines[i], "of a"));
        assert_true(has_content(&lan->machines[i], "another of a"));
        assert_true(has_content(&lan->machines[i], "of b"));
    }
}

// On `at`, which is its maker or not, a path has another's content.
static void one_dot(uint32_t machines, uint32_t at, const char *path, const char *with)
{
    static struct lan lan;
    lan_open(&lan, machines);
    make_some(&lan);
    falsify(&lan.machines[at], path, with);
    engine_verify(lan.machines[machines - 1].engine, 9,
                  &(struct verify_request){.timeout_ms = 60000});
    lan_wait(&lan, 90000);
    laws_hold(&lan, false);
    nothing_is_lost(&lan);
    assert_true(status_of(&lan.machines[0]).error_count + status_of(&lan.machines[1]).error_count >
                0);
    lan_close(&lan);
}

static void test_one_dot(void **state)
{
    (void)state;
    one_dot(2, 1, "x", "y"); // of a, held by b
    one_dot(2, 0, "x", "y"); // of a, held by a itself
    one_dot(2, 0, "z", "x"); // of b, held by a
    one_dot(3, 1, "x", "y");
}

// The dot of x names something on another path.
static void displace(struct machine *m)
{
    struct item x = item_of(m, "x"), gone = x;
    gone.head_count = 0;
    gone.need = false;
    gone.local = (struct local){.state = LOCAL_NONE};
    put(m, &gone);
    user_remove(m, "x");
    struct item moved = {.path = slice_text("w"), .heads = x.heads, .head_count = 1};
    moved.heads[0].path = moved.path;
    moved.need = true;
    put(m, &moved);
    lan_wait(m->lan, 5000);
}

static void test_on_another_path(void **state)
{
    (void)state;
    for (uint32_t at = 0; at < 2; at++) {
        static struct lan lan;
        lan_open(&lan, 2);
        make_some(&lan);
        displace(&lan.machines[at]);
        (void)compare(&lan.machines[1]);
        lan_wait(&lan, 60000);
        laws_hold(&lan, false);
        nothing_is_lost(&lan);
        lan_close(&lan);
    }
}

// Where deletions were forgotten something has what one of them ended, and nobody knows from where:
// whoever has that deletion still, has the last word.
static void test_what_was_ended_lives(void **state)
{
    (void)state;
    static struct lan lan;
    lan_open(&lan, 2);
    struct machine *a = a_of(&lan), *b = b_of(&lan);
    user_write(a, "x", "ended");
    user_write(a, "y", "another");
    lan_wait(&lan, 5000);
    struct item x = item_of(b, "x");
    user_remove(a, "x");
    lan_wait(&lan, 5000);
    struct item end = item_of(b, "x");
    assert_int_equal(end.heads[0].value.kind, KIND_TOMB);
    x.need = true;
    x.local = end.local;
    put(b, &x);
    machine_stop(b);
    store_begin(b->store);
    store_gcfloor_put(b->store, b->folder, end.heads[0].vv);
    assert_int_equal(store_commit(b->store), ERR_OK);
    machine_start(b);
    lan_wait(&lan, 1000);
    (void)compare(a);
    lan_wait(&lan, 5000);
    assert_true(shows(a, "x", NULL) && shows(b, "x", NULL));
    x = item_of(b, "x");
    assert_int_equal(x.heads[0].value.kind, KIND_TOMB);
    assert_true(trees_equal(&lan));
    lan_close(&lan);
}

// ---- and whatever goes wrong meanwhile

static void make_many(struct lan *lan)
{
    for (int i = 0; i < 100; i++)
        user_write(&lan->machines[0], path_of(i), "text");
    lan_wait(lan, 10000);
    assert_true(lan_in_step(lan) && trees_equal(lan));
}

static void lose_and_compare(struct lan *lan)
{
    for (int i = 0; i < 90; i++)
        lose(&lan->machines[i % 2], path_of(i));
    // What goes wrong may keep it from coming to an end.
    struct machine *a = &lan->machines[0];
    for (int turn = 0; turn < 8; turn++) {
        uint32_t before = a->verifies;
        engine_verify(a->engine, 9, &(struct verify_request){.timeout_ms = 30000});
        lan_wait(lan, 40000);
        if (a->verifies > before && a->verify_exit == 0) break;
    }
}

static void all_is_known(struct lan *lan)
{
    (void)compare(&lan->machines[0]);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(item_of(&lan->machines[0], path_of(i)).head_count, 1);
        assert_int_equal(item_of(&lan->machines[1], path_of(i)).head_count, 1);
    }
}

static void test_something_fails(void **state)
{
    (void)state;
    static const struct scenario scenario = {
        .machines = 2, .before = make_many, .act = lose_and_compare, .after = all_is_known};
    scenarios_run(&scenario, 1);
    sweep_commits(&scenario, 1, 1);
    sweep_lines(&scenario, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_is_lost),    cmocka_unit_test(test_one_dot),
        cmocka_unit_test(test_on_another_path), cmocka_unit_test(test_what_was_ended_lives),
        cmocka_unit_test(test_something_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
