// SPDX-License-Identifier: MIT
//
// Contents that nobody has, for the tests of what is done about them.
#ifndef TESTS_UNIT_SYNC_ORPHAN_TEST_H
#define TESTS_UNIT_SYNC_ORPHAN_TEST_H

#include "tests/unit/sync/rig.h"

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

static inline void go(struct script *script)
{
    script_down(script);
    rig_settle(script->rig);
}

static inline void days(struct rig *rig, int count)
{
    for (int day = 0; day < count; day++)
        rig_wait(rig, DAY_MS);
}

static inline struct abandon_result abandon(struct rig *rig, const char *path, bool now)
{
    struct slice paths[] = {slice_text(path)};
    const struct abandon_request request = {.folder = "f", .paths = paths, .count = 1, .now = now};
    uint64_t ticket = rig->abandoned + 1;
    engine_abandon(rig->engine, ticket, &request);
    return rig->abandon;
}

static inline struct orphan only_orphan(struct rig *rig)
{
    struct orphan out[4];
    assert_int_equal(engine_orphans(rig->engine, rig->arena, NULL, 4, out), 1);
    return out[0];
}

static inline bool status_names(struct rig *rig, const char *path)
{
    struct folder_status status = rig_status(rig);
    for (uint32_t i = 0; i < status.error_count; i++) {
        if (strcmp(status.errors[i].code, "no-source") == 0 &&
            slice_equal(status.errors[i].path, slice_text(path)))
            return true;
    }
    return false;
}

// What the peer has made of the first head of a path.
static inline struct version edit_of(struct script *script, const char *path, const char *text)
{
    struct rig *rig = script->rig;
    struct item item = rig_item(rig, path);
    struct version v = script_file(script, path, text);
    v.vv = vv_join(rig->arena, v.vv, item.heads[0].vv);
    v.has_parent = true;
    v.parent = item.heads[0].value.content;
    v.parent_mode = 0644;
    return v;
}

static inline bool shows(struct rig *rig, const char *path, const char *text)
{
    const struct on_disk *at = disk_find(rig, slice_text(path));
    return at != NULL && digest_equal(at->value.content, hash_sha256(slice_text(text)));
}

static inline bool says(const struct version *v, const char *text)
{
    return v->value.kind == KIND_FILE &&
           digest_equal(v->value.content, hash_sha256(slice_text(text)));
}

// A version comes, its content does not, and who made it goes.
static inline struct script *orphan_made(struct rig *rig, const char *path, const char *before)
{
    if (before != NULL) rig_write(rig, path, before);
    rig_settle(rig);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    struct version v =
        before != NULL ? edit_of(peer, path, "lost") : script_file(peer, path, "lost");
    script_push(peer, 0, &v, 1, NULL);
    rig_settle(rig);
    assert_int_equal(script_heard(peer, MSG_WANT), 1);
    go(peer);
    return peer;
}

static inline void answer_audit(struct script *script, struct version *has, uint32_t count)
{
    const struct msg_ranges *open = &script_last(script, MSG_RANGES)->ranges;
    struct range all = {.what = RANGE_ITEMS};
    struct message m = {.kind = MSG_RANGES};
    assert_int_equal(open->step, RANGES_OPEN);
    m.ranges.folder = script->rig->id;
    m.ranges.audit = open->audit;
    m.ranges.step = RANGES_GO;
    m.ranges.ranges = &all;
    m.ranges.range_count = 1;
    m.ranges.versions = (struct versions){has, count};
    script_send(script, LANE_CONTROL, &m);
    struct message end = {.kind = MSG_RANGES, .ranges = {.folder = script->rig->id}};
    end.ranges.audit = open->audit;
    end.ranges.step = RANGES_END;
    script_send(script, LANE_CONTROL, &end);
    rig_settle(script->rig);
}

static inline void refuse_wants(struct script *script)
{
    for (; script->answered < script->heard_count; script->answered++) {
        const struct message *m = script->heard[script->answered];
        struct message pong = {.kind = MSG_PONG, .ping = m->ping};
        if (m->kind == MSG_PING) script_send(script, LANE_CONTROL, &pong);
        if (m->kind != MSG_WANT) continue;
        struct message no = {.kind = MSG_NOT_HELD, .not_held = {.folder = script->rig->id}};
        no.not_held.ids = &m->want.ids[0].id;
        no.not_held.count = 1;
        script_send(script, LANE_CONTROL, &no);
    }
    rig_settle(script->rig);
}

// It comes back, knowing what we know.
static inline struct version back(struct script *script, const char *path)
{
    struct version v = rig_item(script->rig, path).heads[0];
    script->answered = script->heard_count;
    script_reconnect(script);
    script_offer(script, store_k(script->rig->store, script->rig->arena, script->rig->folder));
    rig_settle(script->rig);
    return v;
}

#endif
