// SPDX-License-Identifier: MIT
#include "proto/writer_priv.h"

// Packing onto memory cannot fail (memory exhaustion aborts), so results are not looked at.
static int writer_put(void *context, const char *data, size_t size)
{
    struct writer *w = context;
    w->size += size;
    if (w->out != NULL) buf_append(w->out, data, size);
    return 0;
}

void writer_init(struct writer *w, struct buf *out)
{
    w->out = out;
    w->size = 0;
    msgpack_packer_init(&w->packer, w, writer_put);
}

void writer_raw(struct writer *w, struct slice bytes)
{
    if (bytes.size > 0) (void)writer_put(w, (const char *)bytes.data, bytes.size);
}

void writer_uint(struct writer *w, uint64_t value)
{
    (void)msgpack_pack_uint64(&w->packer, value);
}

void writer_int(struct writer *w, int64_t value)
{
    (void)msgpack_pack_int64(&w->packer, value);
}

void writer_bool(struct writer *w, bool value)
{
    (void)(value ? msgpack_pack_true(&w->packer) : msgpack_pack_false(&w->packer));
}

void writer_text(struct writer *w, struct slice text)
{
    (void)msgpack_pack_str(&w->packer, text.size);
    writer_raw(w, text);
}

void writer_bin(struct writer *w, const void *data, size_t size)
{
    (void)msgpack_pack_bin(&w->packer, size);
    writer_raw(w, slice_of(data, size));
}

void writer_array(struct writer *w, uint32_t count)
{
    (void)msgpack_pack_array(&w->packer, count);
}

void writer_map(struct writer *w, uint32_t count)
{
    (void)msgpack_pack_map(&w->packer, count);
}
