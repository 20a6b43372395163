// SPDX-License-Identifier: MIT
//
// Source: proc(5), statm; getrusage(2); mallopt(3), malloc_trim(3).
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/daemon/process_priv.h"

uint64_t process_rss_bytes(void)
{
    char text[128];
    AUTO(fd_close) int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (got <= 0) return 0;
    text[got] = '\0';
    char *end;
    (void)strtoull(text, &end, 10); // the whole address space; the resident pages follow
    return (uint64_t)strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_cpu_ms(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

// By itself glibc gives the end of the heap back whenever 128 KiB are free there, and takes it
// again for the next content, page by page.
void process_memory_keep(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 4 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}

void process_memory_return(void)
{
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}
