// SPDX-License-Identifier: MIT
//
// agent/sync/engine — the replication engine: decides everything, does nothing itself.
//
// A deterministic function of its inputs: the calls below, in order, and what the ports answer. One
// thread. It never blocks beyond one port call and never reads a clock: engine_now is called first
// in each turn. It never sleeps: engine_deadline says when it wants engine_tick.
#ifndef AGENT_SYNC_ENGINE_H
#define AGENT_SYNC_ENGINE_H

#include "agent/core/index.h"
#include "agent/sync/ports.h"

struct engine;

struct engine_options {
    struct index_port index;
    struct disk_port disk;
    struct net_port net;
    struct key_port keys;
    struct notify_port notify;
    struct device_id device;
    const char *name;    // this device's, for people
    const char *program; // "cfgsync-agent 0.1.0"
    int64_t forget_ms;   // how old a deletion must be to be forgotten; 0: 30 days
    uint32_t ahead_min;  // so many steps are made ready while others are on the disk; 0: 32
    // With so many versions a page of a round is full; 0: with as many as fit.
    uint32_t page_versions;
};

struct engine *engine_new(const struct engine_options *options);
void engine_destroy(
    struct engine **engine); // says BYE to all, drops everything; jobs under way are the caller's

// Before an orderly end: each index and its root agree on when that was. Results of jobs must still
// be handed in until engine_rested.
void engine_rest(struct engine *engine);
bool engine_rested(const struct engine *engine);

// Gives back what only makes work in large amounts quicker.
void engine_slim(struct engine *engine);

void engine_now(struct engine *engine, int64_t monotonic_ms, int64_t wall_ms);
void engine_tick(struct engine *engine);
int64_t engine_deadline(const struct engine *engine); // monotonic ms; INT64_MAX: nothing waits

// ---- who is trusted. Put again to rename.
void engine_peer_put(struct engine *engine, struct device_id device, const char *name);
void engine_peer_remove(struct engine *engine, struct device_id device); // sessions end at once
// It was removed, perhaps by a former run: what it approves does not count, whoever passes it on,
// until it is put again.
void engine_peer_distrust(struct engine *engine, struct device_id device);

// Whether what it approves is believed here; it is, until told otherwise.
void engine_peer_approves(struct engine *engine, struct device_id device, bool approves);

// ---- folders
// When a brake engages: more than this many within ten minutes, and more than that part of the
// folder's items. 0: the usual.
struct engine_brake {
    bool off;
    bool strict; // only what is approved on this device itself counts as approved
    uint32_t deleted, deleted_percent;
    uint32_t rewritten, rewritten_percent;
    uint32_t restored, restored_percent; // at least
};

enum engine_mode {
    MODE_TWO_WAY,
    MODE_SEND_ONLY,    // what others change is known, and not put in place here
    MODE_RECEIVE_ONLY, // what is changed here is not published
};

struct engine_folder {
    const char *name;
    const char *path;    // absolute
    struct folder_id id; // what the registry has; all zero: the marker's, or a new one
    bool with_all;
    const struct device_id *with; // devices it is shared with
    uint32_t with_count;
    uint64_t kept_bytes_max; // what kept versions may take; 0: no limit
    uint32_t kept_days;      // for how long they stay; 0: 30
    uint64_t base_bytes_max; // what the base store may take; 0: there is none
    struct engine_brake brake;
    enum engine_mode mode;
    bool new_root; // folder add: make .cfgsync and the marker; else a root without marker is
                   // root-missing
};
// Opens it (index row made if missing), checks the root, recovers the journal, scans. Putting it
// again changes the sharing. *out_folder is the number jobs and watch events carry: the disk's root
// must be added under it before the next engine_tick: that is when the first job goes out.
enum err engine_folder_put(struct engine *engine, const struct engine_folder *folder,
                           uint32_t *out_folder) MUST_USE;
