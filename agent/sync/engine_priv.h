// SPDX-License-Identifier: MIT
//
// The engine's own state. One struct per thing: engine, peer, session (a pair of lanes), folder,
// share (a folder within a session), transfer (a content on its way here), wait (a sync request).
#ifndef AGENT_SYNC_ENGINE_PRIV_H
#define AGENT_SYNC_ENGINE_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/map.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/sync/engine.h"
#include "proto/path.h"
#include "proto/session.h"
#include "proto/vv.h"

enum {
    FLUSH_MS = 50, // APPLIED and NEWS at most this often
    PING_MS = 30 * 1000,
    PONG_LATE_MS = 60 * 1000,
    NEWS_PULL_DELAY_MS = 30, // a push of the same is likely on its way
    GONE_DELAY_MS = 300,
    NEW_QUIET_MS = 20, // a program that saves writes a new file and renames it
    DOUBT_MS = 30 * 1000,
    OPEN_QUIET_MS = 2000,
    EMPTY_WAIT_MS = 5000,
    BLOCKED_RETRY_MS = 10 * 1000,
    ROOT_RETRY_MS = 5 * 1000,
    INDEX_RETRY_MS = 1000,       // after a transaction that failed
    ROUND_QUIET_MS = 120 * 1000, // without a page
    ROUND_OLD_MS = 10 * 60 * 1000,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    NEWS_AWAITED_MS = 5 * 1000,
    GAP_OLD_MS = 10 * 60 * 1000, // nothing was heard that could close it
    GAP_EVEN_MS = 60 * 1000,     // and who is connected knows no more
    LOOKS_PER_JOB = 64,
    LOOK_JOBS_MAX = 4,
    SCAN_ENTRIES = 1024,
    DIRTY_MAX_FOR_SCAN = 4096, // the walk waits while so many looks are open
    STEPS_PER_JOB = 1024,
    TRANSFERS_MAX = 4096,
    LARGE_MAX = 4,
    RIDE_CACHE_BYTES = 4 << 20,
};

// A vector that outlives arenas.
struct vvbox {
    struct arena *arena;
    struct vv v;
};

struct rate {
    uint64_t per_s; // 0: not limited
    int64_t credit; // as it was at at_ms
    int64_t at_ms;
};

struct peer {
    struct device_id device;
    char *name;
    struct session *in_use;
    int64_t last_seen_wall_ms;
    int64_t rtt_ms;
    int64_t clock_ms; // its clock, less ours, when rtt_ms was measured
    char *address;    // of the last session
    bool dialled;
    bool approves_not; // what it approves is not believed
    bool paused;
    bool version_differs; // it speaks another version of the protocol
    // A second session of another process of it: the old one is asked whether it lives.
    int64_t probe_until_ms; // 0: nobody is asked
    uint64_t probe_token;
    bool probe_answered;
    uint64_t suspect_boot, suspect_session; // of the HELLO that was refused last
    char *clone_text;                       // it runs twice: when that was last seen, and where
    int64_t clone_ms;
    struct peer *next;
};

struct conn {
    uint64_t id;
    struct device_id device;
    bool dialled;
    bool near; // dialled so
    char *address;
    struct lane_state lane;
    struct session *session;
    bool held;         // its HELLO waits for a probe
    int64_t doomed_ms; // refused: when it is dropped; 0: not
    struct msg_hello hello;
    bool stuck; // it takes nothing any more, its queue is full
    struct conn *next;
};

struct session {
    struct engine *engine;
    struct peer *peer;
    struct conn *lanes[2];
    uint64_t own_number;
    uint64_t other_number;
    uint64_t other_boot;
    uint64_t features; // the peer's
    bool dialled;
    bool open;            // both lanes said HELLO
    bool near;            // its dialler's word
    int64_t ping_sent_ms; // 0: none on the way
    int64_t pong_by_ms;
    uint64_t ping_token;
    int64_t next_ping_ms;
    struct share *shares;
    struct offered *offers; // what the peer has said, at most PROTO_FOLDERS_MAX
    uint32_t offer_count;
    struct session *next;
};

