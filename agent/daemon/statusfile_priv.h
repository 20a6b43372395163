// SPDX-License-Identifier: MIT
//
// agent/daemon/statusfile — one icon for the shell prompt, which reads it without asking anybody.
//
// Replaced atomically, written only when it changes. Not durable: an agent that is off writes it
// anew when it starts.
#ifndef AGENT_DAEMON_STATUSFILE_PRIV_H
#define AGENT_DAEMON_STATUSFILE_PRIV_H

#include <stdint.h>

#include "agent/base/err.h"
#include "agent/sync/engine.h"

enum { STATUS_ICON_BYTES_MAX = 32 };

struct statusfile {
    int dir_fd;
    const char *name;
    char icon[STATUS_ICON_BYTES_MAX]; // what stands in the file; only if `written`
    bool written;
};

// `count`: what a person has to look at: conflicts, errors, held things.
void status_icon(enum folder_state state, uint64_t count, char out[STATUS_ICON_BYTES_MAX]);

enum err statusfile_set(struct statusfile *file, const char *icon) MUST_USE; // "": off

#endif
