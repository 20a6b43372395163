// SPDX-License-Identifier: MIT
//
// What the engine knows of a folder, and what is under way in it.
#ifndef AGENT_SYNC_FOLDER_STATE_PRIV_H
#define AGENT_SYNC_FOLDER_STATE_PRIV_H

#include "agent/sync/engine_priv.h"

struct dirty; // local_priv.h

struct dirty_list {
    struct dirty *first, *last;
    size_t count;
};

struct published { // rate of publications of one path
    int64_t times[3];
    int64_t hash_ms;
    bool often; // three times within the window, and no pause since
};

struct scan {
    bool active;
    bool job_out;
    bool wanted_again;
    bool walked;       // the walk has ended, looks are still open
    bool whole;        // not of a subtree
    bool missed_again; // one of all is wanted for what no event tells of
    bool watched;      // all that it finds was done while the agent watched, and missed it
    bool new_prefix;   // the subtree's directory was not known yet
    struct buf prefix;
    struct walk *walk;
    struct buf cursor; // last path merged
    bool cursor_set;
    struct arena *arena; // gone and unread paths
    struct slice *gone;
    size_t gone_count, gone_capacity;
    struct slice *unread;
    size_t unread_count, unread_capacity;
    bool complete;
    uint64_t seen;
    int64_t started_ms;
    int64_t ended_ms; // of the last one of all, by the engine's clock
};

struct tree_want { // a subtree to walk
    struct buf prefix;
    struct tree_want *next;
};

struct ends_asked { // awaited.c: what was last asked, and the answer
    struct buf path;
    uint64_t seq; // the folder's then
    int64_t at_ms;
    bool may_come;
};

struct transfer; // fetch_priv.h

struct transfer_list {
    struct transfer *first, *last;
};

// The folder is about to become another: see adopt.c.
struct turn {
    bool wanted;
    bool accepted; // by a person
    bool crossed;  // accepted by a person here and on the other side: back
    bool left;     // a join is taken back
    struct device_id from;
    struct folder_id id;
    bool has_items; // the other has
    int64_t retry_ms;
};

enum { JOIN_BATCH = 1 }; // the first of a life

// The folder has taken another's id: see join.c.
struct join {
    bool known; // and had been something before
    struct folder_id left;
    bool others;  // that other devices had part in
    bool leaving; // it is being taken back
    bool restoring;
    uint64_t ticket;
    int64_t rest_ms; // when nothing was left to come; 0: not yet
};

enum root_state { ROOT_CHECKING, ROOT_RECOVERING, ROOT_OK, ROOT_MISSING };

// The root's, that a new life was drawn for.
struct witness_answered {
    bool is, had;
    enum twin twin;
    uint8_t witness[16];
};

// Own counters from `first` on, up to the next one's, were published by one process.
struct epoch {
    uint64_t first, number;
};

#define EPOCHS_MAX      256  // of our own
#define EPOCH_MARKS_MAX 1024 // in an OFFER, besides the highest

struct epochs {
    uint64_t inc;
    uint32_t count;
    struct epoch entries[EPOCHS_MAX];
};

