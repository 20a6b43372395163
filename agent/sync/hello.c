// SPDX-License-Identifier: MIT
//
// How a session begins, and what if its device has one already from another process: an honest
// restart, or a copy of the device that runs at the same time. The old one is asked. If it answers,
// the new one is refused and both addresses are named on both; if not, it is dead, and dropped.
//
// Messages may come as late as they like, also of who is dead. So nothing follows from when they
// come, only from what they answer: the old one has run since the HELLO of the new one, which was
// there when it was asked; and the new one since the session of the old one, if it reads that it is
// refused, or says that it has.
#include <stdio.h>
#include <string.h>

#include "agent/sync/session_priv.h"

#define NET(engine) (&(engine)->o.net)

enum { CLOCK_SKEW_MS = 120 * 1000, PROBE_MS = 2000, SAID_AGAIN_MS = 60 * 1000, DOOMED_MS = 500 };

static struct session *session_for_accepted(struct engine *engine, struct peer *peer,
                                            const struct msg_hello *hello)
{
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        if (s->peer == peer && !s->dialled && s->other_number == hello->session &&
            s->other_boot == hello->boot && s->lanes[hello->lane] == NULL) {
            return s;
        }
    }
    struct session *session = session_new(engine, peer, false);
    session->other_number = hello->session;
    session->other_boot = hello->boot;
    return session;
}

static void dial_again(struct engine *engine, struct session *session)
{
    struct device_id device = session->peer->device;
    session_end(session, BYE_REPLACED, "once more, from the beginning");
    engine->o.notify.dial(engine->o.notify.context, device);
}

static void hello_admit(struct engine *engine, struct conn *conn, const struct msg_hello *hello)
{
    struct peer *peer = peer_find(engine, conn->device);
    int64_t ours = engine->wall_ms, theirs = hello->wall_ms; // theirs may be any number
    if (theirs < ours - CLOCK_SKEW_MS || theirs > ours + CLOCK_SKEW_MS) {
        log_warn(LOG_SYNC, "clock differs", "peer=%s theirs=%lld ours=%lld", peer->name,
                 (long long)theirs, (long long)ours);
    }
    if (!conn->dialled) {
        conn->session = session_for_accepted(engine, peer, hello);
        conn->session->lanes[hello->lane] = conn;
        conn->lane.own_number = conn->session->own_number;
        hello_send(engine, conn);
    }
    struct session *session = conn->session;
    if (session->other_boot != 0 && session->other_boot != hello->boot) {
        dial_again(engine, session); // its other lane is of a process that has ended
        return;
    }
    session->other_boot = hello->boot;
    session->features = hello->features;
    if ((hello->features & PROTO_FEATURE_PEERS) == 0) buf_clear(&peer->said_peers);
    if (!conn->dialled) session->near = hello->near;
    if (!session->open && lane_open(session, LANE_CONTROL) && lane_open(session, LANE_BULK)) {
        session_opened(engine, session);
    }
}

// ---- another process of the same device

// An open session of another process than this one.
static struct session *rival(const struct engine *engine, const struct peer *peer, uint64_t boot)
{
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        if (s->peer == peer && s->open && s->other_boot != boot) return s;
    }
    return NULL;
}

// Once more for every HELLO: an answer to what was asked before it says nothing of the time since.
static void probe(struct engine *engine, struct peer *peer, struct session *session)
{
    engine->o.keys.random(&peer->probe_token, sizeof peer->probe_token);
    peer->probe_until_ms = engine->now_ms + PROBE_MS;
    peer->probe_answered = false;
    struct message m = {.kind = MSG_PING,
                        .ping = {.token = peer->probe_token, .wall_ms = engine->wall_ms}};
    (void)session_send(session, LANE_CONTROL, &m);
}

void hello_probed(struct session *session, uint64_t token)
{
    struct peer *peer = session->peer;
    if (peer->probe_until_ms != 0 && token == peer->probe_token) peer->probe_answered = true;
}

// What was dialled is open for its other side already: nothing that it says is heard meanwhile, and
// if the old one is dead it is dialled again.
void hello_handle(struct engine *engine, struct conn *conn, const struct msg_hello *hello)
{
    struct peer *peer = peer_find(engine, conn->device);
    struct session *old = rival(engine, peer, hello->boot);
    if (old == NULL) {
        hello_admit(engine, conn, hello);
        return;
    }
    probe(engine, peer, old);
    conn->held = true;
    conn->hello = *hello;
    conn->hello.program = conn->hello.name = (struct slice){0};
}

// ---- it runs twice

// Both have counted on from the same counter: what came of it only a comparison tells.
static void audits_due(struct engine *engine, const struct peer *peer)
{
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (f->gone || !folder_shared_with(f, peer->device)) continue;
        struct bond *bond = bond_get(f, peer->device);
        if (bond->audit_due) continue;
        bond->audit_due = bond->unsaved = true;
        bond->save_at_ms = engine->now_ms;
    }
}

