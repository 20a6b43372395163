// SPDX-License-Identifier: MIT
//
// Sessions: two lanes become one session by the numbers in their HELLOs; every message that a lane
// lets through is handed to the share it is about.
#include <string.h>

#include "agent/sync/bench_priv.h"
#include "agent/sync/delta_priv.h"
#include "agent/sync/owners_priv.h"
#include "agent/sync/session_priv.h"

#define NET(engine) (&(engine)->o.net)

struct conn *session_conn(struct engine *engine, uint64_t id)
{
    struct conn *conn = engine->conns;
    while (conn != NULL && conn->id != id)
        conn = conn->next;
    return conn;
}

struct session *session_new(struct engine *engine, struct peer *peer, bool dialled)
{
    struct session *session = mem_zalloc(1, sizeof *session);
    session->engine = engine;
    session->peer = peer;
    session->dialled = dialled;
    while (session->own_number == 0) {
        engine->o.keys.random(&session->own_number, sizeof session->own_number);
        session->own_number >>= 1;
    }
    session->next_ping_ms = INT64_MAX;
    session->next = engine->sessions;
    engine->sessions = session;
    return session;
}

bool lane_open(const struct session *session, enum lane lane)
{
    return session->lanes[lane] != NULL && session->lanes[lane]->lane.state == SESSION_OPEN;
}

bool conn_say(struct engine *engine, struct conn *conn, struct message *message)
{
    AUTO(buf_fini) struct buf frame = {0};
    lane_send(&conn->lane, message, &frame);
    engine->counters.messages_out++;
    engine->counters.bytes_out += frame.size;
    enum err err = NET(engine)->send(NET(engine)->self, conn->id, buf_slice(&frame));
    // What cannot go by the bulk lane is asked for again; the control lane must not have holes.
    if (err == ERR_BUSY && conn->lane.lane == LANE_CONTROL) conn->stuck = true;
    return err == ERR_OK;
}

bool session_stuck(const struct session *session)
{
    return session->lanes[LANE_CONTROL] != NULL && session->lanes[LANE_CONTROL]->stuck;
}

bool session_send(struct session *session, enum lane lane, struct message *message)
{
    if (!lane_open(session, lane) || index_unread(session->engine)) return false;
    return conn_say(session->engine, session->lanes[lane], message);
}

void hello_send(struct engine *engine, struct conn *conn)
{
    struct message m = {.kind = MSG_HELLO};
    m.hello.protocol = PROTO_VERSION;
    m.hello.features =
        PROTO_FEATURE_DELTA | PROTO_FEATURE_PROBE | PROTO_FEATURE_LIST | PROTO_FEATURE_PEERS;
    if (peer_find(engine, conn->device)->refused_us) m.hello.features |= PROTO_FEATURE_REFUSED;
    m.hello.program = slice_text(engine->program);
    m.hello.name = slice_text(engine->name);
    m.hello.near = conn->near;
    m.hello.boot = engine->boot;
    m.hello.wall_ms = engine->wall_ms;
    (void)conn_say(engine, conn, &m);
}

static struct session *session_for_dialled(struct engine *engine, struct peer *peer, enum lane lane)
{
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        if (s->peer == peer && s->dialled && s->lanes[lane] == NULL && s->lanes[1 - lane] != NULL)
            return s;
    }
    return session_new(engine, peer, true);
}

void engine_conn_up(struct engine *engine, uint64_t id, struct device_id device, enum conn_way way,
                    enum lane lane, struct slice address)
{
    arena_reset(engine->scratch);
    struct peer *peer = peer_find(engine, device);
    bool dialled = way != CONN_ACCEPTED;
    if (peer == NULL) {
        NET(engine)->drop(NET(engine)->self, id);
        return;
    }
    struct conn *conn = mem_zalloc(1, sizeof *conn);
    conn->id = id;
    conn->device = device;
    conn->dialled = dialled;
    conn->near = way == CONN_DIALLED_NEAR;
    conn->address = mem_alloc(address.size + 1);
    if (address.size > 0) memcpy(conn->address, address.data, address.size);
    conn->address[address.size] = 0;
    conn->next = engine->conns;
    engine->conns = conn;
    if (!dialled) {
        // The real number follows with the session that its HELLO names.
        lane_init(&conn->lane, LANE_CONTROL, false, UINT64_MAX);
        return;
    }
    conn->session = session_for_dialled(engine, peer, lane);
    conn->session->lanes[lane] = conn;
    conn->session->near = conn->near;
    lane_init(&conn->lane, lane, true, conn->session->own_number);
    hello_send(engine, conn);
}

