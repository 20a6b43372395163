// SPDX-License-Identifier: MIT
//
// As much of a dispatch queue as watch_fsevents.c needs where test_fsevents.c stands for the
// system: all is called by one thread, so that a queue has nothing to do.
#ifndef TESTS_FSEVENTS_DISPATCH_H
#define TESTS_FSEVENTS_DISPATCH_H

typedef struct queue *dispatch_queue_t;
dispatch_queue_t dispatch_queue_create(const char *name, void *attributes);
void dispatch_release(dispatch_queue_t queue);
void dispatch_sync_f(dispatch_queue_t queue, void *context, void (*work)(void *context));

#endif
