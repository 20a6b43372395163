// SPDX-License-Identifier: MIT
//
// agent/daemon/sleep — how long the machine has slept, and being woken when it wakes.
#ifndef AGENT_DAEMON_SLEEP_PRIV_H
#define AGENT_DAEMON_SLEEP_PRIV_H

#include <stdint.h>

// Since it was started; the difference of a clock that goes on meanwhile and one that stands.
int64_t sleep_total_ms(void);

// A descriptor that becomes readable when the machine wakes (or its wall clock is set), until
// sleep_drain. -1: there is none; then it is noticed with the next event.
int sleep_open(void);
void sleep_drain(int fd);

#endif
