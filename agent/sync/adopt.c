// SPDX-License-Identifier: MIT
//
// Which folder is which (2.13): a folder takes another's id by itself while it is empty, or because
// a person accepts. It is a new life of it, with an index of its own: what the disk is doing for
// the old one must not land there. So the turn waits until no job is under way, and none is begun.
#include <string.h>

#include "agent/sync/folder_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { TURN_RETRY_MS = 1000 };

bool folder_turning(const struct folder *folder)
{
    return folder->turn.wanted || reinc_wanted(folder);
}

static bool is_empty(const struct folder *folder)
{
    return !folder->row.ever_had_items && folder->row.items == 0;
}

// Who has taken the id of a folder with items, or was told to, is not empty any more: it decides no
// second time.
static void folder_note_items(struct folder *folder)
{
    txn_begin(folder);
    folder->row.ever_had_items = true;
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "adoption not noted", "folder=%s", folder->name);
}

// What peers send is of the old life; what was asked of them is not wanted any more.
void shares_pause(struct folder *folder)
{
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next) {
        struct share *share = share_find(s, folder);
        if (share != NULL) share_start_anew(share);
    }
}

// Who has offered what is ours now has it, also if the line goes before that is said once more.
static void offerers_join(struct folder *folder)
{
    for (struct session *s = folder->engine->sessions; s != NULL; s = s->next) {
        const struct share *share = share_find(s, folder);
        if (share != NULL && share->offer_heard &&
            folder_id_equal(share->offered_id, folder->row.id))
            bond_join(folder, s->peer->device);
    }
}

static void turn_end(struct folder *folder)
{
    struct turn turn = folder->turn;
    struct folder_id old = folder->row.id;
    folder->turn = (struct turn){0};
    if (!turn.accepted && !turn.crossed && !turn.left && !is_empty(folder)) {
        work_again(folder);
        offers_review(folder);
        return;
    }
    shares_pause(folder);
    struct join before = folder->join;
    bool first = !turn.left || before.others;
    join_begin(folder, &turn);
    if (!folder_start_life(folder, turn.id, first, true)) {
        folder->join = before;
        folder->turn = turn;
        folder->turn.retry_ms = folder->engine->now_ms + TURN_RETRY_MS;
        return;
    }
    folder->previous_id = turn.accepted ? old : (struct folder_id){{0}};
    folder->accepted_from = turn.from;
    if (turn.has_items) folder_note_items(folder);
    offerers_join(folder);
}

void folder_turn(struct folder *folder)
{
    const struct turn *turn = &folder->turn;
    bool ready = folder->jobs == 0 && folder->root == ROOT_OK && !folder->in_txn;
    if (turn->wanted && !folder->gone && ready && folder->engine->now_ms >= turn->retry_ms)
        turn_end(folder);
}

int64_t folder_turn_deadline(const struct folder *folder)
{
    bool ready = folder->jobs == 0 && folder->root == ROOT_OK;
    return folder->turn.wanted && ready ? folder->turn.retry_ms : INT64_MAX;
}

// Same name, other id: an empty side takes the other's id by itself; two that are not stay apart
// until a person decides.
void offer_review(struct share *share)
{
    struct folder *folder = share->folder;
    bool settled = folder->row.scanned && !folder->scan.active && !folder_turning(folder);
    if (!share->offer_heard || folder_id_equal(share->offered_id, folder->row.id)) return;
    if (share->offer_state != OFFER_READY && share->offer_state != OFFER_PENDING) return;
    if (!settled) return; // looked at again when it is
    bool mine_empty = is_empty(folder);
    int order = memcmp(share->offered_id.bytes, folder->row.id.bytes, sizeof folder->row.id.bytes);
    // Others may go on with the id that was ours before.
    bool crossed = folder_id_equal(share->offered_id, folder->previous_id) &&
                   device_equal(share->session->peer->device, folder->accepted_from);
    if ((mine_empty && (share->offered_items || order < 0)) || (crossed && order < 0)) {
        log_info(LOG_SYNC, "folder id adopted", "folder=%s peer=%s", folder->name,
                 share->session->peer->name);
        folder->turn = (struct turn){.wanted = true,
                                     .crossed = crossed,
                                     .id = share->offered_id,
                                     .has_items = share->offered_items};
        folder_turn(folder);
        return;
    }
    // It takes our id, and the line may go before it has said so.
    bond_get(folder, share->session->peer->device)->joining = !share->offered_items;
    if (mine_empty || !share->offered_items || crossed || share->pending) return;
    share->pending = true;
    log_warn(LOG_SYNC, "folder not joined", "folder=%s peer=%s hint=\"folder accept %s --from %s\"",
             folder->name, share->session->peer->name, folder->name, share->session->peer->name);
    engine_changed(folder->engine);
}

void offers_review(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL) offer_review(share);
    }
}

void offers_said(struct session *session)
{
    session->folders_said = true;
    session->peer->folders_said = true;
    for (struct folder *f = session->engine->folders; f != NULL; f = f->next) {
        const struct share *share = share_find(session, f);
        if (share == NULL || !share->offer_heard)
            bond_get(f, session->peer->device)->joining = false;
    }
}

enum err engine_folder_accept(struct engine *engine, const char *name, struct device_id from,
                              const char **out_what)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(name));
    struct session *session = peer_session(engine, from);
    *out_what = "there is no such folder";
    if (folder == NULL) return ERR_DENIED;
    *out_what = "the peer is not connected";
    if (session == NULL) return ERR_UNREACHABLE;
    struct share *share = share_find(session, folder);
    *out_what = "the peer does not offer a folder of this name";
    if (share == NULL || !share->offer_heard) return ERR_DENIED;
    *out_what = "the folder is joined already";
    if (folder_id_equal(share->offered_id, folder->row.id)) return ERR_DENIED;
    *out_what = "the folder's root is not there";
    if (folder->root == ROOT_MISSING) return ERR_UNREACHABLE;
    share->pending = false;
    folder->turn = (struct turn){
        .wanted = true, .accepted = true, .from = from, .id = share->offered_id, .has_items = true};
    shares_pause(folder);
    folder_turn(folder);
    return ERR_OK;
}
