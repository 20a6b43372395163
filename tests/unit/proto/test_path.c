// SPDX-License-Identifier: MIT
#include "make.h"
#include "proto/path.h"

static const char *const good[] = {
    "a",
    "a/b",
    ".a",
    "...",
    "..a",
    "a..",
    "a b",
    "-",
    "a\nb",
    "a\\b",
    "\x01",
    "a:b",
    "CON",
    "\xc3\xa9",                 // e acute, composed
    "\xe1\xbb\x87",             // e circumflex dot below, composed
    "\xed\x95\x9c\xea\xb5\xad", // Hangul syllables
    "\xd0\xb9/\xe6\x97\xa5\xe6\x9c\xac",
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", // emoji with a joiner
    "\xcc\x81x",                                    // starts with a combining mark
    ".cfgsyncx",
    "cfgsync",
    ".cfgsync.d",
    "x.cfgsync",
    ".cfgsyncignore",
    ".cfgsync/conflicts/abcdefghijkl-x",
    ".cfgsync/conflicts/.x",
    ".cfgsync/conflicts/\xc3\xa9",
};

static const struct {
    const char *path;
    const char *fault;
} bad[] = {
    {"", "path is empty"},
    {"/a", "path has an empty component"},
    {"a/", "path has an empty component"},
    {"a//b", "path has an empty component"},
    {"/", "path has an empty component"},
    {".", "path has a dot component"},
    {"..", "path has a dot component"},
    {"a/./b", "path has a dot component"},
    {"a/../b", "path has a dot component"},
    {"../a", "path has a dot component"},
    {"a/..", "path has a dot component"},
    {"e\xcc\x81", "path is not NFC"},
    {"a/e\xcc\x81/b", "path is not NFC"},
    {"\xe2\x84\xab", "path is not NFC"},             // Angstrom sign, a singleton
    {"\xe1\x84\x92\xe1\x85\xa1", "path is not NFC"}, // Hangul jamo
    {"a\xcc\x81\xcc\xa3", "path is not NFC"},        // marks out of order
    {"\xff", "path is not UTF-8"},
    {"a/\xc3", "path is not UTF-8"},
    {"\xc0\xaf", "path is not UTF-8"}, // overlong '/'
    {"\xe0\x80\xaf", "path is not UTF-8"},
    {"\xed\xa0\x80", "path is not UTF-8"},     // a surrogate
    {"\xf4\x90\x80\x80", "path is not UTF-8"}, // above U+10FFFF
    {"\x80", "path is not UTF-8"},
    {".cfgsync", "path is inside .cfgsync"},
    {".CFGSYNC", "path is inside .cfgsync"},
    {".CfgSync/x", "path is inside .cfgsync"},
    {"a/.cfgsync/x", "path is inside .cfgsync"},
    {"a/.cfgsync/conflicts/x", "path is inside .cfgsync"},
    {".cfgsync/conflicts", "path is inside .cfgsync"},
    {".cfgsync/conflicts/", "path is inside .cfgsync"},
    {".cfgsync/conflicts/a/b", "path is inside .cfgsync"},
    {".cfgsync/conflicts/..", "path is inside .cfgsync"},
    {".cfgsync/conflicts/.cfgsync", "path is inside .cfgsync"},
    {".cfgsync/conflicts/.CFGSYNC", "path is inside .cfgsync"},
    {".cfgsync/Conflicts/x", "path is inside .cfgsync"},
    {".Cfgsync/conflicts/x", "path is inside .cfgsync"},
    {".cfgsync/staging/x", "path is inside .cfgsync"},
    {".cfg\xc5\xbfync", "path is inside .cfgsync"}, // long s
    {"\xef\xbc\x8e"
     "cfgsync",
     "path is inside .cfgsync"},                                   // fullwidth full stop
    {".\xef\xbd\x83\xef\xbd\x86gsync", "path is inside .cfgsync"}, // fullwidth cf
    {".\xef\xbc\xa3"
     "FGSYNC",
     "path is inside .cfgsync"},                         // fullwidth C
    {".cfgsyn\xe2\x93\x92", "path is inside .cfgsync"},  // circled c
    {".cfg\xe2\x80\x8csync", "path is inside .cfgsync"}, // zero width non-joiner
    {".cfgsync\xef\xbb\xbf", "path is inside .cfgsync"}, // byte order mark
    {"\xe2\x80\xa4"
     "cfgsync/a",
     "path is inside .cfgsync"}, // one dot leader
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *fault = path_fault(slice_text(good[i]));
        if (fault != NULL) fail_msg("%s: %s", good[i], fault);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *fault = path_fault(slice_text(bad[i].path));
        if (fault == NULL || strcmp(fault, bad[i].fault) != 0)
            fail_msg("%zu %s: %s", i, bad[i].path, fault == NULL ? "accepted" : fault);
    }
}

static void expect_fault(struct slice path, const char *expected)
{
    const char *fault = path_fault(path);
    if (expected == NULL)
        assert_null(fault);
    else
        assert_string_equal(fault, expected);
}

static void test_sizes(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    expect_fault(slice_of(text, 255), NULL);
    expect_fault(slice_of(text, 256), "path component is too long");
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = '/';
    expect_fault(slice_of(text, 2 * 64 - 1), NULL);
    expect_fault(slice_of(text, 2 * 65 - 1), "path is too deep");
    memset(text, 'x', sizeof text);
    for (size_t i = 200; i < sizeof text; i += 201)
        text[i] = '/';
    expect_fault(slice_of(text, 4096), NULL);
    expect_fault(slice_of(text, 4097), "path is too long");
    expect_fault(slice_of("a\0b", 3), "path has a NUL");
    expect_fault(slice_of(NULL, 0), "path is empty");
    // 127 characters that decompose into three code points each, composed and not
    for (size_t i = 0; i < 254; i += 2)
        memcpy(text + i, "\xce\x90", 2);
    expect_fault(slice_of(text, 254), NULL);
}

