// SPDX-License-Identifier: MIT
//
// agent/base/map — a hash map from byte strings to pointers.
//
// The map copies keys and borrows values. Order of iteration is insertion order as long as nothing
// is removed, and in any case a function of the operations alone, never of addresses or a seed, so
// that a simulated run can be replayed.
#ifndef AGENT_BASE_MAP_H
#define AGENT_BASE_MAP_H

#include "agent/base/bytes.h"

struct map;

struct map *map_new(void);
void map_destroy(struct map **map);
size_t map_count(const struct map *map);
void *map_get(const struct map *map, struct slice key); // NULL if absent
// Returns the value that was there before, or NULL; the new one must not be NULL.
void *map_put(struct map *map, struct slice key, void *value);
void map_add(struct map *map, struct slice key); // of a set: map_get is NULL for what is not in it
void *map_remove(struct map *map, struct slice key); // returns the value or NULL
void map_clear(struct map *map);                     // values are the caller's

// Iteration: for (size_t at = 0; map_next(map, &at, &key, &value);) The entry just returned may be
// removed inside the loop; nothing may be added.
bool map_next(const struct map *map, size_t *at, struct slice *out_key, void **out_value);

#endif
