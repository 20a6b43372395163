// SPDX-License-Identifier: MIT
//
// What a peer may make us hold. Every limit is checked where something comes in, so that whatever
// the index has can be encoded again, and a round can always be served: the sums at the end show
// why.
#include <stdlib.h>

#include "agent/core/heads.h"
#include "agent/core/incarnation.h"
#include "agent/sync/engine_priv.h"

enum {
    PAIR_BYTES = 18, // of a vector or of dots
    MARK_BYTES = 103,
    // Besides what is counted by entries: path, origin, target and unknown keys, and all the rest.
    VERSION_TEXTS_BYTES = 4 * (PROTO_STRING_BYTES_MAX + 8) + 512,
    VERSION_BYTES =
        VERSION_TEXTS_BYTES +
        PAIR_BYTES * (PROTO_OWNERS_TRUSTED_MAX + PROTO_ITEM_DOTS_MAX + PROTO_ITEM_BUNDLES_MAX),
    HEAD_SLACK_BYTES = 512, // what a copy of a head may be larger than the head
    ENVELOPE_BYTES = PROTO_STRING_BYTES_MAX + 4096,
};

// A page is full at three quarters; the item that fills it and the bundle it belongs to still go.
_Static_assert(PROTO_PAGE_BYTES_MAX * 3 / 4 + PROTO_ITEM_BYTES_MAX + VERSION_BYTES +
                       PROTO_BUNDLE_BYTES_MAX <=
                   PROTO_PAGE_BYTES_HARD,
               "a bundle fits into a page");
_Static_assert(PROTO_PAGE_BYTES_HARD + MARK_BYTES * PROTO_OWNERS_TRUSTED_MAX + ENVELOPE_BYTES <=
                   PROTO_MESSAGE_BYTES_MAX,
               "a page fits into a message with all marks there are");
_Static_assert(PROTO_PAGE_BYTES_MAX + MARK_BYTES * PROTO_OWNERS_TRUSTED_MAX +
                       PROTO_RIDE_TOTAL_BYTES_MAX + ENVELOPE_BYTES <=
                   PROTO_MESSAGE_BYTES_MAX,
               "a push fits into a message");
_Static_assert(MARK_BYTES *EPOCH_MARKS_MAX +
                       (MARK_BYTES + 3 * PAIR_BYTES) * PROTO_OWNERS_TRUSTED_MAX + ENVELOPE_BYTES <=
                   PROTO_MESSAGE_BYTES_MAX,
               "an offer fits into a message");
_Static_assert(PAIR_BYTES *PROTO_OWNERS_TRUSTED_MAX + ENVELOPE_BYTES +
                       PROTO_BLOCKED_MAX * (PROTO_PATH_BYTES_MAX + PROTO_NAME_BYTES_MAX + 16 +
                                            PAIR_BYTES * 2 * PROTO_ITEM_DOTS_MAX) <=
                   PROTO_MESSAGE_BYTES_MAX,
               "blocked items fit into a message");
// Each head makes at most one copy, and their result has the join of all vectors.
_Static_assert(PROTO_ITEM_DOTS_MAX + PROTO_HEADS_SPARE < PROTO_BUNDLE_MAX,
               "what an item comes to is a bundle");
_Static_assert(PROTO_ITEM_BYTES_MAX + HEAD_SLACK_BYTES * PROTO_ITEM_DOTS_MAX + VERSION_BYTES <=
                   PROTO_BUNDLE_BYTES_MAX,
               "what an item comes to is a bundle, by bytes");
_Static_assert(PROTO_OWNERS_TRUSTED_MAX * 2 <= PROTO_VV_ENTRIES_MAX,
               "a vector of all incarnations, with room for our own lives");

const char *item_over(const struct item *item)
{
    size_t dots = 0, bundles = 0, bytes = 0;
    if (heads_too_many(item)) return "more heads than incarnations";
    for (uint32_t i = 0; i < item->head_count; i++) {
        dots += item->heads[i].dots.count;
        bundles += item->heads[i].bundle.count;
    }
    if (dots > PROTO_ITEM_DOTS_MAX || bundles > PROTO_ITEM_BUNDLES_MAX)
        return "too many concurrent versions of an item";
    if (item->head_count < 2) return NULL; // one was bounded when it came
    for (uint32_t i = 0; i < item->head_count; i++)
        bytes += version_encoded_size(&item->heads[i]);
    return bytes > PROTO_ITEM_BYTES_MAX ? "the versions of an item are too large" : NULL;
}

// ---- bundles

struct membership {
    struct dot bundle;
    size_t bytes;
};

static int by_bundle(const void *a, const void *b)
{
    const struct membership *x = a, *y = b;
    if (x->bundle.inc != y->bundle.inc) return x->bundle.inc < y->bundle.inc ? -1 : 1;
    if (x->bundle.counter == y->bundle.counter) return 0;
    return x->bundle.counter < y->bundle.counter ? -1 : 1;
}

static bool bundles_fit(struct arena *arena, const struct versions *versions)
{
    size_t total = 0, count = 0;
    for (uint32_t i = 0; i < versions->count; i++)
        total += versions->entries[i].bundle.count;
    if (total == 0) return true;
    struct membership *all = arena_alloc(arena, total, sizeof *all);
    for (uint32_t i = 0; i < versions->count; i++) {
        const struct version *v = &versions->entries[i];
        size_t bytes = v->bundle.count > 0 ? version_encoded_size(v) : 0;
        for (uint32_t b = 0; b < v->bundle.count; b++)
            all[count++] = (struct membership){.bundle = v->bundle.entries[b], .bytes = bytes};
    }
    qsort(all, total, sizeof *all, by_bundle);
    size_t members = 0, bytes = 0;
    for (size_t i = 0; i < total; i++) {
        bool same = i > 0 && by_bundle(&all[i - 1], &all[i]) == 0;
        members = same ? members + 1 : 1;
        bytes = (same ? bytes : 0) + all[i].bytes;
        if (members > PROTO_BUNDLE_MAX || bytes > PROTO_BUNDLE_BYTES_MAX) return false;
    }
    return true;
}

// ---- versions as they come in

static const char *version_over(const struct version *v)
{
    if (v->value.kind == KIND_FILE && v->value.size > PROTO_FILE_BYTES_MAX)
        return "a file larger than any";
    if (v->dots.count > PROTO_ITEM_DOTS_MAX || v->bundle.count > PROTO_ITEM_BUNDLES_MAX)
        return "a version with too many dots";
    if (v->value.kind == KIND_SYMLINK && !symlink_is_honest(&v->value))
        return "a link whose content id is not its target's";
    // What is made here of nothing would never be it.
    if (v->value.kind == KIND_FILE && v->value.size == 0 && !is_id_of_nothing(&v->value.content))
        return "an empty file whose content id is not that of nothing";
    return NULL;
}

// False: the session was ended. Counters first, one version at a time: only then is every vector
// one of known incarnations, and of bounded length.
bool versions_bounded(struct share *share, const struct versions *versions)
{
    for (uint32_t i = 0; i < versions->count; i++) {
        const char *what = version_over(&versions->entries[i]);
        if (what != NULL) {
            session_refuse(share->session, what);
            return false;
        }
        if (!counters_marked(share, versions->entries[i].vv)) return false;
    }
    if (bundles_fit(share->folder->engine->scratch, versions)) return true;
    session_refuse(share->session, "a bundle that is too large");
    return false;
}
