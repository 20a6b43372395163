// SPDX-License-Identifier: MIT
//
// Source: task_info(3), getrusage(2).
#include <sys/resource.h>

#include <mach/mach.h>

#include "agent/daemon/process_priv.h"

uint64_t process_rss_bytes(void)
{
    struct mach_task_basic_info info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    kern_return_t result =
        task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count);
    return result == KERN_SUCCESS ? info.resident_size : 0;
}

uint64_t process_cpu_ms(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

// The system takes back what malloc does not use when memory is short.
void process_memory_keep(void)
{
}

void process_memory_return(void)
{
}
