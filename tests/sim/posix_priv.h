// SPDX-License-Identifier: MIT
//
// tests/sim inside: the names that the linker wraps (CMakeLists.txt has the same list).
#ifndef TESTS_SIM_POSIX_PRIV_H
#define TESTS_SIM_POSIX_PRIV_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/posix.h"

enum { POSIX_FD_BASE = 1 << 20 };

// ---- posix.c, for posix_change.c
extern struct posix *posix_here;

struct at {
    struct inode *dir;
    char name[VFS_NAME_MAX];
    struct inode *inode; // NULL: nothing there
};

int posix_fail(int code); // sets errno; 0 stays 0
// An errno: the call fails with it.
int posix_hook(const char *call, const char *object, bool changes, enum posix_call what);
struct posix_fd *posix_fd(int fd); // NULL: none
int posix_dir(int fd, struct inode **out);
int posix_at(int fd, const char *path, struct at *out);

#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wreserved-identifier"

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fcntl(int fd, int command, ...);
ssize_t __real_read(int fd, void *out, size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *out);

int __wrap_openat(int fd, const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
long __wrap_syscall(long number, ...);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_fstat(int fd, struct stat *out);
int __wrap_fstatat(int fd, const char *path, struct stat *out, int flags);
int __wrap_stat(const char *path, struct stat *out);
int __wrap_fstatvfs(int fd, struct statvfs *out);
ssize_t __wrap_readlinkat(int fd, const char *path, char *out, size_t size);
ssize_t __wrap_readlink(const char *path, char *out, size_t size);
DIR *__wrap_fdopendir(int fd);
struct dirent *__wrap_readdir(DIR *dir);
void __wrap_rewinddir(DIR *dir);
int __wrap_dirfd(DIR *dir);
int __wrap_closedir(DIR *dir);
ssize_t __wrap_pread(int fd, void *out, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
int __wrap_ftruncate(int fd, off_t size);
ssize_t __wrap_read(int fd, void *out, size_t size);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_syncfs(int fd);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
ssize_t __wrap_flistxattr(int fd, char *names, size_t size);
int __wrap_mkdirat(int fd, const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_symlinkat(const char *target, int fd, const char *path);
int __wrap_linkat(int a_fd, const char *a, int b_fd, const char *b, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_renameat(int a_fd, const char *a, int b_fd, const char *b);
int __wrap_renameat2(int a_fd, const char *a, int b_fd, const char *b, unsigned flags);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_utimensat(int fd, const char *path, const struct timespec times[2], int flags);
int __wrap_inotify_init1(int flags);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_rm_watch(int fd, int wd);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
pid_t __wrap_getpid(void);
uid_t __wrap_geteuid(void);

#endif
