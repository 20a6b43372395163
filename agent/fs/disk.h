// SPDX-License-Identifier: MIT
//
// agent/fs/disk — the hands: carries out jobs (agent/core/job.h) below the roots of folders.
//
// Every call resolves below a held root descriptor (openat2 RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS or
// a component-wise O_NOFOLLOW walk). disk_run may be called from several threads at once, for
// different jobs; two jobs of one path never run at once (the engine sees to it).
#ifndef AGENT_FS_DISK_H
#define AGENT_FS_DISK_H

#include "agent/core/job.h"

struct disk;

struct disk *disk_new(void);
void disk_close(struct disk **disk);

struct disk_root_options {
    const char *path;     // absolute
    bool include_secrets; // section 10: else files that look like secrets are not reported by scans
                          // (see held)
    bool include_vcs;     // version-control directories too
    bool twin;            // keep a twin of the witness in the directory twin_fd, which stays open
    int twin_fd;          // as long as the disk
};

// Opens (and, when `create` says so in a JOB_HEALTH, prepares) the root of a folder. The root may
// be missing: health says so, and comes back by itself.
enum err disk_root_add(struct disk *disk, uint32_t folder,
                       const struct disk_root_options *options) MUST_USE;
void disk_root_remove(struct disk *disk, uint32_t folder);

// Executes a job, filling in its results. Blocks.
void disk_run(struct disk *disk, struct job *job);

// From now on jobs that read a large file give up, and nobody is to use their results.
void disk_halt(struct disk *disk);

// Other options for a root that is there, at once; what is on disk must be walked again.
void disk_root_set(struct disk *disk, uint32_t folder, bool include_secrets, bool include_vcs);

// ---- what is left out, by the rules as JOB_HEALTH has read them last
enum ignored {
    IGNORED_NO,
    IGNORED_ALWAYS,  // our own directory
    IGNORED_DEFAULT, // by what is left out unless a rule says otherwise
    IGNORED_RULE,    // by .cfgsyncignore, or by the rules of this machine alone
    IGNORED_SECRET,  // looks like one: held back from being published only
};
// The path and all its parents: a directory that is left out hides what is below. *out_rule (NULL:
// not asked) gets "FILE:LINE: RULE" or "default: RULE" appended.
enum ignored disk_ignored_path(struct disk *disk, uint32_t folder, struct slice path, bool is_dir,
                               struct buf *out_rule);

// The files of rules, the synced one and this machine's own, for a person to have them changed.
const char *disk_rules_file(bool local); // relative to the root
enum err disk_rules_read(struct disk *disk, uint32_t folder, bool local,
                         struct buf *out) MUST_USE; // empty if there is none
// Replaced as a whole, durable. CHANGED: it is not `before` any more.
enum err disk_rules_write(struct disk *disk, uint32_t folder, bool local, struct slice before,
                          struct slice text) MUST_USE;

// Secrets held back so far in this root (found by scans and looks), for status. Up to max paths.
uint32_t disk_held(struct disk *disk, uint32_t folder, struct arena *arena, uint32_t max,
                   struct slice *out);

// ---- watching (inotify; one descriptor for all roots)
enum watch_what {
    WATCH_WRITTEN,  // closed after writing, renamed into place, symlink or hard link made, mode
                    // changed
    WATCH_MODIFIED, // being written: no close yet
    WATCH_GONE,     // removed or renamed away
    WATCH_TREE,     // a directory appeared or was renamed in: walk it
    WATCH_RESCAN,   // events were lost (overflow), or the folder is not wholly watched: walk
                    // everything. path is empty
    WATCH_ROOT,     // the root itself was moved, deleted or unmounted: check health
    WATCH_KEPT,     // somebody writes into a file that a step took away; path is its name in kept
};

struct watch_event {
    enum watch_what what;
    uint32_t folder;
    struct slice path; // canonical; borrowed until the next call
};

int disk_watch_fd(
    const struct disk *disk); // readable when events wait; -1 if watching is impossible
// Next event; false when there is none. Paths that are always or by default ignored, and our own
// .cfgsync/ (except conflicts/), are not reported; of the local rules in there, WATCH_ROOT tells.
bool disk_watch_next(struct disk *disk, struct watch_event *out);
// Directories that could not be watched (limit reached): they must be walked from time to time.
uint32_t disk_unwatched(const struct disk *disk, uint32_t folder);
uint32_t disk_watched(const struct disk *disk); // directories, of all folders
uint64_t disk_watches_max(void); // of all this user's programs together; 0: there is no such limit

// ---- what a file system can do
struct disk_features {
    uint64_t free_bytes, total_bytes;
    bool exchanges;      // two names swapped in one step
    bool clones;         // files that share their blocks
    bool folds_case;     // "A" is "a"
    bool folds_spelling; // one name in two Unicode forms
};
// Tries it out in the root's staging directory; needs no struct disk. Not OK: nothing can be
// written there; the space is filled in if the root is there at all.
enum err disk_features(const struct disk_root_options *root, struct disk_features *out) MUST_USE;

#endif
