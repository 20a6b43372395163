// SPDX-License-Identifier: MIT
//
// The kernel counts what a connection has received. It does not pace.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "agent/net/net_priv.h"

uint64_t flow_received(int fd)
{
    struct tcp_connection_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONNECTION_INFO, &info, &size) != 0) return 0;
    return info.tcpi_rxbytes;
}

bool flow_sent(int fd, struct flow_sent *out)
{
    (void)fd;
    (void)out;
    return false;
}

void flow_limit(int fd, uint64_t rate)
{
    (void)fd;
    (void)rate;
}
