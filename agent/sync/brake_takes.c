// SPDX-License-Identifier: MIT
//
// What counts, for the brake on what comes from others.
#include "agent/sync/brake_priv.h"
#include "proto/vv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static bool is_own(const struct folder *folder, const struct version *v)
{
    for (uint32_t i = 0; i < v->dots.count; i++) {
        if (v->dots.entries[i].inc == folder->row.inc) return true;
    }
    return false;
}

static bool of_others(struct folder *folder, const struct version *v)
{
    struct owner owner;
    if (is_own(folder, v)) return false;
    return !INDEX(folder)->owner_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                     v->dots.entries[0].inc, &owner) ||
           !device_equal(owner.device, folder->engine->o.device);
}

// What this device's first scan found, of a folder that was joined, gives way to what is
// established: a person has accepted that.
static bool is_accepted(const struct folder *folder, const struct version *local,
                        const struct version *w)
{
    bool first = (local->flags & VERSION_FIRST) != 0 && is_own(folder, local);
    return first && (w->flags & VERSION_AUTO) != 0;
}

// A file that is saved again and again is one rewrite.
static bool is_again(struct folder *folder, const struct version *local, const struct version *w)
{
    int64_t a = w->birth.wall_ms, b = local->birth.wall_ms; // whatever a peer says
    uint64_t apart = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return local->has_parent && apart < WINDOW_MS && of_others(folder, local);
}

// A reconciliation has dropped what is on this disk. Other contents that count for nothing are left
// out, or a person put them back: the head then covers what the disk had.
static bool was_forgotten(struct folder *folder, const struct item *item)
{
    const struct local *local = &item->local;
    if (local->state != LOCAL_OBSOLETE || version_is_of_nothing(&local->version)) return false;
    if (item->blocked != BLOCKED_NONE || work_left_out(folder, item)) return false;
    return item->head_count == 0 || !vv_le(local->version.vv, item->heads[0].vv);
}

bool brake_takes_away(struct folder *folder, const struct item *item, struct incoming *out)
{
    const struct local *local = &item->local;
    bool counts =
        local->state == LOCAL_OK || local->state == LOCAL_DIRTY || was_forgotten(folder, item);
    if (folder->mode == MODE_SEND_ONLY) return false; // it waits for another reason
    if (!counts || !version_live(&local->version) || !item->need || item->head_count > 1 ||
        path_is_conflict_item(item->path))
        return false;
    if (item->head_count == 0) {
        *out = (struct incoming){.kind = IN_DELETED,
                                 .is_dir = local->version.value.kind == KIND_DIR,
                                 .birth_ms = folder->engine->wall_ms,
                                 .was = local->version.value};
        out->was.target = (struct slice){0};
        return true;
    }
    const struct version *w = &item->heads[0];
    const struct value *was = &local->version.value;
    if (is_accepted(folder, &local->version, w)) return false;
    bool deleted = w->value.kind == KIND_TOMB && !local_implied(item);
    bool rewritten = value_is_leaf(was) && !deleted && !value_same_content(was, &w->value);
    if (!deleted && (!rewritten || is_again(folder, &local->version, w))) return false;
    if (!of_others(folder, w) || approvals_cover(folder, w->dots.entries[0])) return false;
    *out = (struct incoming){.kind = deleted ? IN_DELETED : IN_REWRITTEN,
                             .is_dir = was->kind == KIND_DIR,
                             .birth_ms = w->birth.wall_ms,
                             .dot = w->dots.entries[0],
                             .was = *was};
    out->was.target = (struct slice){0};
    return true;
}
