// SPDX-License-Identifier: MIT
//
// What is found on this disk: paths to be looked at, what a look means, directories of nobody.
#ifndef AGENT_SYNC_LOCAL_PRIV_H
#define AGENT_SYNC_LOCAL_PRIV_H

#include "agent/sync/engine_priv.h"

struct dirty {
    struct folder *folder;
    char *path;
    size_t path_size;
    int64_t due_ms;
    int64_t since_ms;      // that nothing was found out
    int64_t not_before_ms; // it changed while it was read
    uint32_t moves;        // so many times
    bool ready;            // in the ready list, else in the timed one
    bool large;            // was found to be: in the list of these instead of the ready one
    bool looking;          // a job has it
    bool again;            // something happened while it was looked at
    bool written;          // in place, likewise
    bool overtaken;        // a step has made a directory there since: what the look found is over
    bool found_below;      // something was, since the look began: that it is no directory is over
    int64_t again_delay_ms;
    bool force;
    bool now;    // sync asked: no quiet window
    bool gone;   // a deletion is expected
    bool walked; // its whole directory was, which shows by itself what is no longer there
    int64_t empty_since_ms;
    bool awaits_content;   // was found empty, and nothing has happened to it since
    uint32_t parent_waits; // for the directory above to be published first
    uint32_t writer_waits; // for a program that had it open
    bool unpublished;      // was found here and counted for nothing, before the looks since
    bool unread;           // a walk that ended since the look began could not read it
    bool known_dir;        // found as one before, of which the index says nothing
    struct dirty *prev, *next;
};

// ---- dirty.c, dirty_rate.c, local.c, scan.c: local changes
enum { RATE_MAX_MS = 60 * 1000 }; // however often it is written, it is looked at so often
// It changed while it was read: it is looked at ever more seldom, however much is written. True:
// for so long that it is to be shown.
bool dirty_moved(struct folder *folder, struct dirty *dirty);
void dirty_mark(struct folder *folder, struct slice path, int64_t delay_ms, bool force);
void dirty_written(struct folder *folder, struct slice path); // closed, or moved into place
bool dirty_deferred(const struct folder *folder); // a save waits for the step at its path to end
void dirty_dispatch(struct folder *folder);
void dirty_all_now(struct folder *folder);
void dirty_clear(struct folder *folder);
bool dirty_looks_open(const struct folder *folder); // some are due or under way
bool dirty_walk_waits(const struct folder *folder); // a walk has not ended before they have
int64_t dirty_deadline(const struct folder *folder);
void dirty_look_done(struct folder *folder, struct job *job);
void dirty_free(struct folder *folder, struct slice path);      // its step has ended
bool dirty_has(const struct folder *folder, struct slice path); // or its change waits
void dirty_overtake(struct folder *folder, struct slice path);
void dirty_found_below(struct folder *folder, struct slice path);   // what is above is a directory
void dirty_look_again(struct folder *folder, struct slice path);    // if it is looked at now
void dirty_walked(struct folder *folder, struct slice path);        // and marked by the walk
void dirty_unread(struct folder *folder, struct slice path);        // by a walk that has just ended
void dirty_gone_expected(struct folder *folder, struct slice path); // it is marked already
void dirty_gone_found(struct folder *folder, struct slice path);
int64_t dirty_publish_delay(struct folder *folder, struct slice path);
void dirty_note_published(struct folder *folder, struct slice path, uint64_t hash_ms);
enum look_verdict local_look(struct folder *folder, struct look *look, struct dirty *dirty);
bool local_step_above(const struct folder *folder, struct slice path);
bool local_step_below(const struct folder *folder, struct slice path);
void local_directory(struct folder *folder, struct item *item, const struct fingerprint *print);
bool local_left_out(struct folder *folder, const struct item *item, bool is_dir);
// Something below it is on this disk and followed: anything; what can go now; what nobody has
// marked to be looked at.
enum below_what { BELOW_ANY, BELOW_FREE, BELOW_UNMARKED };
bool local_below(struct folder *folder, struct slice path, enum below_what what);
void local_gone_below(struct folder *folder, struct slice path);
bool local_emptied(const struct item *item, const struct look *look);
bool local_emptied_by_crash(struct folder *folder, struct item *item, const struct look *look);
bool local_emptied_gone(struct folder *folder, struct item *item);
bool emptied_wants(const struct item *item, struct content *out); // what is to be put back
// Nobody has the content that these are to have.
void emptied_review(struct folder *folder, const struct slice *paths, uint32_t count,
                    bool kept_gone);
void links_look(struct folder *folder);
void links_tick(struct folder *folder);

// ---- spelled.c
struct slice spelled_otherwise(struct folder *folder, struct arena *arena, struct slice path);
// On a disk that folds names something has come under these, and perhaps gone: what the index has
// under another spelling may have gone with it.
void spelled_found(struct folder *folder, struct slice *paths, uint32_t count);

// ---- made.c
void made_load(struct folder *folder);
void made_write(struct folder *folder); // at the end of a transaction
void made_written(struct folder *folder);
void made_look_all(struct folder *folder);
void made_perhaps(struct folder *folder, struct slice path); // the directories above
void made_parents(struct folder *folder, struct slice path); // likewise
void made_look(struct folder *folder, struct slice path);    // likewise
bool made_is_left(struct folder *folder, const struct item *item);
void made_left_above(struct folder *folder, struct slice path);
void made_forget(struct folder *folder, struct slice path);
void made_gone(struct folder *folder, struct slice path); // a look has found nothing there
void made_becomes_head(struct folder *folder, const struct item *item); // as it stands
bool made_here(const struct folder *folder, struct slice path, uint32_t *out_mode);
bool made_found(struct folder *folder, struct item *item, uint32_t mode);
void made_before(struct folder *folder, struct item *item, uint32_t mode);
void made_ended(struct folder *folder, struct item *item);

void local_implied_now(struct folder *folder, struct item *item, const struct version *tomb,
                       uint32_t mode);
void scan_start(struct folder *folder);
// For what no event tells of while the agent watches: what is written through a mapping, or by
// another name or another host. Nothing that it finds passes for a restored backup.
void scan_missed(struct folder *folder);
void scan_tree(struct folder *folder, struct slice prefix);
void scan_continue(struct folder *folder);
bool scan_could_not_read(const struct scan *scan, struct slice path); // it, or what it is in
void scan_job_done(struct folder *folder, struct job *job);
void scan_stop(struct folder *folder);

#endif
