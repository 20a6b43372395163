// SPDX-License-Identifier: MIT
//
// A growing ring under one mutex. The wake function runs outside the mutex, so that it may itself
// look at the mailbox.
#include "agent/base/mailbox.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "agent/base/check.h"

enum { MAILBOX_CAPACITY_MIN = 16 };

struct mailbox {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    void (*wake)(void *context);
    void *context;
    void **ring;
    size_t capacity; // a power of two
    size_t first;
    size_t count;
    bool closed;
};

struct mailbox *mailbox_new(void (*wake)(void *context), void *context)
{
    struct mailbox *box = mem_zalloc(1, sizeof *box);
    CHECK(pthread_mutex_init(&box->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&box->filled, NULL) == 0);
    box->wake = wake;
    box->context = context;
    box->capacity = MAILBOX_CAPACITY_MIN;
    box->ring = mem_zalloc(box->capacity, sizeof *box->ring);
    return box;
}

void mailbox_destroy(struct mailbox **box)
{
    if (!*box) return;
    CHECK(pthread_cond_destroy(&(*box)->filled) == 0);
    CHECK(pthread_mutex_destroy(&(*box)->mutex) == 0);
    free((*box)->ring);
    free(*box);
    *box = NULL;
}

static void lock(struct mailbox *box)
{
    CHECK(pthread_mutex_lock(&box->mutex) == 0);
}

static void unlock(struct mailbox *box)
{
    CHECK(pthread_mutex_unlock(&box->mutex) == 0);
}

static void grow(struct mailbox *box)
{
    CHECK(box->capacity <= SIZE_MAX / 4 / sizeof *box->ring);
    void **ring = mem_zalloc(box->capacity * 2, sizeof *ring);
    for (size_t i = 0; i < box->count; i++) {
        ring[i] = box->ring[(box->first + i) & (box->capacity - 1)];
    }
    free(box->ring);
    box->ring = ring;
    box->capacity *= 2;
    box->first = 0;
}

void mailbox_put(struct mailbox *box, void *message)
{
    CHECK(message != NULL);
    lock(box);
    bool was_empty = box->count == 0;
    if (box->count == box->capacity) grow(box);
    box->ring[(box->first + box->count) & (box->capacity - 1)] = message;
    box->count++;
    CHECK(pthread_cond_signal(&box->filled) == 0);
    unlock(box);
    if (was_empty && box->wake) box->wake(box->context);
}

static void *take_first(struct mailbox *box)
{
    if (box->count == 0) return NULL;
    void *message = box->ring[box->first];
    box->first = (box->first + 1) & (box->capacity - 1);
    box->count--;
    return message;
}

void *mailbox_try(struct mailbox *box)
{
    lock(box);
    void *message = take_first(box);
    unlock(box);
    return message;
}

void *mailbox_wait(struct mailbox *box)
{
    lock(box);
    while (box->count == 0 && !box->closed) {
        CHECK(pthread_cond_wait(&box->filled, &box->mutex) == 0);
    }
    void *message = take_first(box);
    unlock(box);
    return message;
}

void mailbox_close(struct mailbox *box)
{
    lock(box);
    box->closed = true;
    CHECK(pthread_cond_broadcast(&box->filled) == 0);
    unlock(box);
}

size_t mailbox_count(struct mailbox *box)
{
    lock(box);
    size_t count = box->count;
    unlock(box);
    return count;
}
