// SPDX-License-Identifier: MIT
//
// agent/core/job — the work the engine asks of a disk, as plain values: filled in by the engine,
// carried out by agent/fs in a worker (or by a simulated disk), and handed back with the results
// filled in.
//
// A job owns its arena; all slices and arrays of it live there. The executor may allocate results
// on job->arena: nobody else touches the job meanwhile.
#ifndef AGENT_CORE_JOB_H
#define AGENT_CORE_JOB_H

#include "agent/base/err.h"
#include "agent/core/item.h"
#include "proto/message.h"

enum job_kind {
    JOB_SCAN,    // next batch of a walk
    JOB_LOOK,    // stat, and read and hash what changed
    JOB_STAGE,   // put small contents into staging, durable
    JOB_PART,    // open a large staged content: which leaves are there already
    JOB_REUSE,   // take leaves of it from a file that is here
    JOB_SIGN,    // sign what a file has in the place of leaves that are missing
    JOB_PATCH,   // make leaves of it from that and a delta
    JOB_LEAF,    // write one verified leaf into it
    JOB_FINISH,  // verify the whole, make durable
    JOB_COPY,    // stage a content from a local file
    JOB_READ,    // read contents or a leaf for a peer
    JOB_DIFF,    // make a delta for a peer
    JOB_APPLY,   // put staged contents in place, delete, make directories
    JOB_RECOVER, // after a crash: finish or forget what a journal row says
    JOB_HEALTH,  // is the root the root
    JOB_BASE,    // the base store: put aside, make kept files of, forget
};

// ---- JOB_SCAN: the walk goes in tree order (path_compare), a directory before what is in it.
struct scan_entry {
    struct slice path;      // canonical
    struct slice disk_name; // empty unless the disk spells the last component differently
    struct fingerprint print;
};

struct scan_problem {
    struct slice path; // raw bytes as on disk
    const char *what;  // static: "not UTF-8", "cannot be read: permission denied", ...
    enum err code;
};

struct walk; // the executor's cursor of one walk

struct job_scan {
    struct slice prefix; // walk this item and what is below it; empty: the whole root
    struct walk *walk; // NULL in the first job; pass the same on in the next; NULL again when done
    uint32_t entries_max;
    struct scan_entry *entries;
    uint32_t entry_count;
    struct scan_problem *problems;
    uint32_t problem_count;
    bool done;     // the walk has ended
    bool complete; // every directory below prefix could be read (else absence proves nothing)
    bool folds;    // names are found whatever their case
    // Problem subtrees: absence below one of these paths proves nothing.
    struct slice *unread;
    uint32_t unread_count;
};

#define BASE_CONTENT_BYTES_MAX PROTO_PATCH_CONTENT_BYTES_MAX // what the base store holds

// ---- JOB_LOOK
enum look_result {
    LOOK_SAME,    // fingerprint equals `before`: not read
    LOOK_VALUE,   // read; value, print and bytes are set
    LOOK_GONE,    // nothing there
    LOOK_MOVING,  // changed while being read: each time of three, or it is large
    LOOK_LARGE,   // it would have to be read, and is larger than LOOK_LARGE_BYTES
    LOOK_PROBLEM, // cannot be read or synced: err, what
};

// What takes longer to be read than others are to wait for.
#define LOOK_LARGE_BYTES (UINT64_C(256) << 20)

struct look {
    struct slice path;
    bool force;                // read even if the fingerprint is equal (racy, dirty)
    bool large;                // and however large it is
    struct fingerprint before; // what local says; present = false: none
    struct content was;        // likewise; size 0: none
    // results
    enum look_result result;
    struct fingerprint print;
    struct slice disk_name;
    struct slice other; // GONE on a disk that folds names: what has the name, spelled otherwise
    struct value value;
    struct slice bytes;    // whole content when it is small, else empty
    bool zeros;            // of a file: it has bytes, and all are zero
    bool bare;             // the executor's: enough is kept of others, so that bytes is empty
    struct slice patch;    // what makes it of `was`, if that is stored and much of it is the same
    struct digest *leaves; // when size > PROTO_LEAF_BYTES
    uint32_t leaf_count;
    bool racy;
    enum err err;
    const char *what;
    uint64_t hash_ms; // of the processor
};

struct job_look {
    struct look *looks;
    uint32_t count;
    bool large; // the one that is looked at was found to be
    bool folds; // names are found whatever their case
};

// ---- staging. A staged content is named by its id; putting one that is there already is a
// success.
enum stage_from {
    STAGE_GIVEN,  // it is `bytes`
    STAGE_PATCH,  // `patch` makes it of `base`, which the item `path` has
    STAGE_ITEM,   // the item `path` has it
    STAGE_KEPT,   // the kept file `path` has it
    STAGE_STORED, // the base store has it
};

struct stage_entry {
    struct content content;
    enum stage_from from;
    struct slice bytes; // raw content; verified against the id by the executor, as are all others
    struct slice path;
    struct content base;
    struct slice patch;
    enum err err; // result; MALFORMED: bytes are not that content, or it cannot be made; CHANGED:
                  // it is not there any more
};

