// SPDX-License-Identifier: MIT
//
// What a person has taken back of the exchange: pauses, so much a second, one way only.
#ifndef AGENT_SYNC_LIMITS_PRIV_H
#define AGENT_SYNC_LIMITS_PRIV_H

#include "agent/sync/engine_priv.h"

// ---- rate.c
bool rate_allows(struct engine *engine, struct rate *rate, const struct session *session);
void rate_spend(struct engine *engine, struct rate *rate, const struct session *session,
                uint64_t bytes);
int64_t rate_deadline(const struct engine *engine, const struct rate *rate);
int64_t serve_deadline(const struct share *share); // serve.c: of what waits for it

// ---- pause.c
bool share_paused(const struct folder *folder, const struct peer *peer); // here
bool share_paused_there(const struct share *share);                      // share may be NULL

// ---- mode.c, mode_decide.c: folders that go one way
void mode_open(struct folder *folder);
void mode_clear(struct folder *folder); // another life
void mode_close(struct folder *folder);
void mode_choose(struct folder *folder, enum engine_mode mode);
enum blocked mode_blocks(const struct folder *folder, const struct item *item);
bool mode_has(const struct folder *folder, struct slice path); // changed here, and not published
// Likewise, and it shows this now; TOMB: nothing.
bool mode_has_as(const struct folder *folder, struct slice path, enum kind kind);
uint64_t mode_changed(const struct folder *folder); // so many are
uint64_t mode_differs(struct folder *folder, struct arena *arena);
// A look has found it: true if it is not to be minted.
bool mode_keeps(struct folder *folder, struct item *item, const struct version *found,
                const struct fingerprint *print);
bool mode_agrees(struct folder *folder, const struct item *item); // it is the head after all
bool mode_leave(struct folder *folder, struct slice path);
void mode_looked(struct folder *folder, struct slice path);
void mode_decide(struct folder *folder, uint64_t ticket, enum decision_kind kind);
const char *mode_refuses(const struct folder *folder, enum decision_kind kind);

// ---- apply.c, applied.c
// Of what nothing is known: the end of it, or with another value, what the disk shows all the same.
struct version version_of_nothing(struct arena *arena, struct slice path);
bool version_is_of_nothing(const struct version *v);
bool blocked_minded(enum blocked reason); // whether a peer minds what is blocked for it
bool applied_minded(struct slice reason); // as the peer's APPLIED says it
// What a peer has last said is blocked there, in `arena`; nothing if it has named nothing. False:
// it cannot be read.
bool bond_blocked(struct arena *arena, const struct bond *bond, struct msg_applied *out);
const struct blocked_item *applied_names(const struct msg_applied *applied,
                                         struct slice path); // NULL: not named

#endif
