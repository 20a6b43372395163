// SPDX-License-Identifier: MIT
//
// discovery/txt — tags in the strings of a TXT record (docs/PROTOCOL.md "Finding each other").
// Pure.
#ifndef DISCOVERY_TXT_PRIV_H
#define DISCOVERY_TXT_PRIV_H

#include <stddef.h>

#include "discovery/discovery.h"

enum {
    TXT_STRING_TAGS = 30, // "t0=" and as many fit into one string of 255 bytes
    TXT_STRINGS = (DISCOVERY_ANNOUNCED_MAX + TXT_STRING_TAGS - 1) / TXT_STRING_TAGS,
};

// The value of t0, t1, ...; its size, 0: no such string. Borrows from the wish.
size_t txt_value(const struct discovery_wish *wish, unsigned index, const uint8_t **out);

// The first awaited tag that one "KEY=VALUE" of a record announces.
bool txt_awaited(const struct discovery_wish *wish, const uint8_t *text, size_t size,
                 struct discovery_tag *out);

#endif
