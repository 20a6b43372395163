// SPDX-License-Identifier: MIT
#include <string.h>

#include "discovery/txt_priv.h"

_Static_assert(TXT_STRINGS <= 10, "one digit");
_Static_assert(sizeof(struct discovery_tag) == DISCOVERY_TAG_BYTES, "tags are bytes in a row");

size_t txt_value(const struct discovery_wish *wish, unsigned index, const uint8_t **out)
{
    uint32_t first = index * TXT_STRING_TAGS;
    if (index >= TXT_STRINGS || first >= wish->announced_count) return 0;
    uint32_t count = wish->announced_count - first;
    if (count > TXT_STRING_TAGS) count = TXT_STRING_TAGS;
    *out = wish->announced[first].bytes;
    return (size_t)count * DISCOVERY_TAG_BYTES;
}

static bool is_awaited(const struct discovery_wish *wish, const uint8_t *tag)
{
    for (uint32_t i = 0; i < wish->awaited_count; i++)
        if (memcmp(wish->awaited[i].bytes, tag, DISCOVERY_TAG_BYTES) == 0) return true;
    return false;
}

bool txt_awaited(const struct discovery_wish *wish, const uint8_t *text, size_t size,
                 struct discovery_tag *out)
{
    if (size < 3 || text[0] != 't' || text[1] < '0' || text[1] > '9' || text[2] != '=') {
        return false;
    }
    for (size_t at = 3; at + DISCOVERY_TAG_BYTES <= size; at += DISCOVERY_TAG_BYTES) {
        if (!is_awaited(wish, text + at)) continue;
        memcpy(out->bytes, text + at, sizeof out->bytes);
        return true;
    }
    return false;
}
