// SPDX-License-Identifier: MIT
//
// tests/unit/sync/rig — an engine with a real index in memory, a disk whose jobs can be held
// back, and peers that are scripts: what they send is what a test makes up.
#ifndef TESTS_UNIT_SYNC_RIG_H
#define TESTS_UNIT_SYNC_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/store/store.h"
#include "agent/sync/engine.h"
#include "crypto/hash.h"
#include "crypto/identity.h"
#include "proto/path.h"
#include "proto/session.h"
#include "proto/vv.h"

// The engine's quiet time of a file that was never there.
enum { RIG_NEW_QUIET_MS = 20 };

enum { RIG_JOBS_MAX = 1024, RIG_HEARD_MAX = 16384, RIG_DISK_MAX = 1024, RIG_BASE_MAX = 1024 };

struct on_disk {
    struct slice path;
    struct fingerprint print;
    struct value value;
    struct slice bytes; // what a look gives of it
    bool zeros;
};

struct rig;

struct script { // a peer
    struct rig *rig;
    const struct identity *identity;
    struct device_id device;
    uint64_t conns[2];
    struct lane_state lanes[2]; // its own side: it dialled
    bool cut[2];
    bool full; // it reads nothing any more
    uint64_t boot;
    uint64_t features; // as its HELLO says
    uint64_t inc, counter;
    uint8_t nonce[16];
    struct message *heard[RIG_HEARD_MAX]; // decoded, on the rig's arena
    enum lane heard_on[RIG_HEARD_MAX];
    uint32_t heard_count, answered;
};

struct rig {
    struct engine *engine;
    struct store *store;
    const struct identity *identity;
    struct arena *arena; // as long as the test
    struct job *jobs[RIG_JOBS_MAX];
    uint32_t job_count;
    struct on_disk disk[RIG_DISK_MAX]; // in tree order
    uint32_t disk_count;
    uint64_t last_ino;
    struct base_stored base[RIG_BASE_MAX]; // what the base store holds
    uint32_t base_count;
    bool base_spoilt;                // it holds other bytes
    uint64_t base_bytes_max;         // what the engine is told at its start
    enum engine_mode mode;           // likewise
    uint32_t base_jobs;              // carried out
    struct slice kept[RIG_BASE_MAX]; // names of kept files that were made of it
    uint32_t kept_count;
    bool kept_full;  // no more of them can be made
    bool base_stuck; // nothing stored can be removed
    uint8_t witness[16];
    uint32_t held; // bits 1 << enum job_kind: not carried out
    int64_t now_ms;
    int64_t skew_ms;         // of its wall clock
    const char *unread;      // a directory that gives errors
    const char *spelled;     // how the disk spells what is looked at, if not as in the path
    bool looks_same;         // the fingerprint says that nothing was changed
    const char *unread_name; // as the disk spells it; NULL: likewise
    enum err unread_err;     // OK: ERR_IO
    uint32_t names_wrong;    // that many others cannot be synced
    bool folds;              // the disk says that it finds names whatever their case
    bool away;               // the root is not there
    uint64_t hash_ms;        // what it takes to read a file
    const char *left_out;    // a rule leaves this path out, and what is below it
    bool left_out_secret;    // because it looks like a secret
    // A test's own disk. False: the job is carried out as usual, with what was set in it.
    bool (*instead)(struct rig *rig, struct job *job);
    uint32_t walks;  // pieces of walks that the disk was asked for
    bool large_held; // nor are looks at what was found to be large
    uint32_t folder;
    struct folder_id id;
    uint64_t last_conn;
    struct script *scripts[24];
    uint32_t script_count;
    struct folder_id told_id; // by notify.folder_id
    uint32_t told_ids;
    struct decision_result decided; // the last one
    uint32_t decisions;
    uint64_t abandoned; // ticket of the last abandon that ended
    struct abandon_result abandon;
    uint64_t synced; // ticket of the last sync that ended
    int sync_exit;
    const char *sync_said; // its lines
    uint64_t measured;     // ticket of the last bench that ended
    struct bench_result bench;
    uint64_t verified; // ticket of the last verify that ended
    int verify_exit;
    uint64_t verify_came, verify_went;
};

