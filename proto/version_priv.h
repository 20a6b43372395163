// SPDX-License-Identifier: MIT
//
// proto/version — one version as it stands inside a message.
#ifndef PROTO_VERSION_PRIV_H
#define PROTO_VERSION_PRIV_H

#include "proto/reader_priv.h"
#include "proto/types.h"
#include "proto/writer_priv.h"

enum {
    VERSION_BYTES_MIN = 20,
    // Containers around a version in a message: message, body, list. A version alone is held to the
    // same depth, so that whatever a store has can be sent.
    VERSION_DEPTH = 3,
};

void version_read(struct reader *r, struct version *out);
void version_write(struct writer *w, const struct version *version); // CHECKs that it is valid

// NULL if the version is one that version_read would accept, else static text.
const char *version_fault(const struct version *version);

#endif
