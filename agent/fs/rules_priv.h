// SPDX-License-Identifier: MIT
//
// agent/fs/rules — the rules of one root: what they say of a path, and where they come from.
#ifndef AGENT_FS_RULES_PRIV_H
#define AGENT_FS_RULES_PRIV_H

#include "agent/core/ignore.h"
#include "agent/fs/disk_priv.h"

enum rules_layer { RULES_DEFAULT, RULES_SYNCED, RULES_LOCAL };
enum { RULES_LAYERS = RULES_LOCAL + 1 };

// Immutable but for users.
struct rules {
    uint32_t users; // under disk->lock
    bool include_secrets;
    bool include_vcs;
    bool loaded; // read from the root, not the defaults alone
    struct ignore *layers[RULES_LAYERS];
    struct ignore *secrets;
};

struct rules *rules_new(bool include_secrets, bool include_vcs); // the defaults; one user
// The same files of rules, other options.
struct rules *rules_with(const struct rules *rules, bool include_secrets, bool include_vcs);
// Under disk->lock, unless nobody else can know them yet.
void rules_hold(struct rules *rules);
void rules_free(struct rules **rules);
void rules_publish(const struct grip *grip, struct rules *fresh); // takes them; locks
struct ignore *ignore_again(const struct ignore *ignore);         // a copy

// What `out_rule` gets (it may be NULL): "FILE:LINE: RULE" or "default: RULE".
enum ignored rules_judge(const struct rules *rules, struct slice path, bool is_dir,
                         struct buf *out_rule); // not of what is above it
enum ignored rules_judge_path(const struct rules *rules, struct slice path, bool is_dir,
                              struct buf *out_rule);

// ---- rules_load.c
const char *rules_file(enum rules_layer layer); // below the root
// Reads the root's rules and puts them in place; says in job->health what came of it. False: this
// root must not be used, because its rules never could be.
bool rules_load(const struct grip *grip, int root_fd, int internal_fd, struct job *job);

#endif
