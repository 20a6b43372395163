// SPDX-License-Identifier: MIT
//
// The golden vectors of tests/vectors, made by an encoder that shares no code with ours: each
// decodes to what make_vectors.py put in, and encodes to the same bytes again.
#include <ctype.h>

#include "make.h"

static const uint64_t INC_A = UINT64_C(0x8c3cba79acd3e137);
static const uint64_t INC_B = UINT64_C(0x1122334455667788);
static const uint64_t EPOCH = UINT64_C(0x0102030405060708);

static unsigned nibble(int c)
{
    return (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
}

// The hex of a vector file; what follows a ';' is words.
static void vector_read(const char *name, struct buf *out)
{
    AUTO(buf_fini) struct buf path = {0};
    buf_printf(&path, TEST_SOURCE_DIR "/tests/vectors/%s.txt", name);
    FILE *file = fopen(buf_text(&path), "r");
    if (file == NULL) fail_msg("cannot open %s", buf_text(&path));
    char line[512];
    while (fgets(line, sizeof line, file) != NULL)
        for (size_t i = 0; isxdigit((unsigned char)line[i]); i += 2) {
            uint8_t byte = (uint8_t)(nibble(line[i]) << 4 | nibble(line[i + 1]));
            buf_append(out, &byte, 1);
        }
    (void)fclose(file);
    assert_true(out->size > 0);
}

// Decodes a vector and checks that it encodes to the same bytes.
static struct message vector_decode(struct arena *arena, const char *name, enum message_kind kind)
{
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf again = {0};
    vector_read(name, &bytes);
    struct message m;
    struct fault fault;
    struct slice kept = arena_copy(arena, buf_slice(&bytes));
    if (message_decode(arena, kept, &m, &fault) != ERR_OK)
        fail_msg("%s: %s at %u", name, fault.what, fault.offset);
    assert_int_equal(m.kind, kind);
    assert_true(m.session == (kind == MSG_HELLO ? 0 : 4711));
    message_encode(&m, &again);
    assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    return m;
}

static void assert_filled(const void *data, uint8_t first, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(((const uint8_t *)data)[i], (uint8_t)(first + i));
}

static void assert_text(struct slice text, const char *expected)
{
    assert_true(slice_equal(text, slice_text(expected)));
}

static void assert_vv(struct vv v, uint64_t n_a, uint64_t n_b)
{
    assert_int_equal(v.count, (n_a > 0) + (n_b > 0));
    assert_true(vv_get(v, INC_A) == n_a);
    assert_true(vv_get(v, INC_B) == n_b);
}

static void assert_mark(const struct mark *mark, uint64_t inc, uint64_t counter, uint8_t fill)
{
    assert_true(mark->inc == inc && mark->counter == counter);
    assert_true(mark->first == counter - 2 && mark->epoch == EPOCH);
    assert_filled(mark->signature.bytes, fill, 64);
}

static void assert_file(const struct version *v)
{
    assert_text(v->path, "etc/caf\xc3\xa9.conf");
    assert_int_equal(v->dots.count, 1);
    assert_true(dots_contain(v->dots, (struct dot){INC_A, 7}));
    assert_vv(v->vv, 7, 300);
    assert_int_equal(v->value.kind, KIND_FILE);
    assert_int_equal(v->value.mode, 0644);
    assert_int_equal(v->value.size, 6);
    assert_int_equal(v->value.content.bytes[0], 0x58);
    assert_true(v->mtime_ns == INT64_C(1700000000123456789));
    assert_true(v->birth.wall_ms == INT64_C(1700000000123));
    assert_true(v->birth.inc == INC_A && v->birth.counter == 7);
    assert_true(v->has_parent);
    assert_filled(v->parent.bytes, 0xc0, 32);
    assert_int_equal(v->parent_mode, 0600);
    assert_int_equal(v->flags, VERSION_AUTO);
    assert_int_equal(v->bundle.count, 1);
    assert_true(dots_contain(v->bundle, (struct dot){INC_B, 299}));
    assert_text(v->origin, "etc/cafe");
    assert_int_equal(v->unknown_count, 1);
    assert_int_equal(v->unknown.data[1], 'z');
}

static void test_hello(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_hello h = vector_decode(arena, "hello", MSG_HELLO).hello;
    assert_int_equal(h.protocol, 1);
    assert_text(h.program, "cfgsync-agent 0.1.0");
    assert_true(h.features == 0);
    assert_text(h.name, "laptop");
    assert_true(h.boot == UINT64_C(0x0102030405060708) && h.session == 4711);
    assert_int_equal(h.lane, LANE_BULK);
    assert_true(h.wall_ms == INT64_C(1700000000000));
}

static void test_offer(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_offer o = vector_decode(arena, "offer", MSG_OFFER).offer;
    assert_filled(o.folder.bytes, 0x10, 16);
    assert_text(o.name, "dotfiles");
    assert_true(o.inc == INC_A && o.has_items && o.heard);
    assert_filled(o.nonce, 0x30, 16);
    assert_int_equal(o.state, OFFER_READY);
    assert_vv(o.k, 7, 300);
    assert_vv(o.a, 6, 0);
    assert_vv(o.gcfloor, 0, 2);
    assert_int_equal(o.marks.count, 2);
    assert_mark(&o.marks.entries[0], INC_A, 7, 0x40);
    assert_mark(&o.marks.entries[1], INC_B, 300, 0x80);
    assert_true(o.items == 1200 && o.bytes == UINT64_C(5000000000));
}

static void test_owners(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_owners o = vector_decode(arena, "owners", MSG_OWNERS).owners;
    assert_int_equal(o.count, 1);
    assert_true(o.owners[0].inc == INC_A);
    assert_filled(o.owners[0].device.bytes, 0xa0, 32);
    assert_filled(o.owners[0].nonce, 0x30, 16);
    assert_text(o.owners[0].name, "laptop");
}

static void test_round(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_pull p = vector_decode(arena, "pull", MSG_PULL).pull;
    assert_true(p.round == 3);
    assert_vv(p.k, 7, 300);
    assert_int_equal(p.token.size, 20);
    assert_filled(p.token.data, 0, 20);
    struct msg_ack a = vector_decode(arena, "ack", MSG_ACK).ack;
    assert_true(a.round == 3 && a.page == 2);
    struct msg_done d = vector_decode(arena, "done", MSG_DONE).done;
    assert_true(d.round == 3 && d.pages == 2 && d.marks.count == 1);
    assert_vv(d.k, 7, 300);
    assert_vv(d.gcfloor, 0, 2);
    assert_mark(&d.marks.entries[0], INC_B, 300, 0x80);
}

static void test_versions(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_versions m = vector_decode(arena, "versions", MSG_VERSIONS).versions;
    assert_true(m.round == 3 && m.page == 1 && m.token.size == 20 && m.marks.count == 1);
    assert_int_equal(m.versions.count, 4);
    assert_file(&m.versions.entries[0]);
    const struct version *dir = &m.versions.entries[1];
    assert_int_equal(dir->value.kind, KIND_DIR);
    assert_int_equal(dir->value.mode, 0755);
    assert_true(dir->birth.wall_ms == -1 && !dir->has_parent && dir->flags == 0);
    const struct version *link = &m.versions.entries[2];
    assert_int_equal(link->value.kind, KIND_SYMLINK);
    assert_text(link->value.target, "../etc/hosts");
    assert_true(link->mtime_ns == -1 && link->flags == VERSION_FIRST);
    const struct version *tomb = &m.versions.entries[3];
    assert_int_equal(tomb->value.kind, KIND_TOMB);
    assert_int_equal(tomb->dots.count, 2);
    assert_true(dots_contain(tomb->dots, (struct dot){INC_B, 9}));
    assert_vv(tomb->vv, 0, 9);
}

static void test_push(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_push p = vector_decode(arena, "push", MSG_PUSH).push;
    assert_true(p.inc == INC_A && p.after == 6);
    assert_mark(&p.upto, INC_A, 7, 0x40);
    assert_int_equal(p.marks.count, 0);
    assert_int_equal(p.versions.count, 1);
    assert_file(&p.versions.entries[0]);
    assert_int_equal(p.ride_count, 1);
    assert_true(digest_equal(p.rides[0].content.id, p.versions.entries[0].value.content));
    assert_false(p.rides[0].compressed);
    assert_text(p.rides[0].bytes, "hello\n");
    assert_true(p.patch_count == 1 && p.patches[0].content.size == 6);
    assert_true(p.patches[0].base.size == 100000);
    assert_filled(p.patches[0].base.id.bytes, 0xc0, 32);
    assert_text(p.patches[0].bytes, "patch");
    struct msg_news n = vector_decode(arena, "news", MSG_NEWS).news;
    assert_vv(n.k, 0, 300);
    assert_int_equal(n.gcfloor.count, 0);
    assert_mark(&n.marks.entries[0], INC_B, 300, 0x80);
}

static void test_applied(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_applied a = vector_decode(arena, "applied", MSG_APPLIED).applied;
    assert_vv(a.a, 7, 300);
    assert_int_equal(a.blocked_count, 1);
    assert_text(a.blocked[0].path, "README");
    assert_true(dots_contain(a.blocked[0].dots, (struct dot){INC_B, 300}));
    assert_text(a.blocked[0].reason, "case-clash");
    assert_true(a.blocked_total == 1 && a.need_changes == 2 && a.need_bytes == 70000);
}

static void test_brakes(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_hold h = vector_decode(arena, "hold", MSG_HELD).hold;
    assert_text(h.brake, "mass-delete");
    assert_true(h.changes == 200 && !h.unpublished && h.span_count == 2);
    assert_true(h.spans[0].inc == INC_A && h.spans[0].from == 7 && h.spans[0].to == 206);
    assert_true(h.spans[1].inc == INC_B && h.spans[1].from == 300 && h.spans[1].to == 300);
    struct msg_approvals a = vector_decode(arena, "approvals", MSG_APPROVALS).approvals;
    assert_int_equal(a.count, 1);
    assert_filled(a.approvals[0].signer.bytes, 0xa0, 32);
    assert_true(a.approvals[0].span.inc == INC_A && a.approvals[0].span.to == 206);
    assert_filled(a.approvals[0].signature.bytes, 0x40, 64);
}

static void test_want(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_want w = vector_decode(arena, "want_leaves", MSG_WANT).want;
    assert_text(w.path, "disk.img");
    assert_int_equal(w.id_count, 1);
    assert_filled(w.ids[0].id.bytes, 0xc0, 32);
    assert_true(w.ids[0].size == 3 << 20);
    assert_int_equal(w.leaf_count, 3);
    assert_true(w.leaves[0] == PROTO_LEAF_LIST && w.leaves[1] == 0 && w.leaves[2] == 2);
    w = vector_decode(arena, "want_contents", MSG_WANT).want;
    assert_true(w.path.size == 0 && w.id_count == 2 && w.leaf_count == 0);
    assert_true(w.ids[0].size == 6 && w.ids[1].size == 100000);
    struct msg_not_held n = vector_decode(arena, "not_held", MSG_NOT_HELD).not_held;
    assert_int_equal(n.count, 2);
    assert_int_equal(n.ids[0].bytes[0], 0x58);
    assert_filled(n.ids[1].bytes, 0xc0, 32);
}

static void test_content(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_data d = vector_decode(arena, "data", MSG_DATA).data;
    assert_filled(d.content.bytes, 0xc0, 32);
    assert_true(d.leaf == 2 && d.offset == 131072 && d.size == 5 && !d.compressed);
    assert_text(d.bytes, "chunk");
    struct msg_pack p = vector_decode(arena, "pack", MSG_PACK).pack;
    assert_int_equal(p.count, 3);
    assert_true(p.contents[0].size == 6 && p.contents[1].size == 0 && p.contents[2].size == 4);
    assert_false(p.compressed);
    assert_text(p.bytes, "hello\nbye\n");
}

static void test_delta(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_signature s = vector_decode(arena, "signature", MSG_SIGNATURE).signature;
    assert_true(s.round == 5 && s.id_count == 1 && s.ids[0].size == 3 << 20);
    assert_filled(s.ids[0].id.bytes, 0xc0, 32);
    assert_true(s.run_count == 4 && s.runs[1] == 1 && s.runs[2] == 2);
    assert_true(s.size == 52 && s.offset == 12 && s.bytes.size == 40);
    struct msg_delta d = vector_decode(arena, "delta", MSG_DELTA).delta;
    assert_true(d.round == 5 && d.page == 2 && d.end == DELTA_LAST && d.size == 5);
    assert_false(d.compressed);
    assert_text(d.bytes, "delta");
}

static void test_identity(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_ranges r = vector_decode(arena, "ranges", MSG_RANGES).ranges;
    assert_true(r.audit == 77 && r.step == RANGES_OPEN && !r.reconcile);
    assert_vv(r.k, 7, 300);
    assert_vv(r.gcfloor, 0, 2);
    assert_int_equal(r.range_count, 3);
    assert_true(r.ranges[0].what == RANGE_SUM && r.ranges[0].count == 3);
    assert_true(r.ranges[0].from.size == 0);
    assert_text(r.ranges[0].to, "etc");
    assert_filled(r.ranges[0].sum.bytes, 0xe0, 32);
    assert_true(r.ranges[1].what == RANGE_ITEMS && r.ranges[2].what == RANGE_ASK);
    assert_text(r.ranges[1].from, "etc");
    assert_true(r.ranges[2].to.size == 0 && r.versions.count == 1);
    struct msg_rollback b = vector_decode(arena, "rollback", MSG_ROLLBACK).rollback;
    assert_true(b.old == INC_A && b.fresh == INC_B && b.end.count == 1);
    assert_mark(&b.end.entries[0], INC_A, 7, 0x40);
}

static void test_talk(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct msg_ping p = vector_decode(arena, "ping", MSG_PING).ping;
    assert_true(p.token == 99 && p.wall_ms == INT64_C(1700000000000));
    p = vector_decode(arena, "pong", MSG_PONG).ping;
    assert_true(p.token == 99 && p.wall_ms == -1);
    struct msg_probe q = vector_decode(arena, "probe", MSG_PROBE).probe;
    assert_true(q.token == 99 && !q.reply && q.want == 131072 && q.pad.size == 3);
    struct msg_peers t = vector_decode(arena, "peers", MSG_PEERS).peers;
    assert_int_equal(t.count, 2);
    assert_filled(t.devices[0].device.bytes, 0x10, 32);
    assert_text(t.devices[0].name, "phone");
    assert_int_equal(t.devices[0].address_count, 0);
    assert_filled(t.devices[1].device.bytes, 0xa0, 32);
    assert_int_equal(t.devices[1].address_count, 2);
    assert_text(t.devices[1].addresses[1], "tcp://laptop.example:7575");
    struct msg_bye b = vector_decode(arena, "bye", MSG_BYE).bye;
    assert_int_equal(b.code, BYE_REPLACED);
    assert_text(b.text, "replaced by a newer connection");
}

static void test_version(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf again = {0};
    vector_read("version", &bytes);
    struct version v;
    struct fault fault;
    assert_int_equal(version_decode(arena, buf_slice(&bytes), &v, &fault), ERR_OK);
    assert_file(&v);
    version_encode(&v, &again);
    assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello),    cmocka_unit_test(test_offer),
        cmocka_unit_test(test_owners),   cmocka_unit_test(test_round),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_push),
        cmocka_unit_test(test_applied),  cmocka_unit_test(test_want),
        cmocka_unit_test(test_content),  cmocka_unit_test(test_delta),
        cmocka_unit_test(test_talk),     cmocka_unit_test(test_version),
        cmocka_unit_test(test_brakes),   cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
