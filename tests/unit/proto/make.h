// SPDX-License-Identifier: MIT
//
// Seeded makers of valid values and messages for the tests of proto.
#ifndef TESTS_UNIT_PROTO_MAKE_H
#define TESTS_UNIT_PROTO_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "proto/message.h"
#include "proto/vv.h"

struct chance {
    uint64_t state;
};

// splitmix64
static inline uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t chance_below(struct chance *c, uint32_t end)
{
    return (uint32_t)(chance_next(c) % end);
}

// Of any magnitude, so that every integer form occurs.
static inline uint64_t make_number(struct chance *c)
{
    return chance_next(c) >> chance_below(c, 64);
}

static inline void make_bytes(struct chance *c, void *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)chance_next(c);
}

static inline struct slice make_bin(struct chance *c, struct arena *arena, size_t min, size_t max)
{
    size_t size = min + chance_below(c, (uint32_t)(max - min) + 1);
    uint8_t *data = arena_alloc(arena, size + 1, 1);
    make_bytes(c, data, size);
    return slice_of(data, size);
}

static inline struct slice make_text(struct chance *c, struct arena *arena, uint32_t min)
{
    static const char *const parts[] = {
        "a", "Z", "0", " ", "-", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "conf", "\n"};
    AUTO(buf_fini) struct buf b = {0};
    for (uint32_t i = min + chance_below(c, 12); i > 0; i--)
        buf_append_text(&b, parts[chance_below(c, 10)]);
    return arena_copy(arena, buf_slice(&b));
}

static inline struct slice make_path(struct chance *c, struct arena *arena)
{
    AUTO(buf_fini) struct buf b = {0};
    for (uint32_t i = chance_below(c, 5) + 1; i > 0; i--) {
        struct slice component = make_text(c, arena, 1);
        buf_append(&b, component.data, component.size);
        buf_append_text(&b, i > 1 ? "/" : "");
    }
    return arena_copy(arena, buf_slice(&b));
}

static inline struct vv make_vv(struct chance *c, struct arena *arena, uint32_t min, uint64_t incs)
{
    struct vv v = {0};
    for (uint32_t i = min + chance_below(c, 6); i > 0; i--) {
        uint64_t inc = incs == 0 ? make_number(c) : chance_next(c) % incs;
        uint64_t counter = incs == 0 ? make_number(c) >> 1 : chance_next(c) % 4;
        v = vv_with(arena, v, (struct dot){inc, counter + (incs == 0 && counter == 0)});
    }
    if (v.count < min) v = vv_with(arena, v, (struct dot){1, 1});
    return v;
}

// Dots that v covers.
static inline struct dots make_dots(struct chance *c, struct arena *arena, struct vv v)
{
    struct dots s = {0};
    for (uint32_t i = chance_below(c, 3) + 1; i > 0 && v.count > 0; i--) {
        struct dot d = v.entries[chance_below(c, v.count)];
        d.counter = 1 + chance_next(c) % d.counter;
        s = dots_union(arena, s, (struct dots){&d, 1});
    }
    return s;
}

static inline struct value make_value(struct chance *c)
{
    struct value v = {.kind = (enum kind)(1 + chance_below(c, 4))};
    if (v.kind == KIND_FILE || v.kind == KIND_DIR) v.mode = chance_below(c, 01000);
    if (v.kind == KIND_FILE || v.kind == KIND_SYMLINK) make_bytes(c, v.content.bytes, 32);
    if (v.kind == KIND_FILE) v.size = make_number(c) >> 1;
    if (v.kind == KIND_SYMLINK) v.target = slice_text("../somewhere/\xff\xfe");
    return v;
}

