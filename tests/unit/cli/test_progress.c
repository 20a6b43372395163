// SPDX-License-Identifier: MIT
//
// How fast what is left gets less, and how long it will take.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/cli/progress_priv.h"

static void says(const struct pace *pace, const char *expected)
{
    AUTO(buf_fini) struct buf out = {0};
    pace_print(pace, &out);
    assert_string_equal(buf_text(&out), expected);
}

static void nothing_is_said_too_early(void **state)
{
    (void)state;
    struct pace pace = {0};
    says(&pace, "");
    pace_see(&pace, 1000, 10000000);
    says(&pace, "");
    pace_see(&pace, 1050, 9000000); // too near to the last look to say anything
    says(&pace, "");
    pace_see(&pace, 2000, 8000000);
    says(&pace, ", 2.0 MB/s, 4 s left");
}

static void more_to_do_begins_anew(void **state)
{
    (void)state;
    struct pace pace = {0};
    pace_see(&pace, 1000, 2000000);
    pace_see(&pace, 2000, 1000000);
    says(&pace, ", 1.0 MB/s, 1 s left");
    pace_see(&pace, 3000, 5000000);
    says(&pace, "");
    pace_see(&pace, 2000, 1000000); // a clock that goes back
    says(&pace, "");
    pace_see(&pace, 3000, 0);
    says(&pace, "");
}

static void long_times(void **state)
{
    (void)state;
    struct pace pace = {.at_ms = 1, .left = 600000, .rate = 1000};
    says(&pace, ", 1.0 kB/s, 10 min left");
    pace.left = 36000000;
    says(&pace, ", 1.0 kB/s, 10 h left");
    pace.left = UINT64_MAX;
    says(&pace, ", 1.0 kB/s, days left");
}

static void what_is_under_way_is_added_up(void **state)
{
    (void)state;
    AUTO(json_drop)
    json_t *status = json_loads(
        "{\"folders\": [{\"pending_in\": {\"changes\": 2, \"bytes\": 10}, \"scanning\": true,"
        " \"scanned\": 7}, {\"pending_out\": {\"changes\": 3, \"bytes\": 5},"
        " \"pending_in\": {\"changes\": 1, \"bytes\": 1}}]}",
        0, NULL);
    struct under_way all;
    under_way_read(status, &all);
    assert_int_equal(all.in_changes, 3);
    assert_int_equal(all.in_bytes, 11);
    assert_int_equal(all.out_changes, 3);
    assert_int_equal(all.out_bytes, 5);
    assert_int_equal(all.scanned, 7);
    under_way_read(NULL, &all);
    assert_int_equal(all.in_changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_too_early),
        cmocka_unit_test(more_to_do_begins_anew),
        cmocka_unit_test(long_times),
        cmocka_unit_test(what_is_under_way_is_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