struct job_stage {
    struct stage_entry *entries;
    uint32_t count;
};

struct job_part {
    struct content content;
    struct digest *leaves; // the verified leaf list; NULL: use the one kept beside the part, if any
    uint32_t leaf_count;   // result: set when the kept one was used
    uint8_t *have;         // result: one byte per leaf, 1 = verified on disk
};

// Whatever becomes of the file meanwhile: what is taken is what was hashed.
struct leaf_from {
    uint32_t leaf;
    uint32_t from; // its number in the file
    struct digest expected;
    bool have; // result: it is in its place
};

struct job_reuse {
    struct content content;
    struct slice path; // of an item
    struct leaf_from *leaves;
    uint32_t count;
};

// ---- JOB_SIGN, JOB_PATCH. The base of a delta: runs of bytes of one file, one behind the other.
// It may change meanwhile, which makes leaves come out wrong.
struct byte_run {
    uint64_t at, size;
};

struct job_sign {
    struct slice path; // of an item
    struct byte_run *runs;
    uint32_t run_count;
    uint32_t block;
    struct slice entries; // result
};

struct patcher;
struct job_patch {
    struct content content;
    struct slice path;
    struct byte_run *base;
    uint32_t base_count;
    struct patcher *patcher; // NULL in the first job; pass the same on in the next
    struct slice bytes;      // the delta goes on; result: what was not needed yet
    uint32_t *leaves;        // that come next
    struct digest *expected;
    uint32_t count;
    uint32_t made; // result: so many are in their places. MALFORMED: the next one is not what it
                   // should be
};

struct job_leaf {
    struct content content;
    uint32_t leaf;
    struct digest expected;
    struct slice bytes; // MALFORMED if they are not that leaf
    uint8_t *owned;     // malloc'ed, where they are, freed by `release`
};

struct job_finish {
    struct content content;
};

struct job_copy {
    struct content content;
    struct slice path;         // relative to the root
    struct fingerprint before; // CHANGED if the file is not that any more
    bool kept;                 // path is the name of a kept file; before is not looked at
    bool base;                 // out of the base store: there is no path
    bool outside;  // path is absolute, of any regular file; content and mode are results
    uint32_t mode; // result
    // outside and kept: the name of a kept file, copied only if its size or time is not before's; a
    // link is read
    bool same;             // result: it is
    struct slice target;   // result: where the link leads; else empty
    int64_t mtime_ns;      // result
    struct digest *leaves; // result, of what is outside
    uint32_t leaf_count;
};

// ---- JOB_READ
struct read_entry {
    struct content content;
    struct slice path;         // item path
    struct fingerprint before; // compared before and after
    bool staged;               // read it from staging instead
    bool kept;                 // path is the name of a kept file; before is not looked at
    uint8_t tries;             // the submitter's own
    struct slice bytes;        // result
    enum err err;              // CHANGED: not held here any more
};

struct job_read {
    struct read_entry *entries;
    uint32_t count;
    uint32_t leaf; // for one entry: this leaf only; UINT32_MAX - 1 (JOB_READ_WHOLE): whole contents
};

#define JOB_READ_WHOLE (UINT32_MAX - 1)

// ---- JOB_DIFF
struct differ;
struct job_diff {
    struct read_entry entry; // LIMIT: it costs too much, or saves nothing
    struct byte_run *runs;   // of the content
    uint32_t run_count;
    struct slice signature; // in the first job
    struct differ *differ;  // NULL in the first job; pass the same on in the next
    uint64_t at;            // bytes of the runs that were gone through; updated, as the next two
    uint64_t made;          // bytes of the delta
    uint64_t cpu_ns;
    struct slice bytes; // result
    bool done;          // result: that was its end
};

// ---- JOB_APPLY
enum step_result {
    STEP_DONE,
    STEP_CHANGED, // the disk is not what `before` says, or the user wrote meanwhile: nothing was
                  // done
    STEP_BLOCKED, // `blocked` says why; nothing was done
    STEP_WAIT,   // not now (parent is not a directory yet, directory still has known children): try
                 // again later
    STEP_UNDONE, // another member of the group failed
    STEP_FAILED, // its content was discarded, or not there; `blocked` if something is wrong
};

struct step {
    struct slice path;
    struct slice disk_name;    // how the disk spells it, empty: as in path
    struct version version;    // what is to be there: any kind, KIND_TOMB removes
    uint32_t parent_mode;      // for missing parents: 0755 when unknown
    struct fingerprint before; // what must be there now; present = false: nothing
    bool before_racy;          // a write since may not show in it: then its content is compared
    struct content was;        // with this
    bool dir_implied_mode; // what is there stays: only its mode is set. With KIND_TOMB: it stays
                           // a directory for the sake of what is in it
    // results
    enum step_result result;
    enum blocked blocked;
    struct fingerprint print; // after
    bool racy;                // a write that comes now may not show in it
    bool kept;                // displaced content went to kept/
    struct slice kept_name;
    bool written_late; // since it was looked at, by a program that had it open
    bool unsorted;     // that is a save which met the step and could not be given back
};