static inline struct version make_version(struct chance *c, struct arena *arena)
{
    struct version v = {.path = make_path(c, arena)};
    v.vv = make_vv(c, arena, 1, 0);
    v.dots = make_dots(c, arena, v.vv);
    v.value = make_value(c);
    v.mtime_ns = (int64_t)make_number(c) * (chance_below(c, 2) ? 1 : -1);
    v.birth = (struct birth){(int64_t)(make_number(c) >> 1), make_number(c), make_number(c) >> 1};
    v.has_parent = chance_below(c, 2);
    if (v.has_parent) {
        make_bytes(c, v.parent.bytes, 32);
        v.parent_mode = chance_below(c, 01000);
    }
    v.flags = chance_below(c, 4);
    v.merge_version = chance_below(c, 2);
    if (chance_below(c, 4) == 0) v.bundle = make_dots(c, arena, v.vv);
    if (chance_below(c, 4) == 0) v.origin = make_path(c, arena);
    if (chance_below(c, 4) == 0) {
        v.unknown = slice_of("\xa3xyz\x92\x01\xc0\xa2zz\xcb\0\0\0\0\0\0\0\0", 19);
        v.unknown_count = 2;
    }
    return v;
}

static inline struct versions make_versions(struct chance *c, struct arena *arena)
{
    struct versions vs = {NULL, chance_below(c, 4)};
    vs.entries = arena_alloc(arena, vs.count + 1, sizeof *vs.entries);
    for (uint32_t i = 0; i < vs.count; i++)
        vs.entries[i] = make_version(c, arena);
    return vs;
}

static inline struct mark make_mark(struct chance *c)
{
    struct mark m = {.inc = make_number(c), .counter = (make_number(c) >> 1) | 1};
    m.first = 1 + make_number(c) % m.counter;
    m.epoch = make_number(c);
    make_bytes(c, m.signature.bytes, 64);
    return m;
}

static inline struct marks make_marks(struct chance *c, struct arena *arena)
{
    struct marks ms = {NULL, chance_below(c, 4)};
    ms.entries = arena_alloc(arena, ms.count + 1, sizeof *ms.entries);
    for (uint32_t i = 0; i < ms.count; i++)
        ms.entries[i] = make_mark(c);
    return ms;
}

static inline struct content *make_contents(struct chance *c, struct arena *arena, uint32_t count,
                                            uint64_t size_max)
{
    struct content *ids = arena_alloc(arena, count, sizeof *ids);
    for (uint32_t i = 0; i < count; i++) {
        make_bytes(c, ids[i].id.bytes, 32);
        ids[i].size = chance_next(c) % (size_max + 1);
    }
    return ids;
}

static inline struct msg_push make_push(struct chance *c, struct arena *arena)
{
    struct msg_push p = {.upto = make_mark(c), .marks = make_marks(c, arena)};
    p.inc = p.upto.inc;
    p.after = chance_next(c) % p.upto.counter;
    p.versions = make_versions(c, arena);
    p.ride_count = chance_below(c, 3);
    p.rides = arena_alloc(arena, p.ride_count + 1, sizeof *p.rides);
    for (uint32_t i = 0; i < p.ride_count; i++) {
        struct ride *ride = &p.rides[i];
        ride->bytes = make_bin(c, arena, 1, 300);
        ride->compressed = chance_below(c, 2);
        make_bytes(c, ride->content.id.bytes, 32);
        ride->content.size = ride->compressed ? 1000 : ride->bytes.size;
    }
    p.patch_count = chance_below(c, 3);
    p.patches = arena_alloc(arena, p.patch_count + 1, sizeof *p.patches);
    for (uint32_t i = 0; i < p.patch_count; i++) {
        struct patch *patch = &p.patches[i];
        patch->bytes = make_bin(c, arena, 1, 300);
        make_bytes(c, patch->content.id.bytes, 32);
        make_bytes(c, patch->base.id.bytes, 32);
        patch->content.size = chance_below(c, PROTO_PATCH_CONTENT_BYTES_MAX + 1);
        patch->base.size = chance_below(c, PROTO_PATCH_CONTENT_BYTES_MAX + 1);
    }
    return p;
}

static inline struct msg_applied make_applied(struct chance *c, struct arena *arena)
{
    struct msg_applied a = {.a = make_vv(c, arena, 0, 0), .blocked_count = chance_below(c, 3)};
    a.blocked = arena_alloc(arena, a.blocked_count + 1, sizeof *a.blocked);
    for (uint32_t i = 0; i < a.blocked_count; i++) {
        struct vv v = make_vv(c, arena, 1, 0);
        a.blocked[i] = (struct blocked_item){make_path(c, arena), make_dots(c, arena, v),
                                             slice_text("no-space")};
    }
    a.blocked_total = a.blocked_count + chance_below(c, 3);
    a.need_changes = make_number(c) >> 1;
    a.need_bytes = make_number(c) >> 1;
    return a;
}

