// SPDX-License-Identifier: MIT
//
// Peers that ask for too much at once, send faster than the disk, or leave things open.
#include "agent/core/job.h"
#include "tests/unit/sync/rig.h"

enum { LEAF = 1 << 20 };

static struct vv empty_k(void)
{
    return (struct vv){0};
}

static struct script *joined(struct rig *rig, uint8_t seed)
{
    struct script *script = script_connect(rig, seed);
    script_offer(script, empty_k());
    rig_settle(rig);
    return script;
}

// A file of 8 MiB that is on the disk here.
static struct content large_here(struct rig *rig)
{
    struct item item = {.path = slice_text("large"), .own_last = 0};
    struct version v = {.path = item.path};
    uint64_t inc = 77;
    v.vv = vv_with(rig->arena, empty_k(), (struct dot){inc, 1});
    v.dots = (struct dots){v.vv.entries, 1};
    v.value = (struct value){.kind = KIND_FILE, .mode = 0644, .size = 8 * LEAF};
    v.value.content = hash_sha256(slice_text("any"));
    item.heads = &v;
    item.head_count = 1;
    item.local = (struct local){.state = LOCAL_OK, .version = v};
    store_begin(rig->store);
    store_item_put(rig->store, rig->folder, &item, true);
    assert_int_equal(store_commit(rig->store), ERR_OK);
    return (struct content){v.value.content, v.value.size};
}

static void want_leaves(struct script *script, struct content content, uint32_t count)
{
    struct message m = {.kind = MSG_WANT};
    uint32_t leaves[4096];
    for (uint32_t i = 0; i < count; i++)
        leaves[i] = i % 8;
    m.want.folder = script->rig->id;
    m.want.ids = &content;
    m.want.id_count = 1;
    m.want.leaves = leaves;
    m.want.leaf_count = count;
    script_send(script, LANE_CONTROL, &m);
}

// One message that asks for gigabytes is served bit by bit, and to its end.
static void test_want_of_gigabytes(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *hostile = joined(&rig, 3);
    struct content content = large_here(&rig);
    rig.held = 1u << JOB_READ;
    want_leaves(hostile, content, 4096);
    want_leaves(hostile, content, 4096);
    rig_settle(&rig);
    assert_in_range(rig_jobs(&rig, JOB_READ), 1, 8);
    rig.held = 0;
    rig_settle(&rig);
    assert_int_equal(rig_jobs(&rig, JOB_READ), 0);
    assert_true(script_heard(hostile, MSG_NOT_HELD) > 0); // the rig's disk never has it
    assert_false(script_is_cut(hostile));
    rig_close(&rig);
}

static void test_wants_without_end(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *hostile = joined(&rig, 3);
    struct content content = large_here(&rig);
    rig.held = 1u << JOB_READ;
    for (int i = 0; i < 2000 && !script_is_cut(hostile); i++)
        want_leaves(hostile, content, 4096);
    assert_true(script_is_cut(hostile));
    assert_true(rig_logged("too many requests at once"));
    rig_close(&rig);
}

// PUSHes faster than the disk: what waits is bounded, and what was left out comes by a round.
static void test_pushes_faster_than_disk(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static char text[COUNT][60 * 1000];
    static const char *texts[COUNT];
    struct rig rig;
    rig_open(&rig);
    struct script *peer = joined(&rig, 3);
    struct version *v = arena_alloc(rig.arena, COUNT, sizeof *v);
    rig.held = 1u << JOB_STAGE;
    struct engine_status status;
    for (uint32_t i = 0; i < COUNT; i++) {
        memset(text[i], 'a', sizeof text[i] - 1);
        (void)snprintf(text[i], 16, "%u", i);
        text[i][strlen(text[i])] = 'b';
        texts[i] = text[i];
        char path[16];
        (void)snprintf(path, sizeof path, "p%u", i);
        v[i] = script_file(peer, path, text[i]);
        script_push(peer, i, &v[i], 1, text[i]);
    }
    engine_status(rig.engine, rig.arena, &status);
    assert_in_range(status.counters.contents_in, 100, 200); // 16 MiB of frames and contents
    rig.held = 0;
    for (int i = 0; i < 100; i++) {
        rig_wait(&rig, 200);
        (void)script_answer(peer, v, COUNT, texts, COUNT);
    }
    assert_false(script_is_cut(peer));
    assert_int_equal(rig_item(&rig, "p0").local.state, LOCAL_OK);
    assert_int_equal(rig_item(&rig, "p399").local.state, LOCAL_OK);
    rig_close(&rig);
}

// A round that is left open is given up and begun again, not waited for until a restart.
static void test_round_left_open(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *hostile = script_connect(&rig, 3);
    struct dot k = {hostile->inc, 9};
    hostile->counter = 9;
    script_offer(hostile, (struct vv){&k, 1});
    rig_settle(&rig);
    assert_int_equal(script_heard(hostile, MSG_PULL), 1);
    script_pong(hostile); // the PULL is passed over
    for (int i = 0; i < 12; i++) {
        rig_wait(&rig, 15 * 1000);
        if (script_heard(hostile, MSG_PULL) > 1) break;
        script_pong(hostile);
    }
    assert_true(rig_logged("round given up"));
    assert_int_equal(script_heard(hostile, MSG_PULL), 2);
    rig_close(&rig);
}

// Who does not answer is asked less and less, and does not keep others from being asked.
static void test_silent_source(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    static char text[COUNT][100 * 1000];
    static const char *texts[COUNT];
    struct rig rig;
    rig_open(&rig);
    struct script *hostile = joined(&rig, 3);
    struct script *honest = joined(&rig, 4);
    struct version v[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        memset(text[i], 'a', sizeof text[i] - 1);
        text[i][i] = 'b';
        texts[i] = text[i];
        char path[16];
        (void)snprintf(path, sizeof path, "p%u", i);
        v[i] = script_file(honest, path, text[i]);
    }
    script_push(honest, 0, v, COUNT, NULL);
    for (int i = 0; i < 45; i++) {
        rig_wait(&rig, 1000);
        script_pong(hostile);
        (void)script_answer(honest, v, COUNT, texts, COUNT);
    }
    assert_true(rig_logged("no answer to a request"));
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(rig_item(&rig, arena_printf(rig.arena, "p%u", i)).local.state, LOCAL_OK);
    rig_close(&rig);
}

static void test_push_of_another(void **state)
{
    (void)state;
    struct rig rig;
    rig_open(&rig);
    struct script *honest = joined(&rig, 4);
    struct script *hostile = joined(&rig, 3);
    struct version v = script_file(honest, "x", "x");
    struct message m = {.kind = MSG_PUSH};
    m.push.folder = rig.id;
    m.push.inc = honest->inc;
    m.push.upto = script_mark(honest, 1);
    m.push.versions = (struct versions){&v, 1};
    script_send(hostile, LANE_CONTROL, &m);
    assert_true(script_is_cut(hostile));
    assert_true(rig_logged("a push of an incarnation that is not the sender's"));
    assert_int_equal(rig_item(&rig, "x").head_count, 0);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_want_of_gigabytes),       cmocka_unit_test(test_wants_without_end),
        cmocka_unit_test(test_pushes_faster_than_disk), cmocka_unit_test(test_round_left_open),
        cmocka_unit_test(test_silent_source),           cmocka_unit_test(test_push_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
