// SPDX-License-Identifier: MIT
//
// Names are looked up in threads, because a lookup can take many seconds and ZeroMQ would do it in
// the I/O thread, where it stops heartbeats; in several, so that a name of a network that is not
// there now holds up no other. A lookup cannot be interrupted, so the threads are detached and
// whoever lets go last frees.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/mailbox.h"
#include "agent/base/own.h"
#include "agent/base/thread.h"
#include "agent/net/net_priv.h"

enum { RESOLVER_THREADS = 4 };

struct question {
    struct device_id device;
    uint64_t ticket;
    uint32_t rank;
    struct address address;
};

struct resolver {
    struct mailbox *questions;
    struct mailbox *answers;
    int wake[2];
    atomic_int holders;
};

static void resolver_release(struct resolver *resolver)
{
    if (atomic_fetch_sub(&resolver->holders, 1) != 1) return;
    for (void *left; (left = mailbox_try(resolver->questions));)
        free(left);
    for (void *left; (left = mailbox_try(resolver->answers));)
        free(left);
    mailbox_destroy(&resolver->questions);
    mailbox_destroy(&resolver->answers);
    fd_close(&resolver->wake[0]);
    fd_close(&resolver->wake[1]);
    free(resolver);
}

static void resolver_wake(void *context)
{
    struct resolver *resolver = context;
    ssize_t written = write(resolver->wake[1], "", 1);
    (void)written; // a full pipe wakes as well
}

static void *resolver_run(void *argument)
{
    struct resolver *resolver = argument;
    for (struct question *question; (question = mailbox_wait(resolver->questions));) {
        struct resolved *answer = mem_zalloc(1, sizeof *answer);
        answer->device = question->device;
        answer->ticket = question->ticket;
        answer->rank = question->rank;
        answer->count = address_resolve(&question->address, answer->endpoints);
        free(question);
        mailbox_put(resolver->answers, answer);
    }
    resolver_release(resolver);
    return NULL;
}

static void resolver_launch(struct resolver *resolver)
{
    atomic_fetch_add(&resolver->holders, 1);
    if (!thread_start_detached(resolver_run, resolver)) atomic_fetch_sub(&resolver->holders, 1);
}

struct resolver *resolver_new(void)
{
    struct resolver *resolver = mem_zalloc(1, sizeof *resolver);
    resolver->wake[0] = resolver->wake[1] = -1;
    resolver->questions = mailbox_new(NULL, NULL);
    resolver->answers = mailbox_new(resolver_wake, resolver);
    atomic_init(&resolver->holders, 1);
    if (pipe(resolver->wake) == 0) {
        for (int i = 0; i < 2; i++) {
            fcntl(resolver->wake[i], F_SETFD, FD_CLOEXEC);
            fcntl(resolver->wake[i], F_SETFL, O_NONBLOCK);
        }
        for (int i = 0; i < RESOLVER_THREADS; i++)
            resolver_launch(resolver);
    }
    if (atomic_load(&resolver->holders) > 1) return resolver;
    resolver_release(resolver);
    return NULL;
}

void resolver_destroy(struct resolver **resolver)
{
    if (!*resolver) return;
    mailbox_close((*resolver)->questions);
    resolver_release(*resolver);
    *resolver = NULL;
}

void resolver_ask(struct resolver *resolver, struct device_id device, uint64_t ticket,
                  uint32_t rank, const struct address *address)
{
    struct question *question = mem_zalloc(1, sizeof *question);
    *question = (struct question){device, ticket, rank, *address};
    mailbox_put(resolver->questions, question);
}

struct resolved *resolver_next(struct resolver *resolver)
{
    uint8_t bytes[64];
    while (read(resolver->wake[0], bytes, sizeof bytes) > 0) {
    }
    return mailbox_try(resolver->answers);
}

int resolver_fd(const struct resolver *resolver)
{
    return resolver->wake[0];
}
