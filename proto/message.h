// SPDX-License-Identifier: MIT
//
// proto/message — the messages of docs/PROTOCOL.md as typed values, and their codec.
//
// On the wire a message is one frame: msgpack array [kind text, session number, body map]. Unknown
// body keys are ignored (inside a version they are kept), an unknown kind is ERR_ILLEGAL, anything
// else that is off is ERR_MALFORMED or ERR_LIMIT with the offset.
#ifndef PROTO_MESSAGE_H
#define PROTO_MESSAGE_H

#include "agent/base/err.h"
#include "proto/types.h"

enum lane { LANE_CONTROL = 0, LANE_BULK = 1 };

enum message_kind {
    MSG_HELLO = 1,
    MSG_OFFER,
    MSG_OWNERS,
    MSG_PULL,
    MSG_ACK,
    MSG_DONE,
    MSG_VERSIONS,
    MSG_PUSH,
    MSG_NEWS,
    MSG_APPLIED,
    MSG_WANT,
    MSG_NOT_HELD,
    MSG_DATA,
    MSG_PACK,
    MSG_HELD,
    MSG_APPROVALS,
    MSG_RANGES,
    MSG_ROLLBACK,
    MSG_PING,
    MSG_PONG,
    MSG_PROBE,
    MSG_BYE,
    MSG_SIGNATURE,
    MSG_DELTA,
    MSG_PEERS,
    MSG_KIND_COUNT
};

struct marks {
    struct mark *entries;
    uint32_t count;
};

struct versions {
    struct version *entries;
    uint32_t count;
};

struct msg_hello {
    uint32_t protocol;
    struct slice program; // "cfgsync-agent 0.1.0"
    uint64_t features;    // PROTO_FEATURE_...; other bits are ignored
    struct slice name;    // the device's name for people
    uint64_t boot;        // drawn at process start
    uint64_t session;     // what the receiver must put on every later message of both lanes; not 0
    enum lane lane;
    int64_t wall_ms;
    bool near; // of a dialler: it is itself on the network that it dialled to
};

enum offer_state {
    OFFER_SCANNING = 1,
    OFFER_READY = 2,
    OFFER_PENDING = 3,
    OFFER_ERROR = 4,
    OFFER_GONE = 5,
    OFFER_PAUSED = 6,
};

struct msg_offer {
    struct folder_id folder;
    struct slice name;
    uint64_t inc;      // own incarnation
    uint8_t nonce[16]; // of that incarnation
    enum offer_state state;
    bool has_items; // has ever had an item
    struct vv k;
    struct marks marks; // for entries of k
    struct vv a;
    struct vv gcfloor;
    uint64_t items;
    uint64_t bytes;
    bool heard; // an OFFER of this folder by the receiver; else one is to follow
};

struct msg_owners {
    struct folder_id folder;
    struct owner *owners;
    uint32_t count;
};

struct msg_pull {
    struct folder_id folder;
    uint64_t round;
    struct vv k;
    struct slice token; // of an interrupted round with this sender, else empty
};

struct msg_ack {
    struct folder_id folder;
    uint64_t round;
    uint32_t page;
};

struct msg_done {
    struct folder_id folder;
    uint64_t round;
    uint32_t pages;
    struct vv k;
    struct marks marks;
    struct vv gcfloor;
};

struct msg_versions {
    struct folder_id folder;
    uint64_t round;
    uint32_t page; // from 1
    struct slice token;
    struct marks marks;
    struct versions versions;
};

// A content that rides along; `bytes` is a zstd frame if compressed, else the content.
struct ride {
    struct content content;
    bool compressed;
    struct slice bytes;
};

// The same as what it makes of another content: a zstd frame with that as its prefix.
struct patch {
    struct content content, base;
    struct slice bytes;
};

struct msg_push {
    struct folder_id folder;
    uint64_t inc;
    uint64_t after;
    struct mark upto;
    struct marks marks;
    struct versions versions;
    struct ride *rides;
    uint32_t ride_count;
    struct patch *patches;
    uint32_t patch_count;
};

struct msg_news {
    struct folder_id folder;
    struct vv k; // changed entries only
    struct marks marks;
    struct vv gcfloor;
};

struct blocked_item {
    struct slice path;
    struct dots dots;
    struct slice reason; // text of enum blocked
};

struct msg_applied {
    struct folder_id folder;
    struct vv a;
    struct blocked_item *blocked;
    uint32_t blocked_count;
    uint64_t blocked_total;
    uint64_t need_changes;
    uint64_t need_bytes;
};

// Either leaves of one content (ids has one entry, leaves not empty), or whole small contents
// (leaves empty).
struct msg_want {
    struct folder_id folder;
    struct slice path; // an item that has it, a hint; may be empty
    struct content *ids;
    uint32_t id_count;
    uint32_t *leaves; // leaf numbers; PROTO_LEAF_LIST asks for the list of leaf digests
    uint32_t leaf_count;
};

struct msg_not_held {
    struct folder_id folder;
    struct digest *ids;
    uint32_t count;
};

struct msg_data {
    struct folder_id folder;
    struct digest content;
    uint32_t leaf;   // PROTO_LEAF_LIST: bytes are leaf digests
    uint32_t offset; // of the uncompressed bytes inside the leaf (or list)
    uint32_t size;   // uncompressed bytes of this chunk
    bool compressed; // zstd
    struct slice bytes;
};

struct msg_pack {
    struct folder_id folder;
    struct content *contents; // in this order, one behind the other
    uint32_t count;
    bool compressed; // the whole as one zstd frame
    struct slice bytes;
};