// What we remember of a peer and a folder for longer than a session.
struct bond {
    struct device_id device;
    struct vvbox k, a;
    uint64_t need_changes, need_bytes, blocked_total;
    struct buf blocked; // the encoded APPLIED it came in, for its list
    uint64_t told;      // struct rollback
    int64_t audit_ms;   // when all was last compared, by age_now
    bool audit_due;
    uint64_t left_audit; // in which versions under used dots were left to their maker, and when
    int64_t left_ms;
    bool joined; // it has once shown this folder
    bool unsaved;
    int64_t save_at_ms;
    struct buf token; // of an interrupted round
    bool catching;    // it is owed what it missed while it was away; the log says when that is done
    int64_t caught_from_ms;
    uint64_t caught_changes, caught_bytes;
    struct vvbox caught_k;
    bool not_carried; // it said nothing of this folder when asked
    struct bond *next;
};

// Sending side of a round.
struct serving {
    bool active;
    uint64_t round;
    struct vvbox k;
    bool catching_up;
    uint64_t inc, counter; // scan position
    uint64_t s0;
    struct map *ahead; // versions sent with their bundle before their turn; see page.c
    uint32_t page, acked;
    uint32_t control_page;  // the first by the control lane after the last marks
    uint64_t control_shows; // how often they had been shown by then
    bool ended;
};

// Receiving side.
struct pulling {
    bool active;
    uint64_t round;
    int64_t begun_ms, heard_ms;
    uint32_t contiguous; // pages ingested without a gap
    bool ahead;          // page contiguous + 2 came before contiguous + 1
    struct buf ahead_token;
    bool done_came;
    uint32_t done_pages;
    struct vvbox done_k;
    struct vvbox done_floor;
    bool again;
    bool reconciling;
    int64_t delayed_until_ms; // a pull that NEWS asked for
};

struct waiting_push { // a PUSH whose contents are being staged
    struct buf frame;
    size_t bytes; // with what is being staged
    bool staged;
    struct waiting_push *next;
};

#define ASK_DELTA (UINT32_MAX - 2)
struct ask { // one content a peer wants
    struct content content;
    uint32_t leaf; // JOB_READ_WHOLE, PROTO_LEAF_LIST, ASK_DELTA or a leaf
    uint8_t tries;
};

struct brake;
struct audit;
struct compare;
struct late;
struct delta_out;
struct waiting_want { // a WANT that waits for room
    struct buf frame;
    uint32_t at; // its first id or leaf that has not been served
    struct waiting_want *next;
};

struct peer_hold { // what a peer holds
    char brake[32];
    uint64_t changes; // 0: nothing
    struct span *spans;
    uint32_t span_count;
};

struct told { // of what is held here
    const char *brake;
    uint64_t changes;
};

struct share {
    struct folder *folder;
    struct session *session;
    bool offer_sent;
    bool told_paused; // in it
    bool offer_heard;
    bool compared; // the own counters that it shows with ours
    bool joined;
    bool retired; // another session is used: contents that were asked for still come
    bool pending; // same name, other id, both with items
    enum offer_state offer_state; // theirs
    struct folder_id offered_id;
    uint64_t offered_inc;
    bool offered_items;
    uint64_t offered_count, offered_bytes;
    uint64_t told_items, told_bytes; // by our last offer
    int64_t told_ms;
    struct peer_hold holds[2]; // changes of others, changes that are not published
    struct told told_holds[2];
    uint64_t approvals_sent; // up to this row
    struct vvbox said_k;     // what it said of its K in this session
    int64_t said_ms;         // when that grew last
    struct vvbox applied_a;  // A of its last APPLIED, which says what of it is blocked
    struct vvbox told_k;
    struct vvbox shown; // highest mark shown per incarnation
    struct vvbox owners_shown;
    uint64_t shows;      // messages that showed marks, all on the control lane
    uint64_t shows_sure; // so many of them have been received
    uint64_t pushed;
    struct serving serving;
    struct pulling pulling;
    struct waiting_push *pushes, **pushes_end;
    size_t pushes_bytes;
    bool push_dropped; // a round gets what it had
    struct buf applied_sent;
    int64_t flushed_ms;
    bool news_due, applied_due;
    size_t wanted_bytes;     // asked for and not answered
    int64_t silent_until_ms; // it did not answer: nothing is asked of it before
    uint32_t silences;
    uint32_t serving_jobs;
    struct waiting_want *wants, **wants_end;
    size_t wants_bytes;
    struct late *late, **late_end; // asked for and not at hand right now
    uint32_t late_count;
    struct delta_out *deltas; // on their way to the peer
    struct audit *asking, *answering;
    struct compare *compare; // NULL: not asked for
    int64_t audit_at_ms;
    struct share *next;
};

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
    bool walked; // the walk has ended, looks are still open
    bool whole;  // not of a subtree
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
};

