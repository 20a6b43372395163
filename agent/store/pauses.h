// SPDX-License-Identifier: MIT
//
// agent/store/pauses — pauses.json: what is paused, and until when.
//
// 0600, replaced atomically and durably on every change.
#ifndef AGENT_STORE_PAUSES_H
#define AGENT_STORE_PAUSES_H

#include "agent/base/err.h"
#include "proto/types.h"

enum { PAUSES_MAX = 1024 };

enum pause_kind { PAUSE_ALL, PAUSE_FOLDER, PAUSE_PEER };

struct pause {
    enum pause_kind kind;
    const char *folder;      // PAUSE_FOLDER: its name
    struct device_id device; // PAUSE_PEER
    int64_t until_ms;        // wall clock; 0: until it is resumed
};

struct pauses;

enum err pauses_open(int dir_fd, const char *name, struct pauses **out,
                     struct fault *fault) MUST_USE; // missing file: none
struct pauses *pauses_new(void);                    // in memory, for tests
void pauses_close(struct pauses **pauses);

// Good until the next change.
uint32_t pauses_all(const struct pauses *pauses, const struct pause **out);
const struct pause *pauses_find(const struct pauses *pauses, const struct pause *like); // NULL

// On an error nothing has changed. Another of the same thing is replaced. LIMIT: there are
// PAUSES_MAX already.
enum err pauses_put(struct pauses *pauses, const struct pause *pause) MUST_USE;
// OK when there is none.
enum err pauses_remove(struct pauses *pauses, const struct pause *like) MUST_USE;
enum err pauses_clear(struct pauses *pauses) MUST_USE;

#endif
