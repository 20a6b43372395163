// SPDX-License-Identifier: MIT
//
// The time by which things grow old enough to be forgotten. It follows the wall clock, but no
// faster than time passes while the agent runs, and by at most a day over a restart: a clock that
// was in 2099 for a minute forgets nothing. It stands while the clock is behind it, for at most a
// day: a machine that starts in 1970 until it hears the time has not become younger, and could
// never catch up.
#include <string.h>

#include "agent/sync/age_priv.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

enum { RECENT_MS = 600 * 1000 };

static const char *const KEY = "age-ms";

static bool read_age(struct engine *engine, int64_t *out)
{
    const struct index_port *index = &engine->o.index;
    struct slice value;
    if (!index->meta_get(index->self, engine->scratch, KEY, &value) || value.size != sizeof *out)
        return false;
    memcpy(out, value.data, sizeof *out);
    return true;
}

// Such a clock is believed when it has said the same for a day: the age was wrong then.
static bool stands(struct engine *engine, bool behind)
{
    if (behind && !engine->age_behind) engine->age_behind_ms = engine->now_ms;
    engine->age_behind = behind;
    return behind && engine->now_ms - engine->age_behind_ms < DAY_MS;
}

int64_t age_now(struct engine *engine)
{
    const struct index_port *index = &engine->o.index;
    int64_t last = 0, ahead = DAY_MS;
    bool known = read_age(engine, &last);
    if (engine->age_looked) ahead = engine->now_ms - engine->age_looked_ms;
    int64_t now = engine->wall_ms;
    if (stands(engine, known && now < last)) return engine->age_ms = last;
    if (known && now > last + ahead) now = last + ahead;
    engine->age_looked = true;
    engine->age_ms = now;
    engine->age_looked_ms = engine->now_ms;
    index->begin(index->self);
    index->meta_set(index->self, KEY, slice_of(&now, sizeof now));
    if (index->commit(index->self) != ERR_OK)
        log_warn(LOG_SYNC, "age not noted", "now_ms=%lld", (long long)now);
    return now;
}

int64_t wall_unless_behind(struct engine *engine)
{
    int64_t noted;
    bool behind = read_age(engine, &noted) && noted > engine->wall_ms;
    return behind ? noted : engine->wall_ms;
}

int64_t age_recent(struct engine *engine)
{
    bool recent = engine->age_looked && engine->now_ms - engine->age_looked_ms < RECENT_MS;
    return recent ? engine->age_ms : age_now(engine);
}
