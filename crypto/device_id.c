// SPDX-License-Identifier: MIT
//
// The text of a device id: 52 characters of base32 in seven groups of 7 and one of 3, each group
// followed by its own check character, so that a mistyped id can be answered with where to look.
//
//     AAAAAAAc-AAAAAAAc-AAAAAAAc-AAAAAAAc-AAAAAAAc-AAAAAAAc-AAAAAAAc-AAAc      c = check
//
// Luhn's algorithm modulo 32 catches every wrong character and every swap of neighbours inside a
// group but that of A and 7.
#include <string.h>

#include "crypto/base32_priv.h"
#include "crypto/identity.h"

enum {
    ID_BYTES = sizeof(struct device_id),
    DATA_COUNT = 52,
    GROUP_DATA = 7,
    GROUP_COUNT = 8,
    GROUP_CHARS = GROUP_DATA + 1,
    ID_CHARS = DATA_COUNT + GROUP_COUNT,
    PAD_BITS = DATA_COUNT * 5 - ID_BYTES * 8,
    NOT_A_NUMBER = 255,
};

_Static_assert(ID_CHARS + GROUP_COUNT <= DEVICE_ID_TEXT_MAX, "text with dashes and NUL");

static char character_of(uint8_t number)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[number];
}

static uint8_t number_of(char character)
{
    if (character >= 'A' && character <= 'Z') return (uint8_t)(character - 'A');
    if (character >= 'a' && character <= 'z') return (uint8_t)(character - 'a');
    if (character >= '2' && character <= '7') return (uint8_t)(character - '2' + 26);
    return NOT_A_NUMBER;
}

static size_t group_data(size_t group)
{
    return group == GROUP_COUNT - 1 ? DATA_COUNT - group * GROUP_DATA : GROUP_DATA;
}

// From the right, every other number is doubled, and a double of two digits counts as their sum.
static uint8_t luhn32(const uint8_t *numbers, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned number = numbers[count - 1 - i];
        if (i % 2 == 0) number = number * 2 / 32 + number * 2 % 32;
        sum += number;
    }
    return (uint8_t)((32 - sum % 32) % 32);
}

// Writes the characters of one group and returns where the next one goes.
static char *group_text(struct device_id device, size_t group, char *out)
{
    uint8_t numbers[GROUP_DATA];
    size_t count = group_data(group);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = base32_number(device.bytes, ID_BYTES, group * GROUP_DATA + i);
        *out++ = character_of(numbers[i]);
    }
    *out++ = character_of(luhn32(numbers, count));
    return out;
}

char *device_id_text(struct device_id device, char out[DEVICE_ID_TEXT_MAX])
{
    char *at = out;
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        if (group) *at++ = '-';
        at = group_text(device, group, at);
    }
    *at = '\0';
    return out;
}

char *device_id_short(struct device_id device, char out[DEVICE_ID_TEXT_MAX])
{
    *group_text(device, 0, out) = '\0';
    return out;
}

static bool is_separator(char character)
{
    return character == '-' || character == ' ' || (character >= '\t' && character <= '\r');
}

// The characters without separators as numbers. Returns how many there are, at most one too many.
static size_t read_numbers(const char *text, uint8_t numbers[ID_CHARS])
{
    size_t count = 0;
    for (; *text && count <= ID_CHARS; text++) {
        if (is_separator(*text)) continue;
        if (count < ID_CHARS) numbers[count] = number_of(*text);
        count++;
    }
    return count;
}

// The last character of data has bits left over, which must be zero: an id has one spelling.
static bool group_is_valid(const uint8_t *numbers, size_t group)
{
    size_t count = group_data(group);
    for (size_t i = 0; i <= count; i++) {
        if (numbers[i] == NOT_A_NUMBER) return false;
    }
    if (luhn32(numbers, count) != numbers[count]) return false;
    return group < GROUP_COUNT - 1 || (numbers[count - 1] & ((1 << PAD_BITS) - 1)) == 0;
}

static void collect_bits(const uint8_t numbers[ID_CHARS], struct device_id *out)
{
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t filled = 0;
    for (size_t i = 0; i < DATA_COUNT; i++) {
        bits = bits << 5 | numbers[i / GROUP_DATA * GROUP_CHARS + i % GROUP_DATA];
        bit_count += 5;
        if (bit_count < 8) continue;
        bit_count -= 8;
        out->bytes[filled++] = (uint8_t)(bits >> bit_count);
        bits &= (1U << bit_count) - 1;
    }
}

enum err device_id_parse(const char *text, struct device_id *out, unsigned *out_group)
{
    uint8_t numbers[ID_CHARS];
    *out_group = 0;
    if (read_numbers(text, numbers) != ID_CHARS) return ERR_CONFIG;
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        if (group_is_valid(numbers + group * GROUP_CHARS, group)) continue;
        *out_group = (unsigned)group + 1;
        return ERR_CONFIG;
    }
    collect_bits(numbers, out);
    return ERR_OK;
}
