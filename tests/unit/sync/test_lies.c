// SPDX-License-Identifier: MIT
//
// Contents from a peer that does not keep to what it should say: a chunk of another leaf, a page
// that does not unpack, a request for what is nowhere. What is put in place is what was verified,
// nobody is brought down, and what was spoilt comes all the same.
#include "tests/unit/sync/large_test.h"

// ---- what can be said wrongly

static uint8_t *copied(struct arena *arena, struct slice *bytes)
{
    *bytes = arena_copy(arena, *bytes);
    return (uint8_t *)(uintptr_t)bytes->data;
}

static bool is_leaf(const struct message *m)
{
    return m->kind == MSG_DATA && m->data.leaf != PROTO_LEAF_LIST;
}

static bool is_list(const struct message *m)
{
    return m->kind == MSG_DATA && m->data.leaf == PROTO_LEAF_LIST;
}

static bool leaf_beyond(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_leaf(m)) m->data.leaf = 4711;
    return is_leaf(m);
}

static bool leaf_other(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_leaf(m)) m->data.leaf = LEAVES - m->data.leaf;
    return is_leaf(m);
}

static bool leaf_offset(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_leaf(m)) m->data.offset = 1;
    return is_leaf(m);
}

static bool leaf_spoilt(struct arena *arena, struct message *m)
{
    if (is_leaf(m)) copied(arena, &m->data.bytes)[0] ^= 1;
    return is_leaf(m);
}

static bool leaf_of_another(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_leaf(m)) m->data.content.bytes[0] ^= 1;
    return is_leaf(m);
}

static bool leaf_packed(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_leaf(m)) m->data.compressed = true;
    return is_leaf(m);
}

static bool list_spoilt(struct arena *arena, struct message *m)
{
    if (is_list(m)) copied(arena, &m->data.bytes)[0] ^= 1;
    return is_list(m);
}

static bool list_offset(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_list(m)) m->data.offset = sizeof(struct digest);
    return is_list(m);
}

static bool list_short(struct arena *arena, struct message *m)
{
    (void)arena;
    if (is_list(m)) m->data.size = (uint32_t)(m->data.bytes.size = sizeof(struct digest));
    return is_list(m);
}

static bool list_long(struct arena *arena, struct message *m)
{
    if (!is_list(m)) return false;
    size_t size = 4 * m->data.bytes.size;
    m->data.bytes = slice_of(arena_alloc(arena, size, 1), size);
    m->data.size = (uint32_t)size;
    return true;
}

static bool delta_ends(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_DELTA) m->delta.end = DELTA_LAST;
    return m->kind == MSG_DELTA;
}

static bool delta_refused(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_DELTA) m->delta.end = DELTA_REFUSED;
    return m->kind == MSG_DELTA;
}

static bool delta_page(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_DELTA) m->delta.page++;
    return m->kind == MSG_DELTA;
}

static bool delta_packed(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_DELTA) m->delta.compressed = true;
    return m->kind == MSG_DELTA;
}

static bool delta_spoilt(struct arena *arena, struct message *m)
{
    if (m->kind != MSG_DELTA || m->delta.bytes.size == 0) return false;
    memset(copied(arena, &m->delta.bytes), 0x55, m->delta.bytes.size);
    return true;
}

static bool delta_of_another(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_DELTA) m->delta.round++;
    return m->kind == MSG_DELTA;
}

static bool signature_late(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind != MSG_SIGNATURE) return false;
    m->signature.offset = 8;
    m->signature.size += 8;
    return true;
}

static bool signature_spoilt(struct arena *arena, struct message *m)
{
    if (m->kind != MSG_SIGNATURE) return false;
    memset(copied(arena, &m->signature.bytes), 0xff, m->signature.bytes.size);
    return true;
}

static bool signature_of_nothing(struct arena *arena, struct message *m)
{
    if (m->kind != MSG_SIGNATURE) return false;
    m->signature.ids = arena_alloc(arena, 1, sizeof *m->signature.ids);
    m->signature.ids[0].size = SIZE;
    return true;
}

static bool want_nothing(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_WANT) m->want.ids[0].id.bytes[3] ^= 1;
    return m->kind == MSG_WANT;
}

static bool want_beyond(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind != MSG_WANT || m->want.leaf_count == 0) return false;
    m->want.leaves[m->want.leaf_count - 1] = 1000;
    return true;
}

static bool want_whole(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_WANT) m->want.leaf_count = 0;
    return m->kind == MSG_WANT;
}

static bool ack_beyond(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_ACK) m->ack.page += 1000;
    return m->kind == MSG_ACK;
}

