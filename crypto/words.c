// SPDX-License-Identifier: MIT
#include "crypto/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "agent/base/check.h"
#include "agent/base/suggest.h"
#include "crypto/hash.h"
#include "crypto/identity.h"

#define FINGERPRINT_TAG "cfgsync-fingerprint1"

enum { CODE_WORDS = 2, DISTANCE_MAX = 2, TYPED_MAX = 63 };

static const char *const words[] = {
#include "crypto/words.inc"
};

_Static_assert(sizeof words / sizeof words[0] == WORDS_COUNT, "words");

const char *word_at(unsigned index)
{
    CHECK(index < WORDS_COUNT);
    return words[index];
}

void code_draw(char out[CODE_TEXT_MAX])
{
    crypto_init();
    unsigned number = 10 + randombytes_uniform(90);
    const char *first = word_at(randombytes_uniform(WORDS_COUNT));
    const char *second = word_at(randombytes_uniform(WORDS_COUNT));
    (void)snprintf(out, CODE_TEXT_MAX, "%u-%s-%s", number, first, second);
}

// ---- reading

// The next run of letters and digits. Anything else separates; false at the end.
static bool next_part(const char **at, const char **out, size_t *out_size)
{
    while (**at != '\0' && !isalnum((unsigned char)**at))
        ++*at;
    *out = *at;
    while (isalnum((unsigned char)**at))
        ++*at;
    *out_size = (size_t)(*at - *out);
    return *out_size > 0;
}

// NULL: none is near, or two are equally near.
static const char *nearest(const char *typed, size_t size)
{
    char lower[TYPED_MAX + 1];
    const char *best = NULL;
    size_t best_distance = DISTANCE_MAX + 1;
    bool is_tie = false;
    if (size > TYPED_MAX) return NULL;
    for (size_t i = 0; i < size; i++)
        lower[i] = (char)tolower((unsigned char)typed[i]);
    for (size_t i = 0; i < WORDS_COUNT; i++) {
        size_t distance = suggest_distance(lower, size, words[i], strlen(words[i]));
        if (distance > best_distance || distance > DISTANCE_MAX) continue;
        is_tie = distance == best_distance;
        best_distance = distance;
        best = words[i];
    }
    return is_tie ? NULL : best;
}

const char *code_read(const char *typed, char out[CODE_TEXT_MAX])
{
    const char *part;
    const char *found[CODE_WORDS];
    size_t size;
    if (!next_part(&typed, &part, &size) || size != 2 || !isdigit((unsigned char)part[0]) ||
        !isdigit((unsigned char)part[1]) || part[0] == '0') {
        return "a code begins with a number of two digits, as in 42-amber-river";
    }
    char number[3] = {part[0], part[1], '\0'};
    for (int i = 0; i < CODE_WORDS; i++) {
        if (!next_part(&typed, &part, &size)) {
            return "a code is a number and two words, as in 42-amber-river";
        }
        found[i] = nearest(part, size);
        if (found[i] == NULL) {
            return i == 0 ? "the first word of the code is mistyped beyond recognition"
                          : "the second word of the code is mistyped beyond recognition";
        }
    }
    if (next_part(&typed, &part, &size)) return "there is something behind the code's second word";
    (void)snprintf(out, CODE_TEXT_MAX, "%s-%s-%s", number, found[0], found[1]);
    return NULL;
}

bool code_valid(const char *text)
{
    char read[CODE_TEXT_MAX];
    return code_read(text, read) == NULL && strcmp(read, text) == 0;
}

// ---- fingerprints

char *fingerprint_text(struct device_id device, char out[FINGERPRINT_TEXT_MAX])
{
    uint8_t text[sizeof FINGERPRINT_TAG - 1 + sizeof device.bytes];
    memcpy(text, FINGERPRINT_TAG, sizeof FINGERPRINT_TAG - 1);
    memcpy(text + sizeof FINGERPRINT_TAG - 1, device.bytes, sizeof device.bytes);
    struct digest digest = hash_sha256(slice_of(text, sizeof text));
    uint64_t bits = 0;
    for (unsigned i = 0; i < 5; i++)
        bits = bits << 8 | digest.bytes[i];
    (void)snprintf(out, FINGERPRINT_TEXT_MAX, "%s %s %s %s", word_at(bits >> 30 & 1023),
                   word_at(bits >> 20 & 1023), word_at(bits >> 10 & 1023), word_at(bits & 1023));
    return out;
}
