// SPDX-License-Identifier: MIT
//
// The worker pool: every job comes back once, and what is quick passes what is slow.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/daemon/pool_priv.h"

// Slow jobs wait until the gate opens.
struct gate {
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    bool open;
    unsigned waiting;
};

static void run(void *context, struct job *job)
{
    struct gate *gate = context;
    if (job->kind != JOB_SCAN && !job->look.large) return;
    pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    pthread_cond_broadcast(&gate->opened);
    while (!gate->open)
        pthread_cond_wait(&gate->opened, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->mutex);
}

static void gate_await(struct gate *gate, unsigned waiting)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->waiting < waiting)
        pthread_cond_wait(&gate->opened, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

static struct job *numbered(enum job_kind kind, uint64_t number)
{
    struct job *job = job_new(kind, 1);
    job->context = mem_zalloc(1, 40); // as the engine's; leaks are looked for under ASan
    job->number = number;
    return job;
}

static void quick_jobs_pass_slow_ones(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct mailbox *results = mailbox_new(NULL, NULL);
    struct pool *pool = pool_new(2, false, run, &gate, results);
    for (uint64_t i = 0; i < 10; i++)
        pool_submit(pool, numbered(JOB_SCAN, i));
    gate_await(&gate, 2); // both threads of the slow lane are taken
    for (uint64_t i = 100; i < 150; i++)
        pool_submit(pool, numbered(JOB_HEALTH, i));
    for (int i = 0; i < 50; i++) {
        struct job *job = mailbox_wait(results);
        assert_int_equal(job->kind, JOB_HEALTH);
        job_destroy(&job);
    }
    gate_open(&gate);
    uint32_t seen = 0;
    for (int i = 0; i < 10; i++) {
        struct job *job = mailbox_wait(results);
        seen |= 1u << job->number;
        job_destroy(&job);
    }
    assert_int_equal(seen, 0x3ff);
    pool_destroy(&pool);
    mailbox_destroy(&results);
}

static void large_looks_leave_a_thread(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    struct mailbox *results = mailbox_new(NULL, NULL);
    struct pool *pool = pool_new(3, false, run, &gate, results);
    for (uint64_t i = 0; i < 6; i++) {
        struct job *job = numbered(JOB_LOOK, i);
        job->look.count = 1;
        job->look.large = true;
        assert_false(job_is_fast(job));
        pool_submit(pool, job);
    }
    gate_await(&gate, 2);
    for (uint64_t i = 100; i < 150; i++)
        pool_submit(pool, numbered(JOB_COPY, i));
    for (int i = 0; i < 50; i++) {
        struct job *job = mailbox_wait(results);
        assert_int_equal(job->kind, JOB_COPY);
        job_destroy(&job);
    }
    gate_open(&gate);
    for (int i = 0; i < 6; i++) {
        struct job *job = mailbox_wait(results);
        assert_int_equal(job->kind, JOB_LOOK);
        job_destroy(&job);
    }
    pool_destroy(&pool);
    mailbox_destroy(&results);
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0};
    struct mailbox *results = mailbox_new(NULL, NULL);
    struct pool *pool = pool_new(3, false, run, &gate, results);
    for (int i = 0; i < 3000; i++) {
        pool_submit(pool, numbered(i % 3 ? JOB_HEALTH : JOB_SCAN, 0));
        if (i % 2) pool_submit(pool, numbered(JOB_HEALTH, 0));
        for (int n = 0; n <= i % 2; n++) {
            struct job *job = mailbox_wait(results);
            job_destroy(&job);
        }
    }
    pool_destroy(&pool);
    mailbox_destroy(&results);
}

static void closing_waits_for_running_and_drops_the_rest(void **state)
{
    (void)state;
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, 0};
    struct mailbox *results = mailbox_new(NULL, NULL);
    struct pool *pool = pool_new(2, false, run, &gate, results);
    for (uint64_t i = 0; i < 500; i++)
        pool_submit(pool, numbered(JOB_SCAN, i));
    pool_destroy(&pool);
    assert_null(pool);
    for (struct job *job; (job = mailbox_try(results)) != NULL;)
        job_destroy(&job);
    mailbox_destroy(&results);
}

static void which_jobs_are_quick(void **state)
{
    (void)state;
    struct job job = {.kind = JOB_LOOK, .look = {.count = 1}};
    assert_true(job_is_fast(&job));
    job.look.count = 2;
    assert_false(job_is_fast(&job));
    job = (struct job){.kind = JOB_SCAN};
    assert_false(job_is_fast(&job));
    struct read_entry entry = {.content = {.size = 100}};
    job = (struct job){.kind = JOB_READ, .read = {.entries = &entry, .count = 1}};
    assert_true(job_is_fast(&job));
    entry.content.size = 1 << 30;
    assert_false(job_is_fast(&job));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_jobs_pass_slow_ones),
        cmocka_unit_test(large_looks_leave_a_thread),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(closing_waits_for_running_and_drops_the_rest),
        cmocka_unit_test(which_jobs_are_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
