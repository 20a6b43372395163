// SPDX-License-Identifier: MIT
//
// tests/fuzz/sync/speech — what a peer says, made from the bytes of an input: well formed and
// signed where this peer can sign, so that it comes past the doors; else anything.
#ifndef TESTS_FUZZ_SYNC_SPEECH_H
#define TESTS_FUZZ_SYNC_SPEECH_H

#include "tests/fuzz/fuzz.h"
#include "tests/unit/sync/rig.h"

enum { SPEECH_PATHS = 10, SPEECH_TEXTS = 5 };

struct speech {
    struct rig *rig;
    struct script *who;
    struct feed *feed;
};

struct slice speech_path(struct feed *feed);
const char *speech_text(struct feed *feed);
struct version speech_version(struct speech *speech);
struct message speech_message(struct speech *speech);
bool speech_on_bulk(enum message_kind kind);

#endif
