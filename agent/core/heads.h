// SPDX-License-Identifier: MIT
//
// agent/core/heads — how a version joins the heads of its item (superseding by dots), and what that
// means for the disk.
//
// Pure: values in, values out, on the arena. Source: docs/PROTOCOL.md "Superseding"; dotted version
// vectors (Preguiça, Almeida, Baquero); algorithm "A dot is superseded when another version's
// vector covers it and the version is not that dot".
#ifndef AGENT_CORE_HEADS_H
#define AGENT_CORE_HEADS_H

#include "agent/core/item.h"

struct ingested {
    bool changed;      // heads are not what they were
    uint64_t lost_own; // highest counter of own_inc whose dot this removed; 0: none
};

// Puts w among item's heads, joins equal values, and lets local become a joined version of its own
// value without a disk step. `w` is borrowed: the caller keeps it alive as long as the item.
struct ingested heads_ingest(struct arena *arena, struct item *item, const struct version *w,
                             uint64_t own_inc);

// Local becomes a head of its own value that descends from it: the disk shows that one already.
void heads_local_follow(struct item *item);

// A peer that shows more heads for an item than its incarnations allow is lying.
bool heads_too_many(const struct item *item);

struct vv heads_join(struct arena *arena, const struct item *item); // join of all vectors
bool heads_live(const struct item *item); // any head that is not a tombstone
bool version_live(const struct version *version);

// Whether something of the item's is on disk.
bool item_local_live(const struct item *item);
// And the disk shows it: what is obsolete may have gone from there without a word, and its value is
// what it last was.
bool item_local_shown(const struct item *item);

// Whether the directory on disk is nobody's version: it was made for what lives in it and stands on
// the tombstone that is its head (local has the dots of the head and the value of a directory).
bool local_implied(const struct item *item);

// Whether heads are not exactly what is on disk. `live_below`: some descendant lives, so that a
// directory whose own head is a tombstone exists by implication.
bool item_need(const struct item *item, bool live_below);

// Only mode or mtime differ: no content is needed.
bool value_same_content(const struct value *a, const struct value *b);
bool value_is_leaf(const struct value *value); // a file or a symlink: nothing can live below it

#endif
