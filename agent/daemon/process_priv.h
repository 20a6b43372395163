// SPDX-License-Identifier: MIT
//
// agent/daemon/process — what the system says of this process.
#ifndef AGENT_DAEMON_PROCESS_PRIV_H
#define AGENT_DAEMON_PROCESS_PRIV_H

#include <stdint.h>

uint64_t process_rss_bytes(void); // 0: unknown
uint64_t process_cpu_ms(void);
void process_memory_keep(void);   // before there are threads: what is freed is soon used again
void process_memory_return(void); // when that is over

#endif
