// SPDX-License-Identifier: MIT
#include "agent/base/check.h"
#include "agent/delta/commands_priv.h"

enum {
    LITERAL_1 = 0x01, // that many bytes follow
    LITERAL_64 = 0x40,
    LITERAL_N1 = 0x41, // their number follows, in 1, 2, 4 or 8 bytes
    LITERAL_N8 = 0x44,
    COPY_N1_N1 = 0x45, // place and number, each in 1, 2, 4 or 8 bytes
    COPY_N8_N8 = 0x54,
    WIDTHS = 4,
};

struct command {
    size_t at, number_at, number_width;
    size_t literal; // so many bytes of its own; 0: it is a copy
    size_t end;
};

static size_t number_of(const uint8_t *at, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++)
        number = number << 8 | at[i];
    return (size_t)number;
}

static void number_put(uint8_t *at, size_t width, size_t number)
{
    for (size_t i = width; i-- > 0; number >>= 8)
        at[i] = (uint8_t)number;
}

static struct command command_at(const struct buf *commands, size_t at)
{
    struct command c = {.at = at, .number_at = at + 1};
    uint8_t code = commands->data[at];
    CHECK(code >= LITERAL_1 && code <= COPY_N8_N8);
    if (code >= COPY_N1_N1) {
        unsigned widths = code - COPY_N1_N1;
        c.end = c.number_at + ((size_t)1 << widths / WIDTHS) + ((size_t)1 << widths % WIDTHS);
    } else if (code <= LITERAL_64) {
        c.literal = code;
        c.end = c.number_at + c.literal;
    } else {
        c.number_width = (size_t)1 << (code - LITERAL_N1);
        c.literal = number_of(commands->data + c.number_at, c.number_width);
        c.end = c.number_at + c.number_width + c.literal;
    }
    CHECK(c.end <= commands->size);
    return c;
}

// Of this one `keep` bytes are left, and nothing behind it.
static void literal_shorten(struct buf *commands, const struct command *c, size_t keep)
{
    if (c->number_width > 0)
        number_put(commands->data + c->number_at, c->number_width, keep);
    else
        commands->data[c->at] = (uint8_t)keep;
    commands->size = keep > 0 ? c->number_at + c->number_width + keep : c->at;
}

size_t commands_cut(struct buf *commands, size_t from, size_t most)
{
    size_t literals = 0, first = from;
    for (size_t at = from; at < commands->size;) {
        struct command c = command_at(commands, at);
        at = c.end;
        literals = c.literal > 0 ? literals + c.literal : 0;
        if (literals == 0) first = at;
    }
    size_t cut = literals < most ? literals : most, keep = literals - cut;
    for (size_t at = first; cut > 0;) {
        struct command c = command_at(commands, at);
        if (c.literal > keep) {
            literal_shorten(commands, &c, keep);
            break;
        }
        keep -= c.literal;
        at = c.end;
    }
    return cut;
}
