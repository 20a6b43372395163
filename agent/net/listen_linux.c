// SPDX-License-Identifier: MIT
//
// The listening descriptor. TCP_DEFER_ACCEPT keeps a connection that sends nothing in the kernel's
// backlog, so that a silent stranger costs no descriptor; a ZeroMQ peer speaks first.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "agent/base/own.h"
#include "agent/net/net_priv.h"

enum { LISTEN_DEFER_S = 3, LISTEN_BACKLOG = 256 };

int listen_descriptor(const struct sockaddr *address, socklen_t size, bool dual_stack)
{
    AUTO(fd_close)
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int one = 1;
    int six_only = !dual_stack;
    int defer = LISTEN_DEFER_S;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (address->sa_family == AF_INET6) {
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &six_only, sizeof six_only) != 0) return -1;
    }
    if (bind(fd, address, size) != 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer, sizeof defer);
    if (listen(fd, LISTEN_BACKLOG) != 0) return -1;
    int taken = fd;
    fd = -1;
    return taken;
}
