// SPDX-License-Identifier: MIT
//
// Whose an incarnation is: owners.c.
#ifndef AGENT_SYNC_OWNERS_PRIV_H
#define AGENT_SYNC_OWNERS_PRIV_H

#include "agent/sync/engine_priv.h"

// False: the session was ended.
bool owners_learn(struct session *session, struct folder *folder, const struct owner *owners,
                  uint32_t count);
bool owners_handle(struct session *session, const struct msg_owners *owners);
// Whose it is as the index says, or this session.
bool owner_told(struct session *session, struct folder *folder, uint64_t inc, struct owner *out);
// These lives, each of which was told, are kept. False: the session was ended.
bool owners_confirm(struct session *session, struct folder *folder, struct vv incs);
void claims_clear(struct share *share);

#endif
