// SPDX-License-Identifier: MIT
//
// A folder of a hundred files, found here or come from a peer, for the tests of brakes.
#ifndef TESTS_UNIT_SYNC_BRAKE_TEST_H
#define TESTS_UNIT_SYNC_BRAKE_TEST_H

#include "agent/core/index.h"
#include "tests/unit/sync/rig.h"

enum { FILES = 100, NOW_MS = 2000 };

static char names[FILES][16];
static char texts[FILES][32];

static inline const char *name(int i)
{
    (void)snprintf(names[i], sizeof names[i], "f%03d", i);
    return names[i];
}

static inline const char *text(int i)
{
    (void)snprintf(texts[i], sizeof texts[i], "content %d", i);
    return texts[i];
}

static inline void rescan(struct rig *rig)
{
    engine_watch(rig->engine, rig->folder, ENGINE_RESCAN, slice_text(""));
    rig_wait(rig, 100);
}

static inline void open_full(struct rig *rig)
{
    rig_open(rig);
    for (int i = 0; i < FILES; i++)
        rig_save(rig, name(i), text(i), NOW_MS);
    rescan(rig);
    assert_int_equal(rig_status(rig).items, FILES);
}

static inline uint64_t counter(struct rig *rig)
{
    struct folder_row row;
    assert_true(store_folder_reload(rig->store, rig->arena, rig->folder, &row));
    return row.counter;
}

static inline void remove_some(struct rig *rig, int from, int to)
{
    for (int i = from; i < to; i++) {
        rig_delete(rig, name(i));
        engine_watch(rig->engine, rig->folder, ENGINE_GONE, slice_text(name(i)));
    }
}

static inline void decide(struct rig *rig, enum decision_kind kind)
{
    const struct decision decision = {.kind = kind, .folder = "f"};
    uint32_t before = rig->decisions;
    engine_decide(rig->engine, 7, &decision);
    rig_wait(rig, 5000);
    assert_int_equal(rig->decisions, before + 1);
}

static inline void assert_held(struct rig *rig, const char *code, uint64_t count)
{
    struct folder_status status = rig_status(rig);
    assert_int_equal(status.state, FOLDER_HELD);
    assert_string_equal(status.code, code);
    assert_int_equal(status.held, count);
}

static inline void assert_free(struct rig *rig)
{
    assert_int_equal(rig_status(rig).held, 0);
    assert_string_equal(rig_status(rig).code, "");
}

static inline void join(struct script *peer)
{
    script_offer(peer, (struct vv){0});
    rig_settle(peer->rig);
}

// ---- a peer's files, which it deletes or rewrites

struct theirs {
    struct version files[FILES];
    const char *texts[FILES];
};

static inline void answer_all(struct rig *rig, struct script *peer, struct theirs *theirs)
{
    for (int64_t waited = 0; waited < 5000; waited += 500) {
        rig_wait(rig, 500);
        while (script_answer(peer, theirs->files, FILES, theirs->texts, FILES))
            rig_settle(rig);
    }
}

static inline struct script *open_theirs(struct rig *rig, struct theirs *theirs)
{
    rig_open(rig);
    struct script *peer = script_connect(rig, 3);
    for (int i = 0; i < FILES; i++) {
        theirs->texts[i] = text(i);
        theirs->files[i] = script_file(peer, name(i), text(i));
    }
    struct dot k = {peer->inc, peer->counter};
    script_offer(peer, (struct vv){&k, 1});
    answer_all(rig, peer, theirs);
    assert_int_equal(rig_status(rig).items, FILES);
    for (int i = 0; i < FILES; i++)
        assert_true(rig_on_disk(rig, name(i)));
    return peer;
}

static inline struct version changed(struct script *peer, const struct version *was, const char *to)
{
    struct version v = script_file(peer, "x", to != NULL ? to : "");
    v.path = was->path;
    v.vv = vv_join(peer->rig->arena, v.vv, was->vv);
    if (to == NULL) v.value = (struct value){.kind = KIND_TOMB};
    return v;
}

static inline uint64_t push_changes(struct script *peer, struct theirs *theirs, int from, int to,
                                    const char *text_to)
{
    uint64_t after = peer->counter;
    for (int i = from; i < to; i++)
        theirs->files[i] = changed(peer, &theirs->files[i], text_to);
    script_push(peer, after, theirs->files + from, (uint32_t)(to - from), NULL);
    rig_settle(peer->rig);
    return after;
}

static inline uint32_t on_disk(struct rig *rig)
{
    uint32_t count = 0;
    for (int i = 0; i < FILES; i++)
        count += rig_on_disk(rig, name(i));
    return count;
}

#endif