struct tree_want { // a subtree to walk
    struct buf prefix;
    struct tree_want *next;
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

struct folder {
    struct engine *engine;
    uint32_t number;
    char *name, *path;
    struct folder_row row; // name borrowed from `name`
    struct vvbox k, gcfloor, marks;
    struct mark *new_marks; // learned, to be written with the next transaction
    uint32_t new_mark_count, new_mark_capacity;
    uint32_t owner_count;
    bool with_all;
    struct device_id *with;
    uint32_t with_count;
    bool new_root;
    bool gone; // removed: only jobs under way keep it
    bool paused;
    enum root_state root;
    const char *root_what;
    const char *stopped; // code of a state only a person can end, e.g. "rolled-back"
    bool health_out, health_wanted, id_known, witness_checked;
    struct turn turn;
    struct join join;
    const char *reinc_why; // a new incarnation is to be drawn when no job is under way
    int64_t reinc_retry_ms;
    int64_t collided_ms;   // monotonic: when a collision last made one; 0: never
    int64_t forget_at_ms;  // 0: not planned
    uint64_t forget_after; // row
    uint64_t collisions;   // dots under which two things were met
    bool witness_out, witness_again;
    int64_t doubt_until_ms; // all was walked; what is still to be looked at is by then; 0: not
    bool recover_wanted;    // when the steps under way have ended
    // Before an accept, and who was accepted, for "both accept each other".
    struct folder_id previous_id;
    struct device_id accepted_from;
    int64_t root_retry_ms;
    int64_t heard_ms; // versions of anybody, or the start
    int64_t verified_wall_ms;
    int64_t links_looked_ms, links_due_ms; // walks for the other names of a file
    bool after_crash; // nothing has been looked at wholly since a run that did not end cleanly
    struct bond *bonds;
    struct map *dirty; // path -> struct dirty
    struct dirty_list ready, timed;
    int64_t timed_due_ms;   // none of the timed is due before
    uint64_t gone_expected; // of them
    uint32_t look_jobs;
    struct map *published;
    int64_t published_trim_ms; // not again before
    struct scan scan;
    struct tree_want *trees;
    struct map *busy;        // paths of steps under way; see dirty.c
    struct map *staged;      // content key -> (void *)1
    struct map *made;        // path -> what is known of a directory that a step made on its way
    struct buf intents_over; // their journal numbers: the marks of them in staging can go
    struct map *transfers;
    struct transfer_list small_new, large_new; // nobody asked yet
    uint32_t large_count;
    int64_t fetch_check_ms;
    int64_t sought_noted_ms;
    int64_t staging_clean_ms; // then nobody's things go
    struct map *problems;     // path -> struct problem
    struct buf needs_cursor;
    bool needs_cursor_set, needs_again, needs_done;
    struct map *step_paths;  // ready to be applied
    struct buf sound_parent; // of this transaction: a directory that things may be put into
    uint32_t apply_jobs, resolve_jobs, recover_jobs, jobs;
    int64_t blocked_retry_ms, problems_retry_ms; // the latter 0: there are none
    bool case_blocked, modeless; // something waits for a name that differs in case; no permissions
    uint32_t blocked_rounds, problems_rounds;
    int64_t wait_retry_ms, index_failed_ms; // the latter 0: not for a while
    bool rules_wanted;      // a JOB_HEALTH that reads the rules again is under way or to come
    int64_t rules_again_ms; // 0: not
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

struct sync_wait;
struct verify;
struct bench;
struct abandon;

struct engine {
    struct engine_options o;
    char *name, *program;
    uint64_t boot;
    int64_t now_ms, wall_ms;
    bool after_crash; // the last run did not end cleanly
    bool paused;
    bool age_looked;
    int64_t age_looked_ms;
    int64_t age_ms;
    struct arena *scratch; // reset at the start of every event
    struct peer *peers;
    struct conn *conns;
    struct session *sessions;
    struct folder *folders;
    struct sync_wait *waits;
    struct verify *verifies;
    struct bench *bench; // NULL: none is under way
    struct abandon *abandons;
    struct engine_counters counters;
    struct rate up, down;
    struct compressor *compressor;
    struct map *rides;                         // content_key -> struct ride_entry
    struct ride_entry *ride_first, *ride_last; // by age
    size_t ride_bytes;
    bool changed;
};

#include "agent/sync/calls_priv.h"
#include "agent/sync/errand_priv.h"
#include "agent/sync/limits_priv.h"
#include "agent/sync/local_priv.h"
#include "agent/sync/meet_priv.h"

#endif
