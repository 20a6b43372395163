// SPDX-License-Identifier: MIT
//
// What status shows, as values: how far each folder and each peer is, and what is wrong.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    ERRORS_MAX = 200,
    OWN_ERRORS_MAX = RULES_FILES + 1 + 2, // rules, collisions, and of what is held two
    NEEDS_MAX = 256,
    CONFLICTS_MAX = 10000,
    CLONE_SHOWN_MS = 300 * 1000
};

const char *folder_state_text(enum folder_state state)
{
    static const char *const texts[] = {"synced",  "paused",   "pending-out", "pending-in",
                                        "syncing", "conflict", "held",        "error"};
    CHECK((unsigned)state < sizeof texts / sizeof texts[0]);
    return texts[state];
}

const char *status_hint(enum blocked reason)
{
    static const char *const hints[BLOCKED_COUNT] = {
        [BLOCKED_NO_SPACE] = "make room on this disk; it is tried again every 10 s",
        [BLOCKED_PERMISSION] = "allow this user to write there",
        [BLOCKED_IN_THE_WAY] = "move the file that has the name away",
        [BLOCKED_NOT_EMPTY] = "remove what is left in the directory, or keep it",
        [BLOCKED_IO] = "check the disk; it is tried again every 10 s",
        [BLOCKED_BUSY] = "it is tried again within a minute",
        [BLOCKED_NO_SOURCE] = "connect a peer that has the content",
        [BLOCKED_NAME_TOO_LONG] = "rename it where it was made",
        [BLOCKED_IGNORED] = "left out here by a rule",
        [BLOCKED_SEND_ONLY] = "the folder is send-only: cfgsync-agent folder override NAME",
        [BLOCKED_CHANGED_HERE] = "the folder is receive-only: cfgsync-agent folder reset NAME",
    };
    CHECK((unsigned)reason < BLOCKED_COUNT);
    return hints[reason] != NULL ? hints[reason] : "";
}

// One of the things that there may be very many of; NULL: enough are shown.
static struct status_error *error_add(struct folder_status *out)
{
    return out->error_count < ERRORS_MAX ? &out->errors[out->error_count++] : NULL;
}

// There is always room for what the folder as a whole suffers from.
static struct status_error *error_own(struct folder_status *out)
{
    CHECK(out->error_count < ERRORS_MAX + OWN_ERRORS_MAX);
    return &out->errors[out->error_count++];
}

static void blocked_errors(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    if (folder->row.blocked == 0) return;
    struct slice *paths = arena_alloc(arena, ERRORS_MAX, sizeof *paths);
    uint32_t count = 0;
    // One after the other: of what is left out there may be very many. That comes last.
    for (unsigned i = 1; i <= BLOCKED_COUNT; i++) {
        unsigned reason = i < BLOCKED_COUNT ? i : BLOCKED_IGNORED;
        if (i < BLOCKED_COUNT && !blocked_minded((enum blocked)i)) continue;
        count += INDEX(folder)->blocked(INDEX(folder)->self, arena, folder->number,
                                        (enum blocked)reason, 0, ERRORS_MAX - count, paths + count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, paths[i], &item);
        struct status_error *e = error_add(out);
        if (e == NULL) return;
        e->code = arena_printf(arena, "blocked:%s", blocked_text(item.blocked));
        e->path = paths[i];
        e->message = "cannot be put in place here";
        e->hint = status_hint(item.blocked);
        if (item.blocked != BLOCKED_IGNORED) out->blocked++;
    }
}

static void problem_errors(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    size_t at = 0;
    struct slice path;
    void *problem;
    while (map_next(folder->problems, &at, &path, &problem)) {
        enum blocked blocked = problem_blocked(problem);
        struct status_error *e = error_add(out);
        if (blocked != BLOCKED_NONE) out->blocked++;
        if (e == NULL) continue;
        e->code = blocked != BLOCKED_NONE ? arena_printf(arena, "blocked:%s", blocked_text(blocked))
                                          : "not-synced";
        e->path = arena_copy(arena, path);
        e->message = arena_text(arena, slice_text(problem_what(problem)));
        e->hint = status_hint(blocked);
    }
}

static void rules_errors(const struct folder *folder, struct arena *arena,
                         struct folder_status *out)
{
    for (uint32_t i = 0; i < folder->rules_fault_count; i++) {
        const struct rules_fault *fault = &folder->rules_faults[i];
        struct status_error *e = error_own(out);
        e->code = "rules";
        e->path = slice_text(fault->file);
        e->message = fault->line > 0 ? arena_printf(arena, "line %u of %s %s", fault->line,
                                                    fault->file, fault->what)
                                     : arena_printf(arena, "%s %s", fault->file, fault->what);
        e->hint = folder->root == ROOT_MISSING
                      ? "correct it: to go on without it could publish what it leaves out"
                      : "the rules of before stay in force until it is corrected";
    }
}

