// SPDX-License-Identifier: MIT
//
// The listening descriptor.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/base/own.h"
#include "agent/net/net_priv.h"

enum { LISTEN_BACKLOG = 256 };

int listen_descriptor(const struct sockaddr *address, socklen_t size, bool dual_stack)
{
    AUTO(fd_close) int fd = socket(address->sa_family, SOCK_STREAM, 0);
    int one = 1;
    int six_only = !dual_stack;
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->sa_family == AF_INET6) {
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &six_only, sizeof six_only) != 0) return -1;
    }
    if (bind(fd, address, size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) return -1;
    int taken = fd;
    fd = -1;
    return taken;
}
