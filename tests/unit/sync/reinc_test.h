// SPDX-License-Identifier: MIT
//
// An index that is older than what it has published, and a peer that shows it.
#ifndef TESTS_UNIT_SYNC_REINC_TEST_H
#define TESTS_UNIT_SYNC_REINC_TEST_H

#include "agent/core/incarnation.h"
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

static inline struct folder_row row_of(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row;
}

// As the process that made the last one would have made it.
static inline struct mark mark_of_ours(struct rig *rig, uint64_t inc, uint64_t counter)
{
    struct mark mark;
    if (!store_mark_get(rig->store, rig->folder, inc, &mark)) mark.first = 1;
    mark.counter = counter;
    if (mark.first > counter) mark.first = counter;
    mark_sign(rig->identity, rig->id, &mark);
    return mark;
}

// The peer shows these marks of ours, the highest first, and has as much in its K.
static inline void offer_with_marks(struct script *script, struct mark *marks, uint32_t count)
{
    struct rig *rig = script->rig;
    struct dot k = {marks->inc, marks->counter};
    struct message m = {.kind = MSG_OFFER, .offer = {.folder = rig->id, .has_items = true}};
    m.offer.name = slice_text("f");
    m.offer.state = OFFER_READY;
    memcpy(m.offer.nonce, script->nonce, sizeof m.offer.nonce);
    m.offer.inc = script->inc;
    m.offer.k = (struct vv){&k, 1};
    m.offer.marks = (struct marks){marks, count};
    script_send(script, LANE_CONTROL, &m);
}

// The peer shows `counter` of this life in its K.
static inline void offer_with_own(struct script *script, uint64_t inc, uint64_t counter)
{
    struct rig *rig = script->rig;
    struct mark mark = mark_of_ours(rig, inc, counter);
    offer_with_marks(script, &mark, 1);
}

#endif
