// SPDX-License-Identifier: MIT
//
// Rules of a message that no single field can tell. Both encoder and decoder apply them.
#include <string.h>

#include "proto/message_priv.h"

static enum err no(enum err code, const char *what, const char **out_what)
{
    *out_what = what;
    return code;
}

// Sizes are below 2^63 each, and lists have at most 4096 entries: stop before a sum can wrap.
static bool sum_within(uint64_t *sum, uint64_t more, uint64_t max)
{
    if (more > max || *sum > max - more) return false;
    *sum += more;
    return true;
}

static bool size_plausible(bool compressed, uint64_t size, struct slice bytes)
{
    return compressed ? bytes.size > 0 : bytes.size == size;
}

static enum err push_rules(const struct msg_push *push, const char **out_what)
{
    if (push->upto.inc != push->inc)
        return no(ERR_MALFORMED, "mark of another incarnation", out_what);
    if (push->after > push->upto.counter)
        return no(ERR_MALFORMED, "after lies above upto", out_what);
    uint64_t total = 0, contents = 0;
    for (uint32_t i = 0; i < push->ride_count; i++) {
        const struct ride *ride = &push->rides[i];
        if (ride->content.size > PROTO_RIDE_CONTENT_BYTES_MAX)
            return no(ERR_LIMIT, "content of a ride is too large", out_what);
        if (!sum_within(&contents, ride->content.size, PROTO_RIDE_CONTENTS_BYTES_MAX))
            return no(ERR_LIMIT, "contents of rides are too large", out_what);
        if (!sum_within(&total, ride->bytes.size, PROTO_RIDE_TOTAL_BYTES_MAX))
            return no(ERR_LIMIT, "rides are too large", out_what);
        if (!size_plausible(ride->compressed, ride->content.size, ride->bytes))
            return no(ERR_MALFORMED, "ride of the wrong size", out_what);
    }
    for (uint32_t i = 0; i < push->patch_count; i++) {
        const struct patch *patch = &push->patches[i];
        if (patch->content.size > PROTO_PATCH_CONTENT_BYTES_MAX ||
            patch->base.size > PROTO_PATCH_CONTENT_BYTES_MAX)
            return no(ERR_LIMIT, "content of a patch is too large", out_what);
        if (!sum_within(&contents, patch->content.size, PROTO_RIDE_CONTENTS_BYTES_MAX) ||
            !sum_within(&total, patch->bytes.size, PROTO_RIDE_TOTAL_BYTES_MAX))
            return no(ERR_LIMIT, "patches are too large", out_what);
        if (!size_plausible(true, patch->content.size, patch->bytes))
            return no(ERR_MALFORMED, "patch without bytes", out_what);
    }
    return ERR_OK;
}

static enum err want_rules(const struct msg_want *want, const char **out_what)
{
    if (want->leaf_count > 0 && want->id_count != 1)
        return no(ERR_MALFORMED, "leaves of several contents", out_what);
    return ERR_OK;
}

static enum err data_rules(const struct msg_data *data, const char **out_what)
{
    uint64_t max = data->leaf == PROTO_LEAF_LIST ? UINT32_MAX : PROTO_LEAF_BYTES;
    if ((uint64_t)data->offset + data->size > max)
        return no(ERR_MALFORMED, "chunk ends outside its leaf", out_what);
    if (!size_plausible(data->compressed, data->size, data->bytes))
        return no(ERR_MALFORMED, "chunk of the wrong size", out_what);
    return ERR_OK;
}

static enum err pack_rules(const struct msg_pack *pack, const char **out_what)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < pack->count; i++) {
        if (pack->contents[i].size > PROTO_PACK_CONTENT_BYTES_MAX)
            return no(ERR_LIMIT, "content of a pack is too large", out_what);
        if (!sum_within(&total, pack->contents[i].size, PROTO_PACK_BYTES_MAX))
            return no(ERR_LIMIT, "pack is too large", out_what);
    }
    if (!size_plausible(pack->compressed, total, pack->bytes))
        return no(ERR_MALFORMED, "pack of the wrong size", out_what);
    return ERR_OK;
}

static enum err signature_rules(const struct msg_signature *signature, const char **out_what)
{
    if ((uint64_t)signature->offset + signature->bytes.size > signature->size)
        return no(ERR_MALFORMED, "part of a signature ends outside it", out_what);
    if (signature->run_count % 2 != 0) return no(ERR_MALFORMED, "half a run of leaves", out_what);
    uint64_t end = 0;
    for (uint32_t i = 0; i < signature->run_count; i += 2) {
        if (signature->runs[i] < end || signature->runs[i + 1] == 0)
            return no(ERR_MALFORMED, "runs of leaves out of order", out_what);
        end = (uint64_t)signature->runs[i] + signature->runs[i + 1];
    }
    if ((end - 1) * PROTO_LEAF_BYTES >= signature->ids[0].size)
        return no(ERR_MALFORMED, "leaves outside the content", out_what);
    return ERR_OK;
}

static enum err delta_rules(const struct msg_delta *delta, const char **out_what)
{
    if (!size_plausible(delta->compressed, delta->size, delta->bytes))
        return no(ERR_MALFORMED, "page of the wrong size", out_what);
    return ERR_OK;
}

static enum err peers_rules(const struct msg_peers *peers, const char **out_what)
{
    for (uint32_t i = 1; i < peers->count; i++) {
        const uint8_t *id = peers->devices[i].device.bytes;
        if (memcmp(peers->devices[i - 1].device.bytes, id, sizeof(struct device_id)) >= 0)
            return no(ERR_MALFORMED, "devices out of order", out_what);
    }
    return ERR_OK;
}

enum err message_rules(const struct message *message, const char **out_what)
{
    switch (message->kind) {
    case MSG_PUSH: return push_rules(&message->push, out_what);
    case MSG_APPLIED:
        if (message->applied.blocked_total < message->applied.blocked_count)
            return no(ERR_MALFORMED, "fewer blocked than named", out_what);
        return ERR_OK;
    case MSG_WANT: return want_rules(&message->want, out_what);
    case MSG_DATA: return data_rules(&message->data, out_what);
    case MSG_SIGNATURE: return signature_rules(&message->signature, out_what);
    case MSG_DELTA: return delta_rules(&message->delta, out_what);
    case MSG_PACK: return pack_rules(&message->pack, out_what);
    case MSG_ROLLBACK:
        if (message->rollback.end.count > 0 &&
            message->rollback.end.entries[0].inc != message->rollback.old)
            return no(ERR_MALFORMED, "mark of another incarnation", out_what);
        return ERR_OK;
    case MSG_PROBE:
        if (message->probe.reply && message->probe.want > 0)
            return no(ERR_MALFORMED, "a reply that asks", out_what);
        return ERR_OK;
    case MSG_PEERS: return peers_rules(&message->peers, out_what);
    case MSG_HELLO:
    case MSG_RANGES:
    case MSG_OFFER:
    case MSG_OWNERS:
    case MSG_PULL:
    case MSG_ACK:
    case MSG_DONE:
    case MSG_VERSIONS:
    case MSG_NEWS:
    case MSG_NOT_HELD:
    case MSG_HELD:
    case MSG_APPROVALS:
    case MSG_PING:
    case MSG_PONG:
    case MSG_BYE:
    case MSG_KIND_COUNT: return ERR_OK;
    }
    return ERR_OK;
}
