// SPDX-License-Identifier: MIT
//
// The send queue of one conn. It exists because ZeroMQ's own queues count messages, not bytes, and
// because a full one must never stop the engine.
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/net/net_priv.h"

void queue_fini(struct queue *queue)
{
    while (queue->first)
        queue_pop(queue);
}

void queue_put(struct queue *queue, zmq_msg_t *message)
{
    struct queued *entry = mem_zalloc(1, sizeof *entry);
    zmq_msg_init(&entry->message);
    CHECK(zmq_msg_move(&entry->message, message) == 0);
    if (queue->last) {
        queue->last->next = entry;
    } else {
        queue->first = entry;
    }
    queue->last = entry;
    entry->size = zmq_msg_size(&entry->message);
    queue->bytes += entry->size;
    queue->count++;
}

void queue_pop(struct queue *queue)
{
    struct queued *entry = queue->first;
    queue->first = entry->next;
    if (!queue->first) queue->last = NULL;
    queue->bytes -= entry->size;
    queue->count--;
    zmq_msg_close(&entry->message);
    free(entry);
}

bool queue_fits(const struct queue *queue, size_t size, size_t budget)
{
    return queue->bytes + queue->count * NET_QUEUED_OVERHEAD + size <= budget;
}
