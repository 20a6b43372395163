// SPDX-License-Identifier: MIT
//
// agent/store/setting — what a person can set of a folder, as text: the words of `folder set`, of
// the config file and of registry.json.
#ifndef AGENT_STORE_SETTING_H
#define AGENT_STORE_SETTING_H

#include "agent/base/bytes.h"

enum setting {
    SETTING_BRAKE,                  // off, normal, strict
    SETTING_BRAKE_DELETES,          // more than this many, and more than
    SETTING_BRAKE_DELETES_PERCENT,  // that part of the folder
    SETTING_BRAKE_REWRITES,         // likewise
    SETTING_BRAKE_REWRITES_PERCENT, //
    SETTING_KEEP_DAYS,              // kept versions, for so long
    SETTING_KEEP_SPACE,             // and as long as they take no more: "10%" of the disk, "2G"
    SETTING_BASE_SPACE,             // what the base store may take: "64M", or off
    SETTING_MODE,                   // two-way, send-only, receive-only
    SETTING_COUNT
};

struct settings {
    bool brake_off, brake_strict;
    uint32_t deletes, deletes_percent;
    uint32_t rewrites, rewrites_percent;
    uint32_t keep_days;
    uint32_t keep_percent; // of the disk; 0: keep_bytes counts
    uint64_t keep_bytes;
    uint64_t base_bytes; // 0: off
    bool send_only, receive_only;
};

const char *setting_name(enum setting setting);
const char *setting_default(enum setting setting);
bool setting_find(struct slice name, enum setting *out);
const char *setting_fault(enum setting setting, const char *text); // NULL, or what it must be
// NULL among the texts: the default. All of them must be without fault.
struct settings settings_read(char *const texts[SETTING_COUNT]);

#endif
