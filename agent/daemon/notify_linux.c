// SPDX-License-Identifier: MIT
//
// One datagram to $NOTIFY_SOCKET, which is all that libsystemd would do.
//
// Source: sd_notify(3), "Standalone Implementations".
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/notify_priv.h"

void notify_send(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path != NULL ? strlen(path) : 0;
    if (size < 2 || size >= sizeof address.sun_path || strchr("/@", path[0]) == NULL) return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') address.sun_path[0] = '\0'; // has no name in the file system
    AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    ssize_t sent = fd < 0 ? -1
                          : sendto(fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT,
                                   (struct sockaddr *)&address, length);
    if (sent < 0) log_debug(LOG_DAEMON, "service manager not told", "socket=%s", path);
}
