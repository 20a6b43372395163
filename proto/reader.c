// SPDX-License-Identifier: MIT
#include <string.h>

#include "agent/base/check.h"
#include "proto/limits.h"
#include "proto/reader_priv.h"
#include "proto/utf8_priv.h"

enum { FLAT_ENTRIES_MAX = 2 * PROTO_VV_ENTRIES_MAX };

void reader_init(struct reader *r, struct arena *arena, struct slice bytes, uint32_t depth)
{
    *r = (struct reader){.data = bytes.data, .size = bytes.size, .arena = arena, .depth = depth};
}

bool reader_ok(const struct reader *r)
{
    return r->fault.code == ERR_OK;
}

void reader_fail(struct reader *r, enum err code, size_t offset, const char *what)
{
    CHECK(code != ERR_OK);
    if (!reader_ok(r)) return;
    r->fault = (struct fault){code, (uint32_t)offset, what};
    r->at = r->size;
}

static const uint8_t *take(struct reader *r, size_t size)
{
    if (r->size - r->at < size) {
        reader_fail(r, ERR_MALFORMED, r->at, "cut short");
        return NULL;
    }
    const uint8_t *bytes = r->data + r->at;
    r->at += size;
    return bytes;
}

static uint8_t take_byte(struct reader *r)
{
    const uint8_t *byte = take(r, 1);
    return byte == NULL ? 0 : *byte;
}

// A big-endian number of `size` bytes that does not fit the next smaller form, i.e. is >= least.
static uint64_t take_number(struct reader *r, size_t size, uint64_t least)
{
    size_t start = r->at;
    const uint8_t *bytes = take(r, size);
    if (bytes == NULL) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    if (value < least) reader_fail(r, ERR_MALFORMED, start - 1, "not the shortest form");
    return value;
}

// The rest of an unsigned integer whose first byte is `head`; false if it is none.
static bool uint_rest(struct reader *r, uint8_t head, uint64_t *out)
{
    if (head <= 0x7f)
        *out = head;
    else if (head == 0xcc)
        *out = take_number(r, 1, 0x80);
    else if (head == 0xcd)
        *out = take_number(r, 2, UINT64_C(1) << 8);
    else if (head == 0xce)
        *out = take_number(r, 4, UINT64_C(1) << 16);
    else if (head == 0xcf)
        *out = take_number(r, 8, UINT64_C(1) << 32);
    else
        return false;
    return true;
}

uint64_t reader_uint(struct reader *r, uint64_t min, uint64_t max)
{
    size_t start = r->at;
    uint64_t value = 0;
    if (!uint_rest(r, take_byte(r), &value))
        reader_fail(r, ERR_MALFORMED, start, "not an unsigned integer");
    if (reader_ok(r) && (value < min || value > max))
        reader_fail(r, ERR_MALFORMED, start, "integer out of range");
    return reader_ok(r) ? value : 0;
}

// The rest of a negative integer; false if it is none. `ceiling`: values of that form lie below it.
static bool negative_rest(struct reader *r, uint8_t head, int64_t *out)
{
    if (head >= 0xe0) {
        *out = (int64_t)head - 0x100;
        return true;
    }
    if (head < 0xd0 || head > 0xd3) return false;
    static const int64_t ceilings[] = {-32, INT8_MIN, INT16_MIN, INT32_MIN};
    unsigned form = head - 0xd0u;
    size_t start = r->at - 1;
    unsigned bits = 8u << form;
    uint64_t raw = take_number(r, bits / 8, 0);
    uint64_t fill = bits == 64 ? 0 : ~UINT64_C(0) << bits;
    bool negative = (raw >> (bits - 1) & 1) != 0;
    int64_t value = negative ? -(int64_t) ~(raw | fill) - 1 : 0;
    if (!negative || value >= ceilings[form])
        reader_fail(r, ERR_MALFORMED, start, "not the shortest form");
    *out = value;
    return true;
}

