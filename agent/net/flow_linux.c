// SPDX-License-Identifier: MIT
//
// The kernel counts what a connection has received. (glibc's own header does not know the field.)
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "agent/net/net_priv.h"

uint64_t flow_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    size_t least = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < least) return 0;
    return info.tcpi_bytes_received;
}
