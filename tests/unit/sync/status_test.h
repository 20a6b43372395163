// SPDX-License-Identifier: MIT
//
// What is said of a folder, for the tests of that.
#ifndef TESTS_UNIT_SYNC_STATUS_TEST_H
#define TESTS_UNIT_SYNC_STATUS_TEST_H

#include "tests/unit/sync/rig.h"

static inline struct path_status why(struct rig *rig, const char *path)
{
    struct path_status out;
    assert_true(engine_path(rig->engine, rig->arena, rig->folder, slice_text(path), &out));
    return out;
}

static inline const struct status_error *error_of(const struct folder_status *status,
                                                  const char *code)
{
    for (uint32_t i = 0; i < status->error_count; i++) {
        if (strcmp(status->errors[i].code, code) == 0) return &status->errors[i];
    }
    fail_msg("%s is not shown", code);
    return NULL;
}

static inline void assert_state(struct rig *rig, enum folder_state state, const char *code)
{
    struct folder_status status = rig_status(rig);
    assert_string_equal(folder_state_text(status.state), folder_state_text(state));
    assert_string_equal(status.code, code);
}

// All that it has made is on its disk.
static inline void say_applied(struct script *peer)
{
    struct dot own = {peer->inc, peer->counter};
    script_applied(peer, (struct vv){&own, 1}, NULL, NULL);
}

static inline struct script *peer_with(struct rig *rig, const char *path, const char *text)
{
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v = script_file(peer, path, text);
    script_push(peer, 0, &v, 1, text);
    rig_settle(rig);
    say_applied(peer);
    return peer;
}

static inline int sync_wait(struct rig *rig, int64_t timeout_ms)
{
    const struct sync_request request = {.wait = true, .timeout_ms = timeout_ms};
    engine_sync(rig->engine, rig->synced + 1, &request);
    rig_wait(rig, timeout_ms);
    return rig->sync_exit;
}

#endif
