// SPDX-License-Identifier: MIT
//
// tests/model/exchange_json — versions and vectors between the model and the drivers.
//
// A version is {"d": dots, "v": vector, "k": kind, "c": content, "s": size, "b": birth, "o":
// parent's content or null, "f": flags, "u": bundle}; contents are 64 hex digits, dots and vectors
// lists of [INC, N]. Files have mode 0644.
#ifndef TESTS_MODEL_EXCHANGE_JSON_H
#define TESTS_MODEL_EXCHANGE_JSON_H

#include "agent/base/json.h"
#include "agent/core/item.h"

uint64_t number_of(const json_t *value);
struct vv vv_of(struct arena *arena, const json_t *list);
json_t *pairs_json(const struct dot *entries, uint32_t count);
struct version version_of(struct arena *arena, struct slice path, struct slice origin,
                          const json_t *object);
json_t *version_json(const struct version *v);
json_t *digest_json(const struct digest *digest);

// One question a line on stdin, its answer a line on stdout.
void talk(json_t *(*answer)(void *context, struct arena *arena, const json_t *question),
          void *context);

#endif
