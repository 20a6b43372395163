// SPDX-License-Identifier: MIT
//
// Laws of the codec: round trip, canonical bytes, every strict prefix refused, mutations survived,
// hostile counts refused before anything is allocated.
#include <stdlib.h>
#include <time.h>

#include <malloc.h>

#include "make.h"

// The bytes in a block of exactly their size, so that AddressSanitizer sees one byte too many.
static struct slice exact(struct slice bytes, uint8_t **out_block)
{
    *out_block = malloc(bytes.size + (bytes.size == 0));
    assert_non_null(*out_block);
    if (bytes.size > 0) memcpy(*out_block, bytes.data, bytes.size);
    return slice_of(*out_block, bytes.size);
}

static bool marks_same(struct marks a, struct marks b)
{
    if (a.count != b.count) return false;
    for (uint32_t i = 0; i < a.count; i++)
        if (memcmp(&a.entries[i], &b.entries[i], sizeof a.entries[i]) != 0) return false;
    return true;
}

static void version_assert(const struct version *a, const struct version *b)
{
    assert_true(version_same(a, b));
    assert_true(slice_equal(a->path, b->path));
    assert_int_equal(a->value.mode, b->value.mode);
    assert_true(a->value.size == b->value.size);
    assert_true(digest_equal(a->value.content, b->value.content));
    assert_true(a->mtime_ns == b->mtime_ns);
    assert_int_equal(birth_compare(a->birth, b->birth), 0);
    assert_int_equal(a->has_parent, b->has_parent);
    assert_true(digest_equal(a->parent, b->parent));
    assert_int_equal(a->parent_mode, b->parent_mode);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->merge_version, b->merge_version);
    assert_true(dots_equal(a->bundle, b->bundle));
    assert_true(slice_equal(a->origin, b->origin));
    assert_int_equal(a->unknown_count, b->unknown_count);
    assert_true(slice_equal(a->unknown, b->unknown));
}

static void round_trip(enum message_kind kind, uint64_t seed)
{
    struct chance c = {seed};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m = make_message(&c, arena, kind);
    AUTO(buf_fini) struct buf first = {0};
    AUTO(buf_fini) struct buf second = {0};
    message_encode(&m, &first);
    struct message back;
    struct fault fault;
    enum err err = message_decode(arena, buf_slice(&first), &back, &fault);
    if (err != ERR_OK)
        fail_msg("%s seed %llu: %s at %u", message_kind_text(kind), (unsigned long long)seed,
                 fault.what, fault.offset);
    assert_int_equal(back.kind, kind);
    assert_true(back.session == m.session);
    message_encode(&back, &second);
    assert_true(slice_equal(buf_slice(&first), buf_slice(&second)));
    if (kind != MSG_PUSH) return;
    assert_true(marks_same(m.push.marks, back.push.marks));
    assert_int_equal(m.push.versions.count, back.push.versions.count);
    for (uint32_t i = 0; i < m.push.versions.count; i++)
        version_assert(&m.push.versions.entries[i], &back.push.versions.entries[i]);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (enum message_kind kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++)
        for (uint64_t seed = 0; seed < 200; seed++)
            round_trip(kind, seed * 64 + kind);
}

static void test_version_alone(void **state)
{
    (void)state;
    struct chance c = {7};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 500; i++) {
        struct version v = make_version(&c, arena);
        AUTO(buf_fini) struct buf bytes = {0};
        version_encode(&v, &bytes);
        assert_int_equal(bytes.size, version_encoded_size(&v));
        struct version back;
        struct fault fault;
        assert_int_equal(version_decode(arena, buf_slice(&bytes), &back, &fault), ERR_OK);
        version_assert(&v, &back);
        buf_append(&bytes, "", 1);
        assert_int_equal(version_decode(arena, buf_slice(&bytes), &back, &fault), ERR_MALFORMED);
    }
}

