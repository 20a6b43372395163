// SPDX-License-Identifier: MIT
//
// Two different things under one dot: an index was rolled back or copied and counted on, and nobody
// saw it by its counters. Both are kept; of one's own the index draws a new incarnation.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)
#define DAY_MS        (INT64_C(24) * 3600 * 1000)

static bool shared_dot(struct dots a, struct dots b, struct dot *out)
{
    for (uint32_t i = 0; i < a.count; i++) {
        if (!dots_contain(b, a.entries[i])) continue;
        *out = a.entries[i];
        return true;
    }
    return false;
}

static bool on_other_value(const struct item *item, const struct version *w, struct dot *out)
{
    for (uint32_t h = 0; h < item->head_count; h++) {
        if (value_equal(&item->heads[h].value, &w->value)) continue;
        if (shared_dot(item->heads[h].dots, w->dots, out)) return true;
    }
    return false;
}

static bool on_other_path(struct folder *folder, const struct version *w, uint64_t inc,
                          struct dot *out)
{
    const struct index_port *index = INDEX(folder);
    struct path_row rows[2];
    for (uint32_t i = 0; i < w->dots.count; i++) {
        *out = w->dots.entries[i];
        if (inc != 0 && out->inc != inc) continue;
        uint32_t got = index->dots_after(index->self, folder->engine->scratch, folder->number,
                                         out->inc, out->counter - 1, out->counter, 2, rows);
        for (uint32_t r = 0; r < got; r++) {
            if (!slice_equal(rows[r].path, w->path)) return true;
        }
    }
    return false;
}

bool reinc_allowed(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->collided_ms != 0 && now - folder->collided_ms < DAY_MS) return false;
    folder->collided_ms = now > 0 ? now : 1;
    return true;
}

static void alarm_raise(struct folder *folder, const struct version *w, struct dot dot)
{
    char escaped[LOG_ESCAPED_MAX];
    log_error(LOG_SYNC, "one dot, two versions", "folder=%s path=\"%s\" dot=%016llx:%llu",
              folder->name, log_escape(w->path, escaped), (unsigned long long)dot.inc,
              (unsigned long long)dot.counter);
    folder->collisions++;
    for (struct bond *b = folder->bonds; b != NULL; b = b->next)
        b->audit_due = b->unsaved = true;
    engine_changed(folder->engine);
}

// On another path of one's own dots only: of others' it would cost a look into the index for each
// version that comes.
bool collision_is_evidence(struct folder *folder, const struct item *item, const struct version *w)
{
    struct dot dot;
    if (!on_other_value(item, w, &dot) && !on_other_path(folder, w, folder->row.inc, &dot))
        return false;
    alarm_raise(folder, w, dot);
    return dot.inc == folder->row.inc && reinc_allowed(folder);
}

// Inside an audit: the maker of the version will see what is here under its dot, and mint again.
bool collision_of(struct folder *folder, const struct version *w, struct device_id maker)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    struct owner owner;
    struct dot dot;
    index->item_get(index->self, folder->engine->scratch, folder->number, w->path, &item);
    if (!on_other_value(&item, w, &dot) && !on_other_path(folder, w, 0, &dot)) return false;
    if (!index->owner_get(index->self, folder->engine->scratch, folder->number, dot.inc, &owner) ||
        !device_equal(owner.device, maker))
        return false;
    alarm_raise(folder, w, dot);
    return true;
}

bool collision_elsewhere(struct folder *folder, const struct version *w)
{
    struct dot dot;
    if (!on_other_path(folder, w, 0, &dot)) return false;
    alarm_raise(folder, w, dot);
    return true;
}
