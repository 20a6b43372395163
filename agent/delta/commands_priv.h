// SPDX-License-Identifier: MIT
//
// The commands that a delta is made of: literals, which bring bytes, and copies from the base.
// Source: https://librsync.github.io/page_formats.html, "Delta files"
#ifndef AGENT_DELTA_COMMANDS_PRIV_H
#define AGENT_DELTA_COMMANDS_PRIV_H

#include "agent/base/bytes.h"

enum { COMMAND_MAGIC_BYTES = 4, COMMAND_END_BYTES = 1 };

// Takes up to `most` bytes off the literals that `commands` ends with, from `from` on; returns how
// many. There is nothing but whole commands, without the end.
size_t commands_cut(struct buf *commands, size_t from, size_t most);

#endif
