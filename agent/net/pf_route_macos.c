// SPDX-License-Identifier: MIT
//
// macOS: a routing socket tells of interfaces, addresses and routes (route(4)). What it says of
// addresses is looked up with getifaddrs, and of routes only default ones count.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/net/net_priv.h"

int network_watch_open(void)
{
    int fd = socket(PF_ROUTE, SOCK_RAW, AF_UNSPEC);
    if (fd < 0) return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0) return fd;
    close(fd);
    return -1;
}

// The destination follows the header; a default route's is all zeros.
static bool is_default(const uint8_t *message, size_t size)
{
    struct rt_msghdr head;
    struct sockaddr_in6 to = {0};
    static const struct in6_addr any;
    memcpy(&head, message, sizeof head);
    size_t left = size - sizeof head;
    if ((head.rtm_addrs & RTA_DST) == 0 || left < sizeof(struct sockaddr)) return false;
    memcpy(&to, message + sizeof head, left < sizeof to ? left : sizeof to);
    if (to.sin6_family == AF_INET6) return memcmp(&to.sin6_addr, &any, sizeof any) == 0;
    struct sockaddr_in four;
    memcpy(&four, &to, sizeof four);
    return four.sin_family == AF_INET && four.sin_addr.s_addr == 0;
}

static uint64_t route_print(const uint8_t *message, size_t size)
{
    struct rt_msghdr head;
    uint64_t mix = UINT64_C(14695981039346656037);
    if (size < sizeof head || !is_default(message, size)) return 0;
    memcpy(&head, message, sizeof head);
    mix = (mix ^ head.rtm_type ^ (uint64_t)head.rtm_index << 8) * UINT64_C(1099511628211);
    for (size_t i = sizeof head; i < size; i++)
        mix = (mix ^ message[i]) * UINT64_C(1099511628211);
    return mix;
}

bool network_watch_read(int fd, uint64_t *last_print)
{
    uint8_t bytes[2048];
    bool is_new = false;
    for (;;) {
        ssize_t size = read(fd, bytes, sizeof bytes);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == ENOBUFS) return true; // some were lost
        if (size < 4) return is_new;
        uint8_t type = bytes[3]; // the same place in every kind of message
        if (type != RTM_ADD && type != RTM_DELETE && type != RTM_CHANGE) continue;
        uint64_t print = route_print(bytes, (size_t)size);
        if (print == 0 || print == *last_print) continue;
        *last_print = print;
        is_new = true;
    }
}