static inline struct span make_span(struct chance *c)
{
    struct span s = {.inc = make_number(c), .from = 1 + (make_number(c) >> 2)};
    s.to = s.from + (make_number(c) >> 2);
    return s;
}

static inline struct msg_hold make_hold(struct chance *c, struct arena *arena)
{
    struct msg_hold h = {.brake = make_text(c, arena, 0),
                         .changes = make_number(c) >> 1,
                         .unpublished = chance_below(c, 2),
                         .span_count = chance_below(c, 3)};
    h.spans = arena_alloc(arena, h.span_count + 1, sizeof *h.spans);
    for (uint32_t i = 0; i < h.span_count; i++)
        h.spans[i] = make_span(c);
    return h;
}

static inline struct msg_approvals make_approvals(struct chance *c, struct arena *arena)
{
    struct msg_approvals m = {.count = 1 + chance_below(c, 3)};
    m.approvals = arena_alloc(arena, m.count, sizeof *m.approvals);
    for (uint32_t i = 0; i < m.count; i++) {
        make_bytes(c, m.approvals[i].signer.bytes, sizeof m.approvals[i].signer.bytes);
        m.approvals[i].span = make_span(c);
        make_bytes(c, m.approvals[i].signature.bytes, sizeof m.approvals[i].signature.bytes);
    }
    return m;
}

static inline struct msg_want make_want(struct chance *c, struct arena *arena)
{
    bool by_leaf = chance_below(c, 2);
    struct msg_want w = {.id_count = by_leaf ? 1 : chance_below(c, 4) + 1};
    w.ids = make_contents(c, arena, w.id_count, UINT64_C(1) << 40);
    w.path = chance_below(c, 2) ? make_path(c, arena) : slice_of(NULL, 0);
    w.leaf_count = by_leaf ? chance_below(c, 5) + 1 : 0;
    w.leaves = arena_alloc(arena, w.leaf_count + 1, sizeof *w.leaves);
    for (uint32_t i = 0; i < w.leaf_count; i++)
        w.leaves[i] = i == 0 ? PROTO_LEAF_LIST : (uint32_t)make_number(c);
    return w;
}

static inline struct msg_pack make_pack(struct chance *c, struct arena *arena)
{
    struct msg_pack p = {.count = chance_below(c, 4) + 1, .compressed = chance_below(c, 2)};
    p.contents = make_contents(c, arena, p.count, 200);
    size_t total = 0;
    for (uint32_t i = 0; i < p.count; i++)
        total += p.contents[i].size;
    p.bytes = p.compressed ? make_bin(c, arena, 1, 200) : make_bin(c, arena, total, total);
    return p;
}

static inline struct msg_probe make_probe(struct chance *c, struct arena *arena)
{
    struct msg_probe p = {.token = make_number(c), .reply = chance_below(c, 2)};
    p.want = p.reply ? 0 : (uint32_t)chance_below(c, PROTO_CHUNK_BYTES_MAX + 1);
    p.pad = make_bin(c, arena, 0, 500);
    return p;
}

static inline struct msg_data make_data(struct chance *c, struct arena *arena)
{
    struct msg_data d = {.bytes = make_bin(c, arena, 1, 500), .compressed = chance_below(c, 2)};
    make_bytes(c, d.content.bytes, 32);
    d.leaf = chance_below(c, 2) ? PROTO_LEAF_LIST : chance_below(c, 1000);
    d.offset = chance_below(c, 100000);
    d.size = d.compressed ? 700 : (uint32_t)d.bytes.size;
    return d;
}

static inline struct msg_owners make_owners(struct chance *c, struct arena *arena)
{
    struct msg_owners o = {.count = chance_below(c, 3)};
    o.owners = arena_alloc(arena, o.count + 1, sizeof *o.owners);
    for (uint32_t i = 0; i < o.count; i++) {
        make_bytes(c, &o.owners[i], offsetof(struct owner, name));
        o.owners[i].name = make_text(c, arena, 0);
    }
    return o;
}