static void test_vv_alone(void **state)
{
    (void)state;
    struct chance c = {8};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (int i = 0; i < 200; i++) {
        struct vv v = make_vv(&c, arena, 0, 0);
        AUTO(buf_fini) struct buf bytes = {0};
        vv_encode(v, &bytes);
        struct vv back;
        struct fault fault;
        assert_int_equal(vv_decode(arena, buf_slice(&bytes), &back, &fault), ERR_OK);
        assert_true(vv_equal(v, back));
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    for (enum message_kind kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++) {
        struct chance c = {kind};
        AUTO(arena_destroy) struct arena *arena = arena_new();
        struct message m = make_message(&c, arena, kind);
        AUTO(buf_fini) struct buf bytes = {0};
        message_encode(&m, &bytes);
        for (size_t size = 0; size < bytes.size; size++) {
            AUTO(mem_free) uint8_t *block = NULL;
            struct slice prefix = exact(slice_of(bytes.data, size), &block);
            struct message back;
            struct fault fault;
            assert_int_equal(message_decode(arena, prefix, &back, &fault), ERR_MALFORMED);
            assert_int_equal(fault.code, ERR_MALFORMED);
            assert_non_null(fault.what);
            assert_true(fault.offset <= size);
        }
    }
}

static void mutate(struct chance *c, uint8_t *data, size_t size)
{
    static const uint8_t heads[] = {0xdd, 0xdf, 0xc6, 0xdb, 0xdc, 0xcf, 0xff, 0x00, 0x80, 0x9f};
    for (uint32_t i = chance_below(c, 4) + 1; i > 0; i--) {
        size_t at = chance_below(c, (uint32_t)size);
        uint32_t how = chance_below(c, 3);
        if (how == 0)
            data[at] = (uint8_t)chance_next(c);
        else if (how == 1)
            data[at] = heads[chance_below(c, sizeof heads)];
        else
            data[at] ^= (uint8_t)(1 << chance_below(c, 8));
    }
}

// What still decodes must encode again within limits: the decoder lets nothing through that the
// encoder would CHECK.
static void test_mutations(void **state)
{
    (void)state;
    struct chance c = {99};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf again = {0};
    unsigned accepted = 0;
    for (unsigned i = 0; i < 100000; i++) {
        arena_reset(arena);
        buf_clear(&bytes);
        buf_clear(&again);
        struct message m =
            make_message(&c, arena, (enum message_kind)(1 + i % (MSG_KIND_COUNT - 1)));
        message_encode(&m, &bytes);
        AUTO(mem_free) uint8_t *block = NULL;
        struct slice input = exact(buf_slice(&bytes), &block);
        mutate(&c, block, input.size);
        struct message back;
        struct fault fault;
        if (message_decode(arena, input, &back, &fault) != ERR_OK) {
            assert_int_equal(err_reaction(fault.code), REACT_DROP_PEER);
            continue;
        }
        accepted++;
        message_encode(&back, &again);
    }
    assert_in_range(accepted, 1000, 90000);
}

static void hostile(const char *hex_head, enum err expected)
{
    uint8_t bytes[64] = {0};
    size_t size = strlen(hex_head) / 2;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)strtoul((char[]){hex_head[2 * i], hex_head[2 * i + 1], 0}, NULL, 16);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m;
    struct vv v;
    struct version version;
    struct fault fault;
    size_t before = mallinfo2().uordblks;
    enum err err = message_decode(arena, slice_of(bytes, size), &m, &fault);
    if (err != expected) fail_msg("%s: %d not %d (%s)", hex_head, err, expected, fault.what);
    assert_int_not_equal(vv_decode(arena, slice_of(bytes, size), &v, &fault), ERR_OK);
    assert_int_not_equal(version_decode(arena, slice_of(bytes, size), &version, &fault), ERR_OK);
    assert_true(mallinfo2().uordblks - before < 1 << 16);
}

