// SPDX-License-Identifier: MIT
//
// The kernel counts what a connection has received and sent, and paces it. (glibc's own header does
// not know the fields.)
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

bool flow_sent(int fd, struct flow_sent *out)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    size_t least = offsetof(struct tcp_info, tcpi_min_rtt) + sizeof info.tcpi_min_rtt;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < least) return false;
    uint32_t shortest = info.tcpi_min_rtt < info.tcpi_rtt ? info.tcpi_min_rtt : info.tcpi_rtt;
    *out = (struct flow_sent){.acknowledged = info.tcpi_bytes_acked,
                              .round_trip_us = info.tcpi_rtt,
                              .shortest_us = shortest,
                              .is_full = info.tcpi_notsent_bytes > 0};
    return true;
}

void flow_limit(int fd, uint64_t rate)
{
    unsigned int most = rate > 0 && rate < UINT32_MAX ? (unsigned int)rate : UINT32_MAX;
    (void)setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &most, sizeof most);
}
