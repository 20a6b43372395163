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

int confwatch_open(const char *file)
{
    AUTO(mem_free) char *directory = mem_strdup(file);
    char *slash = strrchr(directory, '/');
    if (slash == NULL || slash == directory) return -1;
    *slash = '\0';
    int watched = open(directory, O_EVTONLY | O_CLOEXEC); // stays open with the queue
    AUTO(fd_close) int fd = watched >= 0 ? kqueue() : -1;
    struct kevent event;
    EV_SET(&event, (uintptr_t)watched, EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE, 0, NULL);
    if (fd < 0 || kevent(fd, &event, 1, NULL, 0, NULL) != 0) {
        fd_close(&watched);
        return -1;
    }
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
