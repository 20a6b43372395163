// SPDX-License-Identifier: MIT
//
// agent/fs inside: the roots, a job's grip on one of them, names below it, and fingerprints.
//
// Calls that wrap one system call return 0 or an errno, because here the difference between ENOTDIR
// and ELOOP decides what happens; the jobs turn them into codes.
#ifndef AGENT_FS_DISK_PRIV_H
#define AGENT_FS_DISK_PRIV_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/map.h"
#include "agent/fs/disk.h"

#define FS_INTERNAL ".cfgsync"
#define FS_MARKER   ".cfgsync/root"
#define FS_STAGING  ".cfgsync/staging"
#define FS_KEPT     ".cfgsync/kept"
#define FS_BASE     ".cfgsync/base"

#define RULES_LOCAL_FILE ".cfgsync/ignore"

enum {
    FS_IO_BYTES = 128 << 10,
    FS_UNDER_WAY_BYTES = 8 << 20,
    FS_SYNC_EACH_MAX = 8, // below this many files each is synced, else the whole file system once
    FS_NAME_MAX = 256,    // a component with its NUL
};

struct watcher;
struct rules; // rules_priv.h

struct flushed { // all that changed before, by the clock of the file system
    uint64_t device;
    int64_t before_ns; // 0: none
    int64_t begun_ns;  // monotonic
    int64_t apart_ns;  // the two clocks then
};

struct root {
    uint32_t folder;
    char *path;
    int twin_fd; // -1: no twin of the witness is kept
    // Under disk->lock:
    struct rules *rules;
    int64_t rules_gone_ns[RULES_FILES]; // JOB_HEALTH's own: since when a file of them is not there
    bool rules_unkept[RULES_FILES];     // JOB_HEALTH's own: their last text could not be written
    bool marked;                        // JOB_HEALTH's own: marker and layout are durable
    bool modeless;                      // its file system has no permissions to be set
    int fd;                             // the held directory; -1 while the root is away
    uint64_t device;
    uint64_t ino;
    uint32_t users; // jobs at work here, and one for the table
    struct map *held;
    uint32_t held_more; // beyond what is kept by name
    struct flushed flushed;
};

struct disk {
    pthread_mutex_t lock;
    struct root **roots;
    uint32_t root_count;
    struct walk *walks; // cursors of walks under way
    struct watcher *watcher;
    uint64_t temp_last;
    atomic_bool halted;
    bool without_openat2;  // old kernels; also set by tests
    bool without_exchange; // set by tests: as on a file system that cannot swap names
};

// ---- root.c: a job's hold on a root. The descriptor is the job's own, so that the held one may be
// replaced meanwhile.
struct grip {
    struct disk *disk;
    struct root *root;
    struct rules *rules; // as they were when the job began
    int fd;
    uint64_t device;
    bool folds;    // names are found whatever their case: it must be asked how they are spelled
    bool modeless; // all files show the same mode, whatever was set
};

// UNREACHABLE: the folder is unknown, or its root is not there, is another directory than the held
// one, or carries no marker.
enum err grip_take(struct disk *disk, uint32_t folder, struct grip *out) MUST_USE;
enum err grip_take_unchecked(struct disk *disk, uint32_t folder,
                             struct grip *out) MUST_USE; // fd may be -1
bool grip_holds(const struct grip *grip);                // the same test again
void grip_drop(struct grip *grip);
uint64_t temp_number(struct disk *disk);
bool disk_halted(struct disk *disk); // who goes through a large file asks, and ends with ECANCELED

// ---- resolve.c: names below the root. No call follows a symbolic link or leaves the file system.
int beneath_open(const struct grip *grip, struct slice path, int flags, int *out_fd);
int kept_open(const struct grip *grip, struct slice name, int *out_fd); // a file in kept, to read
int internal_open(const struct grip *grip, const char *path,
                  int *out_fd); // a directory of ours, readable
// A directory by its canonical path, searched by normal form when the disk spells it differently.
// A handle.
int dir_open(const struct grip *grip, struct slice path, int *out_fd);

// An item's name in its directory.
struct place {
    int fd; // parent, a handle
    char name[FS_NAME_MAX];
    char clash[FS_NAME_MAX]; // the name belongs to this one, which only differs in case; else empty
};

int place_open(const struct grip *grip, struct slice path, struct slice disk_name,
               struct place *out);
void place_close(struct place *place);
int place_stat(const struct place *place, struct stat *out); // of a link itself
// Looks for another spelling of the name in the directory and takes it over. ENOENT: there is none;
// anything else says nothing.
int place_spell(struct place *place);
int place_find(struct place *place, struct stat *out); // under whatever spelling