static void say_peer(struct engine *engine, const struct peer *peer)
{
    AUTO(buf_fini) struct buf json = {0};
    buf_printf(&json, "{\"peer\": \"%s\", \"connected\": %s}", peer->name,
               peer->in_use != NULL ? "true" : "false");
    engine->o.notify.event(engine->o.notify.context, "peer", buf_slice(&json));
}

void session_opened(struct engine *engine, struct session *session)
{
    bool was_connected = session->peer->in_use != NULL;
    session->open = true;
    session->peer->last_seen_wall_ms = engine->wall_ms;
    session->peer->version_differs = session->peer->refused_us = false;
    char escaped[LOG_ESCAPED_MAX];
    log_info(LOG_SYNC, "session up", "peer=%s address=%s dialled=%s",
             log_escape(slice_text(session->peer->name), escaped),
             session->lanes[LANE_CONTROL]->address, session->dialled ? "yes" : "no");
    session_choose(engine, session->peer);
    if (!was_connected && session->peer->in_use != NULL) say_peer(engine, session->peer);
}

// ---- the end

void conn_unlink(struct engine *engine, struct conn *conn)
{
    struct conn **at = &engine->conns;
    while (*at != conn)
        at = &(*at)->next;
    *at = conn->next;
    mem_free(&conn->address);
    mem_free(&conn);
}

static void session_unlink(struct engine *engine, struct session *session)
{
    struct session **at = &engine->sessions;
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
}

static void bonds_save(struct engine *engine, struct device_id device)
{
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        for (struct bond *b = f->bonds; b != NULL; b = b->next) {
            if (device_equal(b->device, device)) bond_save(f, b);
        }
    }
}

void session_end(struct session *session, enum bye_code code, const char *text)
{
    struct engine *engine = session->engine;
    struct peer *peer = session->peer;
    session_unlink(engine, session);
    bool was_open = session->open;
    session->open = false;
    session_shares_drop(session);
    for (int i = 0; i < 2; i++) {
        struct conn *conn = session->lanes[i];
        if (conn == NULL) continue;
        session->lanes[i] = NULL;
        bool can_say = conn->lane.state == SESSION_OPEN || conn->lane.state == SESSION_HELLO_SENT;
        if (text != NULL && can_say) {
            struct message m = {.kind = MSG_BYE, .bye = {.code = code, .text = slice_text(text)}};
            (void)conn_say(engine, conn, &m);
        }
        NET(engine)->drop(NET(engine)->self, conn->id);
        conn_unlink(engine, conn);
    }
    if (was_open) {
        peer->last_seen_wall_ms = engine->wall_ms;
        bonds_save(engine, peer->device);
        log_info(LOG_SYNC, "session down", "peer=%s reason=\"%s\"", peer->name,
                 text != NULL ? text : "connection lost");
    }
    if (peer->in_use == session) {
        peer->in_use = NULL;
        peer->rtt_ms = -1;
        session_choose(engine, peer);
        if (peer->in_use == NULL) say_peer(engine, peer);
    }
    engine_changed(engine);
    offered_forget(session);
    buf_fini(&session->told_peers);
    mem_free(&session);
}

void session_refuse(struct session *session, const char *what)
{
    log_warn(LOG_SYNC, "session refused", "peer=%s reason=\"%s\" what=\"%s\"", session->peer->name,
             err_text(ERR_MALFORMED), what);
    session->engine->counters.sessions_refused++;
    session_end(session, BYE_PROTOCOL, what);
}

void engine_conn_down(struct engine *engine, uint64_t id)
{
    arena_reset(engine->scratch);
    struct conn *conn = session_conn(engine, id);
    if (conn == NULL) return;
    if (conn->session != NULL) {
        session_end(conn->session, BYE_STOPPING, NULL);
    } else {
        conn_unlink(engine, conn);
    }
    waits_check(engine);
    if (engine->changed) engine_tick(engine);
}

// A refused message ends its session, whoever was right; the log says what was wrong.
static void refuse(struct engine *engine, struct conn *conn, const struct fault *fault)
{
    struct peer *peer = peer_find(engine, conn->device);
    log_warn(LOG_SYNC, "session refused", "peer=%s reason=\"%s\" what=\"%s\" offset=%u", peer->name,
             err_text(fault->code), fault->what != NULL ? fault->what : "",
             (unsigned)fault->offset);
    engine->counters.sessions_refused++;
    enum bye_code code = fault->code == ERR_VERSION ? BYE_VERSION : BYE_PROTOCOL;
    if (code == BYE_VERSION) peer->version_differs = true;
    if (conn->session != NULL) {
        session_end(conn->session, code, fault->what != NULL ? fault->what : err_text(fault->code));
        return;
    }
    NET(engine)->drop(NET(engine)->self, conn->id);
    conn_unlink(engine, conn);
}

