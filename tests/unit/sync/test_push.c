// SPDX-License-Identifier: MIT
//
// Much at once: what was minted in one transaction goes out in messages that each are whole, and
// what comes in many messages goes to the disk and into the index together.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { BYTES = 60000, FILES = 10, PUSHES = 6, COUNTERS_MAX = 64 };

static const char *named(struct rig *rig, const char *folder, uint32_t number)
{
    return arena_printf(rig->arena, "%s%u", folder, number);
}

// Contents that nothing compresses much.
static struct slice noise(struct rig *rig, uint32_t seed)
{
    uint8_t *bytes = arena_alloc(rig->arena, BYTES, 1);
    for (uint32_t i = 0, n = seed * 2654435761U + 1; i < BYTES; i++) {
        n = n * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(n >> 24);
    }
    return slice_of(bytes, BYTES);
}

static void save(struct rig *rig, const char *path, uint32_t seed)
{
    struct slice bytes = noise(rig, seed);
    rig_write(rig, path, "x");
    struct on_disk *at = disk_find(rig, slice_text(path));
    at->value.size = at->print.size = bytes.size;
    at->value.content = hash_sha256(bytes);
    at->bytes = bytes;
}

// Which path the last own counters were drawn for.
static void owners_note(struct rig *rig, struct slice owners[COUNTERS_MAX])
{
    for (uint32_t i = 0; i < 2 * FILES; i++) {
        struct item item = rig_item(rig, named(rig, "f", i));
        if (item.own_last > 0) owners[item.own_last] = item.path;
    }
}

static bool tells_of(const struct msg_push *push, struct slice path)
{
    for (uint32_t v = 0; v < push->versions.count; v++) {
        if (slice_equal(push->versions.entries[v].path, path)) return true;
    }
    return false;
}

// Messages follow each other, and none claims a counter whose version, or what took its place, is
// not in it or in one before.
static void check_pushes(const struct script *peer, const struct slice owners[COUNTERS_MAX],
                         uint32_t *out_count, uint32_t *out_rides)
{
    uint64_t after = 0;
    *out_count = *out_rides = 0;
    for (uint32_t i = 0; i < peer->heard_count; i++) {
        const struct msg_push *push = &peer->heard[i]->push;
        if (peer->heard[i]->kind != MSG_PUSH) continue;
        assert_int_equal(push->after, after);
        for (uint64_t c = after + 1; c <= push->upto.counter; c++)
            assert_true(tells_of(push, owners[c]));
        after = push->upto.counter;
        *out_rides += push->ride_count;
        (*out_count)++;
    }
}

static void test_many_go_out_with_their_contents(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t count, rides;
    struct slice owners[COUNTERS_MAX] = {0};
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.held = 1u << JOB_LOOK;
    for (uint32_t i = 0; i < 2 * FILES; i++)
        save(&rig, named(&rig, "f", i), i);
    rig_wait(&rig, 100);
    rig.held = 0;
    rig_wait(&rig, 1000);
    owners_note(&rig, owners);
    check_pushes(peer, owners, &count, &rides);
    assert_in_range(count, 5, 8);
    assert_int_equal(rides, 2 * FILES);
    rig_close(&rig);
}

// What was saved again before it was told of leaves a hole, at which nothing may end.
static void test_never_between_a_version_and_its_successor(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t count, rides;
    struct slice owners[COUNTERS_MAX] = {0};
    rig_open(&rig);
    for (uint32_t i = 0; i < FILES; i++)
        save(&rig, named(&rig, "f", i), i);
    rig_wait(&rig, 1000);
    owners_note(&rig, owners);
    for (uint32_t i = 1; i < FILES; i += 2) {
        save(&rig, named(&rig, "f", i), 100 + i);
        rig_wait(&rig, 3000);
    }
    owners_note(&rig, owners);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_wait(&rig, 1000);
    check_pushes(peer, owners, &count, &rides);
    assert_in_range(count, 1, 3);
    rig_close(&rig);
}

static uint64_t commits(struct rig *rig)
{
    struct engine_status status;
    engine_status(rig->engine, rig->arena, &status);
    return status.counters.commits;
}

static void test_many_come_together(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.held = 1u << JOB_STAGE;
    for (uint32_t i = 0; i < PUSHES; i++) {
        const char *text = named(&rig, "content ", i);
        struct version v = script_file(peer, named(&rig, "f", i), text);
        script_push(peer, i, &v, 1, text);
        rig_settle(&rig);
    }
    assert_int_equal(rig_jobs(&rig, JOB_STAGE), 2); // the third is being filled
    uint64_t before = commits(&rig);
    rig.held = 1u << JOB_APPLY;
    rig_settle(&rig);
    assert_in_range(commits(&rig) - before, 1, PUSHES - 1);
    rig.held = 0;
    rig_wait(&rig, 1000);
    for (uint32_t i = 0; i < PUSHES; i++)
        assert_true(rig_on_disk(&rig, named(&rig, "f", i)));
    assert_int_equal(script_heard(peer, MSG_WANT) + script_heard(peer, MSG_PULL), 0);
    rig_close(&rig);
}

// Those that wait go with the session; the rest comes by a round.
static void test_gone_while_they_wait(void **state)
{
    (void)state;
    struct rig rig;
    struct version v[PUSHES];
    const char *texts[PUSHES];
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig.held = 1u << JOB_STAGE;
    for (uint32_t i = 0; i < PUSHES; i++) {
        texts[i] = named(&rig, "content ", i);
        v[i] = script_file(peer, named(&rig, "f", i), texts[i]);
        script_push(peer, i, &v[i], 1, texts[i]);
        rig_settle(&rig);
    }
    script_down(peer);
    peer->cut[LANE_CONTROL] = peer->cut[LANE_BULK] = true;
    rig.held = 0;
    rig_wait(&rig, 1000);
    while (script_answer(peer, v, PUSHES, texts, PUSHES))
        rig_wait(&rig, 1000);
    for (uint32_t i = 0; i < PUSHES; i++)
        assert_true(rig_on_disk(&rig, named(&rig, "f", i)));
    rig_close(&rig);
}

// Memory that only makes bulk quicker is given back at any time: what comes next is as before.
static void test_slimmed(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *peer = script_connect(&rig, 3);
    script_offer(peer, (struct vv){0});
    rig_write(&rig, "mine", "m");
    rig_settle(&rig);
    engine_slim(rig.engine);
    rig_wait(&rig, 1000);
    struct version v = script_file(peer, "theirs", "t");
    script_push(peer, 0, &v, 1, "t");
    rig_write(&rig, "mine", "more");
    rig_wait(&rig, 1000);
    assert_true(rig_on_disk(&rig, "theirs"));
    const struct msg_push *push = &script_last(peer, MSG_PUSH)->push;
    assert_int_equal(push->versions.entries[0].value.size, 4);
    engine_slim(rig.engine);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slimmed),
        cmocka_unit_test(test_many_go_out_with_their_contents),
        cmocka_unit_test(test_never_between_a_version_and_its_successor),
        cmocka_unit_test(test_many_come_together),
        cmocka_unit_test(test_gone_while_they_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
