// SPDX-License-Identifier: MIT
//
// agent/daemon/config — the user's config file (libconfuse's syntax), never written.
//
//     name = "laptop"
//     listen = {"tcp://*:7575"}
//     discovery = on
//     quiet = "22:00-07:00"
//     upload_rate = "500K"
//     download_rate = "2M"
//     bulk_priority = "low"
//     log_level = "info"
//     log_format = "json"
//     socks_proxy = "tcp://127.0.0.1:1080"
//     peer hub { id = "ABCDEFG1-..." address = {"tcp://hub:7575"} approves = true }
//     folder etc { path = "/home/u/etc" with = {"hub"} include_secrets = false include_vcs = false
//     }
//
// Owns:    what it read; config_fini frees it.
// Errors:  CONFIG with one line in *out_message: FILE:LINE: KEY: what is wrong.
#ifndef AGENT_DAEMON_CONFIG_PRIV_H
#define AGENT_DAEMON_CONFIG_PRIV_H

#include "agent/base/bytes.h"
#include "agent/base/err.h"
#include "agent/base/log.h"
#include "agent/store/registry.h"

struct config {
    char *file;
    bool missing;
    struct digest digest; // of its text
    char *name;           // NULL: not given
    bool has_listen;      // false: the default applies
    char **listen;
    uint32_t listen_count;
    bool discovery;                // by mDNS; true unless switched off
    bool has_quiet;                // hours in which nothing is exchanged:
    unsigned quiet_from, quiet_to; // minutes of the day, local time; from > to: over midnight
    enum log_level log_level;
    bool bulk_low;               // hashing and the like give way to other programs
    bool log_json;               // else lines for people
    uint64_t upload_rate;        // bytes a second to all peers that are not on this network; 0: any
    uint64_t download_rate;      // likewise
    char *socks_proxy;           // "tcp://host:port"; NULL: not given
    struct registry_peer *peers; // declared_at is "FILE:LINE"
    uint32_t peer_count;
    struct registry_folder *folders;
    uint32_t folder_count;
};

#define CONFIG_LISTEN_DEFAULT "tcp://*:7575"

// A missing file is an empty one.
enum err config_read(const char *file, struct config *out, struct buf *out_message) MUST_USE;
void config_fini(struct config *config);

// Puts what is declared into the registry, after looking whether it fits what is there: nothing is
// changed unless all of it does. `own` is this device.
enum err config_declare(const struct config *config, struct device_id own,
                        struct registry *registry, struct buf *out_message) MUST_USE;

#endif
