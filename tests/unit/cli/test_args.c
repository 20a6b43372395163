// SPDX-License-Identifier: MIT
//
// Words, options and what a mistyped one may have been.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/base/suggest.h"
#include "agent/cli/args_priv.h"
#include "agent/cli/verb_priv.h"

static const struct cli_option options[] = {
    {"--with", "PEER", ""},
    {"--wait", NULL, ""},
    {NULL, NULL, NULL},
};

#define PARSE(args, message, ...)                                                                  \
    args_parse((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__},   \
               options, args, message)

static void words_and_options_mix(void **state)
{
    (void)state;
    struct args args;
    AUTO(buf_fini) struct buf message = {0};
    assert_true(PARSE(&args, &message, "a", "--with", "x,y", "b", "--wait", "--with=z", "--home",
                      "/h", "-", "--", "--with"));
    assert_int_equal(args.word_count, 4);
    assert_string_equal(args.words[1], "b");
    assert_string_equal(args.words[2], "-");
    assert_string_equal(args.words[3], "--with");
    assert_true(args_has(&args, "--wait"));
    assert_false(args_has(&args, "--json"));
    assert_string_equal(args_value(&args, "--home"), "/h");
    assert_string_equal(args_value(&args, "--with"), "z");
    size_t at = 0;
    assert_string_equal(args_next(&args, "--with", &at), "x,y");
    assert_string_equal(args_next(&args, "--with", &at), "z");
    assert_null(args_next(&args, "--with", &at));
    assert_null(args_value(&args, "--nothing"));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct args args;
    AUTO(buf_fini) struct buf message = {0};
    assert_false(PARSE(&args, &message, "a", "--wiht", "x"));
    assert_non_null(strstr(buf_text(&message), "--wiht; did you mean --with?"));
    buf_clear(&message);
    assert_false(PARSE(&args, &message, "--zzzzzzz"));
    assert_null(strstr(buf_text(&message), "mean"));
    buf_clear(&message);
    assert_false(PARSE(&args, &message, "--with"));
    assert_non_null(strstr(buf_text(&message), "needs a value"));
    buf_clear(&message);
    assert_false(PARSE(&args, &message, "--wait=yes"));
    assert_non_null(strstr(buf_text(&message), "takes no value"));
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct args args;
    AUTO(buf_fini) struct buf message = {0};
    char word[] = "word";
    char flag[] = "--wait";
    char *words[ARGS_WORDS_MAX + 1];
    char *flags[ARGS_OPTIONS_MAX + 1];
    for (size_t i = 0; i < ARGS_WORDS_MAX + 1; i++)
        words[i] = word;
    for (size_t i = 0; i < ARGS_OPTIONS_MAX + 1; i++)
        flags[i] = flag;
    assert_true(args_parse(ARGS_WORDS_MAX, words, options, &args, &message));
    assert_false(args_parse(ARGS_WORDS_MAX + 1, words, options, &args, &message));
    assert_true(args_parse(ARGS_OPTIONS_MAX, flags, options, &args, &message));
    assert_false(args_parse(ARGS_OPTIONS_MAX + 1, flags, options, &args, &message));
}

static size_t distance(const char *a, const char *b)
{
    return suggest_distance(a, strlen(a), b, strlen(b));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(distance("", ""), 0);
    assert_int_equal(distance("sync", "sync"), 0);
    assert_int_equal(distance("", "sync"), 4);
    assert_int_equal(distance("snyc", "sync"), 1); // neighbours swapped
    assert_int_equal(distance("sinc", "sync"), 1);
    assert_int_equal(distance("syncs", "sync"), 1);
    assert_int_equal(distance("kitten", "sitting"), 3);
    for (const char *const *a = (const char *const[]){"status", "stop", "", "x", NULL}; *a; a++) {
        assert_int_equal(distance(*a, "statsu"), distance("statsu", *a));
    }
    char longer[80];
    memset(longer, 'x', sizeof longer);
    assert_true(suggest_distance(longer, sizeof longer, "sync", 4) > 1000);
}

static const char *nearest(const char *typed)
{
    struct suggestion best;
    suggest_begin(&best, typed, strlen(typed));
    for (size_t i = 0; verb_table[i] != NULL; i++)
        suggest_offer(&best, verb_table[i]->name);
    return best.text;
}

static void suggestions(void **state)
{
    (void)state;
    assert_string_equal(nearest("statsu"), "status");
    assert_string_equal(nearest("snyc"), "sync");
    assert_string_equal(nearest("folder acept"), "folder accept");
    assert_string_equal(nearest("stat"), "status");
    assert_null(nearest("xyzzy"));
    assert_null(nearest("q"));
}

static void the_table_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        const struct cli_verb *verb = verb_table[i];
        assert_ptr_equal(verb_find(verb->name), verb);
        assert_non_null(verb->usage);
        assert_non_null(verb->help);
        assert_true(strlen(verb->summary) > 10);
        assert_non_null(verb->run);
        assert_true(verb->words_min <= verb->words_max);
        for (const struct cli_option *o = verb->options; o != NULL && o->name != NULL; o++) {
            assert_non_null(o->help);
            assert_non_null(strstr(verb->usage[0] != '\0' ? verb->usage : "", o->name));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_options_mix), cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(too_much_is_refused),   cmocka_unit_test(distances),
        cmocka_unit_test(suggestions),           cmocka_unit_test(the_table_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