static void test_hostile(void **state)
{
    (void)state;
    hostile("dd10000000", ERR_LIMIT);
    hostile("df10000000", ERR_MALFORMED);
    hostile("ddffffffff", ERR_LIMIT);
    // [ "PULL", 1, { "k": array32 of 2^28 } ]
    hostile("93a450554c4c0181a16bdd10000000", ERR_LIMIT);
    // array16 of 8192 with nothing behind it
    hostile("93a450554c4c0181a16bdc2000", ERR_MALFORMED);
    // array16 of 8194
    hostile("93a450554c4c0181a16bdc2002", ERR_LIMIT);
    // binary of 4 GiB
    hostile("93a450554c4c0181a5746f6b656ec6ffffffff", ERR_LIMIT);
    // map of 33
    hostile("93a450554c4c01de0021", ERR_LIMIT);
    // 9 arrays deep under an unknown key
    hostile("93a450554c4c0181a178919191919191919101", ERR_LIMIT);
    // unknown kind
    hostile("93a3464f4f0180", ERR_ILLEGAL);
    // session number not in its shortest form
    hostile("93a450554c4ccc0180", ERR_MALFORMED);
    // kind as text with a length byte it does not need
    hostile("93d90450554c4c0180", ERR_MALFORMED);
    // invalid UTF-8 as a key
    hostile("93a450554c4c0181a1ff01", ERR_MALFORMED);
}

// One field of a PING changed by hand.
static enum err decode_hex(const char *hex, const char **what)
{
    static uint8_t bytes[512];
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], 0}, NULL, 16);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m;
    struct fault fault;
    enum err err = message_decode(arena, slice_of(bytes, size), &m, &fault);
    *what = fault.what;
    return err;
}

static void refused(const char *hex, const char *expected)
{
    const char *what = NULL;
    assert_int_equal(decode_hex(hex, &what), ERR_MALFORMED);
    assert_string_equal(what, expected);
}

#define PING_HEAD "93a450494e4701"

static void test_strict(void **state)
{
    (void)state;
    const char *what = NULL;
    assert_int_equal(decode_hex(PING_HEAD "82a5746f6b656e05a477616c6c20", &what), ERR_OK);
    // any order, unknown keys of every type
    assert_int_equal(decode_hex(PING_HEAD "82a477616c6cd0dfa5746f6b656e05", &what), ERR_OK);
    assert_int_equal(decode_hex(PING_HEAD "84a178c0a5746f6b656e05a17981a161c3a477616c6c20", &what),
                     ERR_OK);
    refused(PING_HEAD "81a5746f6b656e05", "a required key is missing");
    refused(PING_HEAD "83a5746f6b656e05a5746f6b656e05a477616c6c20", "key twice");
    refused(PING_HEAD "82a5746f6b656e05a477616c6c2000", "bytes behind the end");
    refused(PING_HEAD "82a5746f6b656e05a477616c6ccc20", "not the shortest form");
    refused(PING_HEAD "82a5746f6b656e05a477616c6cd020", "not the shortest form");
    refused(PING_HEAD "82a5746f6b656e05a477616c6cd0e0", "not the shortest form");
    refused(PING_HEAD "82a5746f6b656e05a477616c6ccfffffffffffffffff", "integer out of range");
    refused(PING_HEAD "82a5746f6b656effa477616c6c20", "not an unsigned integer");
    refused(PING_HEAD "82a5746f6b656ec0a477616c6c20", "not an unsigned integer");
    refused("94a450494e4701", "array of the wrong length");
}

// Encodes a version, changed by `change` in its decoded bytes, and expects the fault.
static void version_refused(const char *hex, const char *expected)
{
    uint8_t bytes[512];
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], 0}, NULL, 16);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version v;
    struct fault fault;
    enum err err = version_decode(arena, slice_of(bytes, size), &v, &fault);
    if (expected == NULL) {
        assert_int_equal(err, ERR_OK);
        return;
    }
    assert_int_equal(err, ERR_MALFORMED);
    assert_string_equal(fault.what, expected);
}

static void test_version_rules(void **state)
{
    (void)state;
    // a tombstone: p "a", d [1 2], v [1 2], k 4, b [0 1 2]
    version_refused("85a170a161a164920102a176920102a16b04a16293000102", NULL);
    version_refused("85a170a161a164920102a176920101a16b04a16293000102",
                    "dots are not covered by the vector");
    version_refused("85a170a161a16490a176920102a16b04a16293000102", "empty list");
    version_refused("85a170a161a1649101a176920102a16b04a16293000102", "odd number of entries");
    version_refused("85a170a161a164920100a176920102a16b04a16293000102", "integer out of range");
    version_refused("85a170a161a164920102a176920102a16b05a16293000102", "integer out of range");
    version_refused("85a170a22e2ea164920102a176920102a16b04a16293000102",
                    "path has a dot component");
}

