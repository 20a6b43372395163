// SPDX-License-Identifier: MIT
//
// What a person can set of a folder, and what cannot be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/store/setting.h"

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting found = SETTING_COUNT;
        enum setting setting = (enum setting)i;
        assert_true(setting_find(slice_text(setting_name(setting)), &found));
        assert_int_equal(found, setting);
        assert_null(setting_fault(setting, setting_default(setting)));
    }
    enum setting none;
    assert_false(setting_find(slice_text("brak"), &none));
    assert_false(setting_find(slice_text(""), &none));
}

static void test_defaults(void **state)
{
    (void)state;
    char *texts[SETTING_COUNT] = {NULL};
    struct settings s = settings_read(texts);
    assert_true(!s.brake_off && !s.brake_strict);
    assert_true(s.deletes == 20 && s.deletes_percent == 25);
    assert_true(s.rewrites == 50 && s.rewrites_percent == 50);
    assert_true(s.keep_days == 30 && s.keep_percent == 10 && s.keep_bytes == 0);
    assert_int_equal(s.base_bytes, 64 << 20);
    assert_true(!s.send_only && !s.receive_only);
}

static void test_modes(void **state)
{
    (void)state;
    static char sends[] = "send-only", receives[] = "receive-only";
    char *texts[SETTING_COUNT] = {[SETTING_MODE] = sends};
    assert_null(setting_fault(SETTING_MODE, sends));
    assert_true(settings_read(texts).send_only);
    texts[SETTING_MODE] = receives;
    assert_null(setting_fault(SETTING_MODE, receives));
    assert_true(settings_read(texts).receive_only);
    assert_non_null(setting_fault(SETTING_MODE, "sendonly"));
}

static void test_values(void **state)
{
    (void)state;
    char strict[] = "strict", many[] = "1000000", percent[] = "100", size[] = "2G";
    char *texts[SETTING_COUNT] = {[SETTING_BRAKE] = strict,
                                  [SETTING_BRAKE_DELETES] = many,
                                  [SETTING_BRAKE_REWRITES_PERCENT] = percent,
                                  [SETTING_KEEP_SPACE] = size};
    struct settings s = settings_read(texts);
    assert_true(s.brake_strict && s.deletes == 1000000 && s.rewrites_percent == 100);
    assert_true(s.keep_percent == 0 && s.keep_bytes == UINT64_C(2) << 30);
    char off[] = "off", most[] = "1024M";
    texts[SETTING_BASE_SPACE] = off;
    assert_int_equal(settings_read(texts).base_bytes, 0);
    texts[SETTING_BASE_SPACE] = most;
    assert_null(setting_fault(SETTING_BASE_SPACE, most));
    assert_int_equal(settings_read(texts).base_bytes, 1 << 30);
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    static const struct {
        enum setting setting;
        const char *texts[12];
    } bad[] = {
        {SETTING_BRAKE, {"on", "OFF", "", "normal "}},
        {SETTING_BRAKE_DELETES, {"0", "-1", "1000001", "99999999999999999999999", "1x", " 1", ""}},
        {SETTING_BRAKE_DELETES_PERCENT, {"0", "101", "25%", ""}},
        {SETTING_KEEP_DAYS, {"0", "3651", "30d", ""}},
        {SETTING_KEEP_SPACE,
         {"10", "0%", "91%", "%", "G", "2g", "2GB", "99999999999999999999T", "1099511627777T", ""}},
        {SETTING_BASE_SPACE, {"0", "10%", "2G", "1025M", "64", "none", ""}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (const char *const *text = bad[i].texts; *text != NULL; text++)
            assert_non_null(setting_fault(bad[i].setting, *text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),          cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_modes),          cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