int64_t reader_int(struct reader *r)
{
    size_t start = r->at;
    uint8_t head = take_byte(r);
    uint64_t value = 0;
    int64_t negative = 0;
    if (uint_rest(r, head, &value)) {
        if (value > INT64_MAX) reader_fail(r, ERR_MALFORMED, start, "integer out of range");
        return reader_ok(r) ? (int64_t)value : 0;
    }
    if (!negative_rest(r, head, &negative)) reader_fail(r, ERR_MALFORMED, start, "not an integer");
    return reader_ok(r) ? negative : 0;
}

bool reader_bool(struct reader *r)
{
    size_t start = r->at;
    uint8_t head = take_byte(r);
    if (head != 0xc2 && head != 0xc3) reader_fail(r, ERR_MALFORMED, start, "not a boolean");
    return head == 0xc3;
}

// `size` bytes of text or binary whose header began at `start`.
static struct slice body(struct reader *r, size_t start, uint64_t size, size_t max)
{
    if (reader_ok(r) && size > max) reader_fail(r, ERR_LIMIT, start, "longer than allowed");
    const uint8_t *bytes = reader_ok(r) ? take(r, (size_t)size) : NULL;
    return bytes == NULL ? (struct slice){NULL, 0} : slice_of(bytes, (size_t)size);
}

static bool text_size(struct reader *r, uint8_t head, uint64_t *out)
{
    if ((head & 0xe0) == 0xa0)
        *out = head & 0x1f;
    else if (head == 0xd9)
        *out = take_number(r, 1, 32);
    else if (head == 0xda)
        *out = take_number(r, 2, UINT64_C(1) << 8);
    else if (head == 0xdb)
        *out = take_number(r, 4, UINT64_C(1) << 16);
    else
        return false;
    return true;
}

static struct slice text_rest(struct reader *r, uint64_t size, size_t start, size_t max)
{
    struct slice text = body(r, start, size, max);
    if (reader_ok(r) && !utf8_valid(text))
        reader_fail(r, ERR_MALFORMED, start, "text is not UTF-8");
    return reader_ok(r) ? text : (struct slice){NULL, 0};
}

struct slice reader_text(struct reader *r, size_t max)
{
    size_t start = r->at;
    uint64_t size = 0;
    if (!text_size(r, take_byte(r), &size)) reader_fail(r, ERR_MALFORMED, start, "not a text");
    return text_rest(r, size, start, max);
}

static bool bin_size(struct reader *r, uint8_t head, uint64_t *out)
{
    if (head == 0xc4)
        *out = take_number(r, 1, 0);
    else if (head == 0xc5)
        *out = take_number(r, 2, UINT64_C(1) << 8);
    else if (head == 0xc6)
        *out = take_number(r, 4, UINT64_C(1) << 16);
    else
        return false;
    return true;
}

struct slice reader_bin(struct reader *r, size_t max)
{
    size_t start = r->at;
    uint64_t size = 0;
    if (!bin_size(r, take_byte(r), &size)) reader_fail(r, ERR_MALFORMED, start, "not a binary");
    return body(r, start, size, max);
}

void reader_fixed(struct reader *r, void *out, size_t size)
{
    size_t start = r->at;
    struct slice bytes = reader_bin(r, r->size);
    if (reader_ok(r) && bytes.size != size)
        reader_fail(r, ERR_MALFORMED, start, "binary of the wrong size");
    if (reader_ok(r))
        memcpy(out, bytes.data, size);
    else
        memset(out, 0, size);
}

static bool array_count(struct reader *r, uint8_t head, uint64_t *out)
{
    if ((head & 0xf0) == 0x90)
        *out = head & 0x0f;
    else if (head == 0xdc)
        *out = take_number(r, 2, 16);
    else if (head == 0xdd)
        *out = take_number(r, 4, UINT64_C(1) << 16);
    else
        return false;
    return true;
}

static bool map_count(struct reader *r, uint8_t head, uint64_t *out)
{
    if ((head & 0xf0) == 0x80)
        *out = head & 0x0f;
    else if (head == 0xde)
        *out = take_number(r, 2, 16);
    else if (head == 0xdf)
        *out = take_number(r, 4, UINT64_C(1) << 16);
    else
        return false;
    return true;
}

