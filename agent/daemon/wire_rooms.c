// SPDX-License-Identifier: MIT
#include "agent/daemon/wire_rooms.h"

#include "agent/store/store.h"

static void wire_kept(struct index_port *out)
{
    out->kept_add = store_kept_add;
    out->kept_get = store_kept_get;
    out->kept_by_file = store_kept_by_file;
    out->kept_put = store_kept_put;
    out->kept_remove = store_kept_remove;
    out->kept_list = store_kept_list;
    out->kept_of = store_kept_of;
    out->kept_oldest = store_kept_oldest;
    out->kept_batch_last = store_kept_batch_last;
    out->kept_batch_begin = store_kept_batch_begin;
    out->kept_batch = store_kept_batch;
    out->kept_bytes = store_kept_bytes;
    out->kept_by_content = store_kept_by_content;
}

struct index_port wire_index(struct store *store)
{
    struct index_port out = {
        .self = store,
        .begin = store_begin,
        .commit = store_commit,
        .rollback = store_rollback,
        .unread = store_unread,
        .folder_get = store_folder_get,
        .folder_put = store_folder_put,
        .folder_remove = store_folder_remove,
        .folder_clear = store_folder_clear,
        .folder_reload = store_folder_reload,
        .item_get = store_item_get,
        .item_put = store_item_put,
        .items_after = store_items_after,
        .live_below = store_live_below,
        .local_below = store_local_below,
        .live_paths_below = store_live_paths_below,
        .conflicts_of = store_conflicts_of,
        .local_by_content = store_local_by_content,
        .dots_after = store_dots_after,
        .seq_after = store_seq_after,
        .seq_before = store_seq_before,
        .needs_after = store_needs_after,
        .blocked = store_blocked,
        .need_min = store_need_min,
        .need_incs = store_need_incs,
        .owed = store_owed,
        .dot_incs = store_dot_incs,
        .k = store_k,
        .k_set = store_k_set,
        .gcfloor = store_gcfloor,
        .gcfloor_put = store_gcfloor_put,
        .owner_get = store_owner_get,
        .owner_put = store_owner_put,
        .owner_count = store_owner_count,
        .owner_count_of = store_owner_count_of,
        .mark_get = store_mark_get,
        .marks = store_marks,
        .marks_of = store_marks_of,
        .mark_put = store_mark_put,
        .approval_put = store_approval_put,
        .approvals = store_approvals,
        .own_forget = store_own_forget,
        .tombs_note = store_tombs_note,
        .tombs_after = store_tombs_after,
        .sought_note = store_sought_note,
        .sought_since = store_sought_since,
        .sought = store_sought,
        .rollback_put = store_rollback_put,
        .rollback_has = store_rollback_has,
        .rollbacks_after = store_rollbacks_after,
        .peer_get = store_peer_get,
        .peer_put = store_peer_put,
        .journal_add = store_journal_add,
        .journal_remove = store_journal_remove,
        .journal_list = store_journal_list,
        .meta_get = store_meta_get,
        .meta_set = store_meta_put,
        .leaves_put = store_leaves_put,
        .leaves_get = store_leaves_get,
        .journal_encode = journal_encode,
        .journal_decode = journal_decode,
    };
    wire_kept(&out);
    return out;
}

enum engine_watch wire_watch(enum watch_what what)
{
    switch (what) {
    case WATCH_WRITTEN: return ENGINE_WRITTEN;
    case WATCH_MODIFIED: return ENGINE_MODIFIED;
    case WATCH_GONE: return ENGINE_GONE;
    case WATCH_TREE: return ENGINE_TREE;
    case WATCH_RESCAN: return ENGINE_RESCAN;
    case WATCH_ROOT: return ENGINE_ROOT;
    case WATCH_KEPT: return ENGINE_KEPT;
    }
    return ENGINE_RESCAN;
}
