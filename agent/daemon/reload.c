// SPDX-License-Identifier: MIT
//
// A second registry is made, of the commands' file and the new declarations, and compared with the
// one in force. Only additions and changes take effect at once, and the end of trust in a peer: a
// folder that is not declared any more may stand in a file that was caught half way, and closing it
// would forget its index. It goes on until the next start.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/confwatch_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/logsink_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/daemon/reload_priv.h"
#include "agent/daemon/roots_priv.h"

enum { QUIET_MS = 300, RETRY_MS = 60 * 1000 };

static bool same_text(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static bool same_list(char *const *a, uint32_t a_count, char *const *b, uint32_t b_count)
{
    bool same = a_count == b_count;
    for (uint32_t i = 0; i < a_count && same; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

// ---- what waits for the next start

static void later(struct agent *agent, const char *what, const char *name)
{
    AUTO(buf_fini) struct buf text = {0};
    if (agent->reload_later != NULL) buf_printf(&text, "%s; ", agent->reload_later);
    buf_printf(&text, "%s%s", what, name);
    free(agent->reload_later);
    agent->reload_later = mem_strdup(buf_text(&text));
}

// What runs stays what it is; the rest is new.
static void take_config(struct agent *agent, struct config *fresh)
{
    struct config *now = &agent->config;
    bool same_listen =
        now->has_listen == fresh->has_listen &&
        same_list(now->listen, now->listen_count, fresh->listen, fresh->listen_count);
    if (!same_text(now->name, fresh->name)) later(agent, "name", "");
    if (!same_listen) later(agent, "listen", "");
    if (!same_text(now->socks_proxy, fresh->socks_proxy)) later(agent, "socks_proxy", "");
    if (now->bulk_low != fresh->bulk_low) later(agent, "bulk_priority", "");
    if (now->discovery != fresh->discovery) later(agent, "discovery", "");
    struct config running = *now;
    *now = *fresh;
    *fresh = running; // freed by the caller, with what the new one wanted of these:
    fresh->name = now->name;
    fresh->socks_proxy = now->socks_proxy;
    fresh->listen = now->listen;
    fresh->listen_count = now->listen_count;
    now->name = running.name;
    now->socks_proxy = running.socks_proxy;
    now->has_listen = running.has_listen;
    now->listen = running.listen;
    now->listen_count = running.listen_count;
    now->discovery = running.discovery;
    now->bulk_low = running.bulk_low;
}

// ---- folders

static bool same_folder(const struct registry_folder *a, const struct registry_folder *b)
{
    bool same = a->with_all == b->with_all && a->include_secrets == b->include_secrets &&
                a->include_vcs == b->include_vcs &&
                same_list(a->with, a->with_count, b->with, b->with_count);
    for (int i = 0; i < SETTING_COUNT && same; i++)
        same = same_text(a->settings[i], b->settings[i]);
    return same;
}

// Declared no more: those who have it go on to, and nobody comes to it, whatever his name.
static void folder_ends(struct agent *agent, const struct registry *fresh,
                        struct registry_folder *folder)
{
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    char **with = arena_alloc(agent->scratch, (size_t)count + 1, sizeof *with);
    uint32_t with_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct registry_peer *is = registry_peer_by_device(fresh, peers[i].device);
        bool has = folder->with_all;
        for (uint32_t j = 0; j < folder->with_count; j++)
            has = has || strcmp(folder->with[j], peers[i].name) == 0;
        if (has && is != NULL)
            with[with_count++] = arena_text(agent->scratch, slice_text(is->name));
    }
    folder->with_all = false;
    folder->with = with;
    folder->with_count = with_count;
    folder->ends = true;
    later(agent, "the end of folder ", folder->name);
}

// Into the new registry: what is declared no more, or elsewhere, as it was.
static enum err keep_folders(struct agent *agent, struct registry *fresh)
{
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    for (uint32_t i = 0; i < count; i++) {
        const struct registry_folder *known = registry_folder(fresh, folders[i].name);
        if (folders[i].declared_at == NULL) continue;
        // What a command has said of it counts from the next start on.
        bool declared = known != NULL && known->declared_at != NULL;
        struct registry_folder folder = declared ? *known : folders[i];
        if (!declared) folder_ends(agent, fresh, &folder);
        if (declared && strcmp(known->path, folders[i].path) != 0)
            later(agent, "the path of folder ", folder.name);
        folder.path = folders[i].path;
        folder.id = folders[i].id;
        folder.accept_from = folders[i].accept_from;
        enum err err = registry_put_folder(fresh, &folder);
        if (err) return err;
    }
    return ERR_OK;
}

bool reload_leaves(const struct agent *agent, const char *name, const char *path, struct buf *out)
{
    const struct config *config = &agent->config;
    for (uint32_t i = 0; i < config->folder_count; i++) {
        const struct registry_folder *other = &config->folders[i];
        if (strcmp(other->name, name) == 0 || roots_apart(path, other->path)) continue;
        buf_printf(out, "%s: from the next start on folder %s has its root there: %s", path,
                   other->name, other->path);
        return false;
    }
    return true;
}

static enum err roots_fit(struct agent *agent, const struct registry *fresh, struct buf *out)
{
    const struct registry_folder *folders;
    uint32_t count = registry_folders(fresh, &folders);
    for (uint32_t i = 0; i < count; i++) {
        AUTO(buf_fini) struct buf why = {0};
        const struct registry_folder *known = registry_folder(agent->registry, folders[i].name);
        if (known != NULL && strcmp(known->path, folders[i].path) == 0) continue;
        if (!root_allowed(fresh, &agent->home, folders[i].name, folders[i].path, &why)) continue;
        buf_printf(out, "%s: folder %s: path: %s", folders[i].declared_at, folders[i].name,
                   buf_text(&why));
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static void folders_apply(struct agent *agent, const struct registry *before)
{
    const struct registry_folder *folders;
    for (uint32_t i = 0; i < registry_folders(agent->registry, &folders); i++) {
        const struct registry_folder *was = registry_folder(before, folders[i].name);
        uint32_t number;
        bool is_open = folders_find(agent, folders[i].name) != NULL;
        if (was != NULL && is_open && same_folder(was, &folders[i])) continue;
        AUTO(mem_free) char *name = mem_strdup(folders[i].name);
        bool new_root = !is_open && folders_never_ran(agent, &folders[i]);
        enum err err = folders_open(agent, &folders[i], new_root, &number);
        log_info(LOG_DAEMON, was == NULL ? "folder declared" : "folder changed",
                 "name=%s result=\"%s\"", name, err ? err_text(err) : "ok");
    }
}

// ---- peers

static void peers_apply(struct agent *agent, const struct registry *before)
{
    const struct registry_peer *peers;
    uint32_t count = registry_peers(before, &peers);
    peers_trust(agent);
    for (uint32_t i = 0; i < count; i++) {
        if (registry_peer_by_device(agent->registry, peers[i].device) != NULL) continue;
        enum err err = invites_revoke_of(agent, peers[i].device);
        if (err) log_warn(LOG_DAEMON, "invitation not revoked", "error=\"%s\"", err_text(err));
        peers_drop(agent, peers[i].device);
        err = registry_note_removed(agent->registry, peers[i].device);
        if (err) log_warn(LOG_DAEMON, "removal not kept", "error=\"%s\"", err_text(err));
        log_info(LOG_DAEMON, "peer not declared any more", "name=%s", peers[i].name);
    }
    count = registry_peers(agent->registry, &peers);
    for (uint32_t i = 0; i < count; i++) {
        const struct registry_peer *was = registry_peer_by_device(before, peers[i].device);
        bool same = was != NULL && strcmp(was->name, peers[i].name) == 0 &&
                    was->approves == peers[i].approves &&
                    same_list(was->addresses, was->address_count, peers[i].addresses,
                              peers[i].address_count);
        if (same) continue;
        peers_begin(agent, &peers[i]);
        log_info(LOG_DAEMON, was == NULL ? "peer declared" : "peer changed", "name=%s",
                 peers[i].name);
    }
}

// ---- the whole

static enum err read_fresh(struct agent *agent, struct config *config, struct registry **out,
                           struct buf *out_message)
{
    struct fault fault = {0};
    enum err err = config_read(agent->home.config, config, out_message);
    agent->config_digest = config->digest;
    if (!err && config->missing && !agent->config.missing) {
        buf_printf(out_message, "%s: is not there any more", agent->home.config);
        return ERR_CONFIG;
    }
    if (!err) err = registry_open(agent->state_fd, HOME_REGISTRY_NAME, out, &fault);
    if (err && out_message->size == 0)
        buf_printf(out_message, "%s: cannot be read again", agent->home.registry);
    if (!err) err = config_declare(config, agent->device, *out, out_message);
    if (!err) err = roots_fit(agent, *out, out_message); // or the next start would fail
    return err;
}

static enum err reload(struct agent *agent, struct buf *out_message)
{
    struct config config = {0};
    AUTO(registry_close) struct registry *fresh = NULL;
    AUTO(mem_free) char *waits = agent->reload_later;
    enum err err = read_fresh(agent, &config, &fresh, out_message);
    agent->reload_later = NULL;
    if (!err) {
        err = keep_folders(agent, fresh);
        if (err) buf_printf(out_message, "it cannot be put in force: %s", err_text(err));
    }
    // Beside those, too, that go on until the next start.
    if (!err) err = roots_fit(agent, fresh, out_message);
    if (!err) { // last, for it is written
        err = registry_follow_names(fresh, agent->registry);
        if (err) buf_printf(out_message, "it cannot be put in force: %s", err_text(err));
    }
    if (err) { // what waits is what it was
        free(agent->reload_later);
        agent->reload_later = TAKE(waits);
    }
    if (!err) {
        struct registry *before = agent->registry;
        take_config(agent, &config);
        agent->registry = TAKE(fresh);
        fresh = before; // closed with it
        peers_apply(agent, before);
        folders_apply(agent, before);
        folders_share_again(agent);
        logsink_choose(&agent->config);
        engine_rates(agent->engine, agent->config.upload_rate, agent->config.download_rate);
        pausing_changed(agent);
    }
    config_fini(&config);
    return err;
}

void reload_now(struct agent *agent)
{
    AUTO(buf_fini) struct buf message = {0};
    enum err err = reload(agent, &message);
    bool passes = err_reaction(err) == REACT_TRY_LATER;
    agent->config_due_ms = passes ? agent->now_ms + RETRY_MS : INT64_MAX;
    agent->reload_beside = registry_version(agent->registry);
    free(agent->reload_problem);
    agent->reload_problem = err ? mem_strdup(buf_text(&message)) : NULL;
    char escaped[LOG_ESCAPED_MAX];
    if (err)
        log_error(LOG_DAEMON, "config not reloaded", "error=\"%s\"",
                  log_escape(buf_slice(&message), escaped));
    else
        log_info(LOG_DAEMON, "config reloaded", "later=\"%s\"",
                 agent->reload_later != NULL ? agent->reload_later : "");
    show_dirty(agent);
}

void reload_start(struct agent *agent)
{
    agent->config_digest = agent->config.digest;
    agent->config_due_ms = INT64_MAX;
    agent->config_fd = confwatch_open(agent->home.config);
    if (agent->config_fd < 0)
        log_warn(LOG_DAEMON, "config not watched", "hint=\"kill -HUP reads it again\"");
}

void reload_end(struct agent *agent)
{
    fd_close(&agent->config_fd);
    free(agent->reload_problem);
    free(agent->reload_later);
}

void reload_noticed(struct agent *agent)
{
    if (confwatch_drain(agent->config_fd, agent->home.config))
        agent->config_due_ms = agent->now_ms + QUIET_MS;
}

void reload_settle(struct agent *agent)
{
    AUTO(buf_fini) struct buf ignored = {0};
    struct config now;
    // What was wrong with it may be in order by a command.
    bool problem = agent->reload_problem != NULL;
    bool changed = problem && registry_version(agent->registry) != agent->reload_beside;
    if (!changed && agent->now_ms < agent->config_due_ms) return;
    agent->config_due_ms = INT64_MAX;
    enum err err = config_read(agent->home.config, &now, &ignored);
    bool news =
        err || problem || memcmp(&now.digest, &agent->config_digest, sizeof now.digest) != 0;
    config_fini(&now);
    if (news) reload_now(agent);
}

int64_t reload_deadline(const struct agent *agent)
{
    return agent->config_due_ms;
}

const char *reload_problem(const struct agent *agent)
{
    return agent->reload_problem;
}

const char *reload_later(const struct agent *agent)
{
    return agent->reload_later;
}