// ---- what is about no folder

static void ping_handle(struct session *session, const struct msg_ping *ping)
{
    struct message m = {.kind = MSG_PONG,
                        .ping = {.token = ping->token, .wall_ms = session->engine->wall_ms}};
    // A PONG says that all before it has been said, and who asks may use this session earlier.
    if (session->peer->in_use != session) session_offer_all(session);
    (void)session_send(session, LANE_CONTROL, &m);
}

// Theirs may be any number; a century is as good as more.
static int64_t clock_less(int64_t theirs, int64_t ours)
{
    const int64_t most = 100LL * 365 * 86400 * 1000;
    if (theirs > ours) return theirs - most > ours ? most : theirs - ours;
    return theirs < ours - most ? -most : theirs - ours;
}

static void pong_handle(struct session *session, const struct msg_ping *pong)
{
    struct engine *engine = session->engine;
    if (session->ping_sent_ms != 0 && pong->token == session->ping_token) {
        session->peer->rtt_ms = engine->now_ms - session->ping_sent_ms;
        session->peer->clock_ms = clock_less(pong->wall_ms, engine->wall_ms);
        session->ping_sent_ms = 0;
    }
    session->peer->last_seen_wall_ms = engine->wall_ms;
    offers_said(session);
    waits_pong(session, pong->token);
    hello_probed(session, pong->token);
}

void session_tick(struct session *session)
{
    struct engine *engine = session->engine;
    if (session_stuck(session)) {
        session_end(session, BYE_STOPPING, "it does not take what it is sent");
        return;
    }
    for (struct share *s = session->shares; s != NULL; s = s->next) {
        late_serve(s);
        serve_more(s);
        if (s->retired) continue;
        pull_tick(s);
        share_flush(s, false);
        audits_tick(s);
        compare_tick(s);
        offer_tick(s);
    }
    if (!session->open) return;
    if (session->ping_sent_ms != 0 && engine->now_ms >= session->pong_by_ms) {
        session_end(session, BYE_STOPPING, "it does not answer");
        return;
    }
    if (session->peer->in_use != session || engine->now_ms < session->next_ping_ms) return;
    session->next_ping_ms = engine->now_ms + PING_MS;
    if (session->ping_sent_ms == 0) session_ping(session);
}

// ---- messages

static struct folder_id folder_of(const struct message *m)
{
    switch (m->kind) {
    case MSG_PULL: return m->pull.folder;
    case MSG_ACK: return m->ack.folder;
    case MSG_DONE: return m->done.folder;
    case MSG_VERSIONS: return m->versions.folder;
    case MSG_PUSH: return m->push.folder;
    case MSG_NEWS: return m->news.folder;
    case MSG_APPLIED: return m->applied.folder;
    case MSG_WANT: return m->want.folder;
    case MSG_NOT_HELD: return m->not_held.folder;
    case MSG_DATA: return m->data.folder;
    case MSG_PACK: return m->pack.folder;
    case MSG_SIGNATURE: return m->signature.folder;
    case MSG_DELTA: return m->delta.folder;
    case MSG_HELD: return m->hold.folder;
    case MSG_APPROVALS: return m->approvals.folder;
    case MSG_RANGES: return m->ranges.folder;
    case MSG_ROLLBACK: return m->rollback.folder;
    case MSG_HELLO:
    case MSG_OFFER:
    case MSG_OWNERS:
    case MSG_PING:
    case MSG_PONG:
    case MSG_PROBE:
    case MSG_BYE:
    case MSG_PEERS:
    case MSG_KIND_COUNT: break;
    }
    return (struct folder_id){{0}};
}

static void share_dispatch(struct share *share, const struct message *m, struct slice frame)
{
    switch (m->kind) {
    case MSG_PULL: pull_handle(share, &m->pull); break;
    case MSG_ACK: ack_handle(share, &m->ack); break;
    case MSG_DONE: done_handle(share, &m->done); break;
    case MSG_VERSIONS: versions_handle(share, &m->versions); break;
    case MSG_PUSH: push_handle(share, &m->push, frame); break;
    case MSG_NEWS: news_handle(share, &m->news); break;
    case MSG_APPLIED: applied_handle(share, &m->applied); break;
    case MSG_WANT: want_handle(share, &m->want, frame); break;
    case MSG_NOT_HELD: not_held_handle(share, &m->not_held); break;
    case MSG_DATA: data_handle(share, &m->data); break;
    case MSG_PACK: pack_handle(share, &m->pack); break;
    case MSG_SIGNATURE: signature_handle(share, &m->signature); break;
    case MSG_DELTA: delta_handle(share, &m->delta); break;
    case MSG_HELD: hold_handle(share, &m->hold); break;
    case MSG_APPROVALS: approvals_handle(share, &m->approvals); break;
    case MSG_RANGES: ranges_handle(share, &m->ranges); break;
    case MSG_ROLLBACK: rollback_handle(share, &m->rollback); break;
    case MSG_HELLO:
    case MSG_OFFER:
    case MSG_OWNERS:
    case MSG_PING:
    case MSG_PONG:
    case MSG_PROBE:
    case MSG_BYE:
    case MSG_PEERS:
    case MSG_KIND_COUNT: break;
    }
}