void rig_open(struct rig *rig);     // folder "f", scanned, empty
void rig_open_raw(struct rig *rig); // the same with the first scan still to come
void rig_close(struct rig *rig);
void rig_restart(struct rig *rig); // another process: index and disk stay, peers are gone
// The index refuses `count` commits after `after` others, as a full disk does.
void rig_fail_commits(uint32_t after, uint32_t count);
bool rig_commits_failed(void); // all of them
// Lists of the index come out empty from now on, as when the disk cannot read it.
void rig_fail_reads(bool fail);
struct index_port rig_index(struct store *store);
uint32_t rig_jobs(const struct rig *rig, enum job_kind kind); // held ones
void rig_settle(struct rig *rig); // jobs that are not held, until there are none; the clock stands
void rig_wait(struct rig *rig, int64_t ms); // lets time go by
// On the disk, without a word to the engine.
void rig_save(struct rig *rig, const char *path, const char *text, int64_t mtime_ms);
void rig_save_zeros(struct rig *rig, const char *path, size_t size, int64_t mtime_ms);
void rig_mkdir(struct rig *rig, const char *path);
void rig_delete(struct rig *rig, const char *path);
bool rig_on_disk(struct rig *rig, const char *path);
// The engine may put aside so much from now on.
void rig_base_limit(struct rig *rig, uint64_t bytes_max);
bool rig_base_has(const struct rig *rig, const char *text);
bool rig_base_copy(struct rig *rig, const struct job_copy *copy);
void rig_base_do(struct rig *rig, struct job *job);
// Empty; until it is given back.
struct store *rig_store_take(void);
void rig_store_give(struct store **store);
const struct identity *rig_identity(uint8_t first, uint8_t second); // of the seed that begins so
struct on_disk *disk_find(struct rig *rig, struct slice path);      // NULL
struct on_disk *disk_put(struct rig *rig, struct slice path);
void disk_parents(struct rig *rig, struct slice path); // directories, where nothing is
void disk_look(struct rig *rig, struct look *look);
void disk_remove(struct rig *rig, struct slice path);
void disk_step(struct rig *rig, struct step *step);
struct folder_status rig_status(struct rig *rig);

// A program saves a file, or removes it (text NULL).
void rig_write(struct rig *rig, const char *path, const char *text);
struct item rig_item(struct rig *rig, const char *path);
bool rig_logged(const char *text); // since rig_open
void rig_log_clear(void);
void rig_log_begin(void); // until rig_close

// A trusted device comes, its two lanes open. It lives as long as the rig.
// notify.measured
void rig_measured(void *context, uint64_t ticket, const struct bench_result *result);
struct script *script_connect(struct rig *rig, uint8_t seed);
void script_reconnect(struct script *script);
void script_down(const struct script *script); // the engine hears that both lanes have ended
void script_open(struct script *script, enum lane lane,
                 uint64_t number);                             // of a session of that number
void script_dialled(struct script *script, enum conn_way way); // a session that we have dialled
void script_dialled_half(struct script *script, enum conn_way way); // its control lane answers,
void script_dialled_rest(struct script *script);                    // and now the other one
void script_dialled_apart(struct script *script); // and each lane is answered by another process
void script_send(struct script *script, enum lane lane, struct message *message); // unless cut
bool script_is_cut(const struct script *script);
uint32_t script_heard(const struct script *script, enum message_kind kind);
const struct message *script_last(const struct script *script, enum message_kind kind);

// What an honest device says, to be spoilt.
void script_offer(struct script *script, struct vv k); // of the rig's folder, used and ready
void script_offer_as(struct script *script, struct folder_id id, bool used, enum offer_state state,
                     struct vv k);
// What is on its disk, but for one path that it cannot put in place (NULL: none).
void script_applied(struct script *script, struct vv a, const char *path, const char *reason);
struct mark script_mark(const struct script *script, uint64_t counter);
struct version script_file(struct script *script, const char *path, const char *text); // next dot
struct version script_link(struct script *script, const char *path, const char *target);
// All up to its counter; `ride`: a content that goes along, or NULL.
void script_push(struct script *script, uint64_t after, struct version *versions, uint32_t count,
                 const char *ride);
// An honest device that has these versions with these contents: comes again when it was cut off,
// answers what was asked since the last call. False: nothing was.
bool script_answer(struct script *script, struct version *versions, uint32_t count,
                   const char *const *texts, uint32_t text_count);
void script_pong(struct script *script); // answers PINGs since the last call, and nothing else
struct owner owner_of(struct rig *rig, struct device_id device, uint64_t seed);

#endif