static void test_version_order(void **state)
{
    (void)state;
    version_refused("85a170a161a1649401020102a176920102a16b04a16293000102", "not in order");
    version_refused("85a170a161a1649401010102a176920102a16b04a16293000102", NULL);
    version_refused("85a170a161a164920102a1769401010102a16b04a16293000102", "not in order");
    version_refused("85a170a161a164920102a1769402010102a16b04a16293000102", "not in order");
    // a tombstone with a mode; a directory without one, with one, with one over 0777
    version_refused("86a170a161a164920102a176920102a16b04a16d07a16293000102",
                    "a key that this kind has not");
    version_refused("85a170a161a164920102a176920102a16b02a16293000102",
                    "a key of this kind is missing");
    version_refused("86a170a161a164920102a176920102a16b02a16d07a16293000102", NULL);
    version_refused("86a170a161a164920102a176920102a16b02a16dcd0200a16293000102",
                    "integer out of range");
    // unknown keys: kept, but not twice
    version_refused("87a170a161a164920102a176920102a16b04a16293000102a17a01a17900", NULL);
    version_refused("87a170a161a164920102a176920102a16b04a16293000102a17a01a17a01", "key twice");
}

static void test_unknown_scattered(void **state)
{
    (void)state;
    // "z": 1 in front, "y": [nil] at the end
    static const char hex[] = "87a17a01a170a161a164920102a176920102a16b04a16293000102a17991c0";
    uint8_t bytes[64];
    for (size_t i = 0; i < sizeof hex / 2; i++)
        bytes[i] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], 0}, NULL, 16);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version v;
    struct fault fault;
    assert_int_equal(version_decode(arena, slice_of(bytes, sizeof hex / 2), &v, &fault), ERR_OK);
    assert_int_equal(v.unknown_count, 2);
    assert_true(slice_equal(v.unknown, slice_text("\xa1z\x01\xa1y\x91\xc0")));
    AUTO(buf_fini) struct buf out = {0};
    version_encode(&v, &out);
    struct version back;
    assert_int_equal(version_decode(arena, buf_slice(&out), &back, &fault), ERR_OK);
    version_assert(&v, &back);
}

static enum err encoded_unknown(size_t size, const char **what)
{
    AUTO(buf_fini) struct buf b = {0};
    buf_append(&b,
               "\x86\xa1p\xa1"
               "a\xa1"
               "d\x92\x01\x02\xa1v\x92\x01\x02\xa1k\x04",
               18);
    buf_append(&b,
               "\xa1"
               "b\x93\x00\x01\x02",
               6);
    buf_append(&b, "\xa1z\xc5", 3);
    buf_append(&b, (uint8_t[]){(uint8_t)(size >> 8), (uint8_t)size}, 2);
    buf_reserve(&b, size);
    memset(b.data + b.size, 'x', size);
    b.size += size;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version v;
    struct fault fault;
    enum err err = version_decode(arena, buf_slice(&b), &v, &fault);
    *what = fault.what;
    return err;
}

static void test_unknown_limit(void **state)
{
    (void)state;
    const char *what = NULL;
    assert_int_equal(encoded_unknown(4096 - 5, &what), ERR_OK);
    assert_int_equal(encoded_unknown(4096 - 4, &what), ERR_LIMIT);
}

// A tombstone with `keys` unknown keys.
static enum err decode_keys(struct arena *arena, uint32_t keys, struct version *out)
{
    AUTO(buf_fini) struct buf b = {0};
    static const uint8_t known[] = "\xa1p\xa1"
                                   "a\xa1"
                                   "d\x92\x01\x02\xa1v\x92\x01\x02\xa1k\x04\xa1"
                                   "b\x93\x00\x01\x02";
    buf_append(&b, (uint8_t[]){0xde, 0, (uint8_t)(5 + keys)}, 3);
    buf_append(&b, known, sizeof known - 1);
    for (uint32_t i = 0; i < keys; i++)
        buf_append(&b, (uint8_t[]){0xa2, 'z', (uint8_t)('a' + i), 1}, 4);
    struct fault fault;
    return version_decode(arena, arena_copy(arena, buf_slice(&b)), out, &fault);
}

