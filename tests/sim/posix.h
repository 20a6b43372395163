// SPDX-License-Identifier: MIT
//
// tests/sim/posix — the system calls of agent/fs, answered by a struct vfs: the linker puts these
// in their place (--wrap), so that the real agent/fs runs, unchanged, on a disk of ours.
#ifndef TESTS_SIM_POSIX_H
#define TESTS_SIM_POSIX_H

#include <sys/types.h>

#include "tests/sim/vfs.h"

#define POSIX_ROOT  "/sim"   // the root of the folder of whichever process runs
#define POSIX_INDEX "/index" // its index; what is in it is index_disk's affair

enum { POSIX_FDS_MAX = 512, POSIX_SHORT = -1 };

struct posix_fd {
    struct inode *inode; // NULL: free
    bool writes;
    bool dirty; // written since it was opened
    bool inotify;
};

// As far as it matters for how it may fail; POSIX_SHORT: half of a write.
enum posix_call { CALL_OPEN, CALL_LOOK, CALL_READ, CALL_WRITE, CALL_NAME, CALL_SYNC };

// What one process sees.
struct posix {
    struct vfs *vfs;
    struct posix_fd fds[POSIX_FDS_MAX];
    int64_t monotonic_ns, wall_ns;
    // Called before each call that a race could hit; `changes`: it changes the disk.
    void (*hook)(void *context, const char *call, const char *object, bool changes);
    void *context;
    uint64_t total, available; // bytes of the disk
    // After it: the errno with which the call fails; 0: it goes on. `what`: of which kind it is.
    int (*fails)(void *context, enum posix_call what, const char *call);
    bool no_exchange;
    uint32_t watches_max;
    pid_t pid;
};

void posix_enter(struct posix *posix); // whose calls are answered; NULL: the real system's
void posix_reset(struct posix *posix); // the process is gone

#endif