// Of the calls above: some directory of the path is there only under a name that differs in case;
// the path itself is not. (A code that no file system gives.)
enum { SPELLED_OTHERWISE = EIDRM };

// Only some codes say that nothing is there: a link or a file where a directory was is no parent.
bool is_absence(int code);
bool is_hidden(int code); // it refuses to say whether something is there

// spelling_linux.c, spelling_macos.c: the name as it stands in the directory. ENOENT: it does not.
int name_spelled(int dir_fd, const char *name, char out[FS_NAME_MAX]);

// resolve_linux.c, resolve_walk.c
int resolve_kernel(int root_fd, const char *path, int flags,
                   int *out_fd); // ENOSYS: not on this kernel
int resolve_walk(int root_fd, const char *path, int flags, int *out_fd);

// ---- dirs.c: what is in a directory, also by a handle. NULL: errno; for
// AUTO(dir_end).
DIR *dir_list(int dir_fd);
struct dirent *dir_next(DIR *dir); // without the two dots; NULL: the end if errno is 0
void dir_end(DIR **dir);

// ---- print.c
void print_of(const struct stat *st, struct fingerprint *out);
bool print_equal(const struct fingerprint *a, const struct fingerprint *b); // all but links
// The same file with the same content as far as a look tells: a rename changes ctime only.
bool print_still(const struct fingerprint *a, const struct fingerprint *b);
// Read at `now_ns` so soon after it changed that a later write may carry the same time.
bool print_racy(const struct fingerprint *print, int64_t now_ns);
// The same of what we have just put in place: its change time is now, whatever it holds.
bool print_racy_put(const struct fingerprint *print, int64_t now_ns);
// It matches nothing any more: the next look reads what is there.
void print_doubt(struct fingerprint *print);

// ---- read.c
struct content_hash;
// Reads all of fd through the hash, from the start. *out_size: bytes read. disk: NULL, or its halt
// ends it.
int fd_hash(struct disk *disk, int fd, struct content_hash *hash, uint64_t *out_size);
int fd_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read);
int fd_write_at(int fd, const void *data, size_t size, uint64_t offset);
// Of a large file that is written out piece by piece: this piece goes to the disk, and the one that
// is FS_UNDER_WAY_BYTES before it is waited for, since a flush of a small file waits for all that
// is under way. An errno is about bytes that a later flush may say nothing of.
int fd_write_out(int fd, uint64_t offset, uint64_t size);
int fd_copy(struct disk *disk, int source_fd, int target_fd);                // all of it, durable
int item_read_open(const struct grip *grip, struct slice path, int *out_fd); // a file, to read
// All of a regular file of at most `size` bytes. CHANGED: it is none.
enum err fd_slurp(int fd, uint64_t size, struct buf *out);
// The content of a READ or DIFF, to read; ERR_CHANGED: it is not here.
enum err source_open(const struct grip *grip, const struct read_entry *entry, int *out_fd);
bool source_still(int fd, const struct read_entry *entry); // it is what it was
// The content of the regular file `name`, of this size; ESTALE: it is something else; else an
// errno.
int content_read(int dir_fd, const char *name, uint64_t size, struct content *out);
int content_look(int dir_fd, const char *name, const struct content *content); // 0: it holds this
bool content_is(int dir_fd, const char *name, const struct content *content);

// ---- stage.c
enum { STAGE_NAME_MAX = 112 };
void stage_name(const struct content *content, char out[STAGE_NAME_MAX]);
void part_drop(int staging_fd, const char *staged); // part.c: what has come of a large one so far
void temp_name(struct disk *disk, char out[STAGE_NAME_MAX]);
bool space_left(int dir_fd, uint64_t bytes); // after writing so many
int dir_sync(int dir_fd);                    // also of a handle

// ---- flushed.c
int flushed_all(const struct grip *grip); // the whole file system
// What is there now has been on the medium since the last such flush.
bool flushed_covers(const struct grip *grip, const struct fingerprint *print);

// ---- beyond_linux.c, beyond_macos.c: what POSIX lacks
// A handle: a descriptor of a directory that need not be readable, to resolve names from.
extern const int dir_handle; // flags to open one
int sync_all(int fd);
// Somebody has it open for writing, here on Linux, as far as that is told: a file of somebody else,
// or on some file systems, has no writers.
bool has_writer(int dir_fd, const char *name);
void stat_times(const struct stat *st, struct timespec *out_modified, struct timespec *out_changed);
int dir_path(int dir_fd, char *out,
             size_t size); // absolute, as the system has it; also of a handle
