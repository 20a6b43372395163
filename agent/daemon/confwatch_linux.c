// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/confwatch_priv.h"

int confwatch_open(const char *file)
{
    AUTO(mem_free) char *directory = mem_strdup(file);
    char *slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory) return -1;
    *slash = '\0';
    AUTO(fd_close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
    if (fd < 0 || inotify_add_watch(fd, directory, events) < 0) return -1;
    int kept = fd;
    fd = -1;
    return kept;
}

bool confwatch_drain(int fd, const char *file)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    const char *name = strrchr(file, '/') + 1;
    bool found = false;
    for (ssize_t got; (got = read(fd, events, sizeof events)) > 0;) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)&events[at];
            found |= event->len > 0 ? strcmp(event->name, name) == 0
                                    : (event->mask & IN_Q_OVERFLOW) != 0;
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    return found;
}
