// SPDX-License-Identifier: MIT
#include <string.h>

#include "discovery/places_priv.h"

bool place_key_same(const struct place_key *a, const struct place_key *b)
{
    return a->type == b->type && a->interface == b->interface && a->protocol == b->protocol &&
           strcmp(a->name, b->name) == 0;
}

static struct places_entry *find(struct places *places, const struct place_key *key)
{
    for (uint32_t i = 0; i < places->count; i++) {
        if (place_key_same(&places->entries[i].key, key)) return &places->entries[i];
    }
    return NULL;
}

static bool same_tag(const struct discovery_place *a, const struct discovery_place *b)
{
    return memcmp(a->tag.bytes, b->tag.bytes, sizeof a->tag.bytes) == 0;
}

static bool place_same(const struct discovery_place *a, const struct discovery_place *b)
{
    return same_tag(a, b) && strcmp(a->host, b->host) == 0 && strcmp(a->address, b->address) == 0;
}

static bool has_room(const struct places *places, const struct discovery_place *place)
{
    uint32_t alike = 0;
    for (uint32_t i = 0; i < places->count; i++) {
        const struct discovery_place *other = &places->entries[i].place;
        if (other->type == place->type && same_tag(other, place)) alike++;
    }
    uint32_t max = place->type == DISCOVERY_PAIRING ? PLACES_PAIRING_MAX : PLACES_TAG_MAX;
    return alike < max && places->count < DISCOVERY_PLACES_MAX;
}

enum places_change places_put(struct places *places, const struct place_key *key,
                              const struct discovery_place *place)
{
    struct places_entry *entry = find(places, key);
    if (entry != NULL) {
        entry->stale = false;
        if (place_same(&entry->place, place)) return PLACES_SAME;
        entry->place = *place;
        return PLACES_CHANGED;
    }
    if (!has_room(places, place)) return PLACES_FULL;
    places->entries[places->count++] = (struct places_entry){.key = *key, .place = *place};
    return PLACES_CHANGED;
}

// The order is that of being found.
static void drop(struct places *places, uint32_t at)
{
    size_t behind = --places->count - at;
    memmove(&places->entries[at], &places->entries[at + 1], behind * sizeof *places->entries);
}

bool places_remove(struct places *places, const struct place_key *key)
{
    struct places_entry *entry = find(places, key);
    if (entry == NULL) return false;
    drop(places, (uint32_t)(entry - places->entries));
    return true;
}

void places_stale(struct places *places, enum discovery_type type)
{
    for (uint32_t i = 0; i < places->count; i++)
        if (places->entries[i].key.type == type) places->entries[i].stale = true;
}

bool places_sweep(struct places *places, enum discovery_type type)
{
    uint32_t before = places->count;
    for (uint32_t i = places->count; i-- > 0;) {
        const struct places_entry *entry = &places->entries[i];
        if (entry->key.type == type && entry->stale) drop(places, i);
    }
    return places->count != before;
}
