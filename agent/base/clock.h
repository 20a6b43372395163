// SPDX-License-Identifier: MIT
//
// agent/base/clock — what the time is.
#ifndef AGENT_BASE_CLOCK_H
#define AGENT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

// Since the clock's beginning. A clock that this system does not have ends the process.
int64_t clock_ns(clockid_t clock);
int64_t clock_ms(clockid_t clock);

#endif
