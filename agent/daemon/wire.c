// SPDX-License-Identifier: MIT
//
// The engine's ports, filled with the rooms that really do it. Nothing is decided here.
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/agent_priv.h"

#define PROGRAM_NAME "cfgsync-agent " CFGSYNC_VERSION

static struct index_port wire_index(struct store *store)
{
    return (struct index_port){
        .self = store,
        .begin = store_begin,
        .commit = store_commit,
        .rollback = store_rollback,
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
        .mark_get = store_mark_get,
        .mark_put = store_mark_put,
        .approval_put = store_approval_put,
        .approvals = store_approvals,
        .own_forget = store_own_forget,
        .tombs_note = store_tombs_note,
        .tombs_after = store_tombs_after,
        .rollback_put = store_rollback_put,
        .rollback_has = store_rollback_has,
        .rollbacks_after = store_rollbacks_after,
        .peer_get = store_peer_get,
        .peer_put = store_peer_put,
        .journal_add = store_journal_add,
        .journal_remove = store_journal_remove,
        .journal_list = store_journal_list,
        .kept_add = store_kept_add,
        .kept_get = store_kept_get,
        .kept_by_file = store_kept_by_file,
        .kept_remove = store_kept_remove,
        .kept_list = store_kept_list,
        .kept_oldest = store_kept_oldest,
        .kept_batch_last = store_kept_batch_last,
        .kept_batch_begin = store_kept_batch_begin,
        .kept_batch = store_kept_batch,
        .kept_bytes = store_kept_bytes,
        .meta_get = store_meta_get,
        .meta_set = store_meta_put,
        .leaves_put = store_leaves_put,
        .kept_by_content = store_kept_by_content,
        .leaves_get = store_leaves_get,
        .journal_encode = journal_encode,
        .journal_decode = journal_decode,
    };
}

static void disk_submit(struct workers *workers, struct job *job)
{
    pool_submit(workers->pool, job);
}

static const char *disk_left_out(struct workers *workers, uint32_t folder, struct slice path,
                                 bool is_dir, bool *out_secret)
{
    enum ignored why = disk_ignored_path(workers->disk, folder, path, is_dir, NULL);
    *out_secret = why == IGNORED_SECRET;
    return why != IGNORED_NO ? "ignored" : NULL;
}

// ---- what the engine says; it must not be called from here

static void on_sync_done(void *context, uint64_t ticket, const struct sync_result *result)
{
    control_sync_done(context, ticket, result);
}

static void on_verified(void *context, uint64_t ticket, const struct verify_result *result)
{
    control_verified(context, ticket, result);
}

static void on_decided(void *context, uint64_t ticket, const struct decision_result *result)
{
    control_decided(context, ticket, result);
}

static void on_folder_id(void *context, struct slice name, struct folder_id id)
{
    struct agent *agent = context;
    const char *text = arena_text(agent->scratch, name);
    const struct registry_folder *known = registry_folder(agent->registry, text);
    if (known == NULL) return;
    struct registry_folder folder = *known;
    folder.id = id;
    enum err err = registry_put_folder(agent->registry, &folder);
    if (err) log_error(LOG_DAEMON, "folder id not kept", "error=\"%s\"", err_text(err));
}

static void on_changed(void *context)
{
    show_dirty(context);
}

static void on_event(void *context, const char *name, struct slice json)
{
    events_send(context, name, json);
}

static void on_dial(void *context, struct device_id device)
{
    struct agent *agent = context;
    net_redial_now(agent->net, device);
}

struct engine_options wire_options(struct agent *agent)
{
    return (struct engine_options){
        .index = wire_index(agent->store),
        .disk = {.self = &agent->workers, .submit = disk_submit, .ignored = disk_left_out},
        .net = {.self = agent->net, .send = net_send, .queued = net_queued, .drop = net_drop},
        .keys =
            {
                .self = agent->identity,
                .sign = mark_sign,
                .verify = mark_verify,
                .approve = approval_sign,
                .approved = approval_verify,
                .random = crypto_random,
            },
        .notify =
            {
                .context = agent,
                .sync_done = on_sync_done,
                .verified = on_verified,
                .decided = on_decided,
                .folder_id = on_folder_id,
                .changed = on_changed,
                .event = on_event,
                .dial = on_dial,
            },
        .device = agent->device,
        .name = agent->name,
        .program = PROGRAM_NAME,
    };
}
