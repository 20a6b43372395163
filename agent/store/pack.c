// SPDX-License-Identifier: MIT
//
// Numbers are small most of the time (modes, link counts, sizes of configuration files), so one
// byte each is usual. A version is the one of proto, behind its length.
#include "agent/store/pack_priv.h"
#include "proto/message.h"

enum { VARINT_BYTES_MAX = 10 };

void pack_u64(struct buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    buf_append(out, bytes, size);
}

// Zigzag, so that small negative numbers are short too.
void pack_i64(struct buf *out, int64_t value)
{
    uint64_t bits = (uint64_t)value << 1;
    pack_u64(out, value < 0 ? ~bits : bits);
}

void pack_slice(struct buf *out, struct slice bytes)
{
    pack_u64(out, bytes.size);
    if (bytes.size > 0) buf_append(out, bytes.data, bytes.size);
}

void pack_print(struct buf *out, const struct fingerprint *print)
{
    pack_u64(out, (uint64_t)print->kind << 1 | (print->present ? 1 : 0));
    pack_u64(out, print->mode);
    pack_u64(out, print->device);
    pack_u64(out, print->ino);
    pack_u64(out, print->size);
    pack_u64(out, print->links);
    pack_i64(out, print->mtime_ns);
    pack_i64(out, print->ctime_ns);
}

// Through a buffer of its own, because the length stands in front but is known last.
void pack_version(struct buf *out, const struct version *version)
{
    struct buf encoded = {0};
    version_encode(version, &encoded);
    pack_slice(out, buf_slice(&encoded));
    buf_fini(&encoded);
}

uint64_t unpack_u64(struct unpack *in)
{
    uint64_t value = 0;
    for (size_t i = 0; i < VARINT_BYTES_MAX && i < in->rest.size && !in->bad; i++) {
        uint8_t byte = in->rest.data[i];
        bool overflow = i == VARINT_BYTES_MAX - 1 && byte > 1;
        if (overflow) break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80) continue;
        in->rest = slice_of(in->rest.data + i + 1, in->rest.size - i - 1);
        return value;
    }
    in->bad = true;
    return 0;
}

uint64_t unpack_below(struct unpack *in, uint64_t limit)
{
    uint64_t value = unpack_u64(in);
    if (value < limit) return value;
    in->bad = true;
    return 0;
}

int64_t unpack_i64(struct unpack *in)
{
    uint64_t bits = unpack_u64(in);
    uint64_t half = bits >> 1;
    return (int64_t)(bits & 1 ? ~half : half);
}

struct slice unpack_slice(struct unpack *in)
{
    uint64_t size = unpack_u64(in);
    if (in->bad || size > in->rest.size) {
        in->bad = true;
        return (struct slice){0};
    }
    struct slice bytes = slice_of(in->rest.data, (size_t)size);
    in->rest = slice_of(in->rest.data + bytes.size, in->rest.size - bytes.size);
    return bytes;
}

void unpack_print(struct unpack *in, struct fingerprint *out)
{
    uint64_t head = unpack_below(in, (KIND_TOMB + 1) << 1);
    out->present = head & 1;
    out->kind = (enum kind)(head >> 1);
    out->mode = (uint32_t)unpack_below(in, UINT64_C(1) << 32);
    out->device = unpack_u64(in);
    out->ino = unpack_u64(in);
    out->size = unpack_u64(in);
    out->links = unpack_u64(in);
    out->mtime_ns = unpack_i64(in);
    out->ctime_ns = unpack_i64(in);
}

void unpack_version(struct unpack *in, struct arena *arena, struct version *out)
{
    struct slice bytes = unpack_slice(in);
    struct fault fault = {0};
    if (in->bad || version_decode(arena, bytes, out, &fault) != ERR_OK) in->bad = true;
}
