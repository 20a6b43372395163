// SPDX-License-Identifier: MIT
//
// Owners: whose an incarnation is. Its device says so itself, or another does; then it is a claim,
// and becomes an owner by a mark that the device has signed: anybody can make up lives of a device,
// and the index keeps what it has.
#include <string.h>

#include "agent/base/check.h"
#include "agent/core/incarnation.h"
#include "agent/sync/owners_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

static bool owner_fits(const struct folder *folder, const struct owner *owner)
{
    return owner->inc != 0 &&
           incarnation_of(owner->device, folder->row.id, owner->nonce) == owner->inc;
}

// Strangers' incarnations must leave room for those of devices that are trusted here, and one
// device's for those of others.
static const char *room_fault(struct folder *folder, const struct owner *owner, uint32_t more,
                              bool by_itself)
{
    const struct index_port *index = INDEX(folder);
    struct engine *engine = folder->engine;
    bool ours = device_equal(owner->device, engine->o.device);
    uint32_t max = ours || peer_find(engine, owner->device) != NULL ? PROTO_OWNERS_TRUSTED_MAX
                                                                    : PROTO_OWNERS_MAX;
    if (folder->owner_count + more >= max) return "too many incarnations of a folder";
    if (!by_itself) return NULL;
    uint32_t count = index->owner_count_of(index->self, folder->number, owner->device);
    return count + more < PROTO_OWNERS_DEVICE_MAX ? NULL : "too many incarnations of a device";
}

static bool owner_get(struct folder *folder, uint64_t inc, struct owner *out)
{
    const struct index_port *index = INDEX(folder);
    return index->owner_get(index->self, folder->engine->scratch, folder->number, inc, out);
}

static bool owners_put(struct session *session, struct folder *folder, const struct owner **owners,
                       uint32_t count)
{
    const struct index_port *index = INDEX(folder);
    if (count == 0) return true;
    txn_begin(folder);
    for (uint32_t i = 0; i < count; i++)
        index->owner_put(index->self, folder->number, owners[i]);
    bool kept = txn_end(folder) == ERR_OK;
    folder->owner_count = index->owner_count(index->self, folder->number);
    if (!kept) session_end(session, BYE_STOPPING, "the index cannot be written");
    return kept;
}

// ---- claims

static struct claim *claim_find(const struct share *share, uint64_t inc)
{
    for (uint32_t i = 0; share != NULL && i < share->claim_count; i++) {
        if (share->claims[i].owner.inc == inc) return &share->claims[i];
    }
    return NULL;
}

static bool claim_add(struct share *share, const struct owner *owner)
{
    if (claim_find(share, owner->inc) != NULL) return true;
    if (share->claim_count == PROTO_OWNERS_TRUSTED_MAX) return false;
    if (share->claim_count == share->claim_capacity) {
        uint32_t grown = share->claim_count == 0 ? 8 : 2 * share->claim_count;
        share->claims = mem_realloc(share->claims, grown * sizeof *share->claims);
        share->claim_capacity = grown;
    }
    struct claim *claim = &share->claims[share->claim_count++];
    *claim = (struct claim){.owner = *owner, .name = mem_alloc(owner->name.size + 1)};
    if (owner->name.size > 0) memcpy(claim->name, owner->name.data, owner->name.size);
    claim->owner.name = slice_of(claim->name, owner->name.size);
    return true;
}

static void claim_drop(struct share *share, uint64_t inc)
{
    struct claim *claim = claim_find(share, inc);
    if (claim == NULL) return;
    mem_free(&claim->name);
    *claim = share->claims[--share->claim_count];
}

void claims_clear(struct share *share)
{
    while (share->claim_count > 0)
        claim_drop(share, share->claims[0].owner.inc);
    mem_free(&share->claims);
    share->claim_capacity = 0;
}

bool owner_told(struct session *session, struct folder *folder, uint64_t inc, struct owner *out)
{
    if (owner_get(folder, inc, out)) return true;
    const struct claim *claim = claim_find(share_find(session, folder), inc);
    if (claim != NULL) *out = claim->owner;
    return claim != NULL && owner_fits(folder, out); // the folder may have another id by now
}

bool owners_confirm(struct session *session, struct folder *folder, struct vv incs)
{
    struct arena *arena = session->engine->scratch;
    struct share *share = share_find(session, folder);
    const struct owner **fresh = arena_alloc(arena, incs.count + 1U, sizeof *fresh);
    struct owner known;
    uint32_t more = 0;
    for (uint32_t i = 0; i < incs.count; i++) {
        if (owner_get(folder, incs.entries[i].inc, &known)) continue;
        const struct claim *claim = claim_find(share, incs.entries[i].inc);
        if (claim == NULL) { // it was in the index a moment ago
            session_end(session, BYE_STOPPING, "the index cannot be read");
            return false;
        }
        const char *what = room_fault(folder, &claim->owner, more, false);
        if (what != NULL) {
            session_refuse(session, what);
            return false;
        }
        fresh[more++] = &claim->owner;
    }
    if (!owners_put(session, folder, fresh, more)) return false;
    for (uint32_t i = 0; i < incs.count; i++)
        claim_drop(share, incs.entries[i].inc);
    return true;
}

// ---- OWNERS

// NULL: it is taken. What a device says of itself is kept at once.
static const char *owner_take(struct share *share, const struct owner *owner,
                              const struct owner **fresh, uint32_t *more)
{
    struct folder *folder = share->folder;
    struct owner known;
    if (owner_get(folder, owner->inc, &known)) return NULL;
    if (!owner_fits(folder, owner)) return "an incarnation that is not its device's";
    if (!device_equal(owner->device, share->session->peer->device))
        return claim_add(share, owner) ? NULL : "too many incarnations of a folder";
    const char *what = room_fault(folder, owner, *more, true);
    if (what == NULL) fresh[(*more)++] = owner;
    return what;
}

bool owners_learn(struct session *session, struct folder *folder, const struct owner *owners,
                  uint32_t count)
{
    struct share *share = share_get(session, folder);
    const struct owner **fresh = arena_alloc(session->engine->scratch, count + 1U, sizeof *fresh);
    uint32_t more = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *what = owner_take(share, &owners[i], fresh, &more);
        if (what == NULL) continue;
        session_refuse(session, what);
        return false;
    }
    return owners_put(session, folder, fresh, more);
}

bool owners_handle(struct session *session, const struct msg_owners *owners)
{
    struct folder *folder = folder_by_id(session->engine, owners->folder);
    if (folder == NULL || !folder_shared_with(folder, session->peer->device)) return true;
    return owners_learn(session, folder, owners->owners, owners->count);
}