void engine_folder_remove(struct engine *engine, const char *name); // forgets its index; files stay
// Of one that is not open: of what it has left, for it was not removed to the end or was declared
// once, those of a new folder of its name are to hear nothing. IO: the index is not written.
enum err engine_folder_forget(struct engine *engine, const char *name) MUST_USE;
// Joins the folder of this name of a peer (2.13). DENIED: that peer offers none, or nothing is to
// decide; UNREACHABLE: not connected. *out_what static text.
enum err engine_folder_accept(struct engine *engine, const char *name, struct device_id from,
                              const char **out_what) MUST_USE;

// ---- pauses: nothing is exchanged; the index goes on following the disk. Each is a switch of its
// own: what any of them pauses is paused.
void engine_pause(struct engine *engine, bool paused); // with everybody
void engine_folder_pause(struct engine *engine, const char *name, bool paused);
void engine_peer_pause(struct engine *engine, struct device_id device, bool paused);

// ---- how many bytes of contents a second go out and come in, on average, with peers that are not
// near; 0: any. At least the least, so that a request is answered in time.
enum { ENGINE_RATE_MIN = 128 << 10 };
void engine_rates(struct engine *engine, uint64_t up, uint64_t down);

// ---- events
enum conn_way { CONN_ACCEPTED, CONN_DIALLED, CONN_DIALLED_NEAR };
void engine_conn_up(struct engine *engine, uint64_t conn, struct device_id device,
                    enum conn_way way, enum lane lane, struct slice address);
void engine_conn_down(struct engine *engine, uint64_t conn);
void engine_message(struct engine *engine, uint64_t conn, struct slice bytes);
bool engine_connected(struct engine *engine, struct device_id device);
// Or the machine has slept: who does not answer soon is gone.
void engine_network_changed(struct engine *engine);
void engine_drained(struct engine *engine, uint64_t conn);
void engine_job_done(struct engine *engine, struct job *job); // takes it

enum engine_watch {
    ENGINE_WRITTEN,
    ENGINE_MODIFIED,
    ENGINE_GONE,
    ENGINE_TREE,
    ENGINE_RESCAN,
    ENGINE_MISSED, // a walk for what no event tells of
    ENGINE_ROOT,
    ENGINE_KEPT // path is the name of a kept file: written to since
};
void engine_watch(struct engine *engine, uint32_t folder, enum engine_watch what,
                  struct slice path);

// ---- sync (design.md section 9). Watch events must have been drained into engine_watch before.
// notify.sync_done(ticket) comes once, now or later.
struct sync_request {
    const char *folder; // NULL: all
    bool has_peer;
    struct device_id peer;
    bool wait;
    int64_t timeout_ms;
    bool unwatched; // some directories are not watched: walk first
};
void engine_sync(struct engine *engine, uint64_t ticket, const struct sync_request *request);
void engine_sync_cancel(struct engine *engine, uint64_t ticket);

struct sync_line {
    bool problem;
    struct slice text;
};
struct sync_result {
    int exit; // 0, 1, 4, 5
    const struct sync_line *lines;
    uint32_t count;
};

// ---- verify: all that two have is compared. notify.verified(ticket) comes once, now or later.
struct verify_request {
    const char *folder; // NULL: all
    bool has_peer;
    struct device_id peer;
    int64_t timeout_ms;
};
void engine_verify(struct engine *engine, uint64_t ticket, const struct verify_request *request);
void engine_verify_cancel(struct engine *engine, uint64_t ticket);

struct verify_line {
    struct slice folder, peer;
    const char *what; // "equal", "repaired"; "not-connected", "not-joined", "not-in-step"
    uint64_t items;   // here
    uint64_t came;    // versions that should have been here
    uint64_t went;    // items of which the peer lacked something
};
struct verify_result {
    int exit; // 0: all equal; 1: something was not; 4: not all could be compared in time
    const struct verify_line *lines;
    uint32_t count;
};

