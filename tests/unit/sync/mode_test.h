// SPDX-License-Identifier: MIT
//
// Folders that go one way, and a peer that has a say in them.
#ifndef TESTS_UNIT_SYNC_MODE_TEST_H
#define TESTS_UNIT_SYNC_MODE_TEST_H

#include "tests/unit/sync/brake_test.h"

static inline void set_mode(struct rig *rig, enum engine_mode mode)
{
    struct engine_folder folder = {
        .name = "f", .path = "/f", .id = rig->id, .with_all = true, .mode = mode};
    uint32_t number;
    rig->mode = mode;
    assert_int_equal(engine_folder_put(rig->engine, &folder, &number), ERR_OK);
    rig_wait(rig, 1000);
}

static inline struct vv all_of(const struct script *peer)
{
    return vv_set(peer->rig->arena, (struct vv){0}, (struct dot){peer->inc, peer->counter});
}

// A change of what is here, made by somebody who has seen it.
static inline struct version after(struct script *peer, const char *path, const char *content)
{
    struct item item = rig_item(peer->rig, path);
    struct version v = script_file(peer, path, content != NULL ? content : "");
    v.vv = vv_join(peer->rig->arena, v.vv, heads_join(peer->rig->arena, &item));
    if (content == NULL) v.value = (struct value){.kind = KIND_TOMB};
    return v;
}

static inline void push(struct script *peer, struct version v, const char *ride)
{
    script_push(peer, peer->counter - 1, &v, 1, ride);
    rig_wait(peer->rig, 1000);
}

static inline bool shows(struct rig *rig, const char *path, const char *content)
{
    struct on_disk *at = disk_find(rig, slice_text(path));
    return at != NULL && at->print.present &&
           digest_equal(at->value.content, hash_sha256(slice_text(content)));
}

// The peer gives these contents when it is asked.
static inline void have(struct script *peer, const char *one, const char *other)
{
    const char *const contents[] = {one, other};
    rig_wait(peer->rig, 1000);
    (void)script_answer(peer, NULL, 0, contents, 2);
}

static inline const struct msg_applied *applied(const struct script *peer)
{
    return &script_last(peer, MSG_APPLIED)->applied;
}

// ---- receive-only

static inline struct script *open_receive_only(struct rig *rig)
{
    rig_open(rig);
    set_mode(rig, MODE_RECEIVE_ONLY);
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    push(peer, script_file(peer, "a", "one"), "one");
    push(peer, script_file(peer, "b", "two"), "two");
    push(peer, script_file(peer, "c", "three"), "three");
    assert_true(shows(rig, "c", "three"));
    rig_write(rig, "a", "changed");
    rig_write(rig, "b", NULL);
    rig_write(rig, "mine", "new");
    rig_wait(rig, 2000);
    return peer;
}

#endif