static inline struct msg_not_held make_not_held(struct chance *c, struct arena *arena)
{
    struct msg_not_held n = {.count = chance_below(c, 4) + 1};
    n.ids = arena_alloc(arena, n.count, sizeof *n.ids);
    make_bytes(c, n.ids, n.count * sizeof *n.ids);
    return n;
}

static inline struct msg_signature make_signature(struct chance *c, struct arena *arena)
{
    struct msg_signature m = {.round = make_number(c), .id_count = 1, .run_count = 2};
    m.ids = arena_alloc(arena, 1, sizeof *m.ids);
    make_bytes(c, m.ids[0].id.bytes, sizeof m.ids[0].id.bytes);
    m.ids[0].size = (uint64_t)(1 + chance_below(c, 100)) * PROTO_LEAF_BYTES;
    m.runs = arena_alloc(arena, 2, sizeof *m.runs);
    m.runs[0] = 0;
    m.runs[1] = 1;
    m.offset = chance_below(c, 100);
    m.bytes = make_bin(c, arena, 1, 50);
    m.size = m.offset + (uint32_t)m.bytes.size + chance_below(c, 100);
    return m;
}

static inline struct msg_delta make_delta(struct chance *c, struct arena *arena)
{
    struct msg_delta m = {.round = make_number(c), .page = 1 + chance_below(c, 9)};
    m.end = (enum delta_end)chance_below(c, 3);
    m.bytes = make_bin(c, arena, 0, 50);
    m.size = (uint32_t)m.bytes.size;
    return m;
}

static inline struct msg_ranges make_ranges(struct chance *c, struct arena *arena)
{
    struct msg_ranges m = {.audit = make_number(c),
                           .step = (enum ranges_step)(1 + chance_below(c, 4)),
                           .reconcile = chance_below(c, 2) == 0,
                           .k = make_vv(c, arena, 0, 0),
                           .gcfloor = make_vv(c, arena, 0, 0),
                           .marks = make_marks(c, arena),
                           .range_count = chance_below(c, 5),
                           .versions = make_versions(c, arena)};
    m.ranges = arena_alloc(arena, m.range_count + 1U, sizeof *m.ranges);
    for (uint32_t i = 0; i < m.range_count; i++) {
        struct range *range = &m.ranges[i];
        range->what = (enum range_what)(1 + chance_below(c, 3));
        if (chance_below(c, 3) > 0) range->from = make_path(c, arena);
        if (chance_below(c, 3) > 0) range->to = make_path(c, arena);
        if (range->what != RANGE_SUM) continue;
        range->count = make_number(c) >> 1;
        make_bytes(c, range->sum.bytes, sizeof range->sum.bytes);
    }
    return m;
}

static inline struct msg_rollback make_rollback(struct chance *c, struct arena *arena)
{
    struct msg_rollback m = {.old = make_number(c), .fresh = make_number(c)};
    m.end.entries = arena_alloc(arena, 1, sizeof *m.end.entries);
    m.end.count = chance_below(c, 2);
    if (m.end.count == 0) return m;
    m.end.entries[0] = make_mark(c);
    m.end.entries[0].inc = m.old;
    return m;
}

static inline struct msg_peers make_peers(struct chance *c, struct arena *arena)
{
    struct msg_peers m = {.count = chance_below(c, 4)};
    m.devices = arena_alloc(arena, m.count + 1U, sizeof *m.devices);
    for (uint32_t i = 0; i < m.count; i++) {
        struct named_device *device = &m.devices[i];
        make_bytes(c, device->device.bytes, sizeof device->device.bytes);
        device->device.bytes[0] = (uint8_t)i; // rising
        device->name = make_text(c, arena, 1);
        device->address_count = chance_below(c, 3);
        for (uint32_t j = 0; j < device->address_count; j++)
            device->addresses[j] = make_text(c, arena, 1);
    }
    return m;
}

