// SPDX-License-Identifier: MIT
//
// agent/daemon/agent — the running agent: every room's object, and what the loop carries between
// them.
//
// Lives on the engine's thread. The engine must not be called from inside its own notifications, so
// what they ask for is noted here and done at the end of the turn (agent_settle).
#ifndef AGENT_DAEMON_AGENT_PRIV_H
#define AGENT_DAEMON_AGENT_PRIV_H

#include "agent/api/server.h"
#include "agent/base/json.h"
#include "agent/daemon/config_priv.h"
#include "agent/daemon/pool_priv.h"
#include "agent/daemon/statusfile_priv.h"
#include "agent/daemon/trust_priv.h"
#include "agent/daemon/wake_priv.h"
#include "agent/fs/disk.h"
#include "agent/net/net.h"
#include "agent/store/home.h"
#include "agent/store/registry.h"
#include "agent/store/store.h"
#include "agent/sync/engine.h"
#include "crypto/identity.h"

// What ports.h calls workers: hands for disk jobs.
struct workers {
    struct disk *disk;
    struct pool *pool;
};

// A folder that the engine and the disk have.
struct live_folder {
    char *name;
    uint32_t folder;
    bool include_secrets; // as the disk was told
    bool include_vcs;
};

// POST /v1/folders, answered when the first scan has ended.
struct folder_wait {
    uint64_t request;
    char *name;
    uint32_t folder;
    bool is_new; // undone if its root turns out to be unusable
    bool unchanged;
};

// POST /v1/sync under way.
struct sync_wait {
    uint64_t request;
    char *folder; // NULL: all
    bool wait;
    int64_t started_ms;
    uint64_t changes; // to be seen through, as known at the start
    uint64_t versions;
    uint64_t bytes;
    json_t *result; // {"exit", "lines"} once the engine has said so
};

struct plan_wait {
    uint64_t request;
    char *folder; // NULL: all
    int64_t until_ms;
};

struct event_client {
    uint64_t request;
};

enum { EVENTS_KEPT = 256 };

// For clients that come again.
struct past_event {
    char *name;
    char *json;
};

struct agent {
    struct home home;
    struct config config;
    int state_fd;
    int witness_fd; // twins of the roots' witnesses
    int lock_fd;
    mode_t umask; // that it was started with
    char *name;
    struct identity *identity;
    struct device_id device;
    struct registry *registry;
    struct store *store;
    struct trust *trust;
    struct net *net;
    struct workers workers;
    struct mailbox *results;
    struct engine *engine;
    struct mailbox *inbox;
    struct api_server *api;
    struct wake wake; // results and inbox
    struct wake signals;
    struct statusfile statusfile;
    struct arena *scratch; // reset each turn

    int64_t now_ms; // monotonic
    int64_t wall_ms;
    int64_t started_ms;
    int64_t born_ms;        // wall clock, of the start: tells one run's events from another's
    const char *last_event; // of the request that is being served
    bool ending;

    struct live_folder *folders;
    uint32_t folder_count;
    struct attempts *attempts;
    struct folder_wait *folder_waits;
    uint32_t folder_wait_count;
    struct pairing *pairing;
    struct nearby *nearby;
    struct invites *invites;
    int64_t expire_due_ms; // invitations are not looked at before
    struct guest *guests;  // connections that came with an invitation
    uint32_t guest_count;
    struct redeem *redeem;       // NULL: this device was not invited
    int config_fd;               // tells when its file may have changed; -1: nobody does
    struct digest config_digest; // of the file as it was read last
    int64_t config_due_ms;       // it is read again
    uint64_t reload_beside;      // the version of the registry then
    char *reload_problem;        // NULL, or why the file is not in force,
    char *reload_later;          // and what of it waits for the next start
    struct pauses *pauses;
    int64_t quiet_until_ms; // wall clock: the quiet hours that it is in end; 0: it is in none
    int64_t quiet_over_ms;  // those that end then do not count
    int64_t pause_due_ms;
    struct sync_wait *sync_waits;
    uint32_t sync_wait_count;
    struct plan_wait *plan_waits;
    uint32_t plan_wait_count;
    struct event_client *event_clients;
    uint32_t event_client_count;
    struct past_event past_events[EVENTS_KEPT]; // a ring
    uint64_t event_count;                       // so many there have been

