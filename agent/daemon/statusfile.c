// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/statusfile_priv.h"

#define STATUSFILE_NEW "status.new"

static const char *symbol(enum folder_state state)
{
    switch (state) {
    case FOLDER_SYNCED: return "✓";
    case FOLDER_PENDING_OUT: return "↑";
    case FOLDER_PENDING_IN: return "↓";
    case FOLDER_SYNCING: return "⚡";
    case FOLDER_CONFLICT:
    case FOLDER_HELD:
    case FOLDER_ERROR: return "✗";
    case FOLDER_PAUSED: return "";
    }
    return "";
}

void status_icon(enum folder_state state, uint64_t count, char out[STATUS_ICON_BYTES_MAX])
{
    bool counted = state == FOLDER_CONFLICT || state == FOLDER_HELD || state == FOLDER_ERROR;
    if (counted && count > 0) {
        (void)snprintf(out, STATUS_ICON_BYTES_MAX, "%s%" PRIu64, symbol(state), count);
    } else {
        (void)snprintf(out, STATUS_ICON_BYTES_MAX, "%s", symbol(state));
    }
}

enum err statusfile_set(struct statusfile *file, const char *icon)
{
    if (file->written && strcmp(file->icon, icon) == 0) return ERR_OK;
    if (unlinkat(file->dir_fd, STATUSFILE_NEW, 0) == 0) {
        log_debug(LOG_DAEMON, "leftover removed", "file=%s", STATUSFILE_NEW);
    }
    AUTO(fd_close)
    int fd = openat(file->dir_fd, STATUSFILE_NEW,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return log_errno(LOG_DAEMON, "open", slice_text(STATUSFILE_NEW));
    size_t size = strlen(icon);
    if (write(fd, icon, size) != (ssize_t)size) {
        return log_errno(LOG_DAEMON, "write", slice_text(STATUSFILE_NEW));
    }
    if (renameat(file->dir_fd, STATUSFILE_NEW, file->dir_fd, file->name) != 0) {
        return log_errno(LOG_DAEMON, "rename", slice_text(file->name));
    }
    (void)snprintf(file->icon, sizeof file->icon, "%s", icon);
    file->written = true;
    return ERR_OK;
}
