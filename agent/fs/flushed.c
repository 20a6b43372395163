// SPDX-License-Identifier: MIT
//
// What the last flush of a whole file system has covered, so that of thousands of files that have
// just been made not every few cost one more. Both times compared are the file system's own: a
// directory of ours is touched right before the flush, and what changed before that was flushed.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"

enum {
    // A write carries the time at which it began.
    FLUSHED_BYTES_MAX = 1 << 20,
    FLUSHED_MARGIN_NS = 100 * 1000 * 1000,
    FLUSHED_APART_NS = 20 * 1000 * 1000,
};
static const int64_t FLUSHED_FOR_NS = INT64_C(5) * 1000000000;

// Changes when somebody sets the clock.
static int64_t clocks_apart(void)
{
    return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

static bool touched(const struct grip *grip, int64_t *out_ns)
{
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    AUTO(fd_close) int fd = -1;
    struct stat st;
    struct fingerprint print;
    if (internal_open(grip, FS_STAGING, &fd) != 0 || futimens(fd, now) != 0 || fstat(fd, &st) != 0)
        return false;
    print_of(&st, &print);
    *out_ns = print.ctime_ns;
    return print.device == grip->device;
}

static void note(const struct grip *grip, const struct flushed *flushed)
{
    pthread_mutex_lock(&grip->disk->lock);
    grip->root->flushed = *flushed;
    pthread_mutex_unlock(&grip->disk->lock);
}

int flushed_all(const struct grip *grip)
{
    struct flushed flushed = {
        .device = grip->device, .begun_ns = clock_ns(CLOCK_MONOTONIC), .apart_ns = clocks_apart()};
    bool timed = touched(grip, &flushed.before_ns);
    int code = sync_all(grip->fd);
    if (code != 0 || !timed) flushed = (struct flushed){0};
    note(grip, &flushed);
    return code;
}

bool flushed_covers(const struct grip *grip, const struct fingerprint *print)
{
    pthread_mutex_lock(&grip->disk->lock);
    const struct flushed flushed = grip->root->flushed;
    pthread_mutex_unlock(&grip->disk->lock);
    int64_t age = clock_ns(CLOCK_MONOTONIC) - flushed.begun_ns;
    int64_t moved = clocks_apart() - flushed.apart_ns;
    bool same = flushed.device == print->device && flushed.before_ns != 0 && age < FLUSHED_FOR_NS &&
                moved < FLUSHED_APART_NS && moved > -FLUSHED_APART_NS;
    return same && (print->kind != KIND_FILE || print->size <= FLUSHED_BYTES_MAX) &&
           print->ctime_ns < flushed.before_ns - FLUSHED_MARGIN_NS;
}
