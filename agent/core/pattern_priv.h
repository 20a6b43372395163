// SPDX-License-Identifier: MIT
//
// One pattern of a rule, compiled to tokens, and whether it matches a text.
#ifndef AGENT_CORE_PATTERN_PRIV_H
#define AGENT_CORE_PATTERN_PRIV_H

#include "agent/base/bytes.h"

enum op {
    OP_BYTE,
    OP_ANY,  // any byte but '/'
    OP_SET,  // one of a set
    OP_STAR, // any run without '/'
    OP_TREE, // any run at all
    OP_DIRS, // nothing, or any run that ends with '/'
};

struct token {
    uint8_t op;
    uint8_t byte;
    uint16_t set;
};

struct byte_set {
    uint64_t bits[4];
};

struct pattern {
    bool never;          // can match nothing
    struct slice prefix; // literal text before the first wildcard
    struct token *tokens;
    uint32_t count;
    struct byte_set *sets;
    uint32_t set_count;
};

// `text` is borrowed. Everything lives on the arena.
void pattern_compile(struct arena *arena, struct slice text, struct pattern *out);
bool pattern_matches(const struct pattern *pattern, struct slice text);

#endif
