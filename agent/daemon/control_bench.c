// SPDX-License-Identifier: MIT
//
// POST /v1/bench: how good the way to a peer is.
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"

void control_bench(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "peer");
    const struct registry_peer *peer = registry_peer(agent->registry, name);
    if (peer == NULL) {
        control_unknown_peer(agent, request, name);
    } else if (engine_bench(agent->engine, request, peer->device) == ERR_BUSY) {
        control_refuse(agent, request, REFUSE_BUSY, "try again in ten seconds",
                       "another bench is under way");
    }
}

static json_t *flow(uint64_t bytes, int64_t ms)
{
    json_t *out = json_object();
    json_object_set_new(out, "bytes", json_integer((json_int_t)bytes));
    json_object_set_new(out, "ms", json_integer(ms));
    return out;
}

void control_measured(struct agent *agent, uint64_t ticket, const struct bench_result *result)
{
    if (result->what != NULL) {
        control_refuse(agent, ticket, REFUSE_UNREACHED, "cfgsync-agent status shows how it is",
                       "%s", result->what);
        return;
    }
    double rtt_ms = (double)result->round_trips_ms / result->round_trips;
    json_t *out = json_object();
    json_object_set_new(out, "rtt_ms", json_real(rtt_ms));
    json_object_set_new(out, "round_trips", json_integer(result->round_trips));
    json_object_set_new(out, "to", flow(result->out_bytes, result->out_ms));
    json_object_set_new(out, "from", flow(result->in_bytes, result->in_ms));
    control_answer(agent, ticket, out);
}
