// SPDX-License-Identifier: MIT
#include "proto/message.h"

#include <string.h>

#include "agent/base/check.h"
#include "proto/list_priv.h"
#include "proto/message_priv.h"
#include "proto/record_priv.h"

#define AT(record_, member_) .offset = offsetof(record_, member_)
#define FOLDER(record_)                                                                            \
    {                                                                                              \
        "folder", &type_fixed, AT(record_, folder), .max = sizeof(struct folder_id)                \
    }
#define VV(key_, record_, member_)                                                                 \
    {                                                                                              \
        LIST(key_, type_vv, record_, member_.entries, member_.count), 0, PROTO_VV_ENTRIES_MAX,     \
            OPTIONAL                                                                               \
    }
#define MARKS(record_)                                                                             \
    {                                                                                              \
        LIST("marks", type_marks, record_, marks.entries, marks.count), 0,                         \
            PROTO_ARRAY_ENTRIES_MAX, OPTIONAL                                                      \
    }
#define VERSIONS(record_)                                                                          \
    {                                                                                              \
        LIST("versions", type_versions, record_, versions.entries, versions.count), 0,             \
            PROTO_PAGE_VERSIONS_MAX, OPTIONAL                                                      \
    }

static const struct field hello_fields[] = {
    {"protocol", &type_u32, AT(struct msg_hello, protocol), .min = 1, .max = UINT32_MAX},
    {"program", &type_text, AT(struct msg_hello, program), .max = PROTO_NAME_BYTES_MAX},
    {"features", &type_u64, AT(struct msg_hello, features), .max = UINT64_MAX,
     .presence = OPTIONAL},
    {"name", &type_text, AT(struct msg_hello, name), .max = PROTO_NAME_BYTES_MAX},
    {"boot", &type_u64, AT(struct msg_hello, boot), .max = UINT64_MAX},
    {"session", &type_u64, AT(struct msg_hello, session), .min = 1, .max = UINT64_MAX},
    {"lane", &type_u32, AT(struct msg_hello, lane), .min = LANE_CONTROL, .max = LANE_BULK},
    {"wall", &type_i64, AT(struct msg_hello, wall_ms)},
    {"near", &type_bool, AT(struct msg_hello, near), .presence = OPTIONAL},
};

static const struct field offer_fields[] = {
    FOLDER(struct msg_offer),
    {"name", &type_text, AT(struct msg_offer, name), .min = 1, .max = PROTO_NAME_BYTES_MAX},
    {"inc", &type_u64, AT(struct msg_offer, inc), .max = UINT64_MAX},
    {"nonce", &type_fixed, AT(struct msg_offer, nonce), .max = 16},
    {"state", &type_u32, AT(struct msg_offer, state), .min = OFFER_SCANNING, .max = OFFER_PAUSED},
    {"used", &type_bool, AT(struct msg_offer, has_items)},
    VV("k", struct msg_offer, k),
    MARKS(struct msg_offer),
    VV("a", struct msg_offer, a),
    VV("floor", struct msg_offer, gcfloor),
    {"items", &type_u64, AT(struct msg_offer, items), .max = INT64_MAX, .presence = OPTIONAL},
    {"bytes", &type_u64, AT(struct msg_offer, bytes), .max = INT64_MAX, .presence = OPTIONAL},
    {"heard", &type_bool, AT(struct msg_offer, heard), .presence = OPTIONAL},
};

static const struct field owners_fields[] = {
    FOLDER(struct msg_owners),
    {LIST("owners", type_owners, struct msg_owners, owners, count), 0, PROTO_ARRAY_ENTRIES_MAX},
};

static const struct field pull_fields[] = {
    FOLDER(struct msg_pull),
    {"round", &type_u64, AT(struct msg_pull, round), .max = UINT64_MAX},
    VV("k", struct msg_pull, k),
    {"token", &type_bin, AT(struct msg_pull, token), .max = PROTO_STRING_BYTES_MAX,
     .presence = OPTIONAL},
};

static const struct field ack_fields[] = {
    FOLDER(struct msg_ack),
    {"round", &type_u64, AT(struct msg_ack, round), .max = UINT64_MAX},
    {"page", &type_u32, AT(struct msg_ack, page), .min = 1, .max = UINT32_MAX},
};

static const struct field done_fields[] = {
    FOLDER(struct msg_done),
    {"round", &type_u64, AT(struct msg_done, round), .max = UINT64_MAX},
    {"pages", &type_u32, AT(struct msg_done, pages), .max = UINT32_MAX},
    VV("k", struct msg_done, k),
    MARKS(struct msg_done),
    VV("floor", struct msg_done, gcfloor),
};

