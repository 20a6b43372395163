// SPDX-License-Identifier: MIT
//
// Preloaded into an agent.
//
// CFGSYNC_DIE_AT=FILE  kills it right before the n-th call that changes a disk: it has done what it
//                      had done, and nothing more. The file holds two numbers, mapped: how many
//                      calls there were, and at which of them it dies (0: never).
// CFGSYNC_SLEPT=FILE   the machine has slept for so many seconds: a 64 bit number, mapped
// CFGSYNC_SHORT=1      reads and writes of more than 512 bytes come to half of it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>

struct counter {
    _Atomic uint64_t calls, last;
};

static struct counter *counter;
static _Atomic int64_t *slept;
static size_t halves;

static void *mapped(const char *variable, size_t size)
{
    const char *path = getenv(variable);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return NULL;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return map != MAP_FAILED ? map : NULL;
}

__attribute__((constructor)) static void begin(void)
{
    halves = getenv("CFGSYNC_SHORT") != NULL;
    counter = mapped("CFGSYNC_DIE_AT", sizeof *counter);
    slept = mapped("CFGSYNC_SLEPT", sizeof *slept);
}

static void count(void)
{
    if (counter == NULL) return;
    uint64_t last = atomic_load(&counter->last);
    if (atomic_fetch_add(&counter->calls, 1) + 1 == last) kill(getpid(), SIGKILL);
}

static size_t part(size_t size)
{
    return halves && size > 512 ? size - size / 2 : size;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRAP(type, name, parameters, arguments)                                                    \
    type name parameters                                                                           \
    {                                                                                              \
        count();                                                                                   \
        return NEXT(name) arguments;                                                               \
    }

WRAP(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, part(size), at))
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at),
     (fd, data, part(size), at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, syncfs, (int fd), (fd))
WRAP(int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(int, utimensat, (int fd, const char *path, const struct timespec times[2], int flags),
     (fd, path, times, flags))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path))
WRAP(int, linkat, (int from, const char *old, int to, const char *fresh, int flags),
     (from, old, to, fresh, flags))
WRAP(int, renameat, (int from, const char *old, int to, const char *fresh), (from, old, to, fresh))
WRAP(int, renameat2, (int from, const char *old, int to, const char *fresh, unsigned flags),
     (from, old, to, fresh, flags))

int openat(int fd, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_CREAT) != 0) count();
    return NEXT(openat)(fd, path, flags, mode);
}

ssize_t pread(int fd, void *out, size_t size, off_t at)
{
    return NEXT(pread)(fd, out, part(size), at);
}

ssize_t pread64(int fd, void *out, size_t size, off64_t at)
{
    return NEXT(pread64)(fd, out, part(size), at);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    int result = NEXT(clock_gettime)(clock, out);
    if (clock == CLOCK_BOOTTIME && slept != NULL) out->tv_sec += atomic_load(slept);
    return result;
}
