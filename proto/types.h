// SPDX-License-Identifier: MIT
//
// proto/types — the vocabulary of replication: dots, version vectors, versions, marks.
//
// Plain values. Arrays inside them are borrowed from an arena or a decoded message.
// Source: docs/ARCHITECTURE.md "Words"; dotted version vectors: Preguiça, Almeida, Baquero
// 2010-2012.
#ifndef PROTO_TYPES_H
#define PROTO_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/bytes.h"
#include "proto/limits.h"

struct digest {
    uint8_t bytes[32];
};

struct device_id {
    uint8_t bytes[32]; // Ed25519 public key
};

struct folder_id {
    uint8_t bytes[16];
};

struct signature {
    uint8_t bytes[64]; // Ed25519
};

struct dot {
    uint64_t inc;     // incarnation
    uint64_t counter; // 1 .. 2^63-1; 0 only where a text says so
};

// Incarnation -> counter. Sorted by inc, each inc once, no zero counter.
struct vv {
    struct dot *entries;
    uint32_t count;
};

// A set of dots. Sorted by (inc, counter), no duplicates.
struct dots {
    struct dot *entries;
    uint32_t count;
};

enum kind { KIND_FILE = 1, KIND_DIR = 2, KIND_SYMLINK = 3, KIND_TOMB = 4 };

// What an item is: two values are equal when all fields that its kind has are.
struct value {
    enum kind kind;
    uint32_t mode;         // & 0777; file and dir (0 otherwise)
    uint64_t size;         // bytes; file only
    struct digest content; // file: content id; symlink: SHA-256 of the target; else zero
    struct slice target;   // symlink only
};

// A content by id. Ids of files over one leaf are tree hashes, so the size always goes with it.
struct content {
    struct digest id;
    uint64_t size;
};

// The user event that made a content.
struct birth {
    int64_t wall_ms; // cosmetic: decides only who keeps a name
    uint64_t inc;
    uint64_t counter;
};

enum version_flags { VERSION_AUTO = 1, VERSION_FIRST = 2 };

// Immutable. `path` is canonical (proto/path.h).
struct version {
    struct slice path;
    struct dots dots; // what it is: one when minted, the union after an equal-value join
    struct vv vv;     // what it descends from, its dots included
    struct value value;
    int64_t mtime_ns; // set on disk when applied, never compared
    struct birth birth;
    bool has_parent;
    struct digest parent; // content id its author saw before
    uint32_t parent_mode;
    uint32_t flags; // enum version_flags
    uint32_t merge_version;
    struct dots bundle;   // winner's dots of the resolution that made it; empty: none
    struct slice origin;  // conflict item: the path it came from; empty: none
    struct slice unknown; // keys of a newer program: concatenated msgpack key/value pairs, kept and
                          // passed on
    uint32_t unknown_count;
};

// Its owner's signature under "incarnation inc has published up to counter, and the process `epoch`
// all of it from `first` on". Of marks that are all of one history the spans first..counter of two
// epochs have nothing in common.
struct mark {
    uint64_t inc;
    uint64_t counter;
    uint64_t first; // 1 <= first <= counter
    uint64_t epoch; // random; 0: not said, and `first` says nothing
    struct signature signature;
};

// Counters of one incarnation, both ends included.
struct span {
    uint64_t inc;
    uint64_t from, to; // 1 <= from <= to
};

// Its signer's word that what a span of changes deletes or rewrites is meant.
struct approval {
    struct device_id signer;
    struct span span;
    struct signature signature;
};

// Who an incarnation is: inc = first 64 bits (big-endian) of SHA-256(device | folder | nonce).
struct owner {
    uint64_t inc;
    struct device_id device;
    uint8_t nonce[16];
    struct slice name; // the device's name for people
};

#endif