// A part of the signature of what the asker has in the place of some leaves of a content.
struct msg_signature {
    struct folder_id folder;
    uint64_t round;      // drawn by the asker: names the delta that is to come
    struct content *ids; // one
    uint32_t id_count;
    uint32_t *runs;     // first leaf and count, again and again; rising
    uint32_t run_count; // of numbers: twice as many as runs
    uint32_t size;      // of the whole signature
    uint32_t offset;
    struct slice bytes;
};

enum delta_end {
    DELTA_GOES_ON = 0,
    DELTA_LAST = 1,
    DELTA_REFUSED = 2 // not to be had, or not worth it
};

struct msg_delta {
    struct folder_id folder;
    uint64_t round;
    uint32_t page; // from 1
    enum delta_end end;
    uint32_t size; // uncompressed
    bool compressed;
    struct slice bytes;
};

// A part of the sorted list of paths: from <= path < to; an empty bound is open.
enum range_what {
    RANGE_SUM = 1,   // count and sum of the sender's items there
    RANGE_ITEMS = 2, // all the sender has there is among `versions`
    RANGE_ASK = 3    // the receiver is to answer with RANGE_ITEMS, or with smaller sums
};

struct range {
    enum range_what what;
    struct slice from, to;
    uint64_t count; // RANGE_SUM
    struct digest sum;
};

enum ranges_step {
    RANGES_OPEN = 1, // begins: k and floor of the asker
    RANGES_GO = 2,
    RANGES_END = 3,   // nothing more to say
    RANGES_MOVED = 4, // not now: K of the two differ, or have changed
    RANGES_LIST = 5   // of a folder that is not joined: asked for by RANGE_ASK, one range at a time
};

struct msg_ranges {
    struct folder_id folder;
    uint64_t audit; // drawn by the asker
    enum ranges_step step;
    bool reconcile; // only the asker takes; K may differ
    struct vv k;
    struct vv gcfloor;
    struct marks marks;
    struct range *ranges;
    uint32_t range_count;
    struct versions versions;
};

// The life `old` of the sender, or of a device it heard of, ended at the counter of `end` (none: it
// never got one) and goes on as `fresh`.
struct msg_rollback {
    struct folder_id folder;
    uint64_t old;
    struct marks end; // of `old`; at most one
    uint64_t fresh;
};

struct msg_ping {
    uint64_t token;
    int64_t wall_ms;
};

// Asks for `want` bytes, and carries `pad`, whose content is nothing.
struct msg_probe {
    uint64_t token; // drawn by the asker, repeated in the reply
    bool reply;
    uint32_t want; // not in a reply
    struct slice pad;
};

enum bye_code {
    BYE_STOPPING = 1,
    BYE_PROTOCOL = 2,
    BYE_REPLACED = 3,
    BYE_DENIED = 4,
    BYE_VERSION = 5,
    BYE_CLONE = 6
};

struct msg_bye {
    enum bye_code code;
    struct slice text;
};

// What a brake of the sender holds; changes 0: nothing any more.
struct msg_hold {
    struct folder_id folder;
    struct slice brake; // "mass-delete", "mass-rewrite", "restore"; empty: nothing
    uint64_t changes;
    bool unpublished;   // found on the sender's disk; else they came from others:
    struct span *spans; // in which they are
    uint32_t span_count;
};

struct msg_approvals {
    struct folder_id folder;
    struct approval *approvals;
    uint32_t count;
};

// A device that the sender trusts, and the receiver may hear of.
struct named_device {
    struct device_id device;
    struct slice name; // what the sender calls it
    uint32_t address_count;
    struct slice addresses[PROTO_PEER_ADDRESSES_MAX]; // any text: nothing is dialled unchecked
};

// All of them; rising by device id. It replaces what was said before.
struct msg_peers {
    struct named_device *devices;
    uint32_t count;
};

struct message {
    enum message_kind kind;
    uint64_t session;
    union {
        struct msg_hello hello;
        struct msg_offer offer;
        struct msg_owners owners;
        struct msg_pull pull;
        struct msg_ack ack;
        struct msg_done done;
        struct msg_versions versions;
        struct msg_push push;
        struct msg_news news;
        struct msg_applied applied;
        struct msg_want want;
        struct msg_not_held not_held;
        struct msg_data data;
        struct msg_pack pack;
        struct msg_signature signature;
        struct msg_delta delta;
        struct msg_ranges ranges;
        struct msg_rollback rollback;
        struct msg_ping ping; // PING and PONG
        struct msg_probe probe;
        struct msg_bye bye;
        struct msg_hold hold;
        struct msg_approvals approvals;
        struct msg_peers peers;
    };
};

const char *message_kind_text(enum message_kind kind);

// Appends the encoded message to `out`. CHECKs that limits are kept: callers build within them.
void message_encode(const struct message *message, struct buf *out);

// Decodes one whole frame. Slices of *out point into `bytes`, arrays are on the arena. All values
// are valid and canonical when this returns ERR_OK: paths, sorted vectors, counters, enums, digests
// of symlink targets are not checked (needs a hash: core does).
enum err message_decode(struct arena *arena, struct slice bytes, struct message *out,
                        struct fault *fault) MUST_USE;

// A version alone, as it stands inside VERSIONS and PUSH and as the store keeps it.
void version_encode(const struct version *version, struct buf *out);
enum err version_decode(struct arena *arena, struct slice bytes, struct version *out,
                        struct fault *fault) MUST_USE;
size_t version_encoded_size(const struct version *version); // exact or a close upper bound

// A vector alone: how the store keeps K and A of peers.
void vv_encode(struct vv v, struct buf *out);
enum err vv_decode(struct arena *arena, struct slice bytes, struct vv *out,
                   struct fault *fault) MUST_USE;

#endif
