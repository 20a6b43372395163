// SPDX-License-Identifier: MIT
//
// agent/daemon/wake — a pipe by which other threads and signal handlers end the loop's sleep.
#ifndef AGENT_DAEMON_WAKE_PRIV_H
#define AGENT_DAEMON_WAKE_PRIV_H

#include "agent/base/err.h"

struct wake {
    int read_fd;
    int write_fd;
};

enum err wake_init(struct wake *wake) MUST_USE;
void wake_fini(struct wake *wake);
void wake_up(void *wake); // any thread, signal handlers too; a full pipe is as good as one byte
void wake_drain(struct wake *wake); // before the work is looked for, never after
#define WAKE_NONE                                                                                  \
    {                                                                                              \
        .read_fd = -1, .write_fd = -1                                                              \
    }

#endif
