// SPDX-License-Identifier: MIT
//
// tests/sim/sim — the simulated world: machines with real engines, the lines between them, the
// people at them, and one queue of events in virtual time. Everything follows from one seed.
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <setjmp.h>
#include <signal.h>

#include "agent/fs/disk.h"
#include "agent/store/store.h"
#include "agent/sync/engine.h"
#include "crypto/identity.h"
#include "tests/sim/focus.h"
#include "tests/sim/index_disk.h"
#include "tests/sim/posix.h"
#include "tests/sim/rng.h"
#include "tests/sim/run.h"

enum { DEVICES_MAX = 8, PATHS_MAX = 24, PATH_TEXT_MAX = 64 };
enum { SIM_BASE_BYTES = 8 * BASE_BLOCK_BYTES }; // so few that some always give way

#define USER_TEMPORARY ".tmp.swp" // what programs save to, and rename

#define MS     UINT64_C(1000) // virtual time is in microseconds
#define SECOND (1000 * MS)

struct world;
struct wire;
struct dial;
struct msg;

// ---- what a seed chooses, each alone, so that unusual mixtures come up (swarm testing)
enum topology { MESH, CHAIN, STAR };

enum act {
    ACT_WRITE,
    ACT_SAVE_OVER, // temporary file, renamed into place
    ACT_COPY,
    ACT_DELETE,
    ACT_DELETE_TREE,
    ACT_MKDIR,
    ACT_RENAME,
    ACT_SYMLINK,
    ACT_CHMOD,
    ACT_TOUCH,
    ACT_EMPTY,
    ACT_TYPE, // what is there becomes something of another type
    ACT_SYNC,
    ACT_VERIFY,
    ACT_ABANDON, // all that is sought in vain
    ACT_COUNT
};

struct options {
    uint32_t devices;
    enum topology topology;
    uint64_t latency_us, job_us, user_us, fault_us;
    uint64_t down_us; // how long a machine stays down, or a line cut
    uint32_t act_weight[ACT_COUNT];
    uint32_t crash_weight, stop_weight, cut_weight, loss_weight, oneway_weight;
    uint32_t edit_in_job;   // per million system calls
    uint32_t crash_in_job;  // likewise
    uint32_t crash_in_call; // per million port calls
    uint32_t tick_skipped;  // per million
    uint32_t overflow;      // notices a watch holds
    uint32_t watches_max;
    int writer; // >= 0: nobody else edits
    int64_t grain_ns;
    uint64_t skew_max_us;
    uint32_t large;    // per million: contents of more than rides along
    uint32_t bursts;   // per million: an edit is followed by another at once
    int64_t forget_ms; // how old a deletion must be to be forgotten
    uint32_t backup_weight, restore_weight;
    bool preset_id; // all start with the folder's id
    bool both_dial;
    uint32_t page_versions; // 0: as many as fit
    bool plain;             // none of what follows
    bool folded;            // asked for
    bool index_file;        // the index is in files, not in memory
    uint32_t power_cut;     // per million crashes
    uint32_t disk_error;    // per million system calls that could fail so
    uint32_t short_write;   // per million writes
    uint32_t index_error;   // per million writes and flushes of the index
    bool no_exchange;
    enum names names;     // of all disks
    bool respells;        // what replaces a folded name brings its own spelling
    uint32_t lose_weight; // an index is lost
    // With a focus alone, per million jobs or calls:
    uint64_t modes_us;        // 0: never; pauses, and folders that go one way only
    uint32_t slow;            // of slow_kind: what came of them is heard of late
    enum job_kind slow_kind;  //
    uint32_t replaced_above;  // a step's directory becomes a file just after the step
    uint32_t crash_after;     // of crash_kind: a crash
    enum job_kind crash_kind; //
    uint32_t race;            // exchanges: their user saves there just before
    uint32_t crash_then;      // a crash at the calls after that, or after an intent's mark
    uint32_t pool;
    char paths[PATHS_MAX][PATH_TEXT_MAX];
};