bool clone_file(int source_fd, int target_fd);
// Bytes that the two files share from now on. False: not here, they are to be copied.
bool clone_range(int source_fd, uint64_t source_at, int target_fd, uint64_t target_at,
                 uint64_t size);
// What was written there goes to the disk now; and is waited for.
int write_begin(int fd, uint64_t offset, uint64_t size);
int write_end(int fd, uint64_t offset, uint64_t size);
void acl_drop(int fd); // who else may have the file, beside its mode
void xattr_copy(int source_fd, int target_fd);
int mode_set(int dir_fd, const char *name, uint32_t mode); // never through a link
int mode_set_fd(int fd, uint32_t mode);                    // also of a handle
bool link_lacks(int code); // over.c; of linkat: there are no hard links, or not of this

// ---- features.c
// Whether two names can be exchanged, tried out there. 0: yes; EINVAL, ENOSYS: no; else an errno.
int disk_exchanges(const struct grip *grip, int dir_fd);

// ---- swap.c, swap_linux.c, swap_macos.c
// EINVAL, ENOSYS: the file system cannot.
int names_exchange(int a_fd, const char *a, int b_fd, const char *b);
int names_move(int a_fd, const char *a, int b_fd, const char *b); // to a name that nobody has
int swap_exchange(const struct disk *disk, int a_fd, const char *a, int b_fd, const char *b);
// Whether a directory refuses names to be made and taken away in it. Asked where a step would have
// to take something back else.
bool names_refused(int dir_fd);
int swap_noreplace(const struct disk *disk, int a_fd, const char *a, int b_fd, const char *b);
// If both are links of one file, the move from or to *a was cut off between its two halves, where
// there is no other: `name` goes, and *a is absent.
void swap_settle(int dir_fd, const char *name, struct fingerprint *a, const struct fingerprint *b);

// ---- base.c
// What is stored of it, verified. CHANGED: nothing.
enum err base_load(const struct grip *grip, const struct content *content, struct buf *out);
enum err base_stage(const struct grip *grip, const struct content *content); // from there, durable

// ---- health.c
// A file of ours, durable and whole or not there.
int file_write(struct disk *disk, int dir_fd, const char *name, struct slice text);
bool hex_read(const char *text, uint8_t *out, size_t size); // of at least 2 * size characters

// ---- held.c
void held_put(struct disk *disk, struct root *root, struct slice path);
void held_remove(struct disk *disk, struct root *root, struct slice path);
void held_clear(struct disk *disk, struct root *root);

// ---- watch.c: what an event of whatever system means
// An error that does not say that nothing is there is none of the caller's: a look will tell.
// disk_name: the only spelling that counts; empty: any, for which the directory may be gone
// through.
int watch_stat(struct disk *disk, uint32_t folder, struct slice path, struct slice disk_name,
               struct stat *out);
bool watch_reported(struct disk *disk, const struct watch_event *event, bool is_dir);

// ---- watch_inotify.c, watch_fsevents.c
struct watcher *watcher_new(struct disk *disk);
void watcher_destroy(struct watcher **watcher);
int watcher_fd(const struct watcher *watcher);
void watcher_add(struct watcher *watcher, uint32_t folder, struct slice path, int dir_fd);
void watcher_forget(struct watcher *watcher, uint32_t folder, bool unwatched_only);
bool watcher_next(struct watcher *watcher, struct watch_event *out);
uint32_t watcher_unwatched(struct watcher *watcher, uint32_t folder);
uint32_t watcher_watched(struct watcher *watcher);
uint64_t watcher_watches_max(void);

// ---- the jobs
void walk_run(const struct grip *grip, struct job *job);
void walk_forget(struct disk *disk,
                 const struct root *root); // drops cursors nobody will ask for again
void look_run(const struct grip *grip, struct job *job);
void stage_run(const struct grip *grip, struct job *job);
void part_run(const struct grip *grip, struct job *job);
void reuse_run(const struct grip *grip, struct job *job);
void sign_run(const struct grip *grip, struct job *job);
void patch_run(const struct grip *grip, struct job *job);
void diff_run(const struct grip *grip, struct job *job);
void leaf_run(const struct grip *grip, struct job *job);
void finish_run(const struct grip *grip, struct job *job);
void copy_run(const struct grip *grip, struct job *job);
void read_run(const struct grip *grip, struct job *job);
void apply_run(const struct grip *grip, struct job *job);
void recover_run(const struct grip *grip, struct job *job);
void health_run(const struct grip *grip, struct job *job);
void base_run(const struct grip *grip, struct job *job);
void base_root_empty(struct job *job); // of a root that nobody holds any more

#endif
