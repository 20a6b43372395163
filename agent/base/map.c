// SPDX-License-Identifier: MIT
//
// Entries stand in an array in the order they were added; a table of entry numbers, probed
// linearly, finds them by hash:
//
//     slots    [ . 2 . . 1 . 3 . ]      number + 1, 0 = never used
//     entries  [ a | b | c ]            a removed entry stays as a gap (value NULL)
//
// A gap keeps its slot, so probing needs no tombstones; both arrays are rebuilt without gaps when
// the entries are full. That happens in map_put only, which is why removal is safe in a loop.
#include "agent/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"

enum { MAP_CAPACITY_MIN = 8 };

struct entry {
    uint64_t hash;
    uint8_t *key;
    size_t key_size;
    void *value; // NULL: removed
};

struct map {
    struct entry *entries;
    uint32_t *slots;
    uint32_t capacity; // entries; the slots are twice as many; a power of two, or 0
    uint32_t used;     // entries with gaps
    uint32_t count;    // without
};

struct map *map_new(void)
{
    return mem_zalloc(1, sizeof(struct map));
}

void map_destroy(struct map **map)
{
    if (!*map) return;
    for (uint32_t i = 0; i < (*map)->used; i++)
        free((*map)->entries[i].key);
    free((*map)->entries);
    free((*map)->slots);
    free(*map);
    *map = NULL;
}

size_t map_count(const struct map *map)
{
    return map->count;
}

// Eight bytes a step, folded by multiplication. Without a seed, because runs must replay alike.
static uint64_t hash_bytes(struct slice key)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = (uint64_t)key.size * factor;
    for (size_t at = 0; at < key.size; at += 8) {
        uint64_t word = 0;
        size_t left = key.size - at;
        memcpy(&word, key.data + at, left < 8 ? left : 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    hash *= factor;
    return hash ^ (hash >> 32);
}

// NULL if absent.
static struct entry *find(const struct map *map, struct slice key, uint64_t hash)
{
    if (map->count == 0) return NULL;
    uint32_t mask = map->capacity * 2 - 1;
    for (uint32_t slot = (uint32_t)hash & mask; map->slots[slot]; slot = (slot + 1) & mask) {
        struct entry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->value && entry->hash == hash &&
            slice_equal(key, slice_of(entry->key, entry->key_size))) {
            return entry;
        }
    }
    return NULL;
}

void *map_get(const struct map *map, struct slice key)
{
    struct entry *entry = find(map, key, hash_bytes(key));
    return entry ? entry->value : NULL;
}

static void slot_take(struct map *map, uint32_t number)
{
    uint32_t mask = map->capacity * 2 - 1;
    uint32_t slot = (uint32_t)map->entries[number].hash & mask;
    while (map->slots[slot])
        slot = (slot + 1) & mask;
    map->slots[slot] = number + 1;
}

// At least half of the new entries are free, so the next rebuild is as many puts away.
static void rebuild(struct map *map)
{
    uint32_t capacity = MAP_CAPACITY_MIN;
    while (capacity / 2 < map->count) {
        CHECK(capacity <= UINT32_MAX / 4);
        capacity *= 2;
    }
    struct entry *old = map->entries;
    uint32_t old_used = map->used;
    free(map->slots);
    map->entries = mem_zalloc(capacity, sizeof *map->entries);
    map->slots = mem_zalloc((size_t)capacity * 2, sizeof *map->slots);
    map->capacity = capacity;
    map->used = 0;
    for (uint32_t i = 0; i < old_used; i++) {
        if (!old[i].value) continue;
        map->entries[map->used] = old[i];
        slot_take(map, map->used++);
    }
    free(old);
}

void *map_put(struct map *map, struct slice key, void *value)
{
    CHECK(value != NULL);
    uint64_t hash = hash_bytes(key);
    struct entry *present = find(map, key, hash);
    if (present) {
        void *old = present->value;
        present->value = value;
        return old;
    }
    if (map->used == map->capacity) rebuild(map);
    struct entry *entry = &map->entries[map->used];
    *entry = (struct entry){.hash = hash, .key_size = key.size, .value = value};
    entry->key = mem_alloc(key.size);
    if (key.size) memcpy(entry->key, key.data, key.size);
    slot_take(map, map->used++);
    map->count++;
    return NULL;
}

void map_add(struct map *map, struct slice key)
{
    (void)map_put(map, key, map);
}

void *map_remove(struct map *map, struct slice key)
{
    struct entry *entry = find(map, key, hash_bytes(key));
    if (!entry) return NULL;
    void *value = entry->value;
    free(entry->key);
    entry->key = NULL;
    entry->value = NULL;
    map->count--;
    return value;
}

bool map_next(const struct map *map, size_t *at, struct slice *out_key, void **out_value)
{
    while (*at < map->used) {
        const struct entry *entry = &map->entries[(*at)++];
        if (!entry->value) continue;
        *out_key = slice_of(entry->key, entry->key_size);
        *out_value = entry->value;
        return true;
    }
    return false;
}

void map_clear(struct map *map)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(map, &at, &key, &value))
        (void)map_remove(map, key);
}
