// SPDX-License-Identifier: MIT
#include "agent/base/clock.h"

#include "agent/base/check.h"

int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    CHECK(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_ms(clockid_t clock)
{
    return clock_ns(clock) / 1000000;
}
