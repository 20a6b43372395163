// SPDX-License-Identifier: MIT
//
// How often a path that is written again and again is looked at: a log or a growing file is not
// hashed for ever.
#include "agent/sync/engine_priv.h"

enum {
    RATE_WINDOW_MS = 10 * 1000,
    RATE_MIN_MS = 2000,
    PUBLISHED_MAX = 1024,
    TRIM_EVERY_MS = 1000,
};

static int64_t rate_wait(const struct published *p)
{
    int64_t wait = 10 * p->hash_ms;
    if (wait < RATE_MIN_MS) return RATE_MIN_MS;
    return wait > RATE_MAX_MS ? RATE_MAX_MS : wait;
}

int64_t dirty_publish_delay(struct folder *folder, struct slice path)
{
    const struct published *p = map_get(folder->published, path);
    int64_t now = folder->engine->now_ms;
    if (p == NULL || !p->often) return 0;
    int64_t due = p->times[2] + rate_wait(p);
    return due > now ? due - now : 0;
}

static void published_trim(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (map_count(folder->published) < PUBLISHED_MAX || now < folder->published_trim_ms) return;
    folder->published_trim_ms = now + TRIM_EVERY_MS;
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->published, &at, &key, &value)) {
        struct published *p = value;
        if (now - p->times[2] <= RATE_WINDOW_MS) continue;
        (void)map_remove(folder->published, key);
        mem_free(&p);
    }
}

void dirty_note_published(struct folder *folder, struct slice path, uint64_t hash_ms)
{
    struct published *p = map_get(folder->published, path);
    if (p == NULL) {
        published_trim(folder);
        if (map_count(folder->published) >= PUBLISHED_MAX) return;
        p = mem_zalloc(1, sizeof *p);
        (void)map_put(folder->published, path, p);
    }
    p->times[0] = p->times[1];
    p->times[1] = p->times[2];
    p->times[2] = folder->engine->now_ms;
    bool three = p->times[0] != 0 && p->times[2] - p->times[0] <= RATE_WINDOW_MS;
    bool no_pause = p->times[2] - p->times[1] <= rate_wait(p) + RATE_WINDOW_MS;
    p->often = three || (p->often && no_pause);
    p->hash_ms = (int64_t)hash_ms;
}
