// SPDX-License-Identifier: MIT
//
// agent/api/stream — a client that reads too slowly loses the oldest events and is told how many:
//
//     current (partly sent) | lost? | waiting[first] ... waiting[first + count - 1]
#include <inttypes.h>
#include <string.h>

#include "agent/api/stream_priv.h"

void stream_init(struct stream *stream)
{
    memset(stream, 0, sizeof *stream);
}

void stream_fini(struct stream *stream)
{
    for (size_t i = 0; i < STREAM_EVENTS_MAX; i++)
        buf_fini(&stream->waiting[i]);
    buf_fini(&stream->current);
}

static void format_event(struct buf *out, const char *event, const char *id, struct slice text)
{
    if (event[0] == '\0' && text.size == 0) {
        buf_append_text(out, ":\n\n");
        return;
    }
    if (id[0] != '\0') buf_printf(out, "id: %s\n", id);
    if (event[0] != '\0') buf_printf(out, "event: %s\n", event);
    for (size_t at = 0; at <= text.size;) {
        const uint8_t *line = text.size > 0 ? text.data + at : NULL;
        const uint8_t *end = line != NULL ? memchr(line, '\n', text.size - at) : NULL;
        size_t size = end != NULL ? (size_t)(end - line) : text.size - at;
        buf_append_text(out, "data: ");
        buf_append(out, line, size);
        buf_append_text(out, "\n");
        at += size + 1;
    }
    buf_append_text(out, "\n");
}

// Hands out the oldest waiting event; its place in the ring is free afterwards.
static struct buf take_first(struct stream *stream)
{
    struct buf *slot = &stream->waiting[stream->first];
    struct buf taken = *slot;
    memset(slot, 0, sizeof *slot);
    stream->first = (stream->first + 1) % STREAM_EVENTS_MAX;
    stream->count--;
    stream->bytes -= taken.size;
    return taken;
}

void stream_put(struct stream *stream, const char *event, const char *id, struct slice text)
{
    struct buf made = {0};
    format_event(&made, event, id, text);
    while (stream->count == STREAM_EVENTS_MAX ||
           (stream->count > 0 && stream->bytes + made.size > STREAM_BYTES_MAX)) {
        struct buf dropped = take_first(stream);
        buf_fini(&dropped);
        stream->lost++;
    }
    stream->waiting[(stream->first + stream->count) % STREAM_EVENTS_MAX] = made;
    stream->count++;
    stream->bytes += made.size;
}

static bool next_event(struct stream *stream)
{
    buf_fini(&stream->current);
    stream->sent = 0;
    if (stream->lost > 0) {
        buf_printf(&stream->current, "event: lost\ndata: {\"count\": %" PRIu64 "}\n\n",
                   stream->lost);
        stream->lost = 0;
        return true;
    }
    if (stream->count == 0) return false;
    stream->current = take_first(stream);
    return true;
}

size_t stream_take(struct stream *stream, char *out, size_t max)
{
    if (stream->sent == stream->current.size && !next_event(stream)) return 0;
    size_t left = stream->current.size - stream->sent;
    size_t size = left < max ? left : max;
    memcpy(out, stream->current.data + stream->sent, size);
    stream->sent += size;
    return size;
}