static const struct field versions_fields[] = {
    FOLDER(struct msg_versions),
    {"round", &type_u64, AT(struct msg_versions, round), .max = UINT64_MAX},
    {"page", &type_u32, AT(struct msg_versions, page), .min = 1, .max = UINT32_MAX},
    {"token", &type_bin, AT(struct msg_versions, token), .max = PROTO_STRING_BYTES_MAX,
     .presence = OPTIONAL},
    MARKS(struct msg_versions),
    VERSIONS(struct msg_versions),
};

static const struct field push_fields[] = {
    FOLDER(struct msg_push),
    {"inc", &type_u64, AT(struct msg_push, inc), .max = UINT64_MAX},
    {"after", &type_u64, AT(struct msg_push, after), .max = INT64_MAX},
    {"upto", &type_mark, AT(struct msg_push, upto)},
    MARKS(struct msg_push),
    VERSIONS(struct msg_push),
    {LIST("rides", type_rides, struct msg_push, rides, ride_count), 0, PROTO_ARRAY_ENTRIES_MAX,
     OPTIONAL},
    {LIST("patches", type_patches, struct msg_push, patches, patch_count), 0,
     PROTO_ARRAY_ENTRIES_MAX, OPTIONAL},
};

static const struct field news_fields[] = {
    FOLDER(struct msg_news),
    VV("k", struct msg_news, k),
    MARKS(struct msg_news),
    VV("floor", struct msg_news, gcfloor),
};

static const struct field applied_fields[] = {
    FOLDER(struct msg_applied),
    VV("a", struct msg_applied, a),
    {LIST("blocked", type_blocked, struct msg_applied, blocked, blocked_count), 0,
     PROTO_BLOCKED_MAX, OPTIONAL},
    {"total", &type_u64, AT(struct msg_applied, blocked_total), .max = INT64_MAX,
     .presence = OPTIONAL},
    {"changes", &type_u64, AT(struct msg_applied, need_changes), .max = INT64_MAX,
     .presence = OPTIONAL},
    {"bytes", &type_u64, AT(struct msg_applied, need_bytes), .max = INT64_MAX,
     .presence = OPTIONAL},
};

static const struct field want_fields[] = {
    FOLDER(struct msg_want),
    {"path", &type_path, AT(struct msg_want, path), .max = PROTO_PATH_BYTES_MAX,
     .presence = OPTIONAL},
    {LIST("ids", type_contents, struct msg_want, ids, id_count), 1, PROTO_ARRAY_ENTRIES_MAX},
    {LIST("leaves", type_leaves, struct msg_want, leaves, leaf_count), 0, PROTO_ARRAY_ENTRIES_MAX,
     OPTIONAL},
};

static const struct field not_held_fields[] = {
    FOLDER(struct msg_not_held),
    {LIST("ids", type_digests, struct msg_not_held, ids, count), 1, PROTO_ARRAY_ENTRIES_MAX},
};

static const struct field data_fields[] = {
    FOLDER(struct msg_data),
    {"content", &type_fixed, AT(struct msg_data, content), .max = sizeof(struct digest)},
    {"leaf", &type_u32, AT(struct msg_data, leaf), .max = UINT32_MAX},
    {"offset", &type_u32, AT(struct msg_data, offset), .max = UINT32_MAX},
    {"size", &type_u32, AT(struct msg_data, size), .max = PROTO_CHUNK_BYTES_MAX},
    {"zstd", &type_bool, AT(struct msg_data, compressed), .presence = OPTIONAL},
    {"bytes", &type_bin, AT(struct msg_data, bytes), .max = PROTO_CHUNK_BYTES_MAX},
};

static const struct field pack_fields[] = {
    FOLDER(struct msg_pack),
    {LIST("contents", type_contents, struct msg_pack, contents, count), 1, PROTO_ARRAY_ENTRIES_MAX},
    {"zstd", &type_bool, AT(struct msg_pack, compressed), .presence = OPTIONAL},
    {"bytes", &type_bin, AT(struct msg_pack, bytes), .max = PROTO_PACK_BYTES_MAX},
};