static void collision_errors(const struct folder *folder, struct arena *arena,
                             struct folder_status *out)
{
    if (folder->collisions == 0) return;
    struct status_error *e = error_own(out);
    e->code = "dot-collision";
    e->path = arena_copy(arena, slice_text(folder->name));
    e->message = "an index was restored or copied without being noticed; both versions are kept";
    e->hint = "look for conflicts; cfgsync-agent verify";
}

// Of the last minutes: both sides of it try again and again.
static void clone_errors(const struct engine *engine, struct arena *arena,
                         struct engine_status *out)
{
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        bool recent = p->clone_text != NULL && engine->now_ms - p->clone_ms < CLONE_SHOWN_MS;
        if (!recent) continue;
        out->errors[out->error_count++] = (struct status_error){
            .code = "clone",
            .path = arena_copy(arena, slice_text(p->name)),
            .message = arena_text(arena, slice_text(p->clone_text)),
            .hint = "stop one of the two; if both shall go on: cfgsync-agent rekey on the copy",
        };
    }
}

static bool any_pending(const struct folder *folder, const char **out_peer)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share == NULL || !share->pending) continue;
        *out_peer = p->name;
        return true;
    }
    return false;
}

static uint64_t conflict_count(struct folder *folder, struct arena *arena)
{
    struct slice dir = slice_text(PATH_CONFLICTS);
    if (!INDEX(folder)->live_below(INDEX(folder)->self, folder->number, dir)) return 0;
    struct slice *paths = arena_alloc(arena, CONFLICTS_MAX, sizeof *paths);
    return INDEX(folder)->live_paths_below(INDEX(folder)->self, arena, folder->number, dir,
                                           CONFLICTS_MAX, paths);
}

static void owed_to(struct folder *folder, const struct peer *peer, uint64_t *out_changes,
                    uint64_t *out_bytes)
{
    const struct bond *bond = bond_get(folder, peer->device);
    INDEX(folder)->owed(INDEX(folder)->self, folder->number, bond->k.v, 0, out_changes, out_bytes);
    *out_changes += bond->need_changes;
    *out_bytes += bond->need_bytes;
}

// What is needed here and is on the peer's disk. Of many needs some are looked at: if it has one of
// these, all are put down to it.
static void owed_by(struct folder *folder, const struct peer *peer, struct arena *arena,
                    uint64_t *out_changes, uint64_t *out_bytes)
{
    if (folder->row.needs == 0) return;
    const struct bond *bond = bond_get(folder, peer->device);
    struct slice *paths = arena_alloc(arena, NEEDS_MAX, sizeof *paths);
    uint32_t count = INDEX(folder)->needs_after(INDEX(folder)->self, arena, folder->number,
                                                slice_text(""), true, NEEDS_MAX, paths);
    uint64_t changes = 0, bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, paths[i], &item);
        for (uint32_t h = 0; h < item.head_count; h++) {
            if (!dots_covered(item.heads[h].dots, bond->a.v)) continue;
            changes++;
            bytes += item.heads[h].value.size;
            break;
        }
    }
    bool all = changes > 0 && folder->row.needs > count;
    *out_changes += all ? folder->row.needs : changes;
    *out_bytes += all ? folder->row.need_bytes : bytes;
}

// What nobody minds comes last in its list, but for deletions, and counts for nothing.
static bool peer_blocked(struct folder *folder, struct arena *arena, const struct peer *peer)
{
    const struct bond *bond = bond_get(folder, peer->device);
    struct msg_applied said;
    if (bond->blocked_total == 0) return false;
    if (!bond_blocked(arena, bond, &said)) return true;
    bool minded = said.blocked_count == 0;
    for (uint32_t i = 0; i < said.blocked_count && !minded; i++)
        minded = applied_minded(said.blocked[i].reason);
    return minded;
}

static bool peers_blocked(struct folder *folder, struct arena *arena)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        if (folder_shared_with(folder, p->device) && peer_blocked(folder, arena, p)) return true;
    }
    return false;
}

static void held_error(struct folder *folder, struct arena *arena, const char *code,
                       const char *message, struct folder_status *out)
{
    struct status_error *e = error_own(out);
    e->code = code;
    e->path = arena_copy(arena, slice_text(folder->path));
    e->message = message;
    e->hint = arena_printf(arena,
                           "cfgsync-agent plan %s shows them; approve %s lets them go on, revert "
                           "%s takes them back",
                           folder->name, folder->name, folder->name);
}