struct folder {
    struct engine *engine;
    uint32_t number;
    char *name, *path;
    struct folder_row row; // name borrowed from `name`
    struct vvbox k, gcfloor, marks;
    struct mark *new_marks; // learned, to be written with the next transaction
    uint32_t new_mark_count, new_mark_capacity;
    struct epochs epochs;
    struct vvbox epochs_passed; // incarnations of which everyone is to hear at epochs_pass_ms
    int64_t epochs_pass_ms;
    uint32_t owner_count;
    bool with_all;
    struct device_id *with;
    uint32_t with_count;
    bool new_root;
    bool gone; // removed: only jobs under way keep it
    bool paused;
    enum root_state root;
    const char *root_what; // why it is missing
    struct buf unread;     // path that recovery cannot read; empty: it is not that
    bool health_out, health_wanted, id_known, witness_checked;
    struct turn turn;
    struct join join;
    struct folder_id marker_before; // the root's may say this one still; zeros: no
    const char *reinc_why;          // a new incarnation is to be drawn when no job is under way
    uint64_t reinc_end;             // above it the old one's dots may name two things; or row.base
    int64_t reinc_retry_ms;
    int64_t collided_ms;   // monotonic: when a collision last made one; 0: never
    int64_t forget_at_ms;  // 0: not planned
    uint64_t forget_after; // row
    uint64_t collisions;   // dots under which two things were met
    bool witness_out, witness_again;
    struct witness_answered witness_answered;
    int64_t doubt_until_ms; // all was walked; what is still to be looked at is by then; 0: not
    bool recover_wanted;    // when the steps under way have ended
    // Before an accept, and who was accepted, for "both accept each other".
    struct folder_id previous_id;
    struct device_id accepted_from;
    int64_t root_retry_ms;
    int64_t heard_ms; // versions of anybody, or the start
    struct ends_asked ends_asked;
    uint32_t step_waits, intents_dropped; // in a row
    int64_t verified_wall_ms;
    int64_t links_looked_ms, links_due_ms; // walks for the other names of a file
    bool after_crash;  // nothing has been looked at wholly since a run that did not end cleanly
    bool walked_whole; // all was looked at wholly since the start
    struct bond *bonds;
    struct map *dirty; // path -> struct dirty
    struct dirty_list ready, large_ready, timed;
    int64_t timed_due_ms;   // none of the timed is due before
    uint64_t gone_expected; // of them
    uint32_t look_jobs;
    uint32_t large_look_jobs; // of them
    struct map *published;
    int64_t published_trim_ms; // not again before
    struct scan scan;
    struct tree_want *trees;
    struct map *busy;           // paths of steps under way; see dirty.c
    struct map *staged;         // content key -> (void *)1
    size_t staged_kept;         // of them, for what is blocked, when the rest was let go of last
    struct map *approvals_seen; // by signature, and whether a peer vouched for it
    struct map *made;           // path -> what is known of a directory that a step made on its way
    bool made_unsaved;          // the index has it otherwise
    struct buf intents_over;    // their journal numbers: the marks of them in staging can go
    struct map *transfers;
    struct transfer_list small_new, large_new; // nobody asked yet
    uint32_t large_count;
    int64_t fetch_check_ms;
    int64_t sought_noted_ms;
    int64_t staging_clean_ms; // then nobody's things go
    bool staging_swept;       // what processes before this one had of large contents has gone
    struct map *problems;     // path -> struct problem
    struct map *unsettled;    // path -> unsettled.c's bits
    bool unsettled_more;      // than it has room for
    bool unsettled_unsaved;   // the index has it otherwise
    struct buf needs_cursor;
    bool needs_cursor_set, needs_again, needs_done;
    struct map *step_paths; // ready to be applied
    struct map *applying;   // content key -> the group (struct job) that puts it in place
    struct job *apply_next; // a group that waits for the one on the disk; counted in apply_jobs
    bool apply_stale, apply_none; // rules changed since; no more can be taken beside what runs
    struct buf sound_parent;      // of this transaction: a directory that things may be put into
    uint32_t apply_jobs, resolve_jobs, recover_jobs, jobs;
    int64_t blocked_retry_ms, problems_retry_ms; // the latter 0: there are none
    bool case_blocked, modeless; // something waits for a name that differs in case; no permissions
    uint32_t blocked_rounds, problems_rounds;
    bool problems_more;                     // than are noted, of those that may be none one day
    uint32_t blocked_skip[BLOCKED_COUNT];   // of those blocked for a reason these had their turn
    int64_t wait_retry_ms, index_failed_ms; // the latter 0: not for a while
    bool rules_wanted;      // a JOB_HEALTH that reads the rules again is under way or to come
    int64_t rules_again_ms; // 0: not
    bool rules_left;        // the index does not know yet that they have changed
    bool rules_need;        // their file waits to be put in place
    int64_t rules_first_ms; // until then before all others
    struct rules_fault rules_faults[RULES_FILES];
    uint32_t rules_fault_count;
    uint64_t stagings; // jobs that have put contents into staging
    uint32_t staging_jobs;
    uint64_t lost_own;
    struct dot told;                // own mark: none above it has left this process, or one before
    struct late_write *late_writes; // kept files to be looked at
    uint32_t late_write_count;
    bool late_write_out;    // one is
    struct decide *decides; // in the order they were asked for
    uint64_t batch;         // what is applied without a pause; 0: none yet
    bool batch_idle;        // nothing was left to do since its last step
    int64_t batch_ms;       // when that was
    uint64_t kept_bytes_max;
    int64_t kept_check_ms;
    int64_t kept_ms;
    uint64_t *kept_drops; // numbers of kept rows that are to go
    uint32_t kept_drop_count, kept_drop_capacity;
    bool kept_dropping;
    struct brake *brake;
    struct base *base;
    enum engine_mode mode;
    struct map *changed_here; // path -> struct found_here
    bool in_txn, minted;
    struct job *outbox[64];
    uint32_t outbox_count;
    struct folder *next;
};

#endif
