// SPDX-License-Identifier: MIT
#include "agent/base/thread.h"

#include <signal.h>

bool thread_start(pthread_t *out, void *(*run)(void *argument), void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_running = pthread_create(out, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_running;
}

bool thread_start_detached(void *(*run)(void *argument), void *argument)
{
    pthread_t thread;
    if (!thread_start(&thread, run, argument)) return false;
    pthread_detach(thread);
    return true;
}
