// SPDX-License-Identifier: MIT
//
// crypto/cpace_priv — the steps of CPace by themselves, so that the draft's vectors can be looked
// at.
#ifndef CRYPTO_CPACE_PRIV_H
#define CRYPTO_CPACE_PRIV_H

#include "crypto/cpace.h"

enum { CPACE_POINT_BYTES = 32, CPACE_SCALAR_BYTES = 32, CPACE_ISK_BYTES = 64 };

// Each value behind its length (LEB128).
void lv_append(struct buf *out, struct slice value);

// generator_string(DSI, PRS, CI, sid, s_in_bytes)
void cpace_generator_text(const struct cpace_input *input, struct buf *out);
void cpace_generator(const struct cpace_input *input, uint8_t out[CPACE_POINT_BYTES]);

// With a scalar of the caller's; cpace_new draws one.
struct cpace *cpace_from_scalar(enum cpace_role role, const struct cpace_input *input,
                                const uint8_t scalar[CPACE_SCALAR_BYTES]);
// scalar_mult_vfy: false if `point` is no point, or the result the neutral one.
bool cpace_multiply(const uint8_t scalar[CPACE_SCALAR_BYTES],
                    const uint8_t point[CPACE_POINT_BYTES], uint8_t out[CPACE_POINT_BYTES]);
// After cpace_finish.
void cpace_isk(const struct cpace *cpace, uint8_t out[CPACE_ISK_BYTES]);

#endif
