// SPDX-License-Identifier: MIT
//
// agent/daemon/priority — gives way to everything else on the machine, for the calling thread.
#ifndef AGENT_DAEMON_PRIORITY_PRIV_H
#define AGENT_DAEMON_PRIORITY_PRIV_H

void priority_lower(void); // of processor and disk; what cannot be had is left

#endif
