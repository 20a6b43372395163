// SPDX-License-Identifier: MIT
//
// proto/writer — msgpack's packer onto a buf, or onto nothing to learn a size.
#ifndef PROTO_WRITER_PRIV_H
#define PROTO_WRITER_PRIV_H

#include <msgpack.h>

#include "agent/base/bytes.h"

struct writer {
    msgpack_packer packer;
    struct buf *out; // NULL: only count
    size_t size;
};

void writer_init(struct writer *w, struct buf *out);
void writer_raw(struct writer *w, struct slice bytes);
void writer_uint(struct writer *w, uint64_t value);
void writer_int(struct writer *w, int64_t value);
void writer_bool(struct writer *w, bool value);
void writer_text(struct writer *w, struct slice text);
void writer_bin(struct writer *w, const void *data, size_t size);
void writer_array(struct writer *w, uint32_t count);
void writer_map(struct writer *w, uint32_t count);

#endif