static void held_errors(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    unsigned long long here = brake_held(folder), of_others = brake_in_held(folder);
    out->held = here + of_others;
    if (here > 0)
        held_error(folder, arena, out->code,
                   arena_printf(arena, "%llu changes found here are not published", here), out);
    if (of_others > 0)
        held_error(
            folder, arena, brake_in_text(folder),
            arena_printf(arena, "%llu changes of other devices are not made here", of_others), out);
}

// What waits for a person at a peer is shown here, too: perhaps the change is ours.
static void held_there(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        for (int i = 0; share != NULL && share->joined && i < 2; i++) {
            const struct peer_hold *hold = &share->holds[i];
            struct status_error *e = hold->changes > 0 ? error_add(out) : NULL;
            if (e == NULL) continue;
            e->code = "held-there";
            e->path = arena_copy(arena, slice_text(folder->name));
            e->message = arena_printf(arena, "%s holds %llu changes (%s)%s", p->name,
                                      (unsigned long long)hold->changes, hold->brake,
                                      i == 1 ? " found there" : "");
            e->hint = i == 1 ? arena_printf(arena, "decide on %s", p->name)
                             : arena_printf(arena, "cfgsync-agent approve %s here, or decide on %s",
                                            folder->name, p->name);
        }
    }
}

static uint32_t orphan_errors(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    struct orphan *orphans = arena_alloc(arena, ERRORS_MAX, sizeof *orphans);
    uint32_t count = orphans_of(folder, arena, true, ERRORS_MAX, orphans);
    for (uint32_t i = 0; i < count; i++) {
        struct status_error *e = error_add(out);
        if (e == NULL) break;
        e->code = "no-source";
        e->path = orphans[i].path;
        e->message =
            arena_printf(arena, "nobody has answered with its content for %s; %.*s had it last",
                         orphan_sought(arena, &orphans[i]), SLICE_ARG(orphans[i].holder));
        const char *first = orphans[i].holder_away ? "see to the folder on" : "connect";
        e->hint = arena_printf(arena, "%s %.*s, or give it up: cfgsync-agent abandon PATH", first,
                               SLICE_ARG(orphans[i].holder));
    }
    return count;
}

static void root_error(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    bool unread = folder->unread.size > 0;
    out->state = FOLDER_ERROR;
    out->code = unread ? "recovery" : "root-missing";
    struct status_error *e = error_own(out);
    e->code = out->code;
    e->path = arena_copy(arena, unread ? buf_slice(&folder->unread) : slice_text(folder->path));
    e->message = folder->root_what;
    e->hint = "it goes on by itself when the folder is back";
    if (!unread) return;
    e->message = arena_printf(
        arena, "whether an interrupted step has replaced it cannot be told: %s", folder->root_what);
    e->hint = "the folder goes on by itself when it can be read, or is gone";
}

static void index_error(const struct folder *folder, struct arena *arena, struct folder_status *out)
{
    bool unread = folder->engine->unread;
    out->state = FOLDER_ERROR;
    out->code = "index";
    struct status_error *e = error_own(out);
    e->code = out->code;
    e->path = arena_copy(arena, slice_text(folder->path));
    e->message = unread ? "the index cannot be read: nothing is exchanged with peers"
                        : "the index cannot be written: nothing is published or put in place";
    e->hint = "look after the disk of the agent's own files; it is tried again all the time";
}

static void folder_state(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    const char *peer;
    out->code = "";
    // First: what the index refuses stops the folder, too.
    if (index_unread(folder->engine) || folder->index_failed_ms != 0) {
        index_error(folder, arena, out);
    } else if (folder->root == ROOT_MISSING) {
        root_error(folder, arena, out);
    } else if (any_pending(folder, &peer)) {
        out->state = FOLDER_HELD;
        out->code = "join-pending";
        struct status_error *e = error_own(out);
        e->code = out->code;
        e->path = arena_copy(arena, slice_text(folder->name));
        e->message =
            arena_printf(arena, "%s has another folder of this name, with files of its own", peer);
        e->hint = arena_printf(arena,
                               "cfgsync-agent plan %s shows how they differ; folder accept %s "
                               "--from %s joins them",
                               folder->name, folder->name, peer);
    } else if (brake_code(folder)[0] != 0) {
        out->state = FOLDER_HELD;
        out->code = brake_code(folder);
        held_errors(folder, arena, out);
    } else if (out->conflicts > 0) {
        out->state = FOLDER_CONFLICT;
    } else if (out->blocked > 0) {
        out->state = FOLDER_ERROR;
        out->code = "blocked";
    } else if (folder->rules_fault_count > 0) {
        out->state = FOLDER_ERROR;
        out->code = "rules";
    } else if (out->orphans > 0) {
        out->state = FOLDER_ERROR;
        out->code = "no-source";
    } else if (folder->engine->paused || folder->paused) {
        out->state = FOLDER_PAUSED;
    } else if (folder->scan.active || folder->root != ROOT_OK || map_count(folder->transfers) > 0 ||
               folder->apply_jobs > 0) {
        out->state = FOLDER_SYNCING;
    } else if (out->pending_in > 0) {
        out->state = FOLDER_PENDING_IN;
    } else if (out->pending_out > 0 || peers_blocked(folder, arena)) {
        out->state = FOLDER_PENDING_OUT;
    }
}