static void test_normalize(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice out;
    struct slice plain = slice_text("plain");
    assert_int_equal(path_normalize(arena, plain, &out), ERR_OK);
    assert_ptr_equal(out.data, plain.data);
    struct slice composed = slice_text("\xc3\xa9\xe6\x97\xa5");
    assert_int_equal(path_normalize(arena, composed, &out), ERR_OK);
    assert_ptr_equal(out.data, composed.data);
    assert_int_equal(path_normalize(arena, slice_text("cafe\xcc\x81"), &out), ERR_OK);
    assert_true(slice_equal(out, slice_text("caf\xc3\xa9")));
    assert_int_equal(path_normalize(arena, slice_text("\xe2\x84\xab"), &out), ERR_OK);
    assert_true(slice_equal(out, slice_text("\xc3\x85")));
    assert_int_equal(path_normalize(arena, slice_text("a\xff"), &out), ERR_UNREPRESENTABLE);
    assert_int_equal(path_normalize(arena, slice_of("", 0), &out), ERR_OK);
    assert_int_equal(out.size, 0);
}

static void assert_fold(const char *from, const char *to)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice folded = path_fold(arena, slice_text(from));
    if (!slice_equal(folded, slice_text(to))) fail_msg("%s folds to %.*s", from, SLICE_ARG(folded));
}

static void test_fold(void **state)
{
    (void)state;
    assert_fold("README/a", "readme/a");
    assert_fold("", "");
    assert_fold("\xc3\x89", "\xc3\xa9"); // E acute
    assert_fold("Stra\xc3\x9f"
                "e",
                "strasse");                              // sharp s
    assert_fold("\xef\xac\x81le", "file");               // fi ligature
    assert_fold("\xef\xbc\xa1", "a");                    // fullwidth A
    assert_fold("\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83"); // capital and final sigma
    assert_fold("A\xe2\x80\x8d"
                "b",
                "ab");                // joiner
    assert_fold("\xe2\x84\xaa", "k"); // Kelvin sign
}

static void test_parts(void **state)
{
    (void)state;
    assert_true(slice_equal(path_parent(slice_text("a/b/c")), slice_text("a/b")));
    assert_int_equal(path_parent(slice_text("a")).size, 0);
    assert_true(slice_equal(path_base(slice_text("a/b/c")), slice_text("c")));
    assert_true(slice_equal(path_base(slice_text("a")), slice_text("a")));
    assert_true(path_below(slice_text("a/b"), slice_text("a")));
    assert_true(path_below(slice_text("a/b/c"), slice_text("a")));
    assert_true(path_below(slice_text("a"), slice_text("")));
    assert_false(path_below(slice_text(""), slice_text("")));
    assert_false(path_below(slice_text("a"), slice_text("a")));
    assert_false(path_below(slice_text("ab"), slice_text("a")));
    assert_false(path_below(slice_text("b/a"), slice_text("a")));
    assert_true(path_is_conflict_item(slice_text(".cfgsync/conflicts/x")));
    assert_false(path_is_conflict_item(slice_text(".cfgsync/conflicts/x/y")));
    assert_false(path_is_conflict_item(slice_text(".cfgsync/conflicts/")));
    assert_false(path_is_conflict_item(slice_text("a/.cfgsync/conflicts/x")));
    assert_true(path_is_internal(slice_text(".CFGsync")));
    assert_false(path_is_internal(slice_text(".cfgsyn")));
    assert_false(path_is_internal(slice_text("\xff")));
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {"a",  "a/b", "a/b/c", "a/c", "a\x01",
                                         "a!", "a-b", "ab",    "b",   "\xc3\xa9"};
    size_t count = sizeof sorted / sizeof sorted[0];
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = path_compare(slice_text(sorted[i]), slice_text(sorted[j]));
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

// Whatever the bytes: no crash, and what is accepted is a fixed point of normalisation.
static void test_random(void **state)
{
    (void)state;
    struct chance c = {11};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    static const char *const parts[] = {
        "e",    "\xcc\x81",        "\xcc\xa3",     "\xe1\x84\x92", "\xe1\x85\xa1", "/",
        ".",    ".cfgsync",        "\xe2\x84\xab", "\xc3",         "\xa9",         "\xef\xac\x81",
        "\xed", "\xf0\x9f\x98\x80"};
    for (int i = 0; i < 50000; i++) {
        arena_reset(arena);
        AUTO(buf_fini) struct buf b = {0};
        for (uint32_t n = chance_below(&c, 8); n > 0; n--)
            buf_append_text(&b, parts[chance_below(&c, sizeof parts / sizeof parts[0])]);
        struct slice path = buf_slice(&b);
        struct slice nfc;
        struct slice again;
        bool utf8 = path_normalize(arena, path, &nfc) == ERR_OK;
        if (path_fault(path) == NULL) assert_true(utf8 && slice_equal(nfc, path));
        if (!utf8) continue;
        assert_int_equal(path_normalize(arena, nfc, &again), ERR_OK);
        assert_true(slice_equal(nfc, again));
        struct slice folded = path_fold(arena, nfc);
        assert_true(slice_equal(folded, path_fold(arena, folded)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_normalize),
        cmocka_unit_test(test_fold),  cmocka_unit_test(test_parts),
        cmocka_unit_test(test_order), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