struct job_apply {
    uint64_t journal;   // number of the journal row; names of swapped-out files carry it
    bool all_or_none;   // an intent: undo everything when one step fails
    struct step *steps; // executed: removals deepest first, directories shallow first, files and
                        // symlinks; an intent in the given order
    uint32_t count;
    struct content *drop; // JOB_RECOVER without steps or number: staged contents nobody needs
    uint32_t drop_count;
    struct slice *drop_kept; // likewise: names of kept files, and the submitter's numbers of them
    uint64_t *drop_numbers;  // result: 0 where the file could not be removed
    uint32_t drop_kept_count;
    uint64_t *drop_marks; // likewise: numbers of intents that the index has now
    uint32_t drop_mark_count;
    int64_t drop_parts_before_ms; // likewise: only unfinished large contents that nothing was
                                  // written into since then (wall clock) go; 0: none of this
    bool left_over;               // result: something in staging could not leave it
    struct slice unread;          // result of JOB_RECOVER
};

// ---- JOB_RECOVER: same shape as apply; result DONE: the step had happened (print is what is
// there); UNDONE: it had not, or was taken back; CHANGED: a raced edit was put back, the path is
// dirty. With an error nothing was decided; `unread` is the path that could not be read for it.

// A file of rules of what is left out that cannot be used. All text static; line 0: the whole file.
struct rules_fault {
    const char *file;
    uint32_t line;
    const char *what;
};

enum { RULES_FILES = 2 }; // the synced one and the local one
#define RULES_FILE ".cfgsyncignore"

enum twin { TWIN_NONE, TWIN_MISSING, TWIN_THERE }; // NONE: none is kept

struct job_health {
    bool create;              // make .cfgsync and the marker when the root has none (folder add)
    struct folder_id id;      // expected (or to be written)
    bool write_id;            // overwrite the marker's id (adoption)
    uint8_t witness_next[16]; // if set_witness: write it
    bool set_witness;
    // results
    bool healthy;
    const char *what; // why not: "root is missing", "marker is missing", ...
    bool has_id;      // marker carries an id
    struct folder_id found;
    bool has_witness;
    uint8_t witness[16];
    bool modeless;  // permissions that are set do not stay: those on the disk say nothing
    enum twin twin; // of the witness, kept beside the index
    uint8_t twin_witness[16];
    // results, if healthy: the rules of what is left out were read
    bool rules_changed; // and are others than before
    bool rules_again;   // a file of them may be half written: read them again in a few seconds
    uint32_t rules_count;
    struct rules_fault rules_faults[RULES_FILES];
    uint32_t rules_fault_count;
};

// ---- JOB_BASE: contents of small files as they are now, for when they are overwritten. To empty
// or to list is all that a job does; else first what is to be kept, then what is to go, then what
// is to come.
#define BASE_BLOCK_BYTES 4096 // what is stored takes whole ones

struct base_keep {
    struct slice file; // its name in kept
    struct content content;
    bool at_hand; // it is `bytes`; else it is stored
    struct slice bytes;
    uint32_t mode;
    int64_t mtime_ns;
    enum err err; // result: OK: it is there; CHANGED: it is not stored, or damaged
};

struct base_put {
    struct content content;
    struct slice path;  // of an item that has it
    struct slice bytes; // it, if it is at hand; else empty
    int64_t mtime_ns;
    // results
    uint64_t room; // what it takes
    enum err err;  // CHANGED: the file is not that any more
};

struct base_stored {
    struct content content;
    int64_t mtime_ns;
    uint64_t room;
};

struct job_base {
    struct slice emptied; // absolute path of a root that is no folder any more: all goes
    bool list;
    struct base_stored *stored; // result
    uint32_t stored_count;
    struct base_keep *keeps; // with `list`: which are there already; OK or CHANGED
    uint32_t keep_count;
    struct content *drops; // result: those that could not be removed
    uint32_t drop_count;
    struct base_put *puts;
    uint32_t put_count;
};

struct job {
    enum job_kind kind;
    uint32_t folder; // the engine's number of the folder
    enum err err;    // result for the job as a whole
    struct arena *arena;
    void *context; // the engine's, from mem_alloc: goes with the job, which may never come back
    uint64_t number;
    void (*release)(struct job *); // frees what neither arena nor context holds; NULL: nothing
    union {
        struct job_scan scan;
        struct job_look look;
        struct job_stage stage;
        struct job_part part;
        struct job_reuse reuse;
        struct job_sign sign;
        struct job_patch patch;
        struct job_leaf leaf;
        struct job_finish finish;
        struct job_copy copy;
        struct job_read read;
        struct job_diff diff;
        struct job_apply apply; // and JOB_RECOVER
        struct job_health health;
        struct job_base base;
    };
};

struct job *job_new(enum job_kind kind, uint32_t folder);
void job_destroy(struct job **job);

#endif
