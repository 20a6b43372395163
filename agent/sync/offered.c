// SPDX-License-Identifier: MIT
//
// What each peer offers, for people: also what is not here, or not shared with it.
#include <string.h>

#include "agent/sync/engine_priv.h"

struct offered {
    struct folder_id id;
    char *name;
    uint64_t items, bytes;
    struct offered *next;
};

static void offered_remove(struct session *session, struct offered **at)
{
    struct offered *one = *at;
    *at = one->next;
    session->offer_count--;
    mem_free(&one->name);
    mem_free(&one);
}

void offered_forget(struct session *session)
{
    while (session->offers != NULL)
        offered_remove(session, &session->offers);
}

// A device has one folder of a name: one that has taken another's id is the same one.
static bool is_same(const struct offered *one, const struct msg_offer *offer)
{
    return folder_id_equal(one->id, offer->folder) ||
           slice_equal(slice_text(one->name), offer->name);
}

// More than the protocol allows is not shown.
void offered_note(struct session *session, const struct msg_offer *offer)
{
    struct offered **at = &session->offers;
    while (*at != NULL && !is_same(*at, offer))
        at = &(*at)->next;
    if (*at != NULL && offer->state == OFFER_GONE) offered_remove(session, at);
    if (offer->state == OFFER_GONE) return;
    if (*at == NULL && session->offer_count == PROTO_FOLDERS_MAX) return;
    if (*at == NULL) {
        *at = mem_zalloc(1, sizeof **at);
        session->offer_count++;
    }
    mem_free(&(*at)->name);
    (*at)->name = mem_alloc(offer->name.size + 1);
    memcpy((*at)->name, offer->name.data, offer->name.size);
    (*at)->name[offer->name.size] = 0;
    (*at)->id = offer->folder;
    (*at)->items = sum_shown(offer->items);
    (*at)->bytes = sum_shown(offer->bytes);
}

uint32_t engine_offers(struct engine *engine, struct arena *arena, struct offer_seen **out)
{
    uint32_t count = 0, max = 0;
    for (const struct peer *p = engine->peers; p != NULL; p = p->next)
        max += p->in_use != NULL ? p->in_use->offer_count : 0;
    *out = arena_alloc(arena, max + 1U, sizeof **out);
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        const struct offered *one = p->in_use != NULL ? p->in_use->offers : NULL;
        for (; one != NULL; one = one->next) {
            const struct folder *here = folder_by_id(engine, one->id);
            if (here == NULL) here = folder_by_name(engine, slice_text(one->name));
            if (here != NULL && folder_shared_with(here, p->device)) continue;
            (*out)[count++] = (struct offer_seen){.name = arena_copy(arena, slice_text(one->name)),
                                                  .peer = arena_copy(arena, slice_text(p->name)),
                                                  .items = one->items,
                                                  .bytes = one->bytes,
                                                  .here = here != NULL};
        }
    }
    return count;
}