static bool pack_spoilt(struct arena *arena, struct message *m)
{
    if (m->kind == MSG_PACK) copied(arena, &m->pack.bytes)[0] ^= 1;
    return m->kind == MSG_PACK;
}

static bool pack_packed(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_PACK) m->pack.compressed = !m->pack.compressed;
    return m->kind == MSG_PACK;
}

static bool pack_of_another(struct arena *arena, struct message *m)
{
    (void)arena;
    if (m->kind == MSG_PACK) m->pack.contents[0].id.bytes[0] ^= 1;
    return m->kind == MSG_PACK;
}

// ---- and what comes of it

static uint64_t refusals;

static void refusals_count(struct lan *lan)
{
    for (uint32_t i = 0; i < lan->count; i++)
        refusals += counters_of(&lan->machines[i]).sessions_refused;
}

static void large_all_the_same(struct lan *lan)
{
    large_is_there(lan);
    refusals_count(lan);
}

static void edit_all_the_same(struct lan *lan)
{
    edit_is_there(lan);
    refusals_count(lan);
}

static void shuffle_all_the_same(struct lan *lan)
{
    shuffle_is_there(lan);
    refusals_count(lan);
}

enum { FILES = 7, FILE_SIZE = 100000 }; // too much to ride along, and for one PACK

static void small_all_the_same(struct lan *lan)
{
    for (size_t i = 0; i < FILES; i++) {
        char path[] = {'d', '/', (char)('a' + i), 0};
        assert_true(shows_bytes(&lan->machines[1], path, content(1) + i * FILE_SIZE, FILE_SIZE));
    }
    refusals_count(lan);
}

static void send_small(struct lan *lan)
{
    for (size_t i = 0; i < FILES; i++) {
        char path[] = {'d', '/', (char)('a' + i), 0};
        user_bytes(&lan->machines[0], path, content(1) + i * FILE_SIZE, FILE_SIZE);
    }
    lan_wait(lan, 5000);
}

static const struct scenario large = {
    .machines = 2, .act = send_large, .after = large_all_the_same};
static const struct scenario edit = {
    .machines = 2, .before = have_large, .act = edit_large, .after = edit_all_the_same};
static const struct scenario shuffle = {
    .machines = 2, .before = have_large, .act = shuffle_large, .after = shuffle_all_the_same};
static const struct scenario small = {
    .machines = 2, .act = send_small, .after = small_all_the_same};

static const struct lie {
    const struct scenario *about;
    uint32_t to;
    bool (*lie)(struct arena *, struct message *);
    uint32_t step;
    bool refused; // the session ends
} lies[] = {
    {&large, 1, leaf_beyond, 7, false},
    {&large, 1, leaf_other, 7, false},
    {&large, 1, leaf_offset, 7, false},
    {&large, 1, leaf_spoilt, 7, false},
    {&large, 1, leaf_packed, 7, true},
    {&large, 1, leaf_of_another, 7, false},
    {&large, 1, list_spoilt, 1, false},
    {&large, 1, list_offset, 1, false},
    {&large, 1, list_short, 1, false},
    {&large, 1, list_long, 1, false},
    {&edit, 1, delta_ends, 1, false},
    {&edit, 1, delta_refused, 1, false},
    {&edit, 1, delta_page, 1, true},
    {&edit, 1, delta_packed, 1, true},
    {&edit, 1, delta_spoilt, 1, false},
    {&edit, 1, delta_of_another, 1, false},
    {&edit, 0, signature_late, 1, false},
    {&edit, 0, signature_spoilt, 1, false},
    {&edit, 0, signature_of_nothing, 1, false},
    {&shuffle, 0, ack_beyond, 1, false},
    {&large, 0, want_nothing, 1, false},
    {&large, 0, want_beyond, 1, false},
    {&large, 0, want_whole, 1, false},
    {&small, 1, pack_spoilt, 1, false},
    {&small, 1, pack_packed, 1, true},
    {&small, 1, pack_of_another, 1, false},
};

static void test_lies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const struct lie *l = &lies[i];
        const struct lan_fault fault = {.kind = FAULT_LIE, .machine = l->to, .lie = l->lie};
        refusals = 0;
        if (getenv("SWEEP") != NULL) (void)fprintf(stderr, "lie %zu\n", i);
        assert_true(sweep(l->about, &fault, l->step) > 0);
        assert_int_equal(refusals > 0, l->refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lies)};
    return cmocka_run_group_tests_name("sync/lies", tests, NULL, NULL);
}
