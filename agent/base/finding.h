// SPDX-License-Identifier: MIT
//
// agent/base/finding — one line of `doctor`: whether something is well, and what to do if not.
#ifndef AGENT_BASE_FINDING_H
#define AGENT_BASE_FINDING_H

#include "agent/base/json.h"

enum finding_level { FINDING_OK, FINDING_WARNING, FINDING_ERROR };

// Appends {"level", "subject", "text", "fix"} to the list; `fix` NULL: there is nothing to do.
void finding_add(json_t *list, enum finding_level level, const char *subject, const char *fix,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
