// SPDX-License-Identifier: MIT
//
// Shared by wait.c (requests to sync) and wait_report.c (what they end with).
#ifndef AGENT_SYNC_WAIT_PRIV_H
#define AGENT_SYNC_WAIT_PRIV_H

#include "agent/sync/engine_priv.h"

enum phase { PHASE_PRESENT, PHASE_ASK, PHASE_WAIT };

// One peer of one folder, as far as one request is concerned.
struct target {
    struct folder *folder;
    struct device_id device;
    bool asked;    // PING is on its way
    bool answered; // PONG came: all it had said before is known
    bool round_asked, round_done;
    int64_t asked_ms;
    uint64_t token;
    uint64_t session;    // asked in
    uint64_t own_inc;    // the present life; when it is another, `own` is taken anew
    struct vvbox own;    // what was saved here before the call, in this life and in those before it
    struct vvbox theirs; // what they knew at the call
    struct target *next;
};

struct sync_wait {
    uint64_t ticket;
    enum phase phase;
    bool wait;
    bool all_folders, has_peer;
    char *folder;
    struct device_id peer;
    int64_t deadline_ms;
    struct target *targets;
    struct sync_wait *next;
};

bool wait_concerns(const struct sync_wait *wait, const struct folder *folder);
struct share *target_share(const struct target *t); // NULL: none
bool target_over(const struct target *t);           // nothing is shared with it any more
bool target_not_carried(const struct target *t);    // the peer does not have this folder
bool target_paused_here(const struct target *t);
bool target_pending(const struct target *t);
bool target_held_there(const struct target *t);
bool target_done(const struct target *t, bool wait, struct arena *arena);

// `late`: its time is over. The lines live in the engine's scratch.
void wait_report(struct engine *engine, const struct sync_wait *wait, bool late,
                 struct sync_result *out);

#endif
