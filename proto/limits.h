// SPDX-License-Identifier: MIT
//
// proto/limits — every limit on what is sent and accepted (docs/PROTOCOL.md "Limits").
//
// Checked before anything is allocated, on what we send as well.
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

enum {
    PROTO_VERSION = 1,
    PROTO_MESSAGE_BYTES_MAX = 1 << 20,
    PROTO_HELLO_BYTES_MAX = 16 << 10,
    PROTO_FRAME_BYTES_MAX = (1 << 20) + (64 << 10), // ZMQ_MAXMSGSIZE
    PROTO_DEPTH_MAX = 8,
    PROTO_MAP_ENTRIES_MAX = 32,
    PROTO_ARRAY_ENTRIES_MAX = 4096,
    PROTO_STRING_BYTES_MAX = 4096,
    PROTO_PATH_BYTES_MAX = 4096,
    PROTO_COMPONENT_BYTES_MAX = 255,
    PROTO_PATH_DEPTH_MAX = 64,
    PROTO_VV_ENTRIES_MAX = 4096,
    PROTO_DOTS_MAX = 4096,
    PROTO_HEADS_SPARE = 8, // heads of an item: its incarnations + this
    // What a peer may make a folder hold, so that whatever is held fits into a message again.
    PROTO_OWNERS_MAX = 1024,          // incarnations of a folder
    PROTO_OWNERS_TRUSTED_MAX = 2048,  // with those of devices that are trusted where they arrive
    PROTO_OWNERS_DEVICE_MAX = 256,    // of one device, as far as it tells of them itself
    PROTO_ITEM_DOTS_MAX = 200,        // dots of all heads of an item together
    PROTO_ITEM_BUNDLES_MAX = 400,     // dots of their bundles
    PROTO_ITEM_BYTES_MAX = 128 << 10, // all heads of an item as encoded
    PROTO_BUNDLE_MAX = 256,           // versions of one resolution
    PROTO_BUNDLE_BYTES_MAX = 320 << 10,
    PROTO_UNKNOWN_KEYS_MAX = 16, // of a version; with the known ones a map may have
    PROTO_PAGE_VERSIONS_MAX = 4096,
    PROTO_PAGE_BYTES_MAX = 192 << 10,
    PROTO_PAGE_BYTES_HARD = 704 << 10,       // with the item and the bundle that made it full
    PROTO_CONTROL_PAGE_BYTES_MAX = 16 << 10, // a VERSIONS page over this goes by the bulk lane
    PROTO_CHUNK_BYTES = 128 << 10,
    PROTO_CHUNK_BYTES_MAX = 256 << 10,
    PROTO_LEAF_BYTES = 1 << 20,
    PROTO_WINDOW_BYTES = 2 << 20,           // requested and unanswered per peer
    PROTO_RIDE_BYTES_MAX = 64 << 10,        // one content that rides along with a PUSH, compressed
    PROTO_RIDE_TOTAL_BYTES_MAX = 256 << 10, // all of them
    PROTO_RIDE_CONTENT_BYTES_MAX = 1 << 20, // one of them, uncompressed (a single leaf)
    PROTO_PATCH_CONTENT_BYTES_MAX = 256 << 10, // content, and base, of a patch
    PROTO_RIDE_CONTENTS_BYTES_MAX = 4 << 20,   // all of them, uncompressed
    PROTO_PACK_CONTENT_BYTES_MAX = 128 << 10,  // one content in a PACK, uncompressed
    PROTO_PACK_BYTES_MAX = 512 << 10,          // a PACK, uncompressed
    PROTO_SIGNATURE_BYTES_MAX = 12 + 32768 * 20,
    PROTO_DELTA_AHEAD = 16, // pages of a delta that are on their way
    PROTO_BLOCKED_MAX = 64,
    PROTO_APPROVALS_MAX = 256, // of a folder, and in one message
    PROTO_HOLD_SPANS_MAX = 256,
    PROTO_RANGES_MAX = 256,
    PROTO_RANGE_ITEMS_MAX = 64, // more are split
    PROTO_FOLDERS_MAX = 256,
    PROTO_NAME_BYTES_MAX = 255, // device, folder and program names
    PROTO_PEERS_MAX = 64,       // devices that one message names, each with
    PROTO_PEER_NAME_BYTES_MAX = 64,
    PROTO_PEER_ADDRESSES_MAX = 8, // of
    PROTO_PEER_ADDRESS_BYTES_MAX = 64,
    PROTO_PEERS_BYTES_MAX = 64 << 10, // the whole message
};

#define PROTO_FEATURE_DELTA UINT64_C(1) // HELLO: SIGNATURE and DELTA are understood

#define PROTO_COUNTER_MAX    INT64_MAX           // counters are below 2^63
#define PROTO_FILE_BYTES_MAX (UINT64_C(1) << 48) // of one content
#define PROTO_LEAF_LIST      UINT32_MAX // "leaf" number by which the leaf list itself is asked for

#define PROTO_FEATURE_PROBE UINT64_C(4)  // HELLO: PROBE is understood
#define PROTO_FEATURE_LIST  UINT64_C(8)  // HELLO: RANGES of step 5 is understood
#define PROTO_FEATURE_PEERS UINT64_C(16) // HELLO: PEERS is understood
// HELLO: the sender has read a BYE_CLONE of the receiver since their last session
#define PROTO_FEATURE_REFUSED UINT64_C(32)

#endif
