// SPDX-License-Identifier: MIT
//
// agent/daemon/roots — may this directory be a folder's root: roots do not contain each other, nor
// the agent's own state, in which its secret key is.
#ifndef AGENT_DAEMON_ROOTS_PRIV_H
#define AGENT_DAEMON_ROOTS_PRIV_H

#include <stdbool.h>

#include "agent/base/bytes.h"
#include "agent/base/err.h"
#include "agent/store/home.h"
#include "agent/store/registry.h"

// The real path as far as it exists; what does not exist yet is kept as it is written. Allocated.
char *root_real(const char *path);

// b is a or below it; both absolute, without trailing slashes.
bool root_contains(const char *a, const char *b);

// CONFIG with a sentence in *out_message. `name`: the folder's own, not compared with itself.
enum err root_allowed(const struct registry *registry, const struct home *home, const char *name,
                      const char *path, struct buf *out_message) MUST_USE;

bool roots_apart(const char *path, const char *other); // neither is the other, or contains it

#endif
