// SPDX-License-Identifier: MIT
//
// What another device could dial to get here, from what is listened on.
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ifaddrs.h>

#include "agent/base/own.h"
#include "agent/net/net_priv.h"
#include "agent/net/pair.h"

static void reach_add(struct reach *reach, const char *address)
{
    size_t size = strlen(address);
    if (reach->count == CARD_ADDRESSES_MAX || size > CARD_TEXT_MAX) return;
    for (uint32_t i = 0; i < reach->count; i++)
        if (strcmp(reach->addresses[i], address) == 0) return;
    memcpy(reach->addresses[reach->count++], address, size + 1);
}

static void free_interfaces(struct ifaddrs **list)
{
    if (*list != NULL) freeifaddrs(*list);
}

// Link-local addresses mean something else on every machine.
static bool is_far(const struct ifaddrs *at, sa_family_t family)
{
    struct sockaddr_in6 six;
    if (at->ifa_addr == NULL || at->ifa_addr->sa_family != family) return false;
    if ((at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0) return false;
    if (family == AF_INET) return true;
    memcpy(&six, at->ifa_addr, sizeof six);
    return !IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr);
}

static void reach_interfaces(struct reach *reach, sa_family_t family, const char *port)
{
    AUTO(free_interfaces) struct ifaddrs *list = NULL;
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (getifaddrs(&list) != 0) return;
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        char text[NET_ADDRESS_BYTES];
        char whole[NET_ADDRESS_BYTES + 8];
        if (!is_far(at, family) || !address_text(at->ifa_addr, size, text)) continue;
        *strrchr(text, ':') = '\0'; // its port is 0
        (void)snprintf(whole, sizeof whole, "%s:%s", text, port);
        reach_add(reach, whole);
    }
}

void reach_of(const char *const *endpoints, uint32_t count, struct reach *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < count; i++) {
        struct address address;
        if (!address_parse(endpoints[i], &address)) continue;
        if (strcmp(address.host, "*") != 0) {
            reach_add(out, endpoints[i]);
            continue;
        }
        uint32_t before = out->count;
        out->port = (uint32_t)strtoul(address.port, NULL, 10);
        reach_interfaces(out, AF_INET, address.port);
        reach_interfaces(out, AF_INET6, address.port);
        if (out->count > before) continue;
        char local[64];
        (void)snprintf(local, sizeof local, "tcp://127.0.0.1:%s", address.port);
        reach_add(out, local);
    }
}
