// SPDX-License-Identifier: MIT
//
// agent/api/stream — the server-sent events one client has not read yet, bounded.
//
// Not thread safe; the server's lock guards it.
#ifndef AGENT_API_STREAM_PRIV_H
#define AGENT_API_STREAM_PRIV_H

#include "agent/base/bytes.h"

enum {
    STREAM_EVENTS_MAX = 256,
    STREAM_BYTES_MAX = 4 << 20, // of events waiting; one larger event is still taken, alone
};

struct stream {
    struct buf waiting[STREAM_EVENTS_MAX]; // a ring
    size_t first;
    size_t count;
    size_t bytes;
    uint64_t lost;      // dropped since the last event `lost`
    struct buf current; // being sent
    size_t sent;
};

void stream_init(struct stream *stream);
void stream_fini(struct stream *stream);
// Formats and queues one event; the oldest go when it is full. An empty name and text: a comment.
// An empty id: it has none.
void stream_put(struct stream *stream, const char *event, const char *id, struct slice text);
// Copies up to `max` bytes of what comes next; 0 when there is nothing.
size_t stream_take(struct stream *stream, char *out, size_t max);

#endif
