// SPDX-License-Identifier: MIT
//
// What the engine's files call of each other where a folder meets that of another device: offers,
// whose id it takes, what that would bring, and the way back.
#ifndef AGENT_SYNC_MEET_PRIV_H
#define AGENT_SYNC_MEET_PRIV_H

#include "agent/sync/engine_priv.h"

// ---- offer.c, offered.c
void session_offer_all(struct session *session);
void folder_offer_all(struct folder *folder);
void share_offer(struct share *share);
void offer_tick(struct share *share);
int64_t offer_deadline(const struct share *share);
void offer_handle(struct session *session, const struct msg_offer *offer);
void offered_note(struct session *session, const struct msg_offer *offer);
void offered_forget(struct session *session);

// ---- known.c
void known_tell(struct session *session, bool anew); // of other peers
void known_dirty(struct engine *engine);             // somebody may have to be told of others
void known_tick(struct engine *engine);
int64_t known_deadline(const struct engine *engine);
void known_handle(struct session *session, struct slice frame);
void known_forget(struct peer *peer);

// ---- adopt.c: a folder takes another's id
void offers_said(struct session *session); // all that the peer has of folders it has offered
bool folder_turning(const struct folder *folder);
void folder_turn(struct folder *folder); // if it is wanted and nothing is under way
int64_t folder_turn_deadline(const struct folder *folder);
void offer_review(struct share *share); // of a folder with another id
void offers_review(struct folder *folder);
void shares_pause(struct folder *folder);

// ---- join.c: how that is taken back
void join_load(struct folder *folder);
void join_begin(struct folder *folder, const struct turn *turn);
void join_put(struct folder *folder); // inside a transaction
bool join_leaving(const struct folder *folder);
bool join_ending(const struct folder *folder); // and what is under way is still to end
bool join_takes(struct folder *folder);
void join_close(struct folder *folder);
bool join_undoable(const struct folder *folder);
enum err join_undo(struct folder *folder, uint64_t ticket) MUST_USE;
void join_cancel(struct folder *folder, uint64_t ticket);
void join_tick(struct folder *folder);
// Nothing is left to do here, and with everybody who is there.
bool folder_at_rest(struct folder *folder);
int64_t join_deadline(const struct folder *folder);
void join_restored(struct folder *folder);

// ---- compare.c, compare_list.c: two folders that are not joined, side by side
void compare_drop(struct share *share);
void compare_tick(struct share *share);
int64_t compare_deadline(const struct share *share);
void compare_show(const struct share *share, struct arena *arena, struct compared *out);
void compare_handle(struct session *session, const struct msg_ranges *m);
void list_handle(struct session *session, const struct msg_ranges *m); // asked of us

#endif
