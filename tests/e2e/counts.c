// SPDX-License-Identifier: MIT
//
// Preloaded into an agent: counts what it asks of the system, into the mapped file that
// CFGSYNC_COUNTS names. Counted are calls of libc, so that neither the load of the machine nor a
// tracer changes what comes out; test_counts.py reads it between workloads.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dlfcn.h>
#include <openssl/evp.h>

// In the order of COUNTERS in test_counts.py.
enum counter { FLUSHES, LOOKUPS, CHANGES, READS, READ, WRITES, WRITTEN, HASHED, ALLOCS, COUNTERS };

static _Atomic uint64_t *counters;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CFGSYNC_COUNTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, COUNTERS * sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) counters = map;
}

static void count(enum counter counter, uint64_t by)
{
    if (counters != NULL) atomic_fetch_add_explicit(&counters[counter], by, memory_order_relaxed);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// ---- flushes

#define FLUSH(name)                                                                                \
    int name(int fd)                                                                               \
    {                                                                                              \
        count(FLUSHES, 1);                                                                         \
        return NEXT(name)(fd);                                                                     \
    }

FLUSH(fsync)
FLUSH(fdatasync)
FLUSH(syncfs)

// ---- names

#define NAMES(counter, name, parameters, arguments)                                                \
    int name parameters                                                                            \
    {                                                                                              \
        count(counter, 1);                                                                         \
        return NEXT(name) arguments;                                                               \
    }

NAMES(LOOKUPS, fstatat, (int dir, const char *path, struct stat *st, int flags),
      (dir, path, st, flags))
NAMES(LOOKUPS, fstat, (int fd, struct stat *st), (fd, st))
NAMES(LOOKUPS, stat, (const char *path, struct stat *st), (path, st))
NAMES(LOOKUPS, lstat, (const char *path, struct stat *st), (path, st))
NAMES(CHANGES, renameat, (int dir, const char *from, int to_dir, const char *to),
      (dir, from, to_dir, to))
NAMES(CHANGES, renameat2, (int dir, const char *from, int to_dir, const char *to, unsigned flags),
      (dir, from, to_dir, to, flags))
NAMES(CHANGES, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
NAMES(CHANGES, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode))
NAMES(CHANGES, fchmod, (int fd, mode_t mode), (fd, mode))
NAMES(CHANGES, futimens, (int fd, const struct timespec times[2]), (fd, times))
NAMES(CHANGES, utimensat, (int dir, const char *path, const struct timespec times[2], int flags),
      (dir, path, times, flags))

int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list list;
        va_start(list, flags);
        mode = va_arg(list, mode_t);
        va_end(list);
    }
    count(flags & O_CREAT ? CHANGES : LOOKUPS, 1);
    return NEXT(openat)(dir, path, flags, mode);
}

long syscall(long number, ...) // openat2 has no function of its own
{
    va_list list;
    long a[6];
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    count(LOOKUPS, 1);
    return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// ---- bytes. SQLite's go by pread64 and pwrite64, those of contents by pread and pwrite.

#define MOVE(name, type, calls, bytes)                                                             \
    ssize_t name(int fd, type buffer, size_t size, off_t offset)                                   \
    {                                                                                              \
        ssize_t done = NEXT(name)(fd, buffer, size, offset);                                       \
        count(calls, 1);                                                                           \
        count(bytes, done > 0 ? (uint64_t)done : 0);                                               \
        return done;                                                                               \
    }

MOVE(pread, void *, READS, READ)
MOVE(pread64, void *, READS, READ)
MOVE(pwrite, const void *, WRITES, WRITTEN)
MOVE(pwrite64, const void *, WRITES, WRITTEN)

// OpenSSL may be built so that its own calls come by here, too.
static _Thread_local bool inside;

int EVP_Digest(const void *data, size_t size, unsigned char *digest, unsigned int *digest_size,
               const EVP_MD *type, ENGINE *engine)
{
    count(HASHED, size);
    inside = true;
    int done = NEXT(EVP_Digest)(data, size, digest, digest_size, type, engine);
    inside = false;
    return done;
}

int EVP_DigestUpdate(EVP_MD_CTX *context, const void *data, size_t size)
{
    if (!inside) count(HASHED, size);
    return NEXT(EVP_DigestUpdate)(context, data, size);
}

// ---- allocations: dlsym itself makes some

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    count(ALLOCS, 1);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count(ALLOCS, 1);
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
    count(ALLOCS, 1);
    return __libc_realloc(memory, size);
}