static void folder_fill(struct folder *folder, struct arena *arena, struct folder_status *out)
{
    out->name = arena_copy(arena, slice_text(folder->name));
    out->id = folder->row.id;
    out->folder = folder->number;
    out->items = folder->row.items;
    out->bytes = folder->row.bytes;
    out->pending_in = folder->row.needs;
    out->errors = arena_alloc(arena, ERRORS_MAX + OWN_ERRORS_MAX, sizeof *out->errors);
    out->conflicts = conflict_count(folder, arena);
    out->scanning = folder->scan.active;
    out->scanned = folder->scan.seen;
    out->mode = folder->mode;
    out->differs = mode_differs(folder, arena);
    out->changed_here = mode_changed(folder);
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        uint64_t changes = 0, bytes = 0;
        if (!folder_shared_with(folder, p->device)) continue;
        owed_to(folder, p, &changes, &bytes);
        if (changes > out->pending_out) out->pending_out = changes;
    }
    rules_errors(folder, arena, out);
    collision_errors(folder, arena, out);
    blocked_errors(folder, arena, out);
    problem_errors(folder, arena, out);
    out->orphans = orphan_errors(folder, arena, out);
    held_there(folder, arena, out);
    folder_state(folder, arena, out);
}

const char *status_share(const struct peer *peer, const struct folder *folder)
{
    const struct share *share = peer->in_use != NULL ? share_find(peer->in_use, folder) : NULL;
    if (share_paused(folder, peer)) return "paused";
    if (share_paused_there(share)) return "paused-there";
    if (share == NULL || !share->offer_heard) return "not-joined";
    if (share->pending) return "join-pending";
    if (share->offer_state == OFFER_SCANNING) return "scanning";
    return share->joined ? "joined" : "not-joined";
}

static void peer_fill(struct engine *engine, const struct peer *peer, struct arena *arena,
                      struct peer_status *out)
{
    uint32_t folders = 0;
    for (const struct folder *f = engine->folders; f != NULL; f = f->next)
        folders++;
    out->device = peer->device;
    out->name = arena_copy(arena, slice_text(peer->name));
    out->connected = peer->in_use != NULL;
    out->address =
        peer->address != NULL ? arena_copy(arena, slice_text(peer->address)) : (struct slice){0};
    out->dialled = peer->dialled;
    out->near = peer->in_use != NULL && peer->in_use->near;
    out->rtt_ms = peer->in_use != NULL ? peer->rtt_ms : -1;
    out->clock_ms = peer->clock_ms;
    out->version_differs = peer->version_differs;
    out->last_seen_wall_ms = out->connected ? engine->wall_ms : peer->last_seen_wall_ms;
    out->folders = arena_alloc(arena, folders + 1U, sizeof *out->folders);
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (f->gone || !folder_shared_with(f, peer->device)) continue;
        struct peer_folder_status *pf = &out->folders[out->folder_count++];
        pf->name = arena_copy(arena, slice_text(f->name));
        pf->state = status_share(peer, f);
        owed_to(f, peer, &pf->owed_changes, &pf->owed_bytes);
        out->owed_changes += pf->owed_changes;
        out->owed_bytes += pf->owed_bytes;
        owed_by(f, peer, arena, &out->in_changes, &out->in_bytes);
    }
}

void engine_status(struct engine *engine, struct arena *arena, struct engine_status *out)
{
    arena_reset(engine->scratch);
    uint32_t folders = 0, peers = 0;
    *out = (struct engine_status){.counters = engine->counters};
    for (const struct folder *f = engine->folders; f != NULL; f = f->next)
        folders++;
    for (const struct peer *p = engine->peers; p != NULL; p = p->next)
        peers++;
    out->folders = arena_alloc(arena, folders + 1U, sizeof *out->folders);
    out->peers = arena_alloc(arena, peers + 1U, sizeof *out->peers);
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (f->gone) continue;
        folder_fill(f, arena, &out->folders[out->folder_count]);
        enum folder_state state = out->folders[out->folder_count++].state;
        if (state > out->state) out->state = state;
    }
    for (const struct peer *p = engine->peers; p != NULL; p = p->next) {
        peer_fill(engine, p, arena, &out->peers[out->peer_count++]);
    }
    out->errors = arena_alloc(arena, peers + 1U, sizeof *out->errors);
    clone_errors(engine, arena, out);
}
