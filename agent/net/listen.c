// SPDX-License-Identifier: MIT
//
// Opens the ROUTER: admission first, then the self-test, then the addresses.
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/net/net_priv.h"

static enum err listen_fault(struct fault *fault, const char *what, const char *address, int number)
{
    char escaped[LOG_ESCAPED_MAX];
    log_error(LOG_NET, "cannot listen", "address=\"%s\" why=\"%s\" errno=%d",
              log_escape(slice_text(address), escaped), what, number);
    *fault = (struct fault){ERR_CONFIG, 0, what};
    return ERR_CONFIG;
}

static const char *listen_reason(int number)
{
    switch (number) {
    case EADDRINUSE: return "the listen address is in use by another program";
    case EACCES: return "no permission to listen on this port";
    case EADDRNOTAVAIL: return "the listen address is not one of this machine";
    case EMFILE:
    case ENFILE: return "no file descriptors left to listen";
    default: return "cannot listen on this address";
    }
}

// One socket for both families; where there is no IPv6, one for IPv4.
static int listen_any(uint16_t port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = listen_descriptor((const struct sockaddr *)&six, sizeof six, true);
    if (fd >= 0 || errno == EADDRINUSE || errno == EACCES) return fd;
    return listen_descriptor((const struct sockaddr *)&four, sizeof four, false);
}

int listen_address(const struct address *address, bool *out_known)
{
    *out_known = true;
    if (!strcmp(address->host, "*")) return listen_any((uint16_t)strtoul(address->port, NULL, 10));
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &found) != 0) {
        *out_known = false;
        return -1;
    }
    int fd = listen_descriptor(found->ai_addr, found->ai_addrlen, false);
    int number = errno;
    freeaddrinfo(found);
    errno = number;
    return fd;
}

void listen_endpoint(int fd, bool is_any, char out[NET_ADDRESS_BYTES])
{
    struct sockaddr_storage local = {0};
    socklen_t size = sizeof local;
    char text[NET_ADDRESS_BYTES] = "";
    if (getsockname(fd, (struct sockaddr *)&local, &size) == 0) {
        address_text((const struct sockaddr *)&local, size, text);
    }
    if (!is_any) {
        memcpy(out, text, sizeof text);
        return;
    }
    const char *port = strrchr(text, ':');
    (void)snprintf(out, NET_ADDRESS_BYTES, "tcp://*%.6s", port ? port : "");
}

static void listen_remember(struct net *net, int fd, bool is_any)
{
    char text[NET_ADDRESS_BYTES];
    listen_endpoint(fd, is_any, text);
    net->endpoints[net->endpoint_count++] = mem_strdup(text);
}

static enum err listen_bind(struct net *net, const char *text, struct fault *fault)
{
    struct address address;
    if (!address_parse(text, &address)) {
        return listen_fault(fault, "a listen address must look like tcp://HOST:PORT", text, 0);
    }
    bool is_known;
    AUTO(fd_close) int fd = listen_address(&address, &is_known);
    if (fd < 0 && !is_known) {
        return listen_fault(fault, "the host of the listen address is not known", text, 0);
    }
    if (fd < 0) return listen_fault(fault, listen_reason(errno), text, errno);
    listen_remember(net, fd, !strcmp(address.host, "*"));
    socket_set(net->router, ZMQ_USE_FD, fd);
    // ZeroMQ reads the address but listens on the descriptor, which is its own from here.
    if (zmq_bind(net->router, "tcp://127.0.0.1:*") != 0) {
        return listen_fault(fault, "ZeroMQ refused the listening socket", text, zmq_errno());
    }
    fd = -1;
    return ERR_OK;
}

static enum err listen_router(struct net *net, struct fault *fault)
{
    net->router = socket_new(net, ZMQ_ROUTER, NET_ROUTER_HWM);
    if (!net->router || !socket_admission(net, net->router)) {
        *fault = (struct fault){ERR_VERSION, 0, "this libzmq cannot enforce admission"};
        return ERR_VERSION;
    }
    socket_set(net->router, ZMQ_ROUTER_MANDATORY, 1);
    socket_set(net->router, ZMQ_ROUTER_HANDOVER, 0);
    net->router_monitor =
        monitor_open(net, net->router, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED);
    if (net->router_monitor) return ERR_OK;
    *fault = (struct fault){ERR_CONFIG, 0, "no file descriptors left for the network"};
    return ERR_CONFIG;
}

enum err listen_all(struct net *net, const struct net_options *options, struct fault *fault)
{
    net->zap = zap_start(net);
    if (!net->zap) {
        *fault = (struct fault){ERR_CONFIG, 0, "cannot start the admission thread"};
        return ERR_CONFIG;
    }
    enum err err = selftest_run(net, fault);
    if (err == ERR_OK) err = listen_router(net, fault);
    net->endpoints = mem_zalloc(options->listen_count, sizeof *net->endpoints);
    for (uint32_t i = 0; err == ERR_OK && i < options->listen_count; i++) {
        err = listen_bind(net, options->listen[i], fault);
    }
    return err;
}
