// SPDX-License-Identifier: MIT
//
// A request to wait, and what it says in the end.
#ifndef TESTS_UNIT_SYNC_WAIT_TEST_H
#define TESTS_UNIT_SYNC_WAIT_TEST_H

#include "tests/unit/sync/status_test.h"

enum { TICKET = 7, TIMEOUT_MS = 5000 };

static inline void ask(struct rig *rig, bool wait)
{
    const struct sync_request request = {.folder = "f", .wait = wait, .timeout_ms = TIMEOUT_MS};
    rig->synced = 0;
    engine_sync(rig->engine, TICKET, &request);
}

static inline void pong(struct script *script)
{
    struct message m = {.kind = MSG_PONG, .ping = script_last(script, MSG_PING)->ping};
    script_send(script, LANE_CONTROL, &m);
    rig_settle(script->rig);
}

static inline void ended(struct rig *rig, int code, const char *said)
{
    assert_int_equal(rig->synced, TICKET);
    if (strcmp(rig->sync_said, said) != 0) print_message("%s", rig->sync_said);
    assert_string_equal(rig->sync_said, said);
    assert_int_equal(rig->sync_exit, code);
}

// Joined, with nothing to do.
static inline struct script *open_joined(struct rig *rig)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(rig, 100);
    return peer;
}

static inline void answer(struct script *peer)
{
    for (int turn = 0; turn < 10; turn++) {
        rig_wait(peer->rig, 100);
        (void)script_answer(peer, NULL, 0, NULL, 0);
    }
    rig_settle(peer->rig);
}

#endif
