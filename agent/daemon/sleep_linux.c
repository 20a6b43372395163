// SPDX-License-Identifier: MIT
//
// A timer of the wall clock that never comes due is cancelled when that clock jumps, as it does on
// waking (timerfd_create(2)): that ends the sleep in poll, in which no time has passed.
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/daemon/sleep_priv.h"

int64_t sleep_total_ms(void)
{
    int64_t standing = clock_ms(CLOCK_MONOTONIC);
    return clock_ms(CLOCK_BOOTTIME) - standing;
}

static void arm(int fd)
{
    struct itimerspec never = {.it_value = {.tv_sec = INT32_MAX}};
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

int sleep_open(void)
{
    int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd >= 0) arm(fd);
    return fd;
}

void sleep_drain(int fd)
{
    uint64_t times;
    ssize_t size = read(fd, &times, sizeof times); // ECANCELED
    (void)size;
    arm(fd);
}