// ---- how good the way to a peer is, by its bulk lane, in at most ten seconds
struct bench_result {
    const char *what;     // NULL: measured; else why not, static text
    uint32_t round_trips; // so many, one after the other
    int64_t round_trips_ms;
    uint64_t out_bytes, in_bytes; // to the peer and from it
    int64_t out_ms, in_ms;
};
// notify.measured(ticket) comes once, now or later. One at a time; BUSY: another is under way.
enum err engine_bench(struct engine *engine, uint64_t ticket, struct device_id peer) MUST_USE;
void engine_bench_cancel(struct engine *engine, uint64_t ticket);

// ---- orphans: what is known and no holder has answered with the content for
struct orphan {
    struct slice folder, path;
    struct value value;     // of what is sought; of several the latest
    struct slice by;        // who made it,
    int64_t when_ms;        // and when
    struct slice holder;    // who had it last, as far as is known here
    int64_t holder_seen_ms; // 0: never, or not a peer
    bool holder_away;       // it is connected, but its disk is away or not looked at yet
    bool here;              // another version of it is on this disk
    int64_t sought_ms;      // for so long
    int64_t left_ms;        // until it counts as an orphan; 0: it does
};
// At most `max`, of one folder (NULL: all), in tree order; on the arena. Returns how many.
uint32_t engine_orphans(struct engine *engine, struct arena *arena, const char *folder,
                        uint32_t max, struct orphan *out);

// Gives them up: what is on this disk supersedes them, unless a connected peer has one after all.
// notify.abandoned(ticket) comes once, now or later.
struct abandon_request {
    const char *folder;
    const struct slice *paths;
    uint32_t count;
    bool now; // also what has been sought for less than a week
};
void engine_abandon(struct engine *engine, uint64_t ticket, const struct abandon_request *request);
void engine_abandon_cancel(struct engine *engine, uint64_t ticket);

struct given_up {
    struct slice path;
    struct content content;
};
struct abandon_result {
    enum err err;     // OK; else nothing was given up
    const char *what; // why not
    const struct given_up *list;
    uint32_t count;
    uint32_t came;   // paths: their content has turned up, or something newer
    uint32_t unsure; // paths: a connected peer does not answer, or they are being changed
};

// ---- what a person decides. notify.decided(ticket) comes once, now or later.
enum decision_kind {
    DECIDE_TAKE,     // a conflict item's content to its path; all conflict items of the path go
    DECIDE_WITH,     // the content of `file` (empty: what is there) to the path; the same
    DECIDE_DISMISS,  // all conflict items of the path go
    DECIDE_RESTORE,  // a kept version comes back
    DECIDE_UNDO,     // the last batch that was applied is taken back
    DECIDE_APPROVE,  // what is held goes on, and is signed for
    DECIDE_REVERT,   // what is held is taken back
    DECIDE_OVERRIDE, // of a send-only folder: what is here wins everywhere
    DECIDE_RESET,    // of a receive-only folder: what only this device has changed goes
};

struct decision {
    enum decision_kind kind;
    const char *folder;
    struct slice path; // not for UNDO
    struct slice file; // WITH: absolute
    bool has_from;     // TAKE: of this device
    struct device_id from;
    uint64_t kept; // RESTORE: its number; 0: the newest, or
    int64_t at_ms; // the newest that was there at this wall clock time; 0: the newest
};

struct decision_result {
    enum err err;        // OK; else nothing, or not all of it, was done
    const char *what;    // why not, static text; NULL
    uint64_t changed;    // paths
    uint64_t left_alone; // UNDO, REVERT: changed since, or not to be had now
    bool apart;          // UNDO took a join back: the folder has its id of before again
};
void engine_decide(struct engine *engine, uint64_t ticket, const struct decision *decision);
void engine_decide_cancel(struct engine *engine, uint64_t ticket); // nobody waits any more

