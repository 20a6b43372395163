// SPDX-License-Identifier: MIT
//
// What this machine's interfaces say: which addresses are near, and which are its own.
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <ifaddrs.h>

#include "agent/base/own.h"
#include "agent/net/net_priv.h"

struct ip {
    sa_family_t family;
    uint8_t bytes[16];
    unsigned size;
};

static void free_interfaces(struct ifaddrs **list)
{
    if (*list != NULL) freeifaddrs(*list);
}

static bool ip_of(const struct sockaddr *from, struct ip *out)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    *out = (struct ip){0};
    if (from == NULL) return false;
    out->family = from->sa_family;
    if (from->sa_family == AF_INET) {
        memcpy(&four, from, sizeof four);
        out->size = sizeof four.sin_addr;
        memcpy(out->bytes, &four.sin_addr, out->size);
        return true;
    }
    if (from->sa_family != AF_INET6) return false;
    memcpy(&six, from, sizeof six);
    out->size = sizeof six.sin6_addr;
    memcpy(out->bytes, &six.sin6_addr, out->size);
    if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return true;
    *out = (struct ip){.family = AF_INET, .size = sizeof four.sin_addr};
    memcpy(out->bytes, six.sin6_addr.s6_addr + 12, out->size);
    return true;
}

static bool is_loopback(const struct ip *ip)
{
    static const uint8_t six[16] = {[15] = 1};
    return ip->family == AF_INET ? ip->bytes[0] == 127 : memcmp(ip->bytes, six, sizeof six) == 0;
}

static bool is_link_local(const struct ip *ip)
{
    return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

// A tunnel's other end is not on its network, whatever its addresses look like.
static bool is_network_of(const struct ifaddrs *at, const struct ip *ip)
{
    struct ip own;
    struct ip mask;
    bool has_network = (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & IFF_POINTOPOINT) == 0;
    if (!has_network || !ip_of(at->ifa_addr, &own) || own.family != ip->family) return false;
    // macOS leaves out the family and the zeros at the end of a mask.
    if (at->ifa_netmask == NULL) return false;
    struct sockaddr_storage whole = {0};
    memcpy(&whole, at->ifa_netmask,
           ip->family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    whole.ss_family = ip->family;
    if (!ip_of((const struct sockaddr *)&whole, &mask)) return false;
    for (unsigned i = 0; i < ip->size; i++)
        if (((own.bytes[i] ^ ip->bytes[i]) & mask.bytes[i]) != 0) return false;
    return mask.bytes[0] != 0;
}

bool interface_near(const struct sockaddr *to)
{
    AUTO(free_interfaces) struct ifaddrs *list = NULL;
    struct ip ip;
    if (!ip_of(to, &ip)) return false;
    if (is_loopback(&ip) || is_link_local(&ip)) return true;
    if (getifaddrs(&list) != 0) return false;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next)
        if (is_network_of(at, &ip)) return true;
    return false;
}

bool interface_has(const struct sockaddr *own)
{
    AUTO(free_interfaces) struct ifaddrs *list = NULL;
    struct ip wanted;
    struct ip ip;
    if (!ip_of(own, &wanted) || is_loopback(&wanted) || getifaddrs(&list) != 0) return true;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        bool is_it = (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & IFF_RUNNING) != 0 &&
                     ip_of(at->ifa_addr, &ip) && ip.family == wanted.family &&
                     memcmp(ip.bytes, wanted.bytes, ip.size) == 0;
        if (is_it) return true;
    }
    return false;
}

// In any order: a sum of a mix of each.
uint64_t interfaces_print(void)
{
    AUTO(free_interfaces) struct ifaddrs *list = NULL;
    uint64_t sum = 0;
    if (getifaddrs(&list) != 0) return 0;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        struct ip ip;
        uint64_t mix = UINT64_C(14695981039346656037);
        bool counts = (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & IFF_RUNNING) != 0;
        if (!counts || !ip_of(at->ifa_addr, &ip)) continue;
        for (unsigned i = 0; i < ip.size; i++)
            mix = (mix ^ ip.bytes[i]) * UINT64_C(1099511628211);
        for (const char *name = at->ifa_name; *name != '\0'; name++)
            mix = (mix ^ (uint8_t)*name) * UINT64_C(1099511628211);
        sum += mix;
    }
    return sum;
}
