// SPDX-License-Identifier: MIT
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/confwatch_priv.h"

static bool watch_directory(int fd, const char *file)
{
    AUTO(mem_free) char *directory = mem_strdup(file);
    char *slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory) return false;
    *slash = '\0';
    uint32_t events = IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
    return inotify_add_watch(fd, directory, events) >= 0;
}

// A link, as of those who keep their configs in one place: what it leads to changes elsewhere. It
// may have come to lead there just now; a directory that is watched already stays so.
static void watch_target(int fd, const char *target)
{
    if (target != NULL) (void)watch_directory(fd, target);
}

int confwatch_open(const char *file)
{
    AUTO(mem_free) char *target = realpath(file, NULL);
    AUTO(fd_close) int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 || !watch_directory(fd, file)) return -1;
    watch_target(fd, target);
    int kept = fd;
    fd = -1;
    return kept;
}

bool confwatch_drain(int fd, const char *file)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    AUTO(mem_free) char *target = realpath(file, NULL);
    const char *name = strrchr(file, '/') + 1;
    const char *other = target != NULL ? strrchr(target, '/') + 1 : name;
    bool found = false;
    for (ssize_t got; (got = read(fd, events, sizeof events)) > 0;) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)&events[at];
            bool named = event->len > 0 &&
                         (strcmp(event->name, name) == 0 || strcmp(event->name, other) == 0);
            found |= named || (event->mask & IN_Q_OVERFLOW) != 0;
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
    watch_target(fd, target);
    return found;
}