static bool is_content(enum message_kind kind)
{
    bool plain = kind == MSG_WANT || kind == MSG_DATA || kind == MSG_PACK || kind == MSG_NOT_HELD;
    return plain || kind == MSG_SIGNATURE || kind == MSG_DELTA || kind == MSG_ACK;
}

// A folder that is not shared with this peer does not exist for it, whatever it knows of its id.
static void folder_message(struct session *session, const struct message *m, struct slice frame)
{
    struct engine *engine = session->engine;
    if (m->kind == MSG_RANGES && m->ranges.step == RANGES_LIST) {
        compare_handle(session, &m->ranges);
        return;
    }
    struct folder *folder = folder_by_id(engine, folder_of(m));
    bool shared = folder != NULL && folder_shared_with(folder, session->peer->device);
    struct share *share = shared ? share_find(session, folder) : NULL;
    if (share != NULL && share->joined && (!share->retired || is_content(m->kind))) {
        share_dispatch(share, m, frame);
    } else if (m->kind == MSG_WANT) {
        // Knowing a hash opens no folder; who asks is told, so that it can ask elsewhere.
        want_refuse(session, &m->want);
    } else if (shared) {
        marks_of_dropped(session, folder, m);
    }
}

static void message_handle(struct engine *engine, struct conn *conn, const struct message *m,
                           struct slice frame)
{
    struct session *session = conn->session;
    switch (m->kind) {
    case MSG_HELLO: hello_handle(engine, conn, &m->hello); break;
    case MSG_BYE:
        if (m->bye.code == BYE_CLONE)
            hello_refused(engine, peer_find(engine, conn->device), &m->bye);
        if (m->bye.code == BYE_VERSION) peer_find(engine, conn->device)->version_differs = true;
        log_info(LOG_SYNC, "peer says bye", "peer=%s code=%d",
                 peer_find(engine, conn->device)->name, (int)m->bye.code);
        if (session != NULL) {
            session_end(session, BYE_STOPPING, NULL);
        } else {
            NET(engine)->drop(NET(engine)->self, conn->id);
            conn_unlink(engine, conn);
        }
        break;
    case MSG_PING: ping_handle(session, &m->ping); break;
    case MSG_PONG: pong_handle(session, &m->ping); break;
    case MSG_PROBE: probe_handle(session, &m->probe); break;
    case MSG_OFFER: offer_handle(session, &m->offer); break;
    case MSG_OWNERS: (void)owners_handle(session, &m->owners); break;
    case MSG_PEERS: known_handle(session, frame); break;
    case MSG_PULL:
    case MSG_ACK:
    case MSG_DONE:
    case MSG_VERSIONS:
    case MSG_PUSH:
    case MSG_NEWS:
    case MSG_APPLIED:
    case MSG_WANT:
    case MSG_NOT_HELD:
    case MSG_DATA:
    case MSG_PACK:
    case MSG_SIGNATURE:
    case MSG_DELTA:
    case MSG_HELD:
    case MSG_APPROVALS:
    case MSG_RANGES:
    case MSG_ROLLBACK: folder_message(session, m, frame); break;
    case MSG_KIND_COUNT: break;
    }
}

void engine_message(struct engine *engine, uint64_t id, struct slice bytes)
{
    arena_reset(engine->scratch);
    struct conn *conn = session_conn(engine, id);
    if (conn == NULL) return;
    if (peer_find(engine, conn->device) == NULL) {
        CHECK(conn->session == NULL); // it ended with the peer
        NET(engine)->drop(NET(engine)->self, id);
        conn_unlink(engine, conn);
        return;
    }
    engine->counters.messages_in++;
    engine->counters.bytes_in += bytes.size;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m;
    bool stale;
    struct fault fault;
    if (lane_receive(&conn->lane, arena, bytes, &m, &stale, &fault) != ERR_OK) {
        refuse(engine, conn, &fault);
    } else if (!stale && (!conn->held || m.kind == MSG_BYE)) {
        message_handle(engine, conn, &m, bytes);
    }
    engine_tick(engine);
}
