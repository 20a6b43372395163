// SPDX-License-Identifier: MIT
//
// The engine's ports, filled with the rooms that really do it. Nothing is decided here.
#include <string.h>

#include "agent/base/log.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/wire_rooms.h"

#define PROGRAM_NAME "cfgsync-agent " CFGSYNC_VERSION

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

static void on_abandoned(void *context, uint64_t ticket, const struct abandon_result *result)
{
    control_abandoned(context, ticket, result);
}

static void on_measured(void *context, uint64_t ticket, const struct bench_result *result)
{
    control_measured(context, ticket, result);
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
                .abandoned = on_abandoned,
                .measured = on_measured,
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
