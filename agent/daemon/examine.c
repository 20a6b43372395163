// SPDX-License-Identifier: MIT
//
// What `doctor` looks at itself, with or without an agent: the agent's files, the folders' disks,
// the limits of this machine. What only the running agent knows is in agent/cli/verb_doctor.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/finding.h"
#include "agent/base/own.h"
#include "agent/daemon/config_priv.h"
#include "agent/daemon/daemon.h"
#include "agent/fs/disk.h"
#include "agent/net/net.h"
#include "agent/store/store.h"
#include "crypto/identity.h"

#define MIB ((uint64_t)1 << 20)

enum { DESCRIPTORS_NEEDED = 1024, SPACE_LEAST_MIB = 64, SPACE_LOW_MIB = 1024 };

static void look_directory(json_t *findings, const char *subject, const char *path)
{
    struct stat st;
    AUTO(buf_fini) struct buf fix = {0};
    if (stat(path, &st) != 0) {
        finding_add(findings, FINDING_ERROR, subject, "cfgsync-agent init", "%s: %s", path,
                    strerror(errno));
    } else if (st.st_uid != geteuid()) {
        buf_printf(&fix, "sudo chown %u %s", (unsigned)geteuid(), path);
        finding_add(findings, FINDING_ERROR, subject, buf_text(&fix),
                    "%s belongs to another user (uid %u)", path, (unsigned)st.st_uid);
    } else if ((st.st_mode & 077) != 0) {
        buf_printf(&fix, "chmod 700 %s", path);
        finding_add(findings, FINDING_WARNING, subject, buf_text(&fix), "others can look into %s",
                    path);
    } else {
        finding_add(findings, FINDING_OK, subject, NULL, "%s", path);
    }
}

