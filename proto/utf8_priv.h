// SPDX-License-Identifier: MIT
//
// proto/utf8 — strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef PROTO_UTF8_PRIV_H
#define PROTO_UTF8_PRIV_H

#include "agent/base/bytes.h"

bool utf8_valid(struct slice text);
bool utf8_is_ascii(struct slice text);

#endif