static const struct field signature_fields[] = {
    FOLDER(struct msg_signature),
    {"round", &type_u64, AT(struct msg_signature, round), .max = UINT64_MAX},
    {LIST("ids", type_contents, struct msg_signature, ids, id_count), 1, 1},
    {LIST("runs", type_leaves, struct msg_signature, runs, run_count), 2, PROTO_ARRAY_ENTRIES_MAX},
    {"size", &type_u32, AT(struct msg_signature, size), .min = 1, .max = PROTO_SIGNATURE_BYTES_MAX},
    {"offset", &type_u32, AT(struct msg_signature, offset), .max = PROTO_SIGNATURE_BYTES_MAX},
    {"bytes", &type_bin, AT(struct msg_signature, bytes), .max = PROTO_CHUNK_BYTES_MAX},
};

static const struct field delta_fields[] = {
    FOLDER(struct msg_delta),
    {"round", &type_u64, AT(struct msg_delta, round), .max = UINT64_MAX},
    {"page", &type_u32, AT(struct msg_delta, page), .min = 1, .max = UINT32_MAX},
    {"end", &type_u32, AT(struct msg_delta, end), .max = DELTA_REFUSED, .presence = OPTIONAL},
    {"size", &type_u32, AT(struct msg_delta, size), .max = PROTO_CHUNK_BYTES_MAX},
    {"zstd", &type_bool, AT(struct msg_delta, compressed), .presence = OPTIONAL},
    {"bytes", &type_bin, AT(struct msg_delta, bytes), .max = PROTO_CHUNK_BYTES_MAX},
};

static const struct field ranges_fields[] = {
    FOLDER(struct msg_ranges),
    {"audit", &type_u64, AT(struct msg_ranges, audit), .max = UINT64_MAX},
    {"step", &type_u32, AT(struct msg_ranges, step), .min = RANGES_OPEN, .max = RANGES_LIST},
    {"reconcile", &type_bool, AT(struct msg_ranges, reconcile), .presence = OPTIONAL},
    VV("k", struct msg_ranges, k),
    VV("floor", struct msg_ranges, gcfloor),
    MARKS(struct msg_ranges),
    {LIST("ranges", type_ranges, struct msg_ranges, ranges, range_count), 0, PROTO_RANGES_MAX,
     OPTIONAL},
    VERSIONS(struct msg_ranges),
};

static const struct field rollback_fields[] = {
    FOLDER(struct msg_rollback),
    {"old", &type_u64, AT(struct msg_rollback, old), .max = UINT64_MAX},
    {LIST("end", type_marks, struct msg_rollback, end.entries, end.count), 0, 1, OPTIONAL},
    {"new", &type_u64, AT(struct msg_rollback, fresh), .max = UINT64_MAX},
};

static const struct field ping_fields[] = {
    {"token", &type_u64, AT(struct msg_ping, token), .max = UINT64_MAX},
    {"wall", &type_i64, AT(struct msg_ping, wall_ms)},
};

static const struct field probe_fields[] = {
    {"token", &type_u64, AT(struct msg_probe, token), .max = UINT64_MAX},
    {"reply", &type_bool, AT(struct msg_probe, reply), .presence = OPTIONAL},
    {"want", &type_u32, AT(struct msg_probe, want), .max = PROTO_CHUNK_BYTES_MAX,
     .presence = OPTIONAL},
    {"pad", &type_bin, AT(struct msg_probe, pad), .max = PROTO_CHUNK_BYTES_MAX,
     .presence = OPTIONAL},
};

static const struct field bye_fields[] = {
    {"code", &type_u32, AT(struct msg_bye, code), .min = BYE_STOPPING, .max = BYE_CLONE},
    {"text", &type_text, AT(struct msg_bye, text), .max = PROTO_NAME_BYTES_MAX,
     .presence = OPTIONAL},
};

static const struct field hold_fields[] = {
    FOLDER(struct msg_hold),
    {"brake", &type_text, AT(struct msg_hold, brake), .max = PROTO_NAME_BYTES_MAX,
     .presence = OPTIONAL},
    {"changes", &type_u64, AT(struct msg_hold, changes), .max = INT64_MAX, .presence = OPTIONAL},
    {"unpublished", &type_bool, AT(struct msg_hold, unpublished), .presence = OPTIONAL},
    {LIST("spans", type_spans, struct msg_hold, spans, span_count), 0, PROTO_HOLD_SPANS_MAX,
     OPTIONAL},
};

static const struct field approvals_fields[] = {
    FOLDER(struct msg_approvals),
    {LIST("approvals", type_approvals, struct msg_approvals, approvals, count), 1,
     PROTO_APPROVALS_MAX},
};

static const struct field peers_fields[] = {
    {LIST("peers", type_named, struct msg_peers, devices, count), 0, PROTO_PEERS_MAX, OPTIONAL},
};

