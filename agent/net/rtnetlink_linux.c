// SPDX-License-Identifier: MIT
//
// Linux: rtnetlink tells of links, addresses and routes (rtnetlink(7)). Of routes only default ones
// count; a router repeats its own every few minutes.
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/net/net_priv.h"

int network_watch_open(void)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                        RTMGRP_IPV6_ROUTE;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0) return -1;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

// A default route as a number: its family, gateway, interface, and whether it came or went.
static uint64_t route_print(const uint8_t *message, size_t size, uint16_t type)
{
    struct rtmsg route;
    uint64_t mix = UINT64_C(14695981039346656037) ^ type;
    size_t at = NLMSG_ALIGN(sizeof route);
    if (size < sizeof route) return 0;
    memcpy(&route, message, sizeof route);
    if (route.rtm_dst_len != 0 || route.rtm_table != RT_TABLE_MAIN) return 0;
    mix = (mix ^ route.rtm_family) * UINT64_C(1099511628211);
    for (struct rtattr head; at + sizeof head <= size; at += RTA_ALIGN(head.rta_len)) {
        memcpy(&head, message + at, sizeof head);
        if (head.rta_len < sizeof head || head.rta_len > size - at) break;
        if (head.rta_type != RTA_GATEWAY && head.rta_type != RTA_OIF) continue;
        for (size_t i = sizeof head; i < head.rta_len; i++)
            mix = (mix ^ message[at + i]) * UINT64_C(1099511628211);
    }
    return mix;
}

static bool is_new_route(const uint8_t *bytes, size_t size, uint64_t *last_print)
{
    bool is_new = false;
    size_t at = 0;
    for (struct nlmsghdr head; at + sizeof head <= size; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, bytes + at, sizeof head);
        if (head.nlmsg_len < sizeof head || head.nlmsg_len > size - at) break;
        if (head.nlmsg_type != RTM_NEWROUTE && head.nlmsg_type != RTM_DELROUTE) continue;
        uint64_t print =
            route_print(bytes + at + NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN, head.nlmsg_type);
        if (print == 0 || print == *last_print) continue;
        *last_print = print;
        is_new = true;
    }
    return is_new;
}

bool network_watch_read(int fd, uint64_t *last_print)
{
    uint8_t bytes[16384];
    bool is_new = false;
    for (;;) {
        ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (size > 0) {
            is_new = is_new_route(bytes, (size_t)size, last_print) || is_new;
        } else if (size < 0 && errno == ENOBUFS) {
            is_new = true; // some were lost
        } else if (size == 0 || errno != EINTR) {
            return is_new;
        }
    }
}
