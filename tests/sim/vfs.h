// SPDX-License-Identifier: MIT
//
// tests/sim/vfs — a file system in memory: inodes with names, modes and times, and watches on
// directories. Calls return 0 or an errno.
//
// Nothing is ever freed: a run is one short process.
#ifndef TESTS_SIM_VFS_H
#define TESTS_SIM_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "tests/sim/names.h"

enum { VFS_NAME_MAX = 256, VFS_PATH_MAX = 4200 };

struct vfs_entry {
    char *name;
    struct inode *inode;
};

// What of a file a power cut cannot take away.
struct image {
    uint8_t *data;
    size_t size;
    mode_t mode;
    int64_t mtime_ns, ctime_ns;
};

struct inode {
    uint64_t ino;
    mode_t mode; // type and bits
    uint32_t links;
    int64_t mtime_ns, ctime_ns;
    uint8_t *data; // file: contents; symlink: target
    size_t size;
    size_t capacity;
    struct vfs_entry *entries; // directory: sorted by name
    uint32_t count, room;
    struct inode *parent; // directory: where it hangs
    int wd;               // watch of the running process; 0: none
    struct image *image;  // power.c; NULL: nothing of it was ever flushed
    bool dirty, written;  // it is not as its image says; its bytes are not
    int64_t dirty_ns;     // since when
    enum names names;     // directory
};

struct vfs_notice {
    int wd;
    uint32_t mask;
    char name[VFS_NAME_MAX];
};

// One disk: the root of a machine's folder, and what a process has asked to hear of it.
struct vfs {
    struct inode *root;
    uint64_t ino_last;
    uint64_t device;
    int64_t now_ns;   // set by the owner; each change takes the next nanosecond
    int64_t grain_ns; // of times
    enum names names; // vfs_names sets it
    bool respells;    // what replaces a name brings its own spelling, as on HFS+; else as on APFS
    bool watching;
    int wd_last;
    struct inode **watched; // by wd
    uint32_t watched_room;
    struct vfs_notice *notices;
    uint32_t notice_first, notice_count, notice_room;
    uint32_t notices_max;           // more: they overflow
    void (*noticed)(void *context); // the first notice after none
    void *context;
    struct power *power; // NULL: nothing is forgotten, and nothing is noted for it
};

void vfs_init(struct vfs *vfs, uint64_t device);
void vfs_names(struct vfs *vfs, enum names names); // before anything is on it

// ---- power.c: what survives a power cut
struct rng;
void power_init(struct vfs *vfs);
void power_op(struct vfs *vfs); // a change of names begins: all of it survives, or nothing
void power_entry(struct vfs *vfs, struct inode *dir, const char *name, struct inode *before,
                 struct inode *after);
void power_change(struct vfs *vfs, struct inode *inode); // before its bytes, mode or times change
void power_sync(struct vfs *vfs, struct inode *inode, bool all); // fsync; not all: fdatasync
void power_sync_all(struct vfs *vfs);
void power_cut(struct vfs *vfs, struct rng *rng);

// ---- by inode and name, as a system call sees it
struct inode *vfs_child(const struct inode *dir, const char *name);
int vfs_create(struct vfs *vfs, struct inode *dir, const char *name, mode_t mode,
               struct inode **out);
int vfs_symlink(struct vfs *vfs, struct inode *dir, const char *name, const char *target);
int vfs_link(struct vfs *vfs, struct inode *dir, const char *name, struct inode *file);
int vfs_unlink(struct vfs *vfs, struct inode *dir, const char *name);
int vfs_rmdir(struct vfs *vfs, struct inode *dir, const char *name);
enum vfs_rename { VFS_REPLACE, VFS_NOREPLACE, VFS_EXCHANGE };
int vfs_rename(struct vfs *vfs, struct inode *from, const char *a, struct inode *to, const char *b,
               enum vfs_rename how);
void vfs_write(struct vfs *vfs, struct inode *file, const void *data, size_t size, size_t offset);
void vfs_truncate(struct vfs *vfs, struct inode *file, size_t size);
void vfs_chmod(struct vfs *vfs, struct inode *inode, mode_t mode);
void vfs_mtime(struct vfs *vfs, struct inode *inode, int64_t mtime_ns);
void vfs_closed(struct vfs *vfs, struct inode *file); // after writing
void vfs_stat(const struct vfs *vfs, const struct inode *inode, struct stat *out);

// ---- by path, for users and the oracle
struct inode *vfs_find(const struct vfs *vfs, const char *path); // follows nothing
struct inode *vfs_parent(const struct vfs *vfs, const char *path, const char **out_name);

// ---- watches
int vfs_watch(struct vfs *vfs, struct inode *dir);
void vfs_unwatch(struct vfs *vfs, int wd);
void vfs_watch_end(struct vfs *vfs); // the process is gone
bool vfs_notice_next(struct vfs *vfs, struct vfs_notice *out);

#endif