struct kind_row {
    const char *text;
    struct record body;
    size_t bytes_max;
};

static const struct kind_row kinds[MSG_KIND_COUNT] = {
    [MSG_HELLO] = {"HELLO", RECORD(hello_fields), PROTO_HELLO_BYTES_MAX},
    [MSG_OFFER] = {"OFFER", RECORD(offer_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_OWNERS] = {"OWNERS", RECORD(owners_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PULL] = {"PULL", RECORD(pull_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_ACK] = {"ACK", RECORD(ack_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_DONE] = {"DONE", RECORD(done_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_VERSIONS] = {"VERSIONS", RECORD(versions_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PUSH] = {"PUSH", RECORD(push_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_NEWS] = {"NEWS", RECORD(news_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_APPLIED] = {"APPLIED", RECORD(applied_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_WANT] = {"WANT", RECORD(want_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_NOT_HELD] = {"NOT_HELD", RECORD(not_held_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_DATA] = {"DATA", RECORD(data_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PACK] = {"PACK", RECORD(pack_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_SIGNATURE] = {"SIGNATURE", RECORD(signature_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_DELTA] = {"DELTA", RECORD(delta_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_HELD] = {"HOLD", RECORD(hold_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_APPROVALS] = {"APPROVALS", RECORD(approvals_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_RANGES] = {"RANGES", RECORD(ranges_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_ROLLBACK] = {"ROLLBACK", RECORD(rollback_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PING] = {"PING", RECORD(ping_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PONG] = {"PONG", RECORD(ping_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PROBE] = {"PROBE", RECORD(probe_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_BYE] = {"BYE", RECORD(bye_fields), PROTO_MESSAGE_BYTES_MAX},
    [MSG_PEERS] = {"PEERS", RECORD(peers_fields), PROTO_PEERS_BYTES_MAX},
};

const char *message_kind_text(enum message_kind kind)
{
    return kind > 0 && kind < MSG_KIND_COUNT ? kinds[kind].text : "?";
}

static enum message_kind kind_parse(struct slice text)
{
    for (enum message_kind kind = MSG_HELLO; kind < MSG_KIND_COUNT; kind++)
        if (slice_equal(text, slice_text(kinds[kind].text))) return kind;
    return MSG_KIND_COUNT;
}

void message_read_head(struct reader *r, struct message *out)
{
    memset(out, 0, sizeof *out);
    if (r->size > PROTO_MESSAGE_BYTES_MAX) {
        reader_fail(r, ERR_LIMIT, 0, "message is too large");
        return;
    }
    reader_tuple(r, 3);
    size_t start = r->at;
    struct slice text = reader_text(r, PROTO_NAME_BYTES_MAX);
    enum message_kind kind = kind_parse(text);
    uint64_t session = reader_uint(r, 0, UINT64_MAX);
    if (reader_ok(r) && kind == MSG_KIND_COUNT) reader_fail(r, ERR_ILLEGAL, start, "unknown kind");
    if (reader_ok(r) && r->size > kinds[kind].bytes_max)
        reader_fail(r, ERR_LIMIT, 0, "message is too large");
    if (!reader_ok(r)) return;
    out->kind = kind;
    out->session = session;
}

void message_read_body(struct reader *r, struct message *out)
{
    if (!reader_ok(r)) return;
    size_t start = r->at;
    (void)record_read(r, &kinds[out->kind].body, &out->hello, NULL);
    reader_leave(r);
    reader_end(r);
    const char *what = NULL;
    enum err err = reader_ok(r) ? message_rules(out, &what) : ERR_OK;
    if (err != ERR_OK) reader_fail(r, err, start, what);
}

enum err message_decode(struct arena *arena, struct slice bytes, struct message *out,
                        struct fault *fault)
{
    struct reader r;
    reader_init(&r, arena, bytes, 0);
    message_read_head(&r, out);
    message_read_body(&r, out);
    *fault = r.fault;
    return r.fault.code;
}

void message_encode(const struct message *message, struct buf *out)
{
    CHECK(message->kind > 0 && message->kind < MSG_KIND_COUNT);
    const struct kind_row *row = &kinds[message->kind];
    const char *what = NULL;
    CHECK(message_rules(message, &what) == ERR_OK);
    struct writer w;
    writer_init(&w, out);
    writer_array(&w, 3);
    writer_text(&w, slice_text(row->text));
    writer_uint(&w, message->session);
    record_write(&w, &row->body, &message->hello, 0, 0, slice_of(NULL, 0));
    CHECK(w.size <= row->bytes_max);
}