// ---- machines
struct device {
    struct world *world;
    uint32_t index;
    bool running;
    uint32_t epoch; // counts processes
    struct vfs vfs;
    struct posix posix;
    struct store *store;
    struct index_disk index_disk;
    bool index_here; // the store is on index_disk
    struct disk *disk;
    struct engine *engine;
    struct identity *identity;
    struct device_id id;
    char name[8];
    struct folder_id folder_id; // what its registry has
    bool started_before;
    uint32_t folder;
    enum engine_mode mode;
    bool paused, folder_paused, peer_paused[DEVICES_MAX];
    uint64_t skew_us;
    bool in_txn;
    bool forgets;       // its transaction looks for deletions that all have heard of
    struct buf pending; // struct drawn of the transaction under way
    int64_t tick_us;
    int64_t rescan_us; // not all is watched: walked then
    uint32_t spins;    // ticks without time going on
    int64_t spin_us;
    bool watch_due;
    struct job *job;   // being carried out
    uint32_t jobs;     // under way
    char aim[256];     // what its user does next, he does here
    char aim_to[256];  // and what that has for a second path, there
    uint32_t in_focus; // so many calls after something else, likewise (focus)
    uint32_t raced;    // so many calls after an edit that met a job, a crash is likely
    uint64_t messages; // sent
    uint64_t ticket;
    uint32_t giving_up; // abandons under way
    struct buf asked;   // abandon.c: what they ask for
    int verify_exit;
    struct store *backup_store; // NULL: none
    struct inode *backup_root;
};

// ---- events
enum event_kind {
    EVENT_JOB_RUN,
    EVENT_JOB_DONE,
    EVENT_WATCH,
    EVENT_DELIVER,
    EVENT_CONN_UP,
    EVENT_CONN_DOWN,
    EVENT_DRAINED,
    EVENT_DIAL,
    EVENT_START,
    EVENT_USER,
    EVENT_FAULT,
    EVENT_HEAL,
    EVENT_LINE_DIES,
    EVENT_MODES,
};

struct event {
    int64_t at_us;
    uint64_t number;
    enum event_kind kind;
    uint32_t device;
    uint32_t epoch;
    void *pointer;
    int end; // of a wire
};

struct saved { // a content that a user put somewhere
    uint64_t token;
    char path[NAMES_PATH_MAX];
    char also[NAMES_PATH_MAX]; // where a step has put it, in a directory that was moved just then
    uint32_t device;
    int64_t at_us;
    bool excused; // a user who saw it there took it away
    bool moved;   // with a directory above
    bool by_step; // and a step under way may have put it there
    bool wanted;  // whatever else: it is in the tree in the end
};

struct world {
    uint64_t seed;
    const struct focus *focus; // NULL: none
    struct options o;
    struct rng rng;
    int64_t now_us;
    uint64_t steps, steps_max;
    uint64_t acts; // so far, those that were dropped, too
    struct drops drops;
    bool trouble;
    bool verbose;
    uint64_t token;                    // where it is, is said whenever that changes
    struct buf token_at;               // said last
    bool restored;                     // an index or a disk of an older time was put in place
    char puts_back[4][NAMES_PATH_MAX]; // paths of which a power cut took the content
    uint32_t puts_back_count;
    struct device devices[DEVICES_MAX];
    struct event *events; // a heap
    size_t event_count, event_room;
    uint64_t event_number;
    struct device *current; // whose code runs
    jmp_buf crash;
    bool crash_armed;
    bool linked[DEVICES_MAX][DEVICES_MAX];
    bool blocked[DEVICES_MAX][DEVICES_MAX]; // nothing gets from .. to ..
    uint64_t cut_number[DEVICES_MAX][DEVICES_MAX];
    struct dial *dials;
    struct wire *wires;
    uint64_t conn_last;
    struct saved *saved;
    size_t saved_count, saved_room;
    uint64_t token_last;
    struct map *drawn; // dot -> struct drawn
    struct forgotten *forgotten;
    char failure[512]; // empty: none
    uint64_t counts[16];
    volatile sig_atomic_t late; // the run takes too much real time
};

// ---- world.c
void world_run(struct world *world);
void world_event(struct world *world, uint64_t delay_us, struct event event);
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void device_down(struct device *device, bool crash); // and up again after a while
bool world_act(struct world *world); // something is about to happen; false: it is dropped
void world_settle(struct world *world, int64_t until_us); // events up to a time

// ---- options.c; devices and plain are set before
void options_draw(struct options *options, struct rng *rng);
void options_draw_apart(struct options *options, uint64_t seed);

// ---- planted.c: one defect for this process; false: this program has none
bool plant(const char *name);

// ---- device.c
void device_init(struct world *world, uint32_t index);
void device_start(struct device *device);
void device_crash(struct device *device);
void device_stop(struct device *device);
void device_tick(struct device *device);
void device_job_run(struct device *device, struct job *job);
void device_job_done(struct device *device, struct job *job);
void device_watch(struct device *device);
void device_enter(struct device *device);
void device_leave(struct device *device);
void device_crash_maybe(struct device *device); // at a port call
void device_sync(struct device *device);
void device_verify(struct device *device);
void device_folder_put(struct device *device);

