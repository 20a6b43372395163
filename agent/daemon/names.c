// SPDX-License-Identifier: MIT
//
// Names are typed in shells and printed in logs, so they are kept to what needs no quoting there.
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/daemon/names_priv.h"
#include "agent/net/net.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool name_valid(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX || strcmp(name, "all") == 0) return false;
    for (size_t i = 0; i < size; i++) {
        if (!is_name_byte(name[i])) return false;
    }
    return true;
}

bool device_name_valid(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte < 0x20 || byte == 0x7f) return false;
    }
    return true;
}

static bool port_valid(const char *text, bool listening)
{
    size_t size = strlen(text);
    if (size == 0 || size > 5 || strspn(text, "0123456789") != size) return false;
    long port = strtol(text, NULL, 10);
    return port <= 65535 && (port > 0 || listening);
}

// The name of an interface, without what a shell would take for more than a name.
static bool zone_valid(const char *zone)
{
    size_t size = 0;
    while (is_name_byte(zone[size]) || (zone[size] != '\0' && strchr(":%@+=,", zone[size]) != NULL))
        size++;
    return size > 0 && zone[size] == '\0';
}

static bool host_valid(const char *host, size_t size, bool listening)
{
    if (size == 0 || size > 253) return false;
    if (size == 1 && host[0] == '*') return listening;
    if (host[0] == '[') {
        char inner[64];
        struct in6_addr v6;
        if (size < 4 || size - 2 >= sizeof inner || host[size - 1] != ']') return false;
        memcpy(inner, host + 1, size - 2);
        inner[size - 2] = '\0';
        char *zone = strchr(inner, '%');
        if (zone != NULL) *zone++ = '\0';
        return inet_pton(AF_INET6, inner, &v6) == 1 && (zone == NULL || zone_valid(zone));
    }
    for (size_t i = 0; i < size; i++) {
        if (!is_name_byte(host[i])) return false;
    }
    return true;
}

bool address_valid(const char *address, bool listening)
{
    static const char scheme[] = "tcp://";
    if (strncmp(address, scheme, sizeof scheme - 1) != 0) return false;
    const char *host = address + sizeof scheme - 1;
    const char *colon = strrchr(host, ':');
    if (colon == NULL || !port_valid(colon + 1, listening)) return false;
    return host_valid(host, (size_t)(colon - host), listening);
}

static bool v4_is_local(uint32_t ip)
{
    return ip >> 24 == 127 || ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 ||
           ip >> 16 == 0xa9fe;
}

static bool v6_is_local(const struct in6_addr *ip)
{
    const uint8_t *b = ip->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        return v4_is_local((uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 |
                           b[15]);
    }
    return IN6_IS_ADDR_LOOPBACK(ip) || IN6_IS_ADDR_LINKLOCAL(ip) || (b[0] & 0xfe) == 0xfc;
}

bool address_is_local(const char *address)
{
    struct slice part = address_host(slice_text(address));
    const char *host = (const char *)part.data;
    size_t size = part.size;
    char text[64];
    struct in_addr v4;
    struct in6_addr v6;
    if (size >= 2 && host[0] == '[') {
        host++;
        size -= 2;
    }
    if (size >= sizeof text) return false;
    memcpy(text, host, size);
    text[size] = '\0';
    if (inet_pton(AF_INET, text, &v4) == 1) return v4_is_local(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, text, &v6) == 1) return v6_is_local(&v6);
    return strcmp(text, "localhost") == 0 || (size > 6 && strcmp(text + size - 6, ".local") == 0);
}
