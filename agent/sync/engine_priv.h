// SPDX-License-Identifier: MIT
//
// The engine's own state. One struct per thing: engine, peer, session (a pair of lanes), folder,
// share (a folder within a session), transfer (a content on its way here), wait (a sync request).
// Those of peers and folders are in files of their own.
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
    INDEX_FAILED_MS = 15 * 1000, // so long that is said
    ROUND_QUIET_MS = 120 * 1000, // without a page
    ROUND_OLD_MS = 10 * 60 * 1000,
    REQUEST_TIMEOUT_MS = 30 * 1000,
    NEWS_AWAITED_MS = 5 * 1000,
    GAP_OLD_MS = 10 * 60 * 1000, // nothing was heard that could close it
    GAP_EVEN_MS = 60 * 1000,     // and who is connected knows no more
    LOOKS_PER_JOB = 64,
    LOOKS_BULK = 1024, // so many that wait: the last of them is what matters
    LOOKS_PER_BULK_JOB = 256,
    LOOK_JOBS_MAX = 4,
    LARGE_LOOK_JOBS_MAX = 4, // besides
    SCAN_ENTRIES = 1024,
    DIRTY_MAX_FOR_SCAN = 4096, // the walk waits while so many looks are open
    STEPS_PER_JOB = 1024,
    TRANSFERS_MAX = 4096,
    INTENTS_MAX = 64,   // under way
    OUTBOX_ENOUGH = 48, // what more can be done is found by a walk of the needs
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

#include "agent/sync/folder_state_priv.h"
#include "agent/sync/peer_state_priv.h"

struct sync_wait;
struct verify;
struct bench;
struct abandon;

struct engine {
    struct engine_options o;
    char *name, *program;
    uint64_t boot;
    int64_t now_ms, wall_ms, started_wall_ms, ticked_ms;
    bool after_crash; // the last run did not end cleanly
    bool paused;
    bool unread; // the index could not be read, at unread_ms
    int64_t unread_ms;
    bool age_looked, age_behind;
    int64_t age_looked_ms, age_behind_ms;
    int64_t age_ms;
    struct arena *scratch; // reset at the start of every event
    struct peer *peers;
    struct device_id *distrusted; // who was removed
    uint32_t distrusted_count;
    struct conn *conns;
    struct session *sessions;
    struct folder *folders;
    struct sync_wait *waits;
    struct verify *verifies;
    struct bench *bench; // NULL: none is under way
    struct abandon *abandons;
    struct engine_counters counters;
    struct rate up, down;
    uint32_t turns; // ticks
    struct compressor *compressor;
    struct map *rides;                         // content_key -> struct ride_entry
    struct ride_entry *ride_first, *ride_last; // by age
    size_t ride_bytes;
    bool changed;
    bool names_dirty; // somebody may have to be told of other peers than before
};

#include "agent/sync/calls_priv.h"
#include "agent/sync/errand_priv.h"
#include "agent/sync/limits_priv.h"
#include "agent/sync/local_priv.h"
#include "agent/sync/meet_priv.h"
#include "agent/sync/unread_priv.h"

#endif
