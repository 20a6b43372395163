// SPDX-License-Identifier: MIT
//
// Files that look like secrets and are therefore not reported: named for status, bounded in memory.
#include "agent/fs/disk_priv.h"

enum { HELD_NAMES_MAX = 1024 };

// Only presence counts; the map wants some pointer.
static void *present(struct root *root)
{
    return root;
}

void held_put(struct disk *disk, struct root *root, struct slice path)
{
    pthread_mutex_lock(&disk->lock);
    if (map_get(root->held, path) == NULL) {
        if (map_count(root->held) < HELD_NAMES_MAX)
            map_put(root->held, path, present(root));
        else
            root->held_more++;
    }
    pthread_mutex_unlock(&disk->lock);
}

void held_remove(struct disk *disk, struct root *root, struct slice path)
{
    pthread_mutex_lock(&disk->lock);
    map_remove(root->held, path);
    pthread_mutex_unlock(&disk->lock);
}

void held_clear(struct disk *disk, struct root *root)
{
    pthread_mutex_lock(&disk->lock);
    map_destroy(&root->held);
    root->held = map_new();
    root->held_more = 0;
    pthread_mutex_unlock(&disk->lock);
}

uint32_t disk_held(struct disk *disk, uint32_t folder, struct arena *arena, uint32_t max,
                   struct slice *out)
{
    struct grip grip;
    if (grip_take_unchecked(disk, folder, &grip) != ERR_OK) return 0;
    pthread_mutex_lock(&disk->lock);
    struct slice key;
    void *value;
    uint32_t count = 0;
    for (size_t at = 0; count < max && map_next(grip.root->held, &at, &key, &value); count++) {
        out[count] = arena_copy(arena, key);
    }
    uint32_t total = (uint32_t)map_count(grip.root->held) + grip.root->held_more;
    pthread_mutex_unlock(&disk->lock);
    grip_drop(&grip);
    return total;
}
