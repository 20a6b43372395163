// SPDX-License-Identifier: MIT
//
// The brakes of a folder (algorithm "Brakes"): what was found on this disk and waits to be
// published, and what others published and waits to be put in place here.
#ifndef AGENT_SYNC_BRAKE_PRIV_H
#define AGENT_SYNC_BRAKE_PRIV_H

#include "agent/core/index.h"
#include "agent/sync/engine_priv.h"

enum {
    WINDOW_MS = 10 * 60 * 1000,
    SLOT_MS = 30 * 1000,
    SLOTS = WINDOW_MS / SLOT_MS,
    SETTLE_MS = 1000, // without another
    SETTLE_MAX_MS = 30 * 1000,
    SETTLE_LOOK_MS = 100,
    JUDGE_AGAIN_MS = 1000,
    APPLIED_MAX = 4096,
    APPEARED_MAX = 65536,
    FIRST_NAMES = 20,
};

// What a path that was looked at waits with.
enum unpublished {
    NOT_WAITING,
    WAITS_DELETED,
    WAITS_REWRITTEN,
    WAITS_OLDER, // rewritten with what looks like an earlier state of it
    WAITS_AFTER, // for deletions below it
    WAITS_COUNT
};

struct slot { // what was published in a part of the window
    int64_t number;
    uint64_t counter; // own, when it began
    uint64_t seq;
    uint64_t live; // most items there were at a deletion
    uint32_t deleted, rewritten;
};

struct found {
    struct value value;
    struct buf target; // of a link
    struct fingerprint print;
    bool racy;
};

enum incoming_kind { IN_DELETED, IN_REWRITTEN, IN_KINDS };

struct incoming { // a change of others that would take a content off this disk
    enum incoming_kind kind;
    bool is_dir, moved, cleared, held;
    bool approved; // without a dot: here alone
    int64_t birth_ms;
    struct dot dot;   // none: its deletion was forgotten elsewhere before it came here
    struct value was; // what it takes away; without the target of a link
};

struct appeared { // made by others, and perhaps what they have deleted elsewhere
    enum kind kind;
    struct digest content;
    int64_t at_ms;
};

struct applied_one {
    enum incoming_kind kind;
    int64_t birth_ms, applied_ms;
};

typedef void brake_begin(struct folder *folder);

struct brake {
    struct engine_brake limits;
    struct slot slots[SLOTS];
    struct slot slots_before[SLOTS]; // the transaction that is under way
    // found here
    struct map *waiting; // path -> enum unpublished
    struct map *found;   // those of them that are not gone: path -> struct found
    uint64_t waits[WAITS_COUNT];
    struct map *admitted; // paths that pass with the next look at them
    struct map *passing;  // that were admitted, until the transaction of that look has ended
    bool pass;            // of the look that is being judged
    bool from_scan;
    uint64_t scan_counter; // own counter when the scan began
    uint64_t scan_older;   // files whose time went back, as that scan saw them
    int64_t first_ms, judge_ms;
    bool held[WAITS_COUNT];
    bool held_all;                         // of what there was, nothing would be left
    uint64_t held_deleted, held_rewritten; // published before, in the same window
    uint64_t approve_from; // own counter from which on what is minted is approved; 0: none is
    bool approved_minted;
    // of others
    struct map *incoming; // path -> struct incoming
    struct map *appeared; // path -> struct appeared
    uint64_t in_count[IN_KINDS];
    uint64_t in_held[IN_KINDS];
    uint64_t in_told;
    bool in_unread; // rows of a former run are to be read
    bool in_open;   // some are not judged yet
    bool in_changed;
    int64_t in_first_ms, in_last_ms, in_forget_ms;
    struct applied_one *applied;
    uint32_t applied_count, applied_next;
    // approvals that are believed here
    struct approval_row *approvals;
    uint32_t approval_count;
    uint64_t approvals_last; // number of the newest that is known, believed or not
    // a decision under way
    uint64_t ticket;
    brake_begin *begin; // when nothing it is about is being changed; NULL: it has begun
    int64_t begin_until_ms;
    struct map *coming; // paths that are being put back
    size_t letting_out; // admitted paths that an approval waits for
    uint64_t put_back, not_had;
    int64_t coming_until_ms, look_ms;
};

// ---- brake.c
uint64_t brake_live(struct folder *folder);
bool brake_over(uint64_t count, uint64_t min, uint64_t percent, uint64_t of);
void brake_window(const struct folder *folder, struct slot *out); // its sum
void brake_note(struct folder *folder, uint64_t deleted, uint64_t rewritten, uint64_t live);
void brake_window_forget(struct folder *folder);
enum unpublished brake_waits_for(const struct folder *folder, struct slice path);
void brake_join(struct folder *folder, struct slice path, enum unpublished kind);
enum unpublished brake_leave(struct folder *folder, struct slice path);
void brake_passed(struct brake *b);
void brake_release(struct folder *folder, const bool kinds[WAITS_COUNT]);
int path_descending(const void *a, const void *b); // of struct slice

// ---- brake_judge.c
void brake_judge_tick(struct folder *folder);
int64_t brake_judge_deadline(const struct folder *folder);
const char *brake_text(const struct folder *folder); // what holds unpublished changes; ""

// ---- moved.c: contents that are at another place now
struct moved;
struct moved *moved_here(struct folder *folder, uint64_t after); // minted here above that counter
struct moved *moved_in(struct folder *folder);                   // needs, and what is on this disk
bool moved_take(struct moved *moved, const struct value *value); // each place answers for one
void moved_note(struct folder *folder, const struct item *item);
void moved_forget(struct folder *folder); // appearances that are too old to matter
void moved_destroy(struct moved **moved);

// ---- brake_takes.c
// Whether putting the item in place takes away something that a person would miss.
bool brake_takes_away(struct folder *folder, const struct item *item, struct incoming *out);

// ---- brake_in.c
void brake_in_tick(struct folder *folder);
int64_t brake_in_deadline(const struct folder *folder);
// Nobody signs for what has no dot: it passes on this device, and waits again after a restart.
void brake_in_forgotten_approved(struct folder *folder);
void brake_in_approved(struct folder *folder); // some more may be
void brake_in_forget(struct folder *folder);
uint32_t brake_in_spans(const struct folder *folder, uint32_t max, struct span *out);

// ---- approvals.c
bool approvals_cover(const struct folder *folder, struct dot dot);
void approvals_sign(struct folder *folder, struct span span); // inside a transaction
void approvals_signed(struct folder *folder);                 // it is durable: tell all

// ---- holds.c
void holds_tell(struct folder *folder);

// ---- brake_decide.c
void brake_decide_tick(struct folder *folder);
int64_t brake_decide_deadline(const struct folder *folder);
bool brake_can_be_had(struct folder *folder, const struct value *value); // the content, now
// `begin` puts paths back: once none of what may be meant is being changed, or when that takes
// long.
void brake_decide_soon(struct folder *folder, uint64_t ticket, brake_begin *how);
bool brake_changing(const struct folder *folder,
                    struct slice path); // by a step, or to be looked at
void brake_decided(struct folder *folder, enum err err, const char *what); // the answer
void brake_answer_when_there(struct folder *folder); // once what is `coming` is on the disk
void brake_not_let_out(struct brake *b); // what an approval waits for has not gone, nor will

#endif