// ---- saved.c
bool path_internal(const char *path);                  // .cfgsync, or below it
bool path_within(const char *path, const char *above); // or the same
void saved_add(struct device *device, const char *path, uint64_t token);
void saved_excuse(struct world *world, const char *path, uint64_t token);
void saved_excuse_in_flight(struct device *device, const char *path);
void saved_excuse_moved(struct device *device);      // its process dies now
void saved_excuse_taken_back(struct device *device); // its job has ended
bool put_by_step(const struct device *device, const struct inode *inode);

// ---- cut.c
void device_index_open(struct device *device);
void saved_at(const struct world *world, struct saved *saved, const char *path); // it is there now
void device_power_cut(struct device *device);
void device_clean_up(struct device *device);

// ---- restore.c
void tokens_in_flight(const struct device *device, struct map *tokens); // what steps have displaced
// The file that was at the path when it was last looked at, if a step has displaced it; else 0.
uint64_t token_taken_out(const struct device *device, const char *path);
void backup_take(struct device *device);
bool backup_restore(struct device *device); // false: there is none, or nobody would have a content

void backup_files(struct device *device);    // the files alone are put back
void backup_whole(struct device *device);    // with the index of then
bool index_lose(struct device *device);      // false: nobody would have a content
bool contents_orphaned(struct world *world); // nobody has what some head names

// ---- ports.c
struct drawn { // what a dot names
    struct dot dot;
    struct digest digest; // of path and value
    char path[256];
    bool twice; // and something else, since an index was put back
};
struct engine_options device_options(struct device *device);
void pending_drop(struct device *device);
bool dots_drawn_twice(const struct world *world, struct dots dots); // any of them

// ---- net.c
void net_init(struct world *world);
enum err wire_send(struct net *net, uint64_t conn, struct slice bytes);
size_t wire_queued(const struct net *net, uint64_t conn);
void wire_drop(struct net *net, uint64_t conn);
void net_device_gone(struct device *device);
void net_device_up(struct device *device);
void net_redial(struct device *device, struct device_id peer);
void net_event(struct world *world, const struct event *event);
void net_lose(struct world *world); // one line at random
void net_cut(struct world *world, bool oneway);
void net_heal_all(struct world *world);
void net_line_dies(struct world *world, struct wire *wire);

// ---- abandon.c
void device_abandon(struct device *device);
void device_abandoned(struct device *device, uint64_t ticket, const struct abandon_result *result);
void device_abandons_cut(struct device *device);

// ---- users.c
void user_act(struct device *device);
uint64_t token_of(const struct inode *inode); // 0: none
void user_saves_visit(struct world *world);

// ---- modes.c
void modes_apply(struct device *device); // its process has just begun, say
void modes_event(struct world *world);
void modes_end(struct device *device);

// ---- focus.c
// After a job, before its result is heard of: later, perhaps. False: its process has died.
// Before a system call of a job that changes something: how likely a crash is there.
void focus_change(struct device *device, const char *call, const char *object, uint32_t *crash);
bool focus_job_ran(struct device *device, const struct job *job, uint64_t *wait_us);
// Somebody does this, whatever is drawn.
void focus_act(struct device *device, enum act act, const char *path, const char *to);

// ---- forgotten.c
void forgotten_note(struct device *device, uint32_t folder, const struct item *item);
void forgotten_unheard(struct world *world); // after an index was put back, or lost
void forgotten_check(struct world *world);

// ---- standing.c: without deletions that one of two has forgotten; how many are left
void quiet_idle(struct world *world);
void quiet_verify(struct world *world);
void quiet_base(struct world *world);
void quiet_copies(struct world *world);
bool displaced_settled(const struct device *device, char *why, size_t size);
void lines_sort(struct buf *text);
uint32_t items_standing(struct arena *arena, struct item *items, uint32_t count, struct vv floor);

// ---- oracle.c
bool oracle_settled(struct world *world, char *why, size_t size);
void oracle_final(struct world *world);
void oracle_knowledge(struct world *world);
void oracle_dump(struct world *world);
void print_version(struct buf *out, const struct version *v);
void print_item(struct buf *out, const struct item *item);
void oracle_token(struct world *world); // says where world->token is, if that has changed

#endif
