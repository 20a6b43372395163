// SPDX-License-Identifier: MIT
//
// config show: everything that can stand in the config file, as it is in force after its next
// reading: what stands in the file, what was added by command, and the defaults of the rest.
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/json.h"
#include "agent/base/own.h"
#include "agent/daemon/config_priv.h"
#include "agent/daemon/daemon.h"
#include "crypto/identity.h"

static json_t *list_json(char *const *texts, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_bytes(slice_text(texts[i])));
    return list;
}

static void put_text(json_t *out, const char *key, const char *text)
{
    json_object_set_new(out, key, text != NULL ? json_bytes(slice_text(text)) : json_null());
}

static json_t *rate_json(uint64_t rate)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu64 "K", rate >> 10);
    return json_string(rate > 0 ? text : "off");
}

static json_t *peer_json(const struct registry_peer *peer)
{
    char id[DEVICE_ID_TEXT_MAX];
    json_t *out = json_object();
    put_text(out, "id", device_id_text(peer->device, id));
    json_object_set_new(out, "address", list_json(peer->addresses, peer->address_count));
    json_object_set_new(out, "approves", json_boolean(peer->approves));
    put_text(out, "declared_at", peer->declared_at);
    return out;
}

static json_t *folder_json(const struct registry_folder *folder)
{
    json_t *with = list_json(folder->with, folder->with_count);
    if (folder->with_all) json_array_append_new(with, json_string("all"));
    json_t *out = json_object();
    put_text(out, "path", folder->path);
    json_object_set_new(out, "with", with);
    json_object_set_new(out, "include_secrets", json_boolean(folder->include_secrets));
    json_object_set_new(out, "include_vcs", json_boolean(folder->include_vcs));
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *text = folder->settings[i];
        put_text(out, setting_name((enum setting)i),
                 text != NULL ? text : setting_default((enum setting)i));
    }
    put_text(out, "declared_at", folder->declared_at);
    return out;
}

static json_t *whole(const struct config *config, const struct registry *registry)
{
    static char standard[] = CONFIG_LISTEN_DEFAULT;
    char *const usual[] = {standard};
    char hours[32] = "off";
    const struct registry_peer *peers;
    const struct registry_folder *folders;
    json_t *peer_list = json_object(), *folder_list = json_object(), *out = json_object();
    for (uint32_t i = 0; i < registry_peers(registry, &peers); i++)
        json_object_set_new(peer_list, peers[i].name, peer_json(&peers[i]));
    for (uint32_t i = 0; i < registry_folders(registry, &folders); i++)
        json_object_set_new(folder_list, folders[i].name, folder_json(&folders[i]));
    if (config->has_quiet)
        (void)snprintf(hours, sizeof hours, "%02u:%02u-%02u:%02u", config->quiet_from / 60,
                       config->quiet_from % 60, config->quiet_to / 60, config->quiet_to % 60);
    put_text(out, "name", config->name);
    json_object_set_new(out, "listen",
                        config->has_listen ? list_json(config->listen, config->listen_count)
                                           : list_json(usual, 1));
    put_text(out, "discovery", config->discovery ? "on" : "off");
    put_text(out, "socks_proxy", config->socks_proxy);
    put_text(out, "quiet", hours);
    json_object_set_new(out, "upload_rate", rate_json(config->upload_rate));
    json_object_set_new(out, "download_rate", rate_json(config->download_rate));
    put_text(out, "bulk_priority", config->bulk_low ? "low" : "normal");
    put_text(out, "log_level", log_level_text(config->log_level));
    put_text(out, "log_format", config->log_json ? "json" : "text");
    json_object_set_new(out, "peer", peer_list);
    json_object_set_new(out, "folder", folder_list);
    return out;
}

// ---- in the syntax of the file; what could not stand there is a comment

static void print_value(const char *indent, const char *key, const json_t *value)
{
    size_t at;
    json_t *one;
    bool comments = json_is_null(value) ||
                    (strcmp(key, "quiet") == 0 && strcmp(json_string_value(value), "off") == 0);
    printf("%s%s%s = ", indent, comments ? "# " : "", key);
    if (json_is_boolean(value)) printf("%s", json_is_true(value) ? "true" : "false");
    if (json_is_string(value)) printf("\"%s\"", json_string_value(value));
    if (json_is_array(value)) printf("{");
    json_array_foreach((json_t *)(uintptr_t)value, at, one)
    {
        printf("%s\"%s\"", at > 0 ? ", " : "", json_string_value(one));
    }
    if (json_is_array(value)) printf("}");
    (void)puts("");
}

static void print_section(const char *kind, const char *name, const json_t *section)
{
    const char *key;
    json_t *value;
    const char *at = json_string_value(json_object_get(section, "declared_at"));
    printf("\n# %s\n%s %s {\n", at != NULL ? at : "added by command", kind, name);
    json_object_foreach((json_t *)(uintptr_t)section, key, value)
    {
        if (strcmp(key, "declared_at") != 0) print_value("    ", key, value);
    }
    (void)puts("}");
}

static void print_all(const json_t *all)
{
    const char *key, *name;
    json_t *value, *section;
    json_object_foreach((json_t *)(uintptr_t)all, key, value)
    {
        if (!json_is_object(value)) {
            print_value("", key, value);
            continue;
        }
        json_object_foreach(value, name, section) print_section(key, name, section);
    }
}

int daemon_config_show(const struct home *home, bool json)
{
    struct config config;
    struct fault fault = {0};
    struct device_id nobody = {0};
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = NULL;
    AUTO(fd_close) int dir_fd = open(home->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    crypto_init();
    enum err err = config_read(home->config, &config, &message);
    if (dir_fd < 0 || registry_open(dir_fd, HOME_REGISTRY_NAME, &registry, &fault) != ERR_OK)
        registry = registry_new();
    if (!err) err = config_declare(&config, nobody, registry, &message);
    if (err) {
        fprintf(stderr, "cfgsync-agent: %.*s\n", SLICE_ARG(buf_slice(&message)));
    } else {
        AUTO(json_drop) json_t *all = whole(&config, registry);
        AUTO(mem_free) char *text = json ? json_dumps(all, JSON_INDENT(2)) : NULL;
        if (json)
            (void)puts(text);
        else
            print_all(all);
    }
    config_fini(&config);
    return err ? 1 : 0;
}
