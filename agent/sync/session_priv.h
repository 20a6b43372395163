// SPDX-License-Identifier: MIT
//
// Shared by session.c (sessions and their messages) and hello.c (how one begins).
#ifndef AGENT_SYNC_SESSION_PRIV_H
#define AGENT_SYNC_SESSION_PRIV_H

#include "agent/sync/engine_priv.h"

struct session *session_new(struct engine *engine, struct peer *peer, bool dialled);
void session_opened(struct engine *engine, struct session *session);
bool lane_open(const struct session *session, enum lane lane);
bool conn_say(struct engine *engine, struct conn *conn, struct message *message);
void session_choose(struct engine *engine, struct peer *peer); // which is used from now on
void session_shares_drop(struct session *session);
void session_ping(struct session *session);
void conn_unlink(struct engine *engine, struct conn *conn);
void hello_send(struct engine *engine, struct conn *conn);

#endif
