// SPDX-License-Identifier: MIT
//
// Which of several sessions with a peer is used, and whether one still lives.
#include <string.h>

#include "agent/sync/session_priv.h"

enum { CHECK_NEAR_MS = 6 * 1000, CHECK_FAR_MS = 15 * 1000 };

// Sessions come first that began last. A side dials again only to be nearer, or because the old
// connection is dead to it: so of those that one side has dialled the newest is meant.
static struct session *newest(const struct engine *engine, const struct peer *peer, bool dialled)
{
    struct session *s = engine->sessions;
    while (s != NULL && (s->peer != peer || !s->open || s->dialled != dialled))
        s = s->next;
    return s;
}

// Both sides must come to the same one: whether it is near is what its dialler has said.
static struct session *best(const struct engine *engine, const struct peer *peer)
{
    struct session *ours = newest(engine, peer, true), *theirs = newest(engine, peer, false);
    if (ours == NULL || theirs == NULL) return ours != NULL ? ours : theirs;
    if (ours->near != theirs->near) return ours->near ? ours : theirs;
    bool mine_smaller =
        memcmp(engine->o.device.bytes, peer->device.bytes, sizeof engine->o.device.bytes) < 0;
    return mine_smaller ? ours : theirs;
}

void session_shares_drop(struct session *session)
{
    for (struct share *share = session->shares; share != NULL; share = share->next)
        fetch_share_gone(share);
    while (session->shares != NULL) {
        struct share *share = session->shares;
        session->shares = share->next;
        share_destroy(share);
    }
}

// What was asked for in a session that goes on, as a spare, still comes, and is not asked for
// twice.
static void session_retire(struct session *session)
{
    for (struct share *share = session->shares; share != NULL; share = share->next)
        share_retire(share);
}

// Of the other side nothing is taken before its OFFER has come again: it must not pass for heard.
static void session_recall(struct session *session)
{
    session->folders_said = false;
    for (struct share *share = session->shares; share != NULL; share = share->next) {
        if (!share->retired) continue;
        share_start_anew(share);
        share->offer_heard = false;
    }
}

void session_choose(struct engine *engine, struct peer *peer)
{
    struct session *session = best(engine, peer);
    if (session == peer->in_use) return;
    if (peer->in_use != NULL) session_retire(peer->in_use);
    peer->in_use = session;
    engine_changed(engine);
    if (session == NULL) return;
    session_recall(session);
    session->next_ping_ms = engine->now_ms;
    mem_free(&peer->address);
    peer->address = mem_strdup(session->lanes[LANE_CONTROL]->address);
    peer->dialled = session->dialled;
    session_offer_all(session);
    known_tell(session, true);
}

struct session *peer_session(struct engine *engine, struct device_id device)
{
    struct peer *peer = peer_find(engine, device);
    return peer != NULL ? peer->in_use : NULL;
}

bool engine_connected(struct engine *engine, struct device_id device)
{
    return peer_session(engine, device) != NULL;
}

// ---- whether it lives

void session_ping(struct session *session)
{
    struct engine *engine = session->engine;
    engine->o.keys.random(&session->ping_token, sizeof session->ping_token);
    session->ping_sent_ms = engine->now_ms;
    session->pong_by_ms = engine->now_ms + PONG_LATE_MS;
    struct message m = {.kind = MSG_PING,
                        .ping = {.token = session->ping_token, .wall_ms = engine->wall_ms}};
    (void)session_send(session, LANE_CONTROL, &m);
}

void engine_network_changed(struct engine *engine)
{
    arena_reset(engine->scratch);
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        int64_t by_ms = engine->now_ms + (s->near ? CHECK_NEAR_MS : CHECK_FAR_MS);
        if (!s->open) continue;
        if (s->ping_sent_ms == 0) session_ping(s);
        if (by_ms < s->pong_by_ms) s->pong_by_ms = by_ms;
    }
}
