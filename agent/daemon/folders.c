// SPDX-License-Identifier: MIT
//
// A folder is in three places: the registry (kept), the engine, which gives it a number, and the
// disk, which is told the root under that number before the engine's next tick sends the first job.
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/roots_priv.h"

const struct live_folder *folders_find(const struct agent *agent, const char *name)
{
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        if (strcmp(agent->folders[i].name, name) == 0) return &agent->folders[i];
    }
    return NULL;
}

static struct live_folder *live_add(struct agent *agent, const struct registry_folder *folder,
                                    uint32_t number)
{
    agent->folders =
        mem_realloc(agent->folders, (agent->folder_count + 1) * sizeof *agent->folders);
    struct live_folder *live = &agent->folders[agent->folder_count++];
    *live = (struct live_folder){
        .name = mem_strdup(folder->name),
        .folder = number,
        .include_secrets = folder->include_secrets,
        .include_vcs = folder->include_vcs,
    };
    return live;
}

// For what was taken away.
static uint64_t kept_bytes_max(const char *path, const struct settings *settings)
{
    struct statvfs fs;
    if (settings->keep_percent == 0) return settings->keep_bytes;
    if (statvfs(path, &fs) != 0) return 0;
    return (uint64_t)fs.f_blocks * fs.f_frsize / 100 * settings->keep_percent;
}

static struct engine_brake brake_of(const struct settings *settings)
{
    return (struct engine_brake){.off = settings->brake_off,
                                 .strict = settings->brake_strict,
                                 .deleted = settings->deletes,
                                 .deleted_percent = settings->deletes_percent,
                                 .rewritten = settings->rewrites,
                                 .rewritten_percent = settings->rewrites_percent};
}

static enum err tell_engine(struct agent *agent, const struct registry_folder *folder,
                            bool new_root, uint32_t *out_folder)
{
    AUTO(mem_free)
    struct device_id *with = mem_zalloc((size_t)folder->with_count + 1, sizeof *with);
    uint32_t with_count = 0;
    for (uint32_t i = 0; i < folder->with_count; i++) {
        const struct registry_peer *peer = registry_peer(agent->registry, folder->with[i]);
        if (peer != NULL) with[with_count++] = peer->device;
    }
    struct settings settings = settings_read(folder->settings);
    struct engine_folder put = {
        .name = folder->name,
        .path = folder->path,
        .id = folder->id,
        .with_all = folder->with_all,
        .with = with,
        .with_count = with_count,
        .kept_bytes_max = kept_bytes_max(folder->path, &settings),
        .kept_days = settings.keep_days,
        .brake = brake_of(&settings),
        .base_bytes_max = settings.base_bytes,
        .mode = settings.send_only      ? MODE_SEND_ONLY
                : settings.receive_only ? MODE_RECEIVE_ONLY
                                        : MODE_TWO_WAY,
        .new_root = new_root,
    };
    return engine_folder_put(agent->engine, &put, out_folder);
}

static enum err tell_disk(struct agent *agent, const struct registry_folder *folder,
                          uint32_t number)
{
    struct disk_root_options options = {
        .path = folder->path,
        .include_secrets = folder->include_secrets,
        .include_vcs = folder->include_vcs,
        .twin = true,
        .twin_fd = agent->witness_fd,
    };
    return disk_root_add(agent->workers.disk, number, &options);
}

// Options of what is left out changed: all is looked at again.
static void reopen(struct agent *agent, struct live_folder *live,
                   const struct registry_folder *folder)
{
    disk_root_set(agent->workers.disk, live->folder, folder->include_secrets, folder->include_vcs);
    live->include_secrets = folder->include_secrets;
    live->include_vcs = folder->include_vcs;
    engine_watch(agent->engine, live->folder, ENGINE_RESCAN, slice_text(""));
}

// Entries of the registry move with every write to it, and the engine's notification of an id is
// one.
static struct registry_folder folder_copy(struct arena *arena, const struct registry_folder *folder)
{
    struct registry_folder copy = *folder;
    copy.name = arena_text(arena, slice_text(folder->name));
    copy.path = arena_text(arena, slice_text(folder->path));
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (folder->settings[i] != NULL)
            copy.settings[i] = arena_text(arena, slice_text(folder->settings[i]));
    }
    copy.with = arena_alloc(arena, (size_t)folder->with_count + 1, sizeof *copy.with);
    for (uint32_t i = 0; i < folder->with_count; i++) {
        copy.with[i] = arena_text(arena, slice_text(folder->with[i]));
    }
    return copy;
}

