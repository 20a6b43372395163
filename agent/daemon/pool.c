// SPDX-License-Identifier: MIT
//
// The two mailboxes are only queues here: a worker that serves both cannot sleep in one of them, so
// sleeping is done on conditions of the pool's own.
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/thread.h"
#include "agent/daemon/pool_priv.h"
#include "agent/daemon/priority_priv.h"

enum { POOL_THREADS_MIN = 2, POOL_THREADS_MAX = 8, FAST_STEPS_MAX = 16, FAST_STAGE_MAX = 8 };

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t fast_ready; // the dedicated thread sleeps here
    pthread_cond_t any_ready;  // the others
    bool dedicated_sleeps;
    bool closed;
    bool gives_way;
    struct mailbox *fast;
    struct mailbox *slow;
    struct mailbox *large; // slow ones of which some thread is kept free
    unsigned large_count;  // under way
    unsigned large_max;
    struct mailbox *results;
    pool_run *run;
    void *context;
    pthread_t threads[POOL_THREADS_MAX + 1]; // [0] is the dedicated one
    unsigned thread_count;
};

bool job_is_fast(const struct job *job)
{
    switch (job->kind) {
    case JOB_HEALTH: return true;
    case JOB_LOOK: return job->look.count == 1 && !job->look.large;
    case JOB_APPLY: return job->apply.count <= FAST_STEPS_MAX;
    case JOB_STAGE: return job->stage.count <= FAST_STAGE_MAX;
    case JOB_READ:
        return job->read.count == 1 &&
               job->read.entries[0].content.size <= PROTO_PACK_CONTENT_BYTES_MAX;
    case JOB_SCAN:
    case JOB_PART:
    case JOB_REUSE:
    case JOB_SIGN:
    case JOB_PATCH:
    case JOB_DIFF:
    case JOB_LEAF:
    case JOB_FINISH:
    case JOB_COPY:
    case JOB_RECOVER:
    case JOB_BASE: return false;
    }
    return false;
}

static bool job_is_large(const struct job *job)
{
    return job->kind == JOB_LOOK && job->look.large;
}

static unsigned thread_count(unsigned wanted)
{
    long cores = wanted > 0 ? (long)wanted : sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1 || (wanted == 0 && cores < POOL_THREADS_MIN)) cores = POOL_THREADS_MIN;
    return cores > POOL_THREADS_MAX ? POOL_THREADS_MAX : (unsigned)cores;
}

static void lock(struct pool *pool)
{
    CHECK(pthread_mutex_lock(&pool->mutex) == 0);
}

static void unlock(struct pool *pool)
{
    CHECK(pthread_mutex_unlock(&pool->mutex) == 0);
}

static struct job *large_try(struct pool *pool)
{
    struct job *job = pool->large_count < pool->large_max ? mailbox_try(pool->large) : NULL;
    if (job != NULL) pool->large_count++;
    return job;
}

static void large_ended(struct pool *pool)
{
    lock(pool);
    pool->large_count--;
    unlock(pool);
}

// The next job for this thread, or NULL when the pool has been closed.
static struct job *next_job(struct pool *pool, bool dedicated)
{
    lock(pool);
    struct job *job = NULL;
    while (!pool->closed) {
        job = mailbox_try(pool->fast);
        if (job == NULL && !dedicated) job = large_try(pool);
        if (job == NULL && !dedicated) job = mailbox_try(pool->slow);
        if (job != NULL) break;
        if (dedicated) pool->dedicated_sleeps = true;
        CHECK(pthread_cond_wait(dedicated ? &pool->fast_ready : &pool->any_ready, &pool->mutex) ==
              0);
        if (dedicated) pool->dedicated_sleeps = false;
    }
    unlock(pool);
    return job;
}

static void serve(struct pool *pool, bool dedicated)
{
    for (struct job *job; (job = next_job(pool, dedicated)) != NULL;) {
        pool->run(pool->context, job);
        if (job_is_large(job)) large_ended(pool);
        mailbox_put(pool->results, job);
    }
}

static void *serve_fast(void *pool)
{
    serve(pool, true);
    return NULL;
}

static void *serve_all(void *pool)
{
    if (((struct pool *)pool)->gives_way) priority_lower();
    serve(pool, false);
    return NULL;
}

struct pool *pool_new(unsigned threads, bool gives_way, pool_run *run, void *context,
                      struct mailbox *results)
{
    struct pool *pool = mem_zalloc(1, sizeof *pool);
    pool->gives_way = gives_way;
    CHECK(pthread_mutex_init(&pool->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&pool->fast_ready, NULL) == 0);
    CHECK(pthread_cond_init(&pool->any_ready, NULL) == 0);
    pool->fast = mailbox_new(NULL, NULL);
    pool->slow = mailbox_new(NULL, NULL);
    pool->large = mailbox_new(NULL, NULL);
    pool->results = results;
    pool->run = run;
    pool->context = context;
    pool->thread_count = thread_count(threads) + 1;
    pool->large_max = pool->thread_count > 2 ? pool->thread_count - 2 : 1;
    for (unsigned i = 0; i < pool->thread_count; i++)
        CHECK(thread_start(&pool->threads[i], i == 0 ? serve_fast : serve_all, pool));
    return pool;
}

void pool_submit(struct pool *pool, struct job *job)
{
    lock(pool);
    if (job_is_fast(job)) {
        mailbox_put(pool->fast, job);
        // A second fast job may come before the dedicated thread has woken: then both are woken,
        // and who finds nothing sleeps again.
        bool alone = pool->dedicated_sleeps && mailbox_count(pool->fast) == 1;
        if (pool->dedicated_sleeps) CHECK(pthread_cond_signal(&pool->fast_ready) == 0);
        if (!alone) CHECK(pthread_cond_signal(&pool->any_ready) == 0);
    } else {
        mailbox_put(job_is_large(job) ? pool->large : pool->slow, job);
        CHECK(pthread_cond_signal(&pool->any_ready) == 0);
    }
    unlock(pool);
}

static void drop_all(struct mailbox **box)
{
    for (struct job *job; (job = mailbox_try(*box)) != NULL;)
        job_destroy(&job);
    mailbox_destroy(box);
}

void pool_destroy(struct pool **pool)
{
    struct pool *self = *pool;
    if (self == NULL) return;
    lock(self);
    self->closed = true;
    CHECK(pthread_cond_broadcast(&self->fast_ready) == 0);
    CHECK(pthread_cond_broadcast(&self->any_ready) == 0);
    unlock(self);
    for (unsigned i = 0; i < self->thread_count; i++)
        CHECK(pthread_join(self->threads[i], NULL) == 0);
    drop_all(&self->fast);
    drop_all(&self->slow);
    drop_all(&self->large);
    CHECK(pthread_cond_destroy(&self->any_ready) == 0);
    CHECK(pthread_cond_destroy(&self->fast_ready) == 0);
    CHECK(pthread_mutex_destroy(&self->mutex) == 0);
    free(self);
    *pool = NULL;
}