static void look_identity(json_t *findings, const struct home *home)
{
    struct fault fault = {0};
    AUTO(identity_destroy) struct identity *identity = NULL;
    AUTO(fd_close) int dir_fd = open(home->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (access(home->identity, F_OK) != 0 && errno == ENOENT) {
        finding_add(findings, FINDING_ERROR, "identity", "cfgsync-agent init", "there is none yet");
        return;
    }
    enum err err =
        dir_fd < 0 ? ERR_ACCESS : identity_load(dir_fd, HOME_IDENTITY_NAME, &identity, &fault);
    if (err) {
        AUTO(buf_fini) struct buf fix = {0};
        buf_printf(&fix, "chmod 600 %s, if nobody else has read it; else cfgsync-agent rekey",
                   home->identity);
        finding_add(findings, FINDING_ERROR, "identity", buf_text(&fix), "%s cannot be used: %s",
                    home->identity, fault.what != NULL ? fault.what : err_text(err));
        return;
    }
    char id[DEVICE_ID_TEXT_MAX];
    finding_add(findings, FINDING_OK, "identity", NULL, "%s",
                device_id_text(identity_device(identity), id));
}

// What the agent may not go on with, and what it says about it, is its own affair: this only warns.
static void look_space(json_t *findings, const char *subject, uint64_t free_bytes,
                       uint64_t total_bytes)
{
    uint64_t low = total_bytes / 20 < SPACE_LOW_MIB * MIB ? total_bytes / 20 : SPACE_LOW_MIB * MIB;
    enum finding_level level = free_bytes < low ? FINDING_WARNING : FINDING_OK;
    if (free_bytes < SPACE_LEAST_MIB * MIB) level = FINDING_ERROR;
    finding_add(findings, level, subject, level != FINDING_OK ? "make room on that disk" : NULL,
                "%.1f GiB free of %.1f GiB", (double)free_bytes / (1024 * (double)MIB),
                (double)total_bytes / (1024 * (double)MIB));
}

static void look_state_space(json_t *findings, const char *path)
{
    struct statvfs space;
    if (statvfs(path, &space) != 0) return; // look_directory has said why
    look_space(findings, "space of the state", (uint64_t)space.f_bavail * space.f_frsize,
               (uint64_t)space.f_blocks * space.f_frsize);
}

static void look_index(json_t *findings, const struct home *home)
{
    AUTO(buf_fini) struct buf problem = {0};
    if (access(home->index, F_OK) != 0) {
        finding_add(findings, FINDING_OK, "index", NULL, "not made yet");
    } else if (store_inspect(home->index, &problem) == ERR_OK) {
        finding_add(findings, FINDING_OK, "index", NULL, "sound");
    } else {
        finding_add(findings, FINDING_ERROR, "index",
                    "stop the agent, move index.db away and start again: it is made anew from the "
                    "folders and the peers",
                    "%s: %s", home->index, buf_text(&problem));
    }
}

static void look_folder(json_t *findings, const struct registry_folder *folder)
{
    struct disk_features has;
    const struct disk_root_options root = {.path = folder->path};
    AUTO(buf_fini) struct buf subject = {0};
    buf_printf(&subject, "folder %s", folder->name);
    enum err err = disk_features(&root, &has);
    if (err && has.total_bytes == 0) {
        AUTO(buf_fini) struct buf fix = {0};
        buf_printf(&fix,
                   "bring its disk back; if it is gone for good: cfgsync-agent folder remove %s",
                   folder->name);
        finding_add(findings, FINDING_ERROR, buf_text(&subject), buf_text(&fix), "%s: %s",
                    folder->path, err_text(err));
        return;
    }
    if (err) {
        finding_add(findings, FINDING_ERROR, buf_text(&subject),
                    "the directory and .cfgsync in it must be yours to write",
                    "%s: nothing can be written: %s", folder->path, err_text(err));
    } else {
        finding_add(findings, FINDING_OK, buf_text(&subject), NULL,
                    "%s: exchanges files %s, %s%s%s", folder->path,
                    has.exchanges ? "in one step" : "in two steps",
                    has.clones ? "clones them" : "copies them",
                    has.folds_case ? "; upper and lower case are one name" : "",
                    has.folds_spelling ? "; forms of one accented letter are one name" : "");
    }
    look_space(findings, buf_text(&subject), has.free_bytes, has.total_bytes);
}

static void look_config(json_t *findings, const struct home *home)
{
    struct config config;
    struct fault fault = {0};
    struct device_id nobody = {0};
    AUTO(buf_fini) struct buf message = {0};
    AUTO(registry_close) struct registry *registry = NULL;
    AUTO(fd_close) int dir_fd = open(home->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd >= 0 && registry_open(dir_fd, HOME_REGISTRY_NAME, &registry, &fault) != ERR_OK) {
        finding_add(findings, FINDING_ERROR, "peers and folders", "bring it back from a backup",
                    "%s cannot be used: %s", home->registry,
                    fault.what != NULL ? fault.what : "damaged");
    }
    if (registry == NULL) registry = registry_new();
    enum err err = config_read(home->config, &config, &message);
    if (!err) err = config_declare(&config, nobody, registry, &message);
    config_fini(&config);
    finding_add(findings, err ? FINDING_ERROR : FINDING_OK, "config",
                err ? "edit that line; cfgsync-agent config check looks again" : NULL, "%s",
                err ? buf_text(&message) : home->config);
    const struct registry_folder *folders;
    uint32_t count = registry_folders(registry, &folders);
    for (uint32_t i = 0; i < count; i++)
        look_folder(findings, &folders[i]);
}

static void look_descriptors(json_t *findings)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    bool few = limit.rlim_max != RLIM_INFINITY && limit.rlim_max < DESCRIPTORS_NEEDED;
    finding_add(findings, few ? FINDING_WARNING : FINDING_OK, "descriptors",
                few ? "raise the limit: ulimit -Hn 8192, or LimitNOFILE= of the service" : NULL,
                "a process may have %llu", (unsigned long long)limit.rlim_max);
}

static void look_libraries(json_t *findings)
{
    AUTO(buf_fini) struct buf net = {0};
    net_library(&net);
    finding_add(findings, FINDING_OK, "program", NULL,
                "cfgsync-agent %s, libzmq %s, libsodium %s, SQLite %s, jansson %s", CFGSYNC_VERSION,
                buf_text(&net), crypto_library(), store_library(), jansson_version_str());
}

void daemon_examine(const struct home *home, json_t *findings)
{
    crypto_init();
    look_libraries(findings);
    look_descriptors(findings);
    if (access(home->state_dir, F_OK) != 0 && errno == ENOENT) {
        finding_add(findings, FINDING_ERROR, "state", "cfgsync-agent init", "%s is not there",
                    home->state_dir);
        return;
    }
    look_directory(findings, "state", home->state_dir);
    look_directory(findings, "configuration", home->config_dir);
    look_identity(findings, home);
    look_state_space(findings, home->state_dir);
    look_index(findings, home);
    look_config(findings, home);
}