enum err folders_open(struct agent *agent, const struct registry_folder *entry, bool new_root,
                      uint32_t *out_folder)
{
    struct registry_folder copy = folder_copy(agent->scratch, entry);
    const struct registry_folder *folder = &copy;
    enum err err = tell_engine(agent, folder, new_root, out_folder);
    if (err) return err;
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        struct live_folder *live = &agent->folders[i];
        if (strcmp(live->name, folder->name) != 0) continue;
        bool same = live->include_secrets == folder->include_secrets &&
                    live->include_vcs == folder->include_vcs;
        if (!same) reopen(agent, live, folder);
        return ERR_OK;
    }
    err = tell_disk(agent, folder, *out_folder);
    if (err) {
        engine_folder_remove(agent->engine, folder->name);
        return err;
    }
    (void)live_add(agent, folder, *out_folder);
    return ERR_OK;
}

void folders_close(struct agent *agent, const char *name)
{
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        if (strcmp(agent->folders[i].name, name) != 0) continue;
        engine_folder_remove(agent->engine, name);
        disk_root_remove(agent->workers.disk, agent->folders[i].folder);
        free(agent->folders[i].name);
        agent->folders[i] = agent->folders[--agent->folder_count];
        return;
    }
}

void folders_share_again(struct agent *agent)
{
    const struct registry_folder *folders;
    for (uint32_t i = 0; i < registry_folders(agent->registry, &folders); i++) {
        uint32_t number;
        if (folders_find(agent, folders[i].name) == NULL) continue;
        struct registry_folder folder = folder_copy(agent->scratch, &folders[i]);
        enum err err = tell_engine(agent, &folder, false, &number);
        if (err) {
            log_warn(LOG_DAEMON, "sharing not changed", "folder=%s error=\"%s\"", folder.name,
                     err_text(err));
        }
    }
}

// A root may be made only for a folder that never had one: a declared one at its first start, or
// one whose adding was cut short. Otherwise a directory without a marker is a mount point whose
// disk is away.
bool folders_never_ran(struct agent *agent, const struct registry_folder *folder)
{
    static const struct folder_id none;
    struct folder_row row;
    if (store_folder_get(agent->store, agent->scratch, slice_text(folder->name), &row)) {
        return !row.scanned;
    }
    return memcmp(&folder->id, &none, sizeof none) == 0;
}

bool folders_root_fits(const struct agent *agent, const struct registry_folder *folder,
                       struct buf *out_why)
{
    return root_allowed(agent->registry, &agent->home, folder->name, folder->path, out_why) ==
           ERR_OK;
}

enum err folders_start(struct agent *agent, struct buf *out_message)
{
    const struct registry_folder *folders;
    uint32_t count = registry_folders(agent->registry, &folders);
    for (uint32_t i = 0; i < count; i++) {
        const struct registry_folder *folder = &folders[i];
        AUTO(buf_fini) struct buf why = {0};
        if (folder->declared_at == NULL || folders_root_fits(agent, folder, &why)) continue;
        buf_printf(out_message, "%s: folder %s: path: %s", folder->declared_at, folder->name,
                   buf_text(&why));
        return ERR_CONFIG;
    }
    for (uint32_t i = 0; i < registry_folders(agent->registry, &folders); i++) {
        uint32_t number;
        AUTO(buf_fini) struct buf why = {0};
        bool new_root = folders_never_ran(agent, &folders[i]);
        // Somebody has moved directories about: the other folders have nothing to do with it.
        if (!folders_root_fits(agent, &folders[i], &why)) {
            log_error(LOG_DAEMON, "folder not opened", "name=%s error=\"%s\"", folders[i].name,
                      buf_text(&why));
            continue;
        }
        AUTO(mem_free) char *name = mem_strdup(folders[i].name);
        enum err err = folders_open(agent, &folders[i], new_root, &number);
        if (!err) continue;
        buf_printf(out_message, "folder %s cannot be opened: %s", name, err_text(err));
        return err;
    }
    return ERR_OK;
}

uint32_t folders_unwatched(const struct agent *agent, const char *name)
{
    bool blind = disk_watch_fd(agent->workers.disk) < 0;
    uint32_t total = 0;
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        if (name != NULL && strcmp(agent->folders[i].name, name) != 0) continue;
        total += blind ? 1 : disk_unwatched(agent->workers.disk, agent->folders[i].folder);
    }
    return total;
}
