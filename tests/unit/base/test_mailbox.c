// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/base/mailbox.h"
#include "agent/base/own.h"

enum { MESSAGES = 20000, PRODUCERS = 3 };

static void count_wake(void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
}

static void keeps_order_across_growth(void **state)
{
    (void)state;
    AUTO(mailbox_destroy) struct mailbox *box = mailbox_new(NULL, NULL);
    static int items[100];
    size_t out = 0;
    assert_null(mailbox_try(box));
    for (size_t in = 0; in < 100; in++) {
        mailbox_put(box, &items[in]);
        if (in % 3 == 0) assert_ptr_equal(mailbox_try(box), &items[out++]);
    }
    assert_int_equal(mailbox_count(box), 100 - out);
    while (out < 100)
        assert_ptr_equal(mailbox_wait(box), &items[out++]);
    assert_null(mailbox_try(box));
}

static void wakes_only_when_it_was_empty(void **state)
{
    (void)state;
    atomic_int wakes = 0;
    int item = 0;
    AUTO(mailbox_destroy) struct mailbox *box = mailbox_new(count_wake, &wakes);
    mailbox_put(box, &item);
    mailbox_put(box, &item);
    assert_int_equal(atomic_load(&wakes), 1);
    (void)mailbox_try(box);
    (void)mailbox_try(box);
    mailbox_put(box, &item);
    assert_int_equal(atomic_load(&wakes), 2);
}

static void close_hands_out_the_rest_then_null(void **state)
{
    (void)state;
    int item = 0;
    AUTO(mailbox_destroy) struct mailbox *box = mailbox_new(NULL, NULL);
    mailbox_put(box, &item);
    mailbox_close(box);
    assert_ptr_equal(mailbox_wait(box), &item);
    assert_null(mailbox_wait(box));
    assert_null(mailbox_wait(box));
}

static int numbers[MESSAGES];

static void *produce(void *context)
{
    for (int i = 0; i < MESSAGES; i++)
        mailbox_put(context, &numbers[i]);
    return NULL;
}

static void *consume(void *context)
{
    uintptr_t taken = 0;
    while (mailbox_wait(context))
        taken++;
    return (void *)taken;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    AUTO(mailbox_destroy) struct mailbox *box = mailbox_new(NULL, NULL);
    pthread_t producers[PRODUCERS];
    pthread_t consumers[2];
    uintptr_t total = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, box), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_create(&producers[i], NULL, produce, box), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i], NULL), 0);
    mailbox_close(box);
    for (int i = 0; i < 2; i++) {
        void *taken = NULL;
        assert_int_equal(pthread_join(consumers[i], &taken), 0);
        total += (uintptr_t)taken;
    }
    assert_int_equal(total, MESSAGES * PRODUCERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_order_across_growth),
        cmocka_unit_test(wakes_only_when_it_was_empty),
        cmocka_unit_test(close_hands_out_the_rest_then_null),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