// Opens a container of `count` elements if limit, bytes left and depth allow it.
static uint32_t enter(struct reader *r, size_t start, uint64_t count, uint64_t max, size_t bytes)
{
    if (reader_ok(r) && count > max) reader_fail(r, ERR_LIMIT, start, "more entries than allowed");
    if (reader_ok(r) && r->depth >= PROTO_DEPTH_MAX)
        reader_fail(r, ERR_LIMIT, start, "nested too deep");
    if (reader_ok(r) && count > (r->size - r->at) / bytes)
        reader_fail(r, ERR_MALFORMED, start, "more entries than bytes left");
    if (!reader_ok(r)) return 0;
    r->depth++;
    return (uint32_t)count;
}

uint32_t reader_array(struct reader *r, uint32_t max, size_t element_bytes)
{
    CHECK(element_bytes > 0);
    size_t start = r->at;
    uint64_t count = 0;
    if (!array_count(r, take_byte(r), &count)) reader_fail(r, ERR_MALFORMED, start, "not an array");
    return enter(r, start, count, max, element_bytes);
}

void reader_tuple(struct reader *r, uint32_t count)
{
    size_t start = r->at;
    uint32_t found = reader_array(r, FLAT_ENTRIES_MAX, 1);
    if (reader_ok(r) && found != count)
        reader_fail(r, ERR_MALFORMED, start, "array of the wrong length");
}

uint32_t reader_map(struct reader *r)
{
    size_t start = r->at;
    uint64_t count = 0;
    if (!map_count(r, take_byte(r), &count)) reader_fail(r, ERR_MALFORMED, start, "not a map");
    return enter(r, start, count, PROTO_MAP_ENTRIES_MAX, 2);
}

void reader_leave(struct reader *r)
{
    CHECK(!reader_ok(r) || r->depth > 0);
    if (reader_ok(r)) r->depth--;
}

// nil, booleans, floats and extensions: nothing of ours, but a newer program may use them.
static bool skip_other(struct reader *r, uint8_t head)
{
    if (head == 0xc0 || head == 0xc2 || head == 0xc3) return true;
    if (head == 0xca || head == 0xcb) {
        (void)take(r, head == 0xca ? 4 : 8);
        return true;
    }
    if (head >= 0xd4 && head <= 0xd8) {
        (void)take(r, 1u + (1u << (head - 0xd4)));
        return true;
    }
    if (head < 0xc7 || head > 0xc9) return false;
    static const uint64_t least[] = {0, UINT64_C(1) << 8, UINT64_C(1) << 16};
    size_t start = r->at - 1;
    uint64_t size = take_number(r, (size_t)1 << (head - 0xc7), least[head - 0xc7]);
    (void)take_byte(r);
    (void)body(r, start, size, r->size);
    return true;
}

// Passes over a scalar, or opens a container and returns how many values are in it.
static uint32_t skip_head(struct reader *r)
{
    size_t start = r->at;
    uint8_t head = take_byte(r);
    uint64_t value = 0;
    int64_t negative = 0;
    if (!reader_ok(r) || uint_rest(r, head, &value) || negative_rest(r, head, &negative) ||
        skip_other(r, head))
        return 0;
    if (text_size(r, head, &value))
        (void)text_rest(r, value, start, PROTO_STRING_BYTES_MAX);
    else if (bin_size(r, head, &value))
        (void)body(r, start, value, r->size);
    else if (array_count(r, head, &value))
        return enter(r, start, value, FLAT_ENTRIES_MAX, 1);
    else if (map_count(r, head, &value))
        return 2 * enter(r, start, value, PROTO_MAP_ENTRIES_MAX, 2);
    else
        reader_fail(r, ERR_MALFORMED, start, "not msgpack");
    return 0;
}

void reader_skip(struct reader *r)
{
    uint32_t left[PROTO_DEPTH_MAX + 1] = {1};
    uint32_t open = 0;
    while (reader_ok(r)) {
        while (left[open] == 0) {
            if (open == 0) return;
            open--;
            reader_leave(r);
        }
        left[open]--;
        uint32_t depth = r->depth;
        uint32_t count = skip_head(r);
        if (r->depth > depth) left[++open] = count;
    }
}

void reader_end(struct reader *r)
{
    if (reader_ok(r) && r->at != r->size)
        reader_fail(r, ERR_MALFORMED, r->at, "bytes behind the end");
}
