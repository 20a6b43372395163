// SPDX-License-Identifier: MIT
//
// proto/path — what a path of an item may be (INV-Path), and the one door to Unicode tables.
//
// Canonical: UTF-8 NFC, relative, '/'-separated, no empty, "." or ".." component, no NUL, component
// <= 255 bytes, path <= 4096, depth <= 64; no component that folds (case or Unicode) to ".cfgsync",
// except conflict items: exactly ".cfgsync/conflicts/<one component>".
#ifndef PROTO_PATH_H
#define PROTO_PATH_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

#define PATH_CONFLICTS ".cfgsync/conflicts"

// NULL if canonical, else static text that says why not.
const char *path_fault(struct slice path);

// The NFC form of a name as a disk spells it, on the arena. *out is `name` itself when it is NFC
// already. ERR_UNREPRESENTABLE: not UTF-8.
enum err path_normalize(struct arena *arena, struct slice name, struct slice *out) MUST_USE;

// One component that folds to ".cfgsync".
bool path_is_internal(struct slice component);

// Exactly a conflict item's path.
bool path_is_conflict_item(struct slice path);

// Everything before the last '/', empty at the top.
struct slice path_parent(struct slice path);
struct slice path_base(struct slice path);
bool path_below(struct slice path, struct slice ancestor); // strictly below; every path is below ""
bool path_in_tree(struct slice path, struct slice top);    // it, or below it

// Tree order: like memcmp with '/' sorting below every other byte, so that a directory comes
// directly before what is in it.
int path_compare(struct slice a, struct slice b);

// Then it is its own normal form.
bool path_is_ascii(struct slice path);

// Case and Unicode folded form, for finding clashes, on the arena.
struct slice path_fold(struct arena *arena, struct slice path);

#endif