static inline void make_body(struct chance *c, struct arena *a, struct message *m)
{
    switch (m->kind) {
    case MSG_HELLO:
        m->hello = (struct msg_hello){1,
                                      make_text(c, a, 0),
                                      make_number(c),
                                      make_text(c, a, 0),
                                      make_number(c),
                                      make_number(c) | 1,
                                      (enum lane)chance_below(c, 2),
                                      (int64_t)make_number(c),
                                      chance_below(c, 2)};
        break;
    case MSG_OFFER:
        m->offer = (struct msg_offer){.name = make_text(c, a, 1),
                                      .inc = make_number(c),
                                      .state = (enum offer_state)(1 + chance_below(c, 5)),
                                      .has_items = chance_below(c, 2),
                                      .k = make_vv(c, a, 0, 0),
                                      .marks = make_marks(c, a),
                                      .a = make_vv(c, a, 0, 0),
                                      .gcfloor = make_vv(c, a, 0, 0),
                                      .items = make_number(c) >> 1,
                                      .bytes = make_number(c) >> 1,
                                      .heard = chance_below(c, 2)};
        make_bytes(c, m->offer.nonce, 16);
        break;
    case MSG_OWNERS: m->owners = make_owners(c, a); break;
    case MSG_PULL:
        m->pull = (struct msg_pull){
            .round = make_number(c), .k = make_vv(c, a, 0, 0), .token = make_bin(c, a, 0, 50)};
        break;
    case MSG_ACK:
        m->ack = (struct msg_ack){.round = make_number(c), .page = 1 + chance_below(c, 1000)};
        break;
    case MSG_DONE:
        m->done = (struct msg_done){.round = make_number(c),
                                    .pages = chance_below(c, 1000),
                                    .k = make_vv(c, a, 0, 0),
                                    .marks = make_marks(c, a),
                                    .gcfloor = make_vv(c, a, 0, 0)};
        break;
    case MSG_VERSIONS:
        m->versions = (struct msg_versions){.round = make_number(c),
                                            .page = 1,
                                            .token = make_bin(c, a, 0, 50),
                                            .marks = make_marks(c, a),
                                            .versions = make_versions(c, a)};
        break;
    case MSG_PUSH: m->push = make_push(c, a); break;
    case MSG_NEWS:
        m->news = (struct msg_news){
            .k = make_vv(c, a, 0, 0), .marks = make_marks(c, a), .gcfloor = make_vv(c, a, 0, 0)};
        break;
    case MSG_APPLIED: m->applied = make_applied(c, a); break;
    case MSG_WANT: m->want = make_want(c, a); break;
    case MSG_NOT_HELD: m->not_held = make_not_held(c, a); break;
    case MSG_DATA: m->data = make_data(c, a); break;
    case MSG_RANGES: m->ranges = make_ranges(c, a); break;
    case MSG_ROLLBACK: m->rollback = make_rollback(c, a); break;
    case MSG_PACK: m->pack = make_pack(c, a); break;
    case MSG_SIGNATURE: m->signature = make_signature(c, a); break;
    case MSG_DELTA: m->delta = make_delta(c, a); break;
    case MSG_HELD: m->hold = make_hold(c, a); break;
    case MSG_PEERS: m->peers = make_peers(c, a); break;
    case MSG_APPROVALS: m->approvals = make_approvals(c, a); break;
    case MSG_PING:
    case MSG_PONG: m->ping = (struct msg_ping){make_number(c), (int64_t)make_number(c)}; break;
    case MSG_PROBE: m->probe = make_probe(c, a); break;
    case MSG_BYE:
        m->bye = (struct msg_bye){(enum bye_code)(1 + chance_below(c, 6)), make_text(c, a, 0)};
        break;
    case MSG_KIND_COUNT: break;
    }
}

static inline bool kind_has_folder(enum message_kind kind)
{
    return kind != MSG_HELLO && kind != MSG_PING && kind != MSG_PONG && kind != MSG_PROBE &&
           kind != MSG_BYE && kind != MSG_PEERS;
}

static inline struct message make_message(struct chance *c, struct arena *arena,
                                          enum message_kind kind)
{
    struct message m;
    memset(&m, 0, sizeof m);
    m.kind = kind;
    m.session = make_number(c);
    make_body(c, arena, &m);
    if (kind_has_folder(kind)) make_bytes(c, m.offer.folder.bytes, sizeof m.offer.folder.bytes);
    return m;
}

#endif
