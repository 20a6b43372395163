// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/own.h"

static char recorded[4096];
static enum log_level recorded_level;
static enum log_area recorded_area;
static int recorded_count;

static void recorder(enum log_level level, enum log_area area, const char *line)
{
    recorded_level = level;
    recorded_area = area;
    recorded_count++;
    assert_true(strlen(line) < sizeof recorded);
    memcpy(recorded, line, strlen(line) + 1);
    errno = EINVAL; // what a sink does must not matter
}

static int set_up(void **state)
{
    (void)state;
    recorded[0] = '\0';
    recorded_count = 0;
    log_set_sink(recorder);
    log_set_level(LOG_INFO);
    return 0;
}

static void a_line_is_area_phrase_and_tail(void **state)
{
    (void)state;
    errno = ENOENT;
    log_info(LOG_NET, "peer up", "name=%s rtt_ms=%u", "desk", 3U);
    assert_string_equal(recorded, "net: peer up name=desk rtt_ms=3");
    assert_int_equal(recorded_level, LOG_INFO);
    assert_int_equal(recorded_area, LOG_NET);
    assert_int_equal(errno, ENOENT);
    log_error(LOG_STORE, "closed", "%s", "");
    assert_string_equal(recorded, "store: closed");
}

static void levels_and_sink_filter(void **state)
{
    (void)state;
    log_debug(LOG_FS, "quiet", "n=%d", 1);
    assert_int_equal(recorded_count, 0);
    log_set_level(LOG_DEBUG);
    log_debug(LOG_FS, "heard", "n=%d", 1);
    assert_int_equal(recorded_count, 1);
    log_set_level(LOG_ERROR);
    log_warn(LOG_FS, "quiet", "n=%d", 1);
    log_error(LOG_FS, "heard", "n=%d", 1);
    assert_int_equal(recorded_count, 2);
    log_set_sink(NULL);
    log_error(LOG_FS, "dropped", "n=%d", 1);
    assert_int_equal(recorded_count, 2);
}

static void a_long_line_is_cut_and_says_so(void **state)
{
    (void)state;
    char tail[3000];
    memset(tail, 'x', sizeof tail);
    tail[sizeof tail - 1] = '\0';
    log_info(LOG_CLI, "long", "%s", tail);
    assert_int_equal(strlen(recorded), 2047);
    assert_string_equal(recorded + 2047 - 5, "xx...");
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    log_info(LOG_CLI, "name", "file=%s", "a\nerror: forged\x1b[2J");
    assert_string_equal(recorded, "cli: name file=a?error: forged?[2J");
}

static void errno_is_logged_and_mapped(void **state)
{
    (void)state;
    errno = ENOSPC;
    assert_int_equal(log_errno(LOG_FS, "write", slice_text("a\"b")), ERR_NO_SPACE);
    assert_int_equal(errno, ENOSPC);
    assert_non_null(strstr(recorded, "call=write object=\"a\\x22b\""));
    assert_non_null(strstr(recorded, strerror(ENOSPC)));
}

static void assert_escaped(const char *text, const char *expected)
{
    char out[LOG_ESCAPED_MAX];
    assert_string_equal(log_escape(slice_text(text), out), expected);
}

static void escape_lets_printable_text_through(void **state)
{
    (void)state;
    assert_escaped("", "");
    assert_escaped("plain ~ name", "plain ~ name");
    assert_escaped("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
                   "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_escaped("\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
                   "\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf");
}

static void escape_stops_what_a_terminal_or_reader_would_misread(void **state)
{
    (void)state;
    assert_escaped("a\nb\x1b\x7f", "a\\x0ab\\x1b\\x7f");
    assert_escaped("\"'\\", "\\x22\\x27\\x5c");
    assert_escaped("\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f"); // C1
    assert_escaped("\xff\xfe", "\\xff\\xfe");
    assert_escaped("\xc0\xaf\xc1\xbf", "\\xc0\\xaf\\xc1\\xbf"); // overlong
    assert_escaped("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf");          // overlong
    assert_escaped("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"); // overlong
    assert_escaped("\xed\xa0\x80", "\\xed\\xa0\\x80");          // surrogate
    assert_escaped("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); // above U+10FFFF
    assert_escaped("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
    assert_escaped("\xe2\x82", "\\xe2\\x82"); // cut off
    assert_escaped("\xe2\x82x", "\\xe2\\x82x");
    char out[LOG_ESCAPED_MAX];
    assert_string_equal(log_escape(slice_of("a\0b", 3), out), "a\\x00b");
}

// Every length around the limit, with characters of 1, 3 and 4 output bytes.
static void escape_cuts_between_characters(void **state)
{
    (void)state;
    static const char *const units[] = {"x", "\xe2\x82\xac", "\n"};
    static const size_t unit_out[] = {1, 3, 4};
    for (size_t kind = 0; kind < 3; kind++) {
        struct buf text = {0};
        char out[LOG_ESCAPED_MAX];
        for (size_t count = 1; count < 600; count++) {
            buf_append_text(&text, units[kind]);
            memset(out, 'z', sizeof out);
            log_escape(buf_slice(&text), out);
            size_t length = strnlen(out, sizeof out);
            bool cut = count * unit_out[kind] > LOG_ESCAPED_MAX - 1;
            size_t kept = cut ? (LOG_ESCAPED_MAX - 4) / unit_out[kind] : count;
            assert_int_equal(length, kept * unit_out[kind] + (cut ? 3 : 0));
            if (cut) assert_string_equal(out + length - 3, "...");
        }
        buf_fini(&text);
    }
}

static void json_strings_hold_any_bytes(void **state)
{
    (void)state;
    AUTO(json_drop) json_t *good = json_bytes(slice_text("\xc3\xa4\"\\"));
    assert_string_equal(json_string_value(good), "\xc3\xa4\"\\");
    AUTO(json_drop) json_t *bad = json_bytes(slice_of("a\xff\0\n", 4));
    assert_string_equal(json_string_value(bad), "a\\xff\\x00\\x0a");
    AUTO(json_drop) json_t *empty = json_bytes((struct slice){0});
    assert_string_equal(json_string_value(empty), "");
    json_drop(&empty);
    assert_null(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_is_area_phrase_and_tail, set_up),
        cmocka_unit_test_setup(levels_and_sink_filter, set_up),
        cmocka_unit_test_setup(a_long_line_is_cut_and_says_so, set_up),
        cmocka_unit_test_setup(a_line_stays_one_line, set_up),
        cmocka_unit_test_setup(errno_is_logged_and_mapped, set_up),
        cmocka_unit_test(escape_lets_printable_text_through),
        cmocka_unit_test(escape_stops_what_a_terminal_or_reader_would_misread),
        cmocka_unit_test(escape_cuts_between_characters),
        cmocka_unit_test(json_strings_hold_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
