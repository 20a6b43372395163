// SPDX-License-Identifier: MIT
//
// A file that is written in place is not seen: SIGHUP says it.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
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
    int watched = open(directory, O_EVTONLY | O_CLOEXEC); // stays open with the queue
    struct kevent event;
    EV_SET(&event, (uintptr_t)watched, EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE, 0, NULL);
    if (watched >= 0 && kevent(fd, &event, 1, NULL, 0, NULL) == 0) return true;
    fd_close(&watched);
    return false;
}

int confwatch_open(const char *file)
{
    AUTO(mem_free) char *target = realpath(file, NULL); // it may be a link
    AUTO(fd_close) int fd = kqueue();
    if (fd < 0 || !watch_directory(fd, file)) return -1;
    if (target != NULL) (void)watch_directory(fd, target);
    int kept = fd;
    fd = -1;
    return kept;
}

bool confwatch_drain(int fd, const char *file)
{
    (void)file;
    static const struct timespec at_once;
    struct kevent event;
    while (kevent(fd, NULL, 0, &event, 1, &at_once) > 0)
        continue;
    return true;
}
