// SPDX-License-Identifier: MIT
//
// How much of contents goes to peers and comes from them in a second, when that is limited: a
// credit that grows with time, up to a second's worth, and may be overdrawn by one request. What is
// asked for and what is given is charged when it begins. Peers on this machine's own network cost
// nothing.
#include "agent/sync/engine_priv.h"

static void grow(struct rate *rate, int64_t now_ms)
{
    int64_t most = (int64_t)rate->per_s, per_ms = most / 1000;
    int64_t passed = now_ms - rate->at_ms;
    rate->at_ms = now_ms;
    bool full = passed >= (most - rate->credit) / per_ms; // a long time is no large product
    rate->credit = full ? most : rate->credit + per_ms * passed;
}

static bool is_free(const struct rate *rate, const struct session *session)
{
    return rate->per_s == 0 || session->near;
}

bool rate_allows(struct engine *engine, struct rate *rate, const struct session *session)
{
    if (is_free(rate, session)) return true;
    grow(rate, engine->now_ms);
    return rate->credit > 0;
}

void rate_spend(struct engine *engine, struct rate *rate, const struct session *session,
                uint64_t bytes)
{
    if (is_free(rate, session)) return;
    grow(rate, engine->now_ms);
    rate->credit -= (int64_t)bytes;
}

// When something may begin that may not now. After a tick of that time it is something else that is
// waited for.
int64_t rate_deadline(const struct engine *engine, const struct rate *rate)
{
    if (rate->per_s == 0 || rate->credit > 0) return INT64_MAX;
    int64_t at_ms = rate->at_ms + -rate->credit / ((int64_t)rate->per_s / 1000) + 1;
    return at_ms > engine->ticked_ms ? at_ms : INT64_MAX;
}

static void set(struct rate *rate, uint64_t per_s, int64_t now_ms)
{
    uint64_t least = per_s < ENGINE_RATE_MIN ? ENGINE_RATE_MIN : per_s;
    uint64_t fresh = per_s == 0 ? 0 : least;
    if (rate->per_s == fresh) return;
    *rate = (struct rate){.per_s = fresh, .credit = (int64_t)fresh, .at_ms = now_ms};
}

void engine_rates(struct engine *engine, uint64_t up, uint64_t down)
{
    set(&engine->up, up, engine->now_ms);
    set(&engine->down, down, engine->now_ms);
    engine_tick(engine);
}
