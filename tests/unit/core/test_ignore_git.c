// SPDX-License-Identifier: MIT
//
// git is the oracle: random trees, random rules, and `git check-ignore -v` must name the same line
// as we do for every path. CFGSYNC_SEED=N repeats a run, CFGSYNC_CASES=N asks for more.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/core/ignore.h"
#include "proto/path.h"

enum { PATHS_MAX = 90, TREES = 12, FILES_PER_TREE = 25, ANSWER_MAX = 1 << 18 };

struct tree {
    char paths[PATHS_MAX][256];
    bool dirs[PATHS_MAX];
    uint32_t count;
};

struct world {
    char dir[64];
    uint64_t random;
    uint64_t seed;
    struct tree tree;
    uint32_t checks;
    uint32_t matches;
};

// xorshift64*
static uint32_t draw(struct world *w, uint32_t below)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (uint32_t)((w->random * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

static const char *pick(struct world *w, const char *const *list, size_t count)
{
    return list[draw(w, (uint32_t)count)];
}

#define PICK(w, list) pick(w, list, sizeof(list) / sizeof *(list))

static const char *const names[] = {
    "a",    "b",    "ab", "abc", "foo", "foobar", "bar",   "a.b",    "b.o",           "x.c",
    "x y",  "a ",   "#a", "!a",  "[a]", "a]b",    "-",     "a-b",    "\\a",           "a*",
    "a?",   "A",    "B1", "9",   "_",   "~",      "a b c", "\u00e9", "\u00e9t\u00e9", "\t",
    "aaaa", "aaab", "a^", "{a}", "a:b", "b\\"};

static const char *const pieces[] = {"a",
                                     "b",
                                     "ab",
                                     "foo",
                                     "bar",
                                     "*",
                                     "*",
                                     "**",
                                     "***",
                                     "?",
                                     "/",
                                     "/",
                                     "/",
                                     "**/",
                                     "/**",
                                     "/**/",
                                     "[ab]",
                                     "[!a]",
                                     "[^a-b]",
                                     "[a-c]",
                                     "[]a]",
                                     "[!]]",
                                     "[a-]",
                                     "[-a]",
                                     "[[:alpha:]]",
                                     "[[:digit:]_]",
                                     "[![:upper:]]",
                                     "[[:space:]]",
                                     "[[:punct:]]",
                                     "[[:xdigit:]]",
                                     "[[:bogus:]]",
                                     "[[:alpha]",
                                     "[[:]a]",
                                     "[a",
                                     "[",
                                     "]",
                                     "[\\]]",
                                     "[a-\\c]",
                                     "[c-a]",
                                     "[[a]",
                                     "\\",
                                     "\\a",
                                     "\\*",
                                     "\\ ",
                                     "\\\\",
                                     "\\#",
                                     "\\!",
                                     "\\/",
                                     ".b",
                                     ".o",
                                     "-",
                                     "^",
                                     "!",
                                     "#",
                                     " ",
                                     "  ",
                                     "\u00e9",
                                     "x y",
                                     "[[:graph:]]",
                                     "[[:lower:][:digit:]]",
                                     "[a-c-e]",
                                     "[\\a-b]",
                                     "+",
                                     "*.",
                                     "*a",
                                     "a*",
                                     "\t",
                                     "{a}",
                                     ":",
                                     "[[:cntrl:]]",
                                     "[[:print:]]",
                                     "[[:alnum:]]",
                                     "[[:blank:]]",
                                     "[/]",
                                     "[!/]",
                                     "[.-0]"};

static void tree_clear(struct world *w)
{
    char command[256];
    (void)snprintf(command, sizeof command,
                   "cd '%s/tree' && find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +",
                   w->dir);
    assert_int_equal(system(command), 0);
}

static void tree_make(struct world *w)
{
    struct tree *tree = &w->tree;
    tree_clear(w);
    tree->count = 0;
    for (uint32_t tries = 0; tries < 4 * PATHS_MAX && tree->count < PATHS_MAX; tries++) {
        uint32_t parent = tree->count > 4 && draw(w, 4) > 0 ? draw(w, tree->count) : UINT32_MAX;
        if (parent != UINT32_MAX && !tree->dirs[parent]) continue;
        const char *above = parent == UINT32_MAX ? "" : tree->paths[parent];
        char *path = tree->paths[tree->count];
        if (strlen(above) > 60) continue;
        (void)snprintf(path, sizeof tree->paths[0], "%s%s%s", above, above[0] ? "/" : "",
                       PICK(w, names));
        char full[400];
        (void)snprintf(full, sizeof full, "%s/tree/%s", w->dir, path);
        bool is_dir = draw(w, 5) < 3;
        int made = is_dir ? mkdir(full, 0755) : open(full, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (made < 0) continue;
        if (!is_dir) (void)close(made);
        tree->dirs[tree->count++] = is_dir;
    }
    assert_true(tree->count > PATHS_MAX / 2);
}

// A rule is a soup of pieces, or a path of the tree with some of it made wild.
static void rule_make(struct world *w, struct buf *out)
{
    if (draw(w, 5) == 0) buf_append_text(out, "!");
    if (draw(w, 4) == 0) buf_append_text(out, "/");
    if (draw(w, 2) == 0) {
        const char *path = w->tree.paths[draw(w, w->tree.count)];
        for (const char *at = path; *at != '\0'; at++) {
            uint32_t what = (uint8_t)*at < 0x80 ? draw(w, 12) : 11; // characters stay whole
            if (what == 0)
                buf_append_text(out, PICK(w, pieces));
            else if (what == 1)
                buf_append_text(out, "*");
            else if (what == 2 && at[0] == '/')
                buf_append_text(out, "/**/");
            else
                buf_append(out, at, 1);
        }
    } else {
        for (uint32_t i = draw(w, 6) + 1; i > 0; i--)
            buf_append_text(out, PICK(w, pieces));
    }
    if (draw(w, 5) == 0) buf_append_text(out, "/");
    if (draw(w, 8) == 0) buf_append_text(out, "  ");
    if (draw(w, 12) == 0) buf_append_text(out, "\r");
    buf_append_text(out, "\n");
}

static void rules_make(struct world *w, struct buf *out)
{
    if (draw(w, 20) == 0) buf_append_text(out, "\ufeff");
    for (uint32_t i = draw(w, 8) + 1; i > 0; i--) {
        if (draw(w, 10) == 0) buf_append_text(out, draw(w, 2) == 0 ? "# a\n" : "\n");
        rule_make(w, out);
    }
    if (draw(w, 4) == 0) out->size--; // no newline at the end
}

static void file_write(const struct world *w, const char *name, struct slice bytes)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

// Line 0: no rule. As git does it: from the top, and an excluded directory ends it.
static uint32_t our_line(const struct ignore *rules, const char *text, bool is_dir)
{
    struct slice path = slice_text(text);
    struct ignore_match match;
    for (size_t at = 1; at < path.size; at++) {
        if (path.data[at] != '/') continue;
        if (ignore_match(rules, slice_of(path.data, at), true, &match) && !match.negated)
            return match.line;
    }
    return ignore_match(rules, path, is_dir, &match) ? match.line : 0;
}

static const char *field_next(const char **at)
{
    const char *field = *at;
    *at += strlen(field) + 1;
    return field;
}

static void compare(struct world *w, const struct ignore *rules, const char *answer, size_t size)
{
    const char *at = answer;
    for (uint32_t i = 0; i < w->tree.count; i++) {
        assert_true(at < answer + size);
        (void)field_next(&at);
        const char *line = field_next(&at);
        const char *rule = field_next(&at);
        const char *path = field_next(&at);
        assert_string_equal(path, w->tree.paths[i]);
        uint32_t expected = (uint32_t)strtoul(line, NULL, 10);
        uint32_t got = our_line(rules, path, w->tree.dirs[i]);
        w->checks++;
        w->matches += expected != 0;
        if (got == expected) continue;
        print_message(
            "seed %llu\npath \"%s\"%s\ngit: line %u \"%s\"\nwe: line %u\n---- rules\n%.*s\n",
            (unsigned long long)w->seed, path, w->tree.dirs[i] ? " (directory)" : "", expected,
            rule, got, SLICE_ARG(ignore_text(rules)));
        fail();
    }
}

static void ask_git(struct world *w, const struct ignore *rules)
{
    static char answer[ANSWER_MAX];
    char command[512];
    (void)snprintf(
        command, sizeof command,
        "cd '%s/tree' && git check-ignore -v -n -z --no-index --stdin <../paths >../answer",
        w->dir);
    int code = system(command);
    // 1: nothing is ignored.
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) <= 1);
    (void)snprintf(command, sizeof command, "%s/answer", w->dir);
    FILE *file = fopen(command, "r");
    assert_non_null(file);
    size_t size = fread(answer, 1, sizeof answer, file);
    (void)fclose(file);
    assert_true(size < sizeof answer);
    compare(w, rules, answer, size);
}

static void paths_write(struct world *w)
{
    AUTO(buf_fini) struct buf list = {0};
    for (uint32_t i = 0; i < w->tree.count; i++)
        buf_append(&list, w->tree.paths[i], strlen(w->tree.paths[i]) + 1);
    file_write(w, "paths", buf_slice(&list));
}

static void names_the_same_rule_as_git(void **state)
{
    struct world *w = *state;
    const char *asked = getenv("CFGSYNC_CASES");
    uint32_t trees =
        asked != NULL ? (uint32_t)strtoul(asked, NULL, 10) / FILES_PER_TREE + 1 : TREES;
    for (uint32_t tree = 0; tree < trees; tree++) {
        tree_make(w);
        paths_write(w);
        for (uint32_t i = 0; i < FILES_PER_TREE; i++) {
            AUTO(buf_fini) struct buf text = {0};
            struct ignore_fault fault;
            rules_make(w, &text);
            AUTO(ignore_destroy) struct ignore *rules = ignore_parse(buf_slice(&text), &fault);
            if (rules == NULL) print_message("line %u %s\n", fault.line, fault.what);
            assert_non_null(rules);
            file_write(w, "tree/.git/info/exclude", buf_slice(&text));
            ask_git(w, rules);
        }
    }
    print_message("%u paths asked, %u of them matched a rule\n", w->checks, w->matches);
    assert_true(w->matches > w->checks / 20);
}

static int setup(void **state)
{
    static struct world world;
    char command[256];
    const char *seed = getenv("CFGSYNC_SEED");
    world.seed = seed != NULL ? (uint64_t)strtoull(seed, NULL, 10)
                              : (uint64_t)time(NULL) << 16 | (uint64_t)getpid();
    world.random = world.seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    (void)snprintf(world.dir, sizeof world.dir, "/tmp/cfgsync-ignore-XXXXXX");
    if (mkdtemp(world.dir) == NULL) return -1;
    // No configuration but ours counts.
    (void)setenv("HOME", world.dir, 1);
    (void)setenv("XDG_CONFIG_HOME", world.dir, 1);
    (void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    (void)unsetenv("GIT_DIR");
    (void)unsetenv("GIT_INDEX_FILE");
    (void)unsetenv("GIT_WORK_TREE");
    (void)snprintf(command, sizeof command, "git init -q '%s/tree'", world.dir);
    *state = &world;
    return system(command);
}

static int teardown(void **state)
{
    const struct world *w = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", w->dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_the_same_rule_as_git)};
    if (system("git --version >/dev/null 2>&1") != 0) {
        (void)puts("SKIP: there is no git to ask");
        return 0;
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