// Whatever becomes of a version (it joins another, a conflict item is made of it), it can be
// encoded: known keys that it gains have their place in the map.
static void test_unknown_keys_leave_room(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct version v;
    assert_int_equal(decode_keys(arena, PROTO_UNKNOWN_KEYS_MAX + 1, &v), ERR_LIMIT);
    assert_int_equal(decode_keys(arena, PROTO_UNKNOWN_KEYS_MAX, &v), ERR_OK);
    v.value = (struct value){.kind = KIND_FILE, .mode = 0600, .size = 1};
    v.mtime_ns = v.flags = v.merge_version = 1;
    v.has_parent = true;
    v.parent_mode = 0600;
    v.bundle = v.dots;
    v.origin = slice_text("b");
    AUTO(buf_fini) struct buf out = {0};
    struct fault fault;
    version_encode(&v, &out);
    assert_int_equal(version_decode(arena, buf_slice(&out), &v, &fault), ERR_OK);
}

// A frame of a few bytes may unpack to much: what all of them may come to is checked first.
static void test_rides_unpacked(void **state)
{
    (void)state;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct ride rides[5];
    struct message m = {.kind = MSG_PUSH};
    struct fault fault;
    for (int i = 0; i < 5; i++) {
        rides[i] = (struct ride){.compressed = true, .bytes = slice_text("x")};
        rides[i].content.size = PROTO_RIDE_CONTENT_BYTES_MAX;
    }
    m.push.inc = m.push.upto.inc = 1;
    m.push.upto.counter = m.push.upto.first = 1;
    m.push.rides = rides;
    m.push.ride_count = 4;
    AUTO(buf_fini) struct buf out = {0};
    message_encode(&m, &out);
    assert_int_equal(message_decode(arena, buf_slice(&out), &m, &fault), ERR_OK);
    // The same with one more in its place: sizes stand where they stood.
    uint8_t size[] = {0xce, 0x00, 0x10, 0x00, 0x00};
    uint8_t *last = NULL;
    for (uint8_t *at = out.data; at + sizeof size <= out.data + out.size; at++) {
        if (memcmp(at, size, sizeof size) == 0) last = at;
    }
    assert_non_null(last);
    last[4] = 1;
    assert_int_equal(message_decode(arena, buf_slice(&out), &m, &fault), ERR_LIMIT);
}

// A full page decodes in a few milliseconds (generous: sanitizers, busy machines).
static void test_page_speed(void **state)
{
    (void)state;
    struct chance c = {5};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct message m = make_message(&c, arena, MSG_VERSIONS);
    m.versions.versions.count = 4000;
    m.versions.versions.entries = arena_alloc(arena, 4000, sizeof(struct version));
    struct version one = make_version(&c, arena);
    for (uint32_t i = 0; i < 4000; i++)
        m.versions.versions.entries[i] = one;
    AUTO(buf_fini) struct buf bytes = {0};
    message_encode(&m, &bytes);
    AUTO(arena_destroy) struct arena *fresh = arena_new();
    struct message back;
    struct fault fault;
    clock_t start = clock();
    assert_int_equal(message_decode(fresh, buf_slice(&bytes), &back, &fault), ERR_OK);
    double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
    print_message("4000 versions, %zu bytes: %.2f ms\n", bytes.size, ms);
    assert_true(ms < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_version_alone),
        cmocka_unit_test(test_vv_alone),       cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_mutations),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_strict),         cmocka_unit_test(test_version_rules),
        cmocka_unit_test(test_version_order),  cmocka_unit_test(test_unknown_scattered),
        cmocka_unit_test(test_unknown_limit),  cmocka_unit_test(test_unknown_keys_leave_room),
        cmocka_unit_test(test_rides_unpacked), cmocka_unit_test(test_page_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
