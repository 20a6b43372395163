// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "pair_test.h"

// ---- as it should be

static void two_pair(void **state)
{
    (void)state;
    struct side a, b;
    meet(&a, &b);
    assert_int_equal(stranger_dial(a.at), -1); // nobody else may come now
    pair_answer(a.pair, true);
    pair_answer(b.pair, true);
    expect_plain(&a, PAIR_AGREED);
    expect_plain(&b, PAIR_AGREED);
    assert_null(mailbox_try(a.events));
    pair_stored(b.pair, true);
    pair_stored(a.pair, true);
    expect_plain(&a, PAIR_DONE);
    expect_plain(&b, PAIR_DONE);
    side_end(&a);
    side_end(&b);
}

static void one_says_no(void **state)
{
    (void)state;
    for (int who = 0; who < 2; who++) {
        struct side sides[2];
        meet(&sides[0], &sides[1]);
        pair_answer(sides[1 - who].pair, true);
        pair_answer(sides[who].pair, false);
        expect_end(&sides[who], PAIR_END_DECLINED_HERE, false);
        expect_end(&sides[1 - who], PAIR_END_DECLINED, true);
        side_end(&sides[0]);
        side_end(&sides[1]);
    }
}

static void one_cannot_store(void **state)
{
    (void)state;
    struct side a, b;
    meet(&a, &b);
    pair_answer(a.pair, true);
    pair_answer(b.pair, true);
    expect_plain(&a, PAIR_AGREED);
    expect_plain(&b, PAIR_AGREED);
    pair_stored(a.pair, true);
    pair_stored(b.pair, false);
    expect_end(&a, PAIR_END_FAILED, true);
    expect_end(&b, PAIR_END_FAILED, false);
    side_end(&a);
    side_end(&b);
}

static void one_goes_away(void **state)
{
    (void)state;
    struct side a, b;
    meet(&a, &b);
    side_end(&b);
    expect_end(&a, PAIR_END_DECLINED, true);
    side_end(&a);
}

// Two orders at once are both carried out.
static void one_goes_right_after_the_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct side a, b;
        meet(&a, &b);
        pair_answer(a.pair, true);
        side_end(&a);
        expect_end(&b, PAIR_END_DECLINED, true);
        side_end(&b);
    }
}

static void nobody_answers_in_time(void **state)
{
    (void)state;
    static const struct pair_times brief = {60000, 60000, 300, 3000};
    struct side a, b;
    side_begin(&a, 1, CODE, NULL, &brief);
    side_begin(&b, 2, CODE, a.at, &patient);
    expect_met(&a, &b);
    expect_met(&b, &a);
    expect_end(&a, PAIR_END_NOT_ANSWERED, false);
    expect_end(&b, PAIR_END_EXPIRED, true);
    side_end(&a);
    side_end(&b);
}

// ---- codes

static void a_wrong_code_is_the_end_of_it(void **state)
{
    (void)state;
    struct side a, b;
    side_begin(&a, 1, CODE, NULL, &patient);
    side_begin(&b, 2, OTHER, a.at, &patient);
    expect_end(&a, PAIR_END_GUESSED, false);
    expect_end(&b, PAIR_END_WRONG_CODE, true);
    assert_int_equal(stranger_dial(a.at), -1); // the right one comes too late
    side_end(&b);
    side_begin(&b, 2, CODE, a.at, &patient);
    expect_end(&b, PAIR_END_REFUSED, false);
    side_end(&a);
    side_end(&b);
}

static void a_code_lives_only_so_long(void **state)
{
    (void)state;
    static const struct pair_times brief = {300, 60000, 60000, 3000};
    struct side a;
    side_begin(&a, 1, CODE, NULL, &brief);
    int fd = say_begin(a.at);
    hear_share(fd);
    hear_bye(fd, PAIR_END_EXPIRED);
    expect_end(&a, PAIR_END_NOBODY_CAME, false);
    assert_int_equal(stranger_dial(a.at), -1);
    side_end(&a);
}

// Who joins shows that it knows the code only to a proof that depends on it, so somebody who sits
// at the address and does not know the code gets one guess, too.
static void a_false_offerer_is_noticed(void **state)
{
    (void)state;
    struct side a, b;
    side_begin(&a, 1, OTHER, NULL, &patient);
    side_begin(&b, 2, CODE, a.at, &patient);
    expect_end(&b, PAIR_END_WRONG_CODE, true);
    expect_end(&a, PAIR_END_GUESSED, false);
    side_end(&a);
    side_end(&b);
}

static void nobody_is_there(void **state)
{
    (void)state;
    struct side b;
    side_begin(&b, 2, CODE, "tcp://127.0.0.1:1", &patient);
    expect_end(&b, PAIR_END_REFUSED, false);
    side_end(&b);
    // A label too long for DNS, so that nobody is asked.
    side_begin(
        &b, 2, CODE,
        "tcp://xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid:1",
        &patient);
    expect_end(&b, PAIR_END_UNKNOWN_HOST, false);
    side_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_pair),
        cmocka_unit_test(one_says_no),
        cmocka_unit_test(one_cannot_store),
        cmocka_unit_test(one_goes_away),
        cmocka_unit_test(one_goes_right_after_the_answer),
        cmocka_unit_test(nobody_answers_in_time),
        cmocka_unit_test(a_wrong_code_is_the_end_of_it),
        cmocka_unit_test(a_code_lives_only_so_long),
        cmocka_unit_test(a_false_offerer_is_noticed),
        cmocka_unit_test(nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
