// SPDX-License-Identifier: MIT
//
// Keep-alive asks only while nothing is unacknowledged. TCP_USER_TIMEOUT would be for the other
// case, but it ends what waits for a reader that is slow, too; whose kernel does acknowledge.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/net/net_priv.h"

enum { ALIVE_NEAR_MS = 5000, ALIVE_FAR_MS = 30000 };

void alive_watch(int fd, bool is_near)
{
    int idle_s = is_near ? 2 : 15;
    int interval_s = is_near ? 1 : 5;
    int count = 3;
    // One that is not watched is noticed later, by heartbeats.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

bool alive_is_gone(int fd, bool is_near)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    uint32_t most_ms = is_near ? ALIVE_NEAR_MS : ALIVE_FAR_MS;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    return info.tcpi_unacked > 0 && info.tcpi_last_ack_recv > most_ms;
}
