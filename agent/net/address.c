// SPDX-License-Identifier: MIT
//
// Addresses: "tcp://HOST:PORT" taken apart, resolved, and written.
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/net/net_priv.h"

static bool address_port(const char *text, char out[6])
{
    size_t size = strspn(text, "0123456789");
    if (size == 0 || size > 5 || text[size] || strtoul(text, NULL, 10) > 65535) return false;
    memcpy(out, text, size + 1);
    return true;
}

bool address_parse(const char *text, struct address *out)
{
    static const char scheme[] = "tcp://";
    if (strncmp(text, scheme, sizeof scheme - 1) != 0) return false;
    const char *host = text + sizeof scheme - 1;
    const char *end = strrchr(host, ':');
    if (!end || !address_port(end + 1, out->port)) return false;
    if (*host == '[') {
        host++;
        if (end - host < 1 || *--end != ']') return false;
    } else if (memchr(host, ':', (size_t)(end - host))) {
        return false; // a bare IPv6 address: where would its port begin?
    }
    size_t size = (size_t)(end - host);
    if (size == 0 || size > 255) return false;
    memcpy(out->host, host, size);
    out->host[size] = '\0';
    return !strpbrk(out->host, "[]/ ");
}

struct slice address_host(struct slice address)
{
    static const char scheme[] = "tcp://";
    size_t begin = sizeof scheme - 1;
    size_t end = address.size;
    if (end < begin || memcmp(address.data, scheme, begin) != 0) begin = 0;
    while (end > begin && address.data[end - 1] != ':')
        end--;
    return slice_of(address.data + begin, (end > begin ? end - 1 : address.size) - begin);
}

static void address_info_free(struct addrinfo **info)
{
    if (*info) freeaddrinfo(*info);
}

static struct addrinfo *address_info(const struct address *address, int flags)
{
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICSERV | flags, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0) return NULL;
    return found;
}

bool address_is_numeric(const struct address *address)
{
    AUTO(address_info_free) struct addrinfo *found = address_info(address, AI_NUMERICHOST);
    return found != NULL;
}

// ::ffff:1.2.3.4 as 1.2.3.4
static bool address_unmap(const struct sockaddr *from, struct sockaddr_in *out)
{
    struct sockaddr_in6 six;
    if (from->sa_family != AF_INET6) return false;
    memcpy(&six, from, sizeof six);
    if (!IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return false;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = six.sin6_port};
    memcpy(&out->sin_addr, six.sin6_addr.s6_addr + 12, 4);
    return true;
}

bool address_text(const struct sockaddr *from, socklen_t size, char out[NET_ADDRESS_BYTES])
{
    char host[256];
    char port[8];
    struct sockaddr_in four;
    struct sockaddr_storage copy = {0};
    memcpy(&copy, from, size < sizeof copy ? size : sizeof copy);
    if (from->sa_family != AF_INET && from->sa_family != AF_INET6) return false;
    if (address_unmap(from, &four)) {
        memset(&copy, 0, sizeof copy);
        memcpy(&copy, &four, sizeof four);
        size = sizeof four;
    }
    if (getnameinfo((const struct sockaddr *)&copy, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    bool is_six = copy.ss_family == AF_INET6;
    snprintf(out, NET_ADDRESS_BYTES, "tcp://%s%s%s:%s", is_six ? "[" : "", host, is_six ? "]" : "",
             port);
    return true;
}

uint32_t address_resolve(const struct address *address,
                         char out[NET_CANDIDATES_MAX][NET_ADDRESS_BYTES])
{
    AUTO(address_info_free) struct addrinfo *found = address_info(address, 0);
    uint32_t count = 0;
    for (struct addrinfo *at = found; at && count < NET_CANDIDATES_MAX; at = at->ai_next) {
        if (address_text(at->ai_addr, at->ai_addrlen, out[count])) count++;
    }
    return count;
}

static struct addrinfo *address_endpoint_info(const char *endpoint)
{
    struct address address;
    return address_parse(endpoint, &address) ? address_info(&address, AI_NUMERICHOST) : NULL;
}

bool address_is_near(const char *endpoint)
{
    AUTO(address_info_free) struct addrinfo *found = address_endpoint_info(endpoint);
    return found && interface_near(found->ai_addr);
}

// Asks the routing table by connecting a datagram socket, which sends nothing.
bool address_has_route(const char *endpoint)
{
    AUTO(address_info_free) struct addrinfo *found = address_endpoint_info(endpoint);
    if (!found) return true;
    AUTO(fd_close) int fd = socket(found->ai_family, SOCK_DGRAM, 0);
    return fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) == 0;
}
