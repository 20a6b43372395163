// SPDX-License-Identifier: MIT
//
// Several names of one file.
#include "agent/sync/engine_priv.h"

enum { LINKS_PAUSE_MS = 5000 };

// Other names of the same file have changed with it, and the kernel speaks of one alone.
void links_look(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->links_looked_ms != 0 && now - folder->links_looked_ms < LINKS_PAUSE_MS) {
        folder->links_due_ms = folder->links_looked_ms + LINKS_PAUSE_MS;
        return;
    }
    folder->links_looked_ms = now;
    folder->links_due_ms = 0;
    scan_start(folder);
}

void links_tick(struct folder *folder)
{
    if (folder->links_due_ms != 0 && folder->engine->now_ms >= folder->links_due_ms)
        links_look(folder);
}
