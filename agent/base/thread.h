// SPDX-License-Identifier: MIT
//
// Threads beside the main one, whose the signals are.
#ifndef AGENT_BASE_THREAD_H
#define AGENT_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

// All signals are blocked in it. False: there can be no more threads.
bool thread_start(pthread_t *out, void *(*run)(void *argument), void *argument);
bool thread_start_detached(void *(*run)(void *argument), void *argument);

#endif
