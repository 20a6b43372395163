// SPDX-License-Identifier: MIT
//
// When an audit is made: once a day with each peer, and soon after anything that K does not tell
// of.
#include <string.h>

#include "agent/sync/age_priv.h"
#include "agent/sync/ranges_priv.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

enum {
    SOON_MS = 1000,   // the smaller device id asks,
    LATER_MS = 20000, // the other one only if it does not
};

void audit_soon(struct share *share)
{
    struct engine *engine = share->folder->engine;
    bool smaller = memcmp(engine->o.device.bytes, share->session->peer->device.bytes,
                          sizeof engine->o.device.bytes) < 0;
    share->audit_at_ms = engine->now_ms + (smaller ? SOON_MS : LATER_MS);
}

static bool is_due(struct share *share)
{
    struct bond *bond = bond_get(share->folder, share->session->peer->device);
    if (bond->audit_due) return true;
    int64_t age = age_recent(share->folder->engine);
    if (bond->audit_ms == 0) bond->audit_ms = age; // they have only just met
    return age - bond->audit_ms >= DAY_MS;
}

void audit_look(struct share *share)
{
    struct folder *folder = share->folder;
    int64_t now = folder->engine->now_ms;
    if (!share->joined || share->asking != NULL || now < share->audit_at_ms) return;
    if (!is_due(share)) {
        share->audit_at_ms = now + AUDIT_CHECK_MS;
        return;
    }
    share->audit_at_ms = now + AUDIT_AGAIN_MS;
    if (audit_possible(share)) audit_start(share, false);
}

bool audit_possible(const struct share *share)
{
    const struct folder *folder = share->folder;
    return share->joined && share->asking == NULL && !share->pulling.active &&
           folder->row.scanned && folder_usable(folder) && vv_equal(share->said_k.v, folder->k.v);
}
