// SPDX-License-Identifier: MIT
#include <time.h>

#include "agent/daemon/sleep_priv.h"

int64_t sleep_total_ms(void)
{
    uint64_t standing = clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
    return (int64_t)((clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW) - standing) / 1000000);
}

// The interfaces come up again on waking, and the routing socket tells that.
int sleep_open(void)
{
    return -1;
}

void sleep_drain(int fd)
{
    (void)fd;
}
