// SPDX-License-Identifier: MIT
//
// tests/unit/sync/lan — machines with real engines, real indexes in memory and real disks, each of
// which has the folder "f", and lines between all of them. One thread, virtual time: nothing
// happens but in lan_settle, lan_wait and what calls them.
//
// One thing can go wrong at a chosen moment (lan_fault), which sweep.h does at each in turn.
#ifndef TESTS_UNIT_SYNC_LAN_H
#define TESTS_UNIT_SYNC_LAN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "agent/fs/disk.h"
#include "agent/store/store.h"
#include "agent/sync/engine.h"
#include "crypto/identity.h"

enum { LAN_MACHINES_MAX = 3, LAN_LINES_MAX = 3, LAN_JOBS_MAX = 1024, LAN_WITH_MAX = 3 };

enum lan_fault_kind {
    FAULT_NONE,
    FAULT_COMMIT, // the index refuses a commit, as a full disk does
    FAULT_JOB,    // a job fails with `err`, nothing of it was done
    FAULT_CUT,    // the line is lost with a message that comes in, to be there again in a second
    FAULT_STALL,  // nothing comes in any more from some message on, for two and a half minutes
    FAULT_CRASH,  // the process dies before a job and starts again
    FAULT_LIE,    // a message says something else when it comes in
    FAULT_EDIT,   // a user saves at a path of a job (look, apply) just before it
};

struct lan_fault {
    enum lan_fault_kind kind;
    uint32_t machine;
    uint32_t at;    // the first is 1
    uint32_t count; // how many in a row; 0: one
    enum err err;
    uint32_t jobs; // FAULT_JOB: bits 1 << enum job_kind; 0: any
    // FAULT_LIE: changes a message, which may live on the arena; false: it is not of that sort.
    bool (*lie)(struct arena *, struct message *);
};

struct machine {
    struct lan *lan;
    uint32_t index;
    char name[2];
    char root[64];
    struct identity *identity;
    struct device_id id;
    struct store *store;
    struct disk *disk;
    struct engine *engine;
    struct engine_folder put; // what the folder is opened with
    uint32_t folder;
    bool down;
    bool touched;    // by its user, since its disk was watched last
    uint32_t starts; // of its process
    struct job *jobs[LAN_JOBS_MAX];
    uint32_t job_count;
    uint32_t held;                  // bits 1 << enum job_kind: these wait
    struct decision_result decided; // the last one
    uint32_t decisions;
    struct abandon_result abandoned;
    uint32_t abandons;
    int verify_exit;
    uint32_t verifies;
    int sync_exit;
    uint32_t syncs;
};

struct line {
    uint32_t ends[2];     // 0 dials
    uint64_t conns[2][2]; // of a lane at an end; 0: down
    int64_t redial_ms;
    int64_t stalled_ms; // until then
};

struct parcel;
struct lan {
    struct machine machines[LAN_MACHINES_MAX];
    uint32_t count;
    struct line lines[LAN_LINES_MAX];
    uint32_t line_count;
    bool cut;                     // no line comes up
    struct parcel *first, **last; // messages on their way
    uint64_t last_conn;
    int64_t now_ms, wall_ms; // of the start
    size_t queue_max[2];     // bytes on their way in a lane, before BUSY is said
    struct lan_fault fault;
    uint32_t seen; // of what the fault counts
    bool fired;
    struct arena *arena; // as long as the lan
    uint32_t edits;
};

static inline struct machine *a_of(struct lan *lan)
{
    return &lan->machines[0];
}

static inline struct machine *b_of(struct lan *lan)
{
    return &lan->machines[1];
}

// Machines "a", "b" and perhaps "c", joined and connected, at rest.
void lan_open(struct lan *lan, uint32_t count);
// The same with other settings: `tune` may change what each machine opens its folder with.
void lan_open_tuned(struct lan *lan, uint32_t count, void (*tune)(struct machine *));
void lan_close(struct lan *lan);
void lan_settle(struct lan *lan); // what is due; the clock stands
void lan_wait(struct lan *lan, int64_t ms);
void lan_cut(struct lan *lan);  // all lines are lost,
void lan_join(struct lan *lan); // and there again
void machine_restart(struct machine *m);
void machine_stop(struct machine *m);
void machine_start(struct machine *m);
void machine_put(struct machine *m); // its folder with m->put as it is now

// From now on; what it counts begins anew.
void lan_arm(struct lan *lan, const struct lan_fault *fault);

// ---- users
void user_write(struct machine *m, const char *path, const char *text);
void user_bytes(struct machine *m, const char *path, const uint8_t *bytes, size_t size);
void user_remove(struct machine *m, const char *path); // with what is below it
void user_mkdir(struct machine *m, const char *path);
void user_rename(struct machine *m, const char *from, const char *to);

// ---- what is there
bool shows(struct machine *m, const char *path, const char *text); // NULL: nothing is there
bool shows_bytes(struct machine *m, const char *path, const uint8_t *bytes, size_t size);
struct folder_status status_of(struct machine *m);
struct engine_counters counters_of(struct machine *m);
struct item item_of(struct machine *m, const char *path);
uint32_t conflicts_of(struct machine *m, struct conflict *out, uint32_t max);
// The same entries with the same contents below all roots, conflict items included.
bool trees_equal(struct lan *lan);
// Nothing is needed, nothing is under way, all know the same.
bool lan_in_step(struct lan *lan);

// ---- what a person asks for; what came of it is in m->decided. Waits up to two minutes.
// UNREACHABLE: the process that was asked has died.
const struct decision_result *decide(struct machine *m, const struct decision *decision);

#endif