static void clone_note(struct engine *engine, struct peer *peer, const char *text)
{
    audits_due(engine, peer);
    bool news = peer->clone_text == NULL || engine->now_ms - peer->clone_ms > SAID_AGAIN_MS;
    char escaped[LOG_ESCAPED_MAX];
    if (news)
        log_error(LOG_SYNC, "a device runs twice", "peer=%s what=\"%s\"", peer->name,
                  log_escape(slice_text(text), escaped));
    if (news || strcmp(text, peer->clone_text) != 0) {
        char *copy = mem_strdup(text);
        mem_free(&peer->clone_text);
        peer->clone_text = copy;
    }
    if (news) peer->clone_ms = engine->now_ms;
    engine_changed(engine);
}

// We are the one that was refused.
void hello_refused(struct engine *engine, struct peer *peer, const struct msg_bye *bye)
{
    char name[PROTO_NAME_BYTES_MAX + 1] = {0};
    AUTO(buf_fini) struct buf text = {0};
    if (bye->text.size > 0) memcpy(name, bye->text.data, bye->text.size);
    buf_printf(&text, "refused by %s, because this device runs twice: %s", peer->name, name);
    peer->refused_us = true;
    clone_note(engine, peer, buf_text(&text));
    // What both have made since they parted has the same dots: ours are of another life from now
    // on.
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        bool ours = !f->gone && f->id_known && folder_shared_with(f, peer->device);
        if (ours && !reinc_wanted(f) && reinc_allowed(f))
            reinc_want(f, "a peer has another process of this device");
    }
}

// It is dropped a little later: what is said just before is lost.
static void held_refuse(struct engine *engine, struct session *old, struct conn *conn)
{
    char text[PROTO_NAME_BYTES_MAX];
    struct peer *peer = old->peer;
    (void)snprintf(text, sizeof text, "%.60s runs twice: at %.80s and at %.80s", peer->name,
                   old->lanes[LANE_CONTROL]->address, conn->address);
    // It may have died since it said HELLO, unless that answers an earlier refusal.
    if ((conn->hello.features & PROTO_FEATURE_REFUSED) != 0) clone_note(engine, peer, text);
    struct message m = {.kind = MSG_BYE, .bye = {.code = BYE_CLONE, .text = slice_text(text)}};
    (void)conn_say(engine, conn, &m);
    conn->doomed_ms = engine->now_ms + DOOMED_MS;
}

static void doomed_drop(struct engine *engine)
{
    for (struct conn *conn = engine->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->doomed_ms == 0 || engine->now_ms < conn->doomed_ms) continue;
        if (conn->session != NULL) {
            session_end(conn->session, BYE_STOPPING, NULL);
            next = engine->conns; // its other lane went, too
            continue;
        }
        NET(engine)->drop(NET(engine)->self, conn->id);
        conn_unlink(engine, conn);
    }
}

// ---- what came of asking

static void rivals_end(struct engine *engine, const struct peer *peer, uint64_t boot)
{
    for (struct session *old; (old = rival(engine, peer, boot)) != NULL;)
        session_end(old, BYE_REPLACED, "it does not answer, and another process of it is here");
}

static struct conn *held_of(const struct engine *engine, const struct peer *peer)
{
    struct conn *conn = engine->conns;
    while (conn != NULL && (!conn->held || !device_equal(conn->device, peer->device)))
        conn = conn->next;
    return conn;
}

static void probe_end(struct engine *engine, struct peer *peer)
{
    bool alive = peer->probe_answered;
    peer->probe_until_ms = 0;
    peer->probe_answered = false;
    for (struct conn *conn; (conn = held_of(engine, peer)) != NULL;) {
        conn->held = false;
        struct session *old = rival(engine, peer, conn->hello.boot);
        if (alive && old != NULL) {
            held_refuse(engine, old, conn);
            continue;
        }
        rivals_end(engine, peer, conn->hello.boot);
        if (conn->session == NULL) {
            hello_admit(engine, conn, &conn->hello);
            continue;
        }
        dial_again(engine, conn->session);
    }
}

void hellos_tick(struct engine *engine)
{
    doomed_drop(engine);
    for (struct peer *p = engine->peers; p != NULL; p = p->next) {
        if (p->probe_until_ms == 0) continue;
        const struct conn *held = held_of(engine, p);
        bool alone = held == NULL || rival(engine, p, held->hello.boot) == NULL;
        if (alone || p->probe_answered || engine->now_ms >= p->probe_until_ms) probe_end(engine, p);
    }
}

int64_t hellos_deadline(const struct engine *engine)
{
    int64_t at = INT64_MAX;
    for (const struct conn *c = engine->conns; c != NULL; c = c->next) {
        if (c->doomed_ms != 0 && c->doomed_ms < at) at = c->doomed_ms;
    }
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        if (p->probe_until_ms == 0) continue;
        int64_t due = p->probe_answered ? 0 : p->probe_until_ms;
        if (due < at) at = due;
    }
    return at;
}
