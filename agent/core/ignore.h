// SPDX-License-Identifier: MIT
//
// agent/core/ignore — rules of what is left out, in the syntax and with the meaning of gitignore.
//
// Pure. One struct ignore is one file of rules that apply at the root of a tree. Source: the
// documentation gitignore(5); `git check-ignore` is the oracle of
// tests/unit/core/test_ignore_git.c. As there, rules see bytes: `?` is one byte of a character of
// several.
#ifndef AGENT_CORE_IGNORE_H
#define AGENT_CORE_IGNORE_H

#include "agent/base/bytes.h"

enum {
    IGNORE_FILE_BYTES_MAX = 128 << 10,
    IGNORE_RULES_MAX = 2048,
    IGNORE_RULE_BYTES_MAX = 1024,
};

struct ignore; // immutable

struct ignore_fault {
    uint32_t line;    // from 1; 0: the file as a whole
    const char *what; // static
};

// All or nothing: NULL and *out_fault when the text is over a limit above, is not UTF-8 or has a
// NUL. A rule that can match nothing (an unclosed bracket, a backslash at the end) is no fault.
struct ignore *ignore_parse(struct slice text, struct ignore_fault *out_fault);
void ignore_destroy(struct ignore **ignore);

struct slice ignore_text(const struct ignore *ignore); // as it was parsed
uint32_t ignore_count(const struct ignore *ignore);    // of rules

struct ignore_match {
    bool negated; // the rule begins with '!': not left out
    uint32_t line;
    struct slice rule; // as written, '!' included
};

// The last rule that matches the path (canonical, proto/path.h); false if none does. Looks at the
// path itself only: who asks goes from the top, and below a directory that is left out no rule
// counts. Time is bounded by path size times size of the rules.
bool ignore_match(const struct ignore *ignore, struct slice path, bool is_dir,
                  struct ignore_match *out);

#endif
