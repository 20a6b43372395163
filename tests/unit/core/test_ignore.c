// SPDX-License-Identifier: MIT
//
// Rules: what files of them are refused and where, what is named, and that none takes long.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/core/ignore.h"

static struct ignore *parsed(const char *text)
{
    struct ignore_fault fault;
    struct ignore *rules = ignore_parse(slice_text(text), &fault);
    assert_non_null(rules);
    assert_null(fault.what);
    return rules;
}

static uint32_t line_of(const struct ignore *rules, const char *path, bool is_dir)
{
    struct ignore_match match;
    return ignore_match(rules, slice_text(path), is_dir, &match) ? match.line : 0;
}

static void the_last_rule_that_matches_is_named(void **state)
{
    (void)state;
    AUTO(ignore_destroy)
    struct ignore *rules = parsed("# first\n*.log\n\n!keep.log\n/top\nbuild/\ndoc/**/x\n");
    struct ignore_match match;
    assert_int_equal(ignore_count(rules), 5);
    assert_true(ignore_match(rules, slice_text("a/b.log"), false, &match));
    assert_int_equal(match.line, 2);
    assert_false(match.negated);
    assert_true(slice_equal(match.rule, slice_text("*.log")));
    assert_true(ignore_match(rules, slice_text("a/keep.log"), false, &match));
    assert_int_equal(match.line, 4);
    assert_true(match.negated);
    assert_true(slice_equal(match.rule, slice_text("!keep.log")));
    assert_int_equal(line_of(rules, "top", false), 5);
    assert_int_equal(line_of(rules, "a/top", false), 0);
    assert_int_equal(line_of(rules, "build", false), 0);
    assert_int_equal(line_of(rules, "a/build", true), 6);
    assert_int_equal(line_of(rules, "doc/x", false), 7);
    assert_int_equal(line_of(rules, "doc/a/b/x", false), 7);
    assert_int_equal(line_of(rules, "a/doc/x", false), 0);
}

// macOS spells names in decomposed form, and editors there write them so; items are composed.
static void rules_are_compared_in_normal_form(void **state)
{
    (void)state;
    AUTO(ignore_destroy) struct ignore *rules = parsed("cafe\xcc\x81/*.txt\n");
    assert_int_equal(line_of(rules, "caf\xc3\xa9/a.txt", false), 1);
}

static void refused(struct slice text, uint32_t line, const char *what)
{
    struct ignore_fault fault;
    struct ignore *rules = ignore_parse(text, &fault);
    assert_null(rules);
    assert_int_equal(fault.line, line);
    assert_string_equal(fault.what, what);
}

static void a_faulty_file_is_refused_by_line(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf text = {0};
    refused(slice_text("a\nb\n\xff\xfe\nc\n"), 3, "is not UTF-8");
    refused(slice_text("# \xc3(\n"), 1, "is not UTF-8");
    refused(slice_of("a\nb\0c\n", 6), 2, "has a NUL byte");

    buf_append_text(&text, "ok\n");
    for (int i = 0; i < IGNORE_RULE_BYTES_MAX + 1; i++)
        buf_append_text(&text, "x");
    refused(buf_slice(&text), 2, "is longer than 1,024 bytes");
    text.size--;
    struct ignore_fault fault;
    AUTO(ignore_destroy) struct ignore *longest = ignore_parse(buf_slice(&text), &fault);
    assert_non_null(longest);

    buf_clear(&text);
    for (int i = 0; i < IGNORE_RULES_MAX; i++)
        buf_append_text(&text, "a\n");
    AUTO(ignore_destroy) struct ignore *most = ignore_parse(buf_slice(&text), &fault);
    assert_non_null(most);
    buf_append_text(&text, "# a comment is no rule\n");
    AUTO(ignore_destroy) struct ignore *commented = ignore_parse(buf_slice(&text), &fault);
    assert_non_null(commented);
    buf_append_text(&text, "b\n");
    refused(buf_slice(&text), IGNORE_RULES_MAX + 2, "is one rule more than 2,048");

    buf_clear(&text);
    for (int i = 0; i < IGNORE_FILE_BYTES_MAX + 1; i++)
        buf_append_text(&text, "#");
    refused(buf_slice(&text), 0, "is larger than 128 KiB");
}

static void an_empty_file_has_no_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "\n",        "\r\n\r\n", "\xef\xbb\xbf",
                                        "   \n#\n", "!\n/\n//\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        AUTO(ignore_destroy) struct ignore *rules = parsed(texts[i]);
        assert_int_equal(line_of(rules, "a", true), 0);
        assert_int_equal(line_of(rules, "a/b", true), 0);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void repeat(struct buf *out, const char *text, size_t size)
{
    while (out->size + strlen(text) <= size)
        buf_append_text(out, text);
}

// Against the longest path there is; exponential matching would not end within the age of the
// universe, quadratic in both not within the test's time.
static void no_rule_takes_long(void **state)
{
    (void)state;
    static const char *const heads[] = {"*a",     "a*",  "**/a*", "*?",
                                        "[a-c]*", "**/", "*a/",   "**\\/a*"};
    AUTO(buf_fini) struct buf path = {0};
    AUTO(buf_fini) struct buf flat = {0};
    repeat(&path, "aaaaaaaaaaaaaaa/", 4096 - 16);
    buf_append_text(&path, "aaaaaaa");
    repeat(&flat, "a", 255);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        AUTO(buf_fini) struct buf text = {0};
        buf_append_text(&text, i % 2 == 0 ? "" : "/");
        repeat(&text, heads[i], IGNORE_RULE_BYTES_MAX - 2);
        buf_append_text(&text, "z");
        AUTO(ignore_destroy) struct ignore *rules = parsed(buf_text(&text));
        int64_t begin = now_ms();
        assert_int_equal(line_of(rules, buf_text(&path), false), 0);
        assert_int_equal(line_of(rules, buf_text(&flat), false), 0);
        int64_t took = now_ms() - begin;
        if (took > 1000) print_message("%s... took %lld ms\n", heads[i], (long long)took);
        assert_true(took < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_rule_that_matches_is_named),
        cmocka_unit_test(rules_are_compared_in_normal_form),
        cmocka_unit_test(a_faulty_file_is_refused_by_line),
        cmocka_unit_test(an_empty_file_has_no_rules),
        cmocka_unit_test(no_rule_takes_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
