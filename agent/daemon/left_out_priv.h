// SPDX-License-Identifier: MIT
//
// agent/daemon/left_out — what a folder leaves out by rule, for the answer of `folder add`.
#ifndef AGENT_DAEMON_LEFT_OUT_PRIV_H
#define AGENT_DAEMON_LEFT_OUT_PRIV_H

#include "agent/base/json.h"
#include "agent/fs/disk.h"

enum { LEFT_OUT_LISTED_MAX = 100, LEFT_OUT_ENTRIES_MAX = 50000 };

// Walks the directory (at most LEFT_OUT_ENTRIES_MAX entries of it, so that the caller does not wait
// long) and lists the topmost entries that a rule leaves out: [{"path", "pattern"}]. *out_total
// counts all that were seen.
json_t *left_out_list(struct disk *disk, uint32_t folder, const char *root, uint64_t *out_total);

#endif
