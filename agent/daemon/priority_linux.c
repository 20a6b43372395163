// SPDX-License-Identifier: MIT
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/daemon/priority_priv.h"

// As in linux/ioprio.h, which is not among the system's headers: best effort, the lowest of it.
enum { NICE = 10, WHO_PROCESS = 1, BEST_EFFORT = 2 << 13, LOWEST = 7 };

// Linux knows both per thread.
void priority_lower(void)
{
    int nice = setpriority(PRIO_PROCESS, 0, NICE);
    long disk = syscall(SYS_ioprio_set, WHO_PROCESS, 0, BEST_EFFORT | LOWEST);
    (void)nice;
    (void)disk;
}