// One conflict item. Everything lives on the arena.
struct conflict {
    struct slice folder;
    struct slice path; // whose it is
    struct slice item; // where it is kept, relative to the root
    struct value value;
    struct device_id by; // whose edit it is; zero: not known
    int64_t when_ms;     // of that edit
    bool live;           // something stands at the path
    struct value winner;
    struct device_id winner_by;
    int64_t winner_when_ms;
};
// At most `max`, of one folder (NULL: all); returns how many.
uint32_t engine_conflicts(struct engine *engine, struct arena *arena, const char *folder,
                          uint32_t max, struct conflict *out);

// Newest first, of a path and what is below it (empty: all), with numbers below `before` (0: all).
uint32_t engine_kept(struct engine *engine, struct arena *arena, const char *folder,
                     struct slice path, uint64_t before, uint32_t max, struct kept_row *out);

// ---- what is held. Everything lives on the arena.
struct plan_path {
    struct slice path;
    const char *what; // "deleted", "rewritten", "older"
    bool of_others;
    struct device_id by; // of others: whose change it is; zero: not known
};

// Two folders of one name, path by path: what joining them would meet.
enum compared_kind {
    COMPARED_EQUAL,
    COMPARED_ONLY_HERE,
    COMPARED_ONLY_THERE,
    COMPARED_DIFFERENT,
    COMPARED_MODE,     // different in nothing but permissions
    COMPARED_LEFT_OUT, // only there, and left out here by a rule
    COMPARED_KINDS
};

enum { COMPARED_NAMES = 10 };

struct compared_part {
    uint64_t items;
    uint64_t bytes_here, bytes_there;
    struct slice first[COMPARED_NAMES]; // in tree order
    uint32_t first_count;
};

enum compare_state { COMPARE_NOT, COMPARE_RUNS, COMPARE_DONE, COMPARE_FAILED };

struct compared {
    enum compare_state state;
    const char *why; // FAILED: static text
    uint64_t listed; // items of the other side so far
    struct compared_part parts[COMPARED_KINDS];
};

struct plan_peer {
    struct slice name;
    uint64_t of_others;       // changes that it holds, of other devices, this one perhaps
    uint64_t unpublished;     // changes found on its disk that it holds
    bool pending;             // it has another folder of this name,
    uint64_t items, bytes;    // with so much in it, as it said last,
    struct compared compared; // and this came of engine_compare
};

struct plan {
    const char *brake;                  // what holds changes found here; "": nothing
    uint64_t deleted, rewritten, older; // how many
    const char *in_brake;               // what holds changes of others; "": nothing
    uint64_t in_deleted, in_rewritten;  // how many
    uint64_t items, bytes;              // of the folder
    struct plan_path *paths;            // the first of them
    uint32_t path_count;
    struct plan_peer *peers; // those that hold something, or have another folder
    uint32_t peer_count;
};
// False: there is no such folder.
bool engine_plan(struct engine *engine, struct arena *arena, const char *folder, struct plan *out);
// Begins to compare a folder (NULL: all) with those of its name that wait to be joined; what comes
// of it is in the plan. One that is under way goes on. Nothing is changed by it, on neither side.
void engine_compare(struct engine *engine, const char *folder);
bool engine_comparing(const struct engine *engine, const char *folder);

// ---- what connected peers offer and is not here, or not shared with them. On the arena.
struct offer_seen {
    struct slice name, peer;
    uint64_t items, bytes; // as the peer said last
    bool here;             // a folder of that name is, and is not shared with the peer
};
uint32_t engine_offers(struct engine *engine, struct arena *arena, struct offer_seen **out);

// ---- what status shows. Everything lives on the arena.
enum folder_state {
    FOLDER_SYNCED,
    FOLDER_PAUSED,
    FOLDER_PENDING_OUT,
    FOLDER_PENDING_IN,
    FOLDER_SYNCING,
    FOLDER_CONFLICT,
    FOLDER_HELD,
    FOLDER_ERROR,
};                                                      // in order of badness
const char *folder_state_text(enum folder_state state); // "synced", "pending-out", ...

struct status_error {
    const char *code; // "blocked:no-space", "root-missing", ...
    struct slice path;
    const char *message;
    const char *hint;
};

