// SPDX-License-Identifier: MIT
//
// Fingerprints: what lstat says of a path, and when two of them prove that nothing happened.
#include <time.h>

#include "agent/fs/disk_priv.h"

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static enum kind kind_of(mode_t mode)
{
    if (S_ISREG(mode)) return KIND_FILE;
    if (S_ISDIR(mode)) return KIND_DIR;
    if (S_ISLNK(mode)) return KIND_SYMLINK;
    return (enum kind)0;
}

void print_of(const struct stat *st, struct fingerprint *out)
{
    struct timespec modified, changed;
    stat_times(st, &modified, &changed);
    *out = (struct fingerprint){
        .present = true,
        .kind = kind_of(st->st_mode),
        .mode = st->st_mode & 07777U,
        .device = (uint64_t)st->st_dev,
        .ino = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .links = (uint64_t)st->st_nlink,
        .mtime_ns = ns_of(modified),
        .ctime_ns = ns_of(changed),
    };
}

bool print_still(const struct fingerprint *a, const struct fingerprint *b)
{
    return a->present && b->present && a->kind == b->kind && a->mode == b->mode &&
           a->device == b->device && a->ino == b->ino && a->size == b->size &&
           a->mtime_ns == b->mtime_ns;
}

bool print_equal(const struct fingerprint *a, const struct fingerprint *b)
{
    return print_still(a, b) && a->ctime_ns == b->ctime_ns;
}

// The times of a directory say nothing of itself, so that nobody compares them.
void print_doubt(struct fingerprint *print)
{
    print->ino = 0;
    print->ctime_ns = 0;
}

static bool near(int64_t a, int64_t b, int64_t distance)
{
    return (a > b ? a - b : b - a) < distance;
}

static int64_t racy_window(const struct fingerprint *print)
{
    bool coarse = print->mtime_ns % 1000000000 == 0 && print->ctime_ns % 1000000000 == 0;
    return coarse ? 2000000000 : 10000000;
}

bool print_racy(const struct fingerprint *print, int64_t now_ns)
{
    int64_t window = racy_window(print);
    return near(now_ns, print->mtime_ns, window) || near(now_ns, print->ctime_ns, window);
}

bool print_racy_put(const struct fingerprint *print, int64_t now_ns)
{
    return near(now_ns, print->mtime_ns, racy_window(print));
}
