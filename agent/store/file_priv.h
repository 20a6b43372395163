// SPDX-License-Identifier: MIT
//
// agent/store/file — a file of the state directory, 0600, read and replaced as a whole.
#ifndef AGENT_STORE_FILE_PRIV_H
#define AGENT_STORE_FILE_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"

// TOO_BIG, CORRUPT (no regular file), ACCESS, IO.
enum err file_read(int dir_fd, const char *name, struct buf *out, bool *out_found) MUST_USE;
// Atomic and durable: the old content or the new.
enum err file_replace(int dir_fd, const char *name, struct slice bytes) MUST_USE;

#endif
