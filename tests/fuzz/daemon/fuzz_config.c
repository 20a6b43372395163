// SPDX-License-Identifier: MIT
//
// The user's config file, whatever is in it: one line that says what is wrong and where, or
// values that keep their rules and can be declared. The file is one in memory.
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/daemon/config_priv.h"
#include "agent/daemon/names_priv.h"
#include "tests/fuzz/fuzz.h"

static void rules_kept(const struct config *config)
{
    CHECK(config->name == NULL || device_name_valid(config->name));
    for (uint32_t i = 0; i < config->listen_count; i++)
        CHECK(address_valid(config->listen[i], true));
    for (uint32_t i = 0; i < config->peer_count; i++) {
        CHECK(name_valid(config->peers[i].name) && config->peers[i].declared_at != NULL);
        for (uint32_t j = 0; j < config->peers[i].address_count; j++) {
            CHECK(address_valid(config->peers[i].addresses[j], false));
            (void)address_is_local(config->peers[i].addresses[j]);
        }
    }
    for (uint32_t i = 0; i < config->folder_count; i++) {
        CHECK(name_valid(config->folders[i].name) && config->folders[i].path[0] == '/');
        CHECK(config->folders[i].declared_at != NULL);
    }
}

static void declare(const struct config *config)
{
    static const struct device_id own = {{1}};
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = registry_new();
    const struct registry_peer *peers;
    const struct registry_folder *folders;
    enum err err = config_declare(config, own, registry, &message);
    CHECK((err == ERR_OK) == (message.size == 0));
    bool whole = registry_peers(registry, &peers) == config->peer_count &&
                 registry_folders(registry, &folders) == config->folder_count;
    bool none = registry_peers(registry, &peers) == 0 && registry_folders(registry, &folders) == 0;
    CHECK(err == ERR_OK ? whole : none);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(fd_close) int fd = memfd_create("config", MFD_CLOEXEC);
    AUTO(buf_fini) struct buf message = {0};
    AUTO(config_fini) struct config config = {.file = NULL};
    char path[32];
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum err err = config_read(path, &config, &message);
    CHECK(err == ERR_OK || (err == ERR_CONFIG && message.size > 0));
    if (err != ERR_OK) return 0;
    rules_kept(&config);
    declare(&config);
    return 0;
}