    bool icon_dirty;
    bool events_dirty;
    int64_t icon_due_ms;   // not before
    int64_t events_due_ms; // not before
    int64_t rescan_due_ms; // folders that are not wholly watched; INT64_MAX: none
    int64_t missed_due_ms; // a walk of all folders
    int64_t slim_due_ms;   // much was done since memory was given back; INT64_MAX: not much
    uint32_t jobs_done;    // since then
    int64_t folder_look_ms;
    int64_t renew_due_ms; // INT64_MAX: nobody was lost
    unsigned renewals;    // since somebody was
    int64_t slept_ms;     // in all, as last seen
    int sleep_fd;         // sleep_priv.h; -1: none
};

// ---- daemon.c
int64_t agent_clock_ms(void);

// ---- wire.c
struct engine_options wire_options(struct agent *agent);

// ---- peers.c: one peer in registry, trust, engine and net at once
void peers_start(struct agent *agent);
void peers_trust(struct agent *agent);
enum err peers_put(struct agent *agent, const struct registry_peer *peer) MUST_USE;
enum err peers_remove(struct agent *agent, const char *name, bool by_person) MUST_USE;
// Whether it trusts this device is known, or it is not.
void peers_confirm(struct agent *agent, struct device_id device, bool confirmed);
// The engine's and the dialler's part of it, when registry and trust have it, or have it no more.
void peers_begin(struct agent *agent, const struct registry_peer *peer);
void peers_drop(struct agent *agent, struct device_id device);

// ---- folders.c: one folder in registry, engine and disk at once
enum err folders_start(struct agent *agent, struct buf *out_message) MUST_USE;
// Puts it into engine and disk, again if it is there already.
enum err folders_open(struct agent *agent, const struct registry_folder *folder, bool new_root,
                      uint32_t *out_folder) MUST_USE;
void folders_close(struct agent *agent,
                   const char *name); // of engine and disk; the registry is the caller's
// A root may be made only for a folder that never had one.
// False, with a sentence: it is, contains or is inside another's, or our own state.
bool folders_root_fits(const struct agent *agent, const struct registry_folder *folder,
                       struct buf *out_why);
bool folders_never_ran(struct agent *agent, const struct registry_folder *folder);
void folders_share_again(struct agent *agent); // after the peers have changed
const struct live_folder *folders_find(const struct agent *agent, const char *name);
uint32_t folders_unwatched(const struct agent *agent, const char *name); // NULL: all

// ---- machine.c
enum err machine_check(struct agent *agent, struct buf *out_message) MUST_USE;

// ---- loop.c
void loop_run(struct agent *agent);
bool loop_watch(
    struct agent *agent); // drains watch events into the engine; false: there may be more

// ---- control*.c
void control_request(struct agent *agent, struct api_request *request); // takes it
void control_settle(struct agent *agent); // answers what has become answerable
int64_t control_deadline(const struct agent *agent);
void control_decided(struct agent *agent, uint64_t ticket, const struct decision_result *result);
void control_sync_done(struct agent *agent, uint64_t ticket, const struct sync_result *result);
void control_abandoned(struct agent *agent, uint64_t ticket, const struct abandon_result *result);
void control_measured(struct agent *agent, uint64_t ticket, const struct bench_result *result);
void control_verified(struct agent *agent, uint64_t ticket, const struct verify_result *result);
void control_pair_take(struct agent *agent); // what the pairing's thread has said
void control_pair_end(struct agent *agent);  // while all rooms are still there
void control_end(struct agent *agent);

// ---- events.c
// `last`: the id of the last one that it has got; what came after it is sent first.
void events_add(struct agent *agent, uint64_t request, const char *last);
void events_end(struct agent *agent);
void events_gone(struct agent *agent, uint64_t request);
void events_send(struct agent *agent, const char *event, struct slice json); // kept, too
void events_status(struct agent *agent, struct slice json); // the present, not kept
void events_status_to(struct agent *agent, uint64_t request, struct slice json);

// ---- show.c: status file and status events, not more often than they are read
void show_dirty(struct agent *agent);
void show_settle(struct agent *agent);
int64_t show_deadline(const struct agent *agent);

#endif