struct folder_status {
    struct slice name;
    struct folder_id id;
    uint32_t folder;
    enum folder_state state;
    const char *code; // "" or "root-missing", "join-pending", "secrets", ...
    uint64_t items, bytes;
    uint64_t pending_in;  // unblocked needs here
    uint64_t pending_out; // largest of what a peer is owed
    uint64_t conflicts, held, blocked, orphans;
    enum engine_mode mode;
    uint64_t differs;      // send-only: of others, and not put in place here; of many, the first
    uint64_t changed_here; // receive-only: not published
    bool scanning;
    uint64_t scanned; // entries seen by the scan under way
    struct status_error *errors;
    uint32_t error_count;
};

struct peer_folder_status {
    struct slice name;
    const char
        *state; // "joined", "not-joined", "join-pending", "scanning", "paused", "paused-there"
    uint64_t owed_changes, owed_bytes;
};

struct peer_status {
    struct device_id device;
    struct slice name;
    bool connected;
    struct slice address; // empty if never
    bool dialled;
    bool near;                         // connected on a network that one of the two is itself on
    int64_t rtt_ms;                    // -1: unknown; then clock_ms is, too
    int64_t clock_ms;                  // its clock, less ours
    int64_t last_seen_wall_ms;         // 0: never
    bool version_differs;              // that is why there is no session
    uint64_t owed_changes, owed_bytes; // by us
    uint64_t in_changes, in_bytes;     // by it: it has on its disk what is needed here
    struct peer_folder_status *folders;
    uint32_t folder_count;
};

struct engine_counters { // since start, for /metrics
    uint64_t messages_in, messages_out, bytes_in, bytes_out, contents_in, content_bytes_in,
        contents_out, content_bytes_out, content_bytes_reused, versions_in, minted, applied,
        conflicts_made, rounds, commits, sessions_refused;
};

struct engine_status {
    enum folder_state state; // the worst
    struct folder_status *folders;
    uint32_t folder_count;
    struct peer_status *peers;
    uint32_t peer_count;
    struct status_error *errors; // of no folder
    uint32_t error_count;
    struct engine_counters counters;
};
void engine_status(struct engine *engine, struct arena *arena, struct engine_status *out);
// Held secrets and the like are the disk's: the daemon adds them.

// ---- why a path is or is not in sync. Everything lives on the arena.
enum path_has { PATH_UNKNOWN, PATH_KNOWN, PATH_ON_DISK, PATH_BLOCKED };

struct path_peer {
    struct slice name;
    bool connected;
    int64_t last_seen_wall_ms; // 0: never
    const char *share;         // as peer_folder_status.state
    enum path_has has;         // of what is known here, as far as the peer has said
    struct slice reason;       // of PATH_BLOCKED
};

struct path_status {
    bool known; // in the index
    bool deleted;
    bool implied;        // a directory that lives on by what is in it
    bool need;           // not on this disk as it is known
    bool looking;        // being looked at, or put in place
    const char *held;    // NULL, or the brake that holds a change of it
    bool awaits_content; // which is on its way, or
    bool no_source;      // nobody who is connected has it
    uint32_t heads;
    const char *blocked; // NULL
    const char *hint;    // what to do about it, "" if nothing
    const char *sought;  // NULL, or for how long its content was sought in vain, for a week or more
    struct slice clash;  // with another name, where case or spelling does not count
    const char *problem; // NULL; of the disk
    struct slice author;
    int64_t saved_ms;
    struct slice *conflicts; // conflict items of it
    uint32_t conflict_count;
    struct path_peer *peers; // those it is shared with
    uint32_t peer_count;
};

// False: there is no such folder. `path` canonical. What is left out is the disk's to say.
bool engine_path(struct engine *engine, struct arena *arena, uint32_t folder, struct slice path,
                 struct path_status *out);

// True when nothing is under way: no scan, look, apply, transfer (tests; `folder add` waits for the
// first scan).
bool engine_folder_scanned(struct engine *engine, uint32_t folder);

#endif
