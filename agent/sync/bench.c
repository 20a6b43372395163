// SPDX-License-Identifier: MIT
//
// bench: PROBEs to one peer by the bulk lane of the session in use. First small ones, one after the
// other; then as many large ones to it as WINDOW_BYTES allow to be on their way, then from it. Each
// part ends by its time, whatever comes or does not.
#include <string.h>

#include "agent/base/own.h"
#include "agent/sync/bench_priv.h"
#include "agent/sync/session_priv.h"

enum {
    ROUND_TRIPS_MAX = 1000,
    ROUND_TRIPS_MS = 1000,
    SILENCE_MS = 3000, // without a first reply there is nothing to measure
    FLOW_MS = 2500,    // then nothing more is sent, and what is on its way is waited for
    FLOW_END_MS = 3200,
    WINDOW_BYTES = 2 << 20,
    REPLY_QUEUE_BYTES = 4 << 20, // a peer that takes no replies is given none
};

enum part { ROUND_TRIPS, OUT, IN };

struct bench {
    uint64_t ticket;
    struct device_id device;
    uint64_t session; // its own number: another session begins nothing anew
    enum part part;
    int64_t begun_ms; // the part
    uint64_t token;   // of the part
    uint32_t waiting; // probes without a reply
    struct bench_result result;
    uint8_t pad[PROTO_CHUNK_BYTES];
};

// Nothing that a line could compress. xorshift64: chance is not needed, speed is.
static void pad_fill(uint64_t seed, uint8_t *pad, size_t size)
{
    uint64_t state = seed | 1;
    for (size_t at = 0; at < size; at += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        size_t left = size - at;
        memcpy(pad + at, &state, left < sizeof state ? left : sizeof state);
    }
}

static void bench_end(struct engine *engine, const char *what)
{
    struct bench *bench = engine->bench;
    engine->bench = NULL;
    bench->result.what = what;
    engine->o.notify.measured(engine->o.notify.context, bench->ticket, &bench->result);
    mem_free(&bench);
}

static struct session *bench_session(const struct engine *engine)
{
    const struct bench *bench = engine->bench;
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        if (s->own_number == bench->session) return lane_open(s, LANE_BULK) ? s : NULL;
    }
    return NULL;
}

static bool probe_send(struct bench *bench, struct session *session)
{
    struct message m = {.kind = MSG_PROBE, .probe = {.token = bench->token}};
    if (bench->part == OUT) m.probe.pad = slice_of(bench->pad, sizeof bench->pad);
    if (bench->part == IN) m.probe.want = sizeof bench->pad;
    if (!session_send(session, LANE_BULK, &m)) return false;
    bench->waiting++;
    return true;
}

static void part_begin(struct engine *engine, enum part part)
{
    struct bench *bench = engine->bench;
    bench->part = part;
    bench->begun_ms = engine->now_ms;
    bench->waiting = 0;
    engine->o.keys.random(&bench->token, sizeof bench->token);
}

// Whether more is to be sent in this part; what has been is waited for.
static bool part_sends(const struct engine *engine)
{
    const struct bench *bench = engine->bench;
    int64_t passed_ms = engine->now_ms - bench->begun_ms;
    if (bench->part == ROUND_TRIPS) {
        return bench->result.round_trips < ROUND_TRIPS_MAX && passed_ms < ROUND_TRIPS_MS;
    }
    return passed_ms < FLOW_MS;
}

static bool part_over(const struct engine *engine)
{
    const struct bench *bench = engine->bench;
    int64_t passed_ms = engine->now_ms - bench->begun_ms;
    int64_t most_ms = bench->part == ROUND_TRIPS ? SILENCE_MS : FLOW_END_MS;
    return (!part_sends(engine) && bench->waiting == 0) || passed_ms >= most_ms;
}

static void go_on(struct engine *engine)
{
    struct session *session = bench_session(engine);
    struct bench *bench = engine->bench;
    if (session == NULL) {
        bench_end(engine, "the connection was lost");
        return;
    }
    while (part_over(engine)) {
        if (bench->result.round_trips == 0 || bench->part == IN) {
            bench_end(engine, bench->part == IN ? NULL : "it does not answer");
            return;
        }
        part_begin(engine, bench->part == ROUND_TRIPS ? OUT : IN);
    }
    uint32_t window = bench->part == ROUND_TRIPS ? 1 : (uint32_t)(WINDOW_BYTES / sizeof bench->pad);
    while (part_sends(engine) && bench->waiting < window && probe_send(bench, session)) {
    }
}

enum err engine_bench(struct engine *engine, uint64_t ticket, struct device_id peer)
{
    arena_reset(engine->scratch);
    if (engine->bench != NULL) return ERR_BUSY;
    struct bench *bench = engine->bench = mem_zalloc(1, sizeof *bench);
    bench->ticket = ticket;
    bench->device = peer;
    struct session *session = peer_session(engine, peer);
    if (session == NULL) {
        bench_end(engine, "it is not connected");
    } else if ((session->features & PROTO_FEATURE_PROBE) == 0) {
        bench_end(engine, "its program is too old for this");
    } else {
        bench->session = session->own_number;
        part_begin(engine, ROUND_TRIPS);
        pad_fill(bench->token, bench->pad, sizeof bench->pad);
        go_on(engine);
    }
    return ERR_OK;
}

void engine_bench_cancel(struct engine *engine, uint64_t ticket)
{
    if (engine->bench != NULL && engine->bench->ticket == ticket) mem_free(&engine->bench);
}

static void reply_take(struct session *session, const struct msg_probe *probe)
{
    struct engine *engine = session->engine;
    struct bench *bench = engine->bench;
    bool ours = bench != NULL && bench->session == session->own_number &&
                probe->token == bench->token && bench->waiting > 0;
    if (!ours) return; // late, or of a bench that was cancelled
    int64_t passed_ms = engine->now_ms - bench->begun_ms;
    bench->waiting--;
    switch (bench->part) {
    case ROUND_TRIPS:
        bench->result.round_trips++;
        bench->result.round_trips_ms = passed_ms;
        break;
    case OUT:
        bench->result.out_bytes += sizeof bench->pad;
        bench->result.out_ms = passed_ms;
        break;
    case IN:
        bench->result.in_bytes += probe->pad.size;
        bench->result.in_ms = passed_ms;
        break;
    }
    go_on(engine);
}

void probe_handle(struct session *session, const struct msg_probe *probe)
{
    const struct net_port *net = &session->engine->o.net;
    if (probe->reply) {
        reply_take(session, probe);
        return;
    }
    if (net->queued(net->self, session->lanes[LANE_BULK]->id) >= REPLY_QUEUE_BYTES) return;
    uint8_t *pad = arena_alloc(session->engine->scratch, probe->want, 1);
    pad_fill(probe->token, pad, probe->want);
    struct message m = {
        .kind = MSG_PROBE,
        .probe = {.token = probe->token, .reply = true, .pad = slice_of(pad, probe->want)}};
    (void)session_send(session, LANE_BULK, &m);
}

void bench_tick(struct engine *engine)
{
    if (engine->bench != NULL) go_on(engine);
}

int64_t bench_deadline(const struct engine *engine)
{
    const struct bench *bench = engine->bench;
    if (bench == NULL) return INT64_MAX;
    bool sends = part_sends(engine);
    if (bench->part == ROUND_TRIPS && sends && bench->result.round_trips > 0) {
        return bench->begun_ms + ROUND_TRIPS_MS;
    }
    if (bench->part == ROUND_TRIPS) return bench->begun_ms + SILENCE_MS;
    return bench->begun_ms + (sends ? FLOW_MS : FLOW_END_MS);
}
