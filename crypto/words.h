// SPDX-License-Identifier: MIT
//
// crypto/words — what people read out to each other: pairing codes and fingerprints, made of words
// that are easily told apart.
#ifndef CRYPTO_WORDS_H
#define CRYPTO_WORDS_H

#include "proto/types.h"

enum {
    WORDS_COUNT = 1024,
    WORD_BYTES_MIN = 4,
    WORD_BYTES_MAX = 7,
    CODE_TEXT_MAX = 2 + 2 * (1 + WORD_BYTES_MAX) + 1, // "42-amber-ribbon", NUL
    FINGERPRINT_TEXT_MAX = 4 * (WORD_BYTES_MAX + 1),  // four words, blanks between them, NUL
};

const char *word_at(unsigned index); // below WORDS_COUNT

// A number of 10 to 99 and two words: one of 94 million, good for one guess.
void code_draw(char out[CODE_TEXT_MAX]);

// A code as a person typed it: blanks and capitals do not count, and of a mistyped word the nearest
// one is taken if there is one only. NULL and the code as it was meant in `out`, or a sentence
// (static) that says what is wrong; the number cannot be corrected.
const char *code_read(const char *typed, char out[CODE_TEXT_MAX]);
// Exactly as code_draw writes it.
bool code_valid(const char *text);

// Four words, 40 bits of a hash of the id.
char *fingerprint_text(struct device_id device, char out[FINGERPRINT_TEXT_MAX]);

#endif
