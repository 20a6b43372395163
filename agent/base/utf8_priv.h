// SPDX-License-Identifier: MIT
//
// agent/base/utf8_priv — which bytes of a text may be shown as they are.
#ifndef AGENT_BASE_UTF8_PRIV_H
#define AGENT_BASE_UTF8_PRIV_H

#include "agent/base/bytes.h"

// Length (1 to 4) of the well-formed, printable UTF-8 sequence at text[at]; 0 if the byte there is
// a control (C0, DEL, C1) or not the start of a well-formed sequence.
size_t utf8_printable(struct slice text, size_t at);

#endif
