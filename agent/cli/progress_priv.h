// SPDX-License-Identifier: MIT
//
// agent/cli/progress — what is under way while an answer is waited for: one line on standard error,
// if that is a terminal, from the second second on, that is gone when the answer is there.
#ifndef AGENT_CLI_PROGRESS_PRIV_H
#define AGENT_CLI_PROGRESS_PRIV_H

#include "agent/base/json.h"
#include "agent/cli/cli.h"

// How fast what is left gets less.
struct pace {
    int64_t at_ms; // when it was seen last; 0: never
    uint64_t left;
    double rate; // a second, smoothed; 0: not known
};

void pace_see(struct pace *pace, int64_t now_ms, uint64_t left);
// Appends ", 2.1 MB/s, 3 s left"; nothing while it is not known.
void pace_print(const struct pace *pace, struct buf *out);

// What this machine and its peers are owed together, and what is being looked at.
struct under_way {
    uint64_t in_changes, in_bytes;
    uint64_t out_changes, out_bytes;
    uint64_t scanned;
    bool scanning;
};

void under_way_read(const json_t *status, struct under_way *out);

struct progress {
    const struct cli_context *context;
    int64_t begun_ms;
    struct pace pace;
    bool shown;
};

void progress_begin(struct progress *progress, const struct cli_context *context);
void progress_wait(void *progress); // again and again
void progress_end(struct progress *progress);

#endif
