// SPDX-License-Identifier: MIT
//
// A way through a SOCKS 5 proxy (RFC 1928, without a password): a thread of its own that asks the
// proxy for a connection and carries bytes between it and one connection to a port on the loopback
// interface. ZeroMQ has an option for this, but 4.3.4 aborts when the proxy is away or refuses.
//
// Who else connects to that port first gets no further than to the peer's, and ends this try.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/thread.h"
#include "agent/net/net_priv.h"

enum { SOCKS_STEP_MS = 5000, SOCKS_BYTES = 64 * 1024 };
enum { SOCKS_VERSION = 5, SOCKS_CONNECT = 1, SOCKS_V4 = 1, SOCKS_NAME = 3, SOCKS_V6 = 4 };

struct socks {
    int listener;
    struct address proxy; // numeric
    struct address target;
};

// One direction.
struct pipe {
    int from, to;
    uint8_t bytes[SOCKS_BYTES];
    size_t at, size;
};

static bool wait_for(int fd, short events)
{
    struct pollfd item = {.fd = fd, .events = events};
    int count;
    while ((count = poll(&item, 1, SOCKS_STEP_MS)) < 0 && errno == EINTR) {
    }
    return count > 0;
}

static void info_free(struct addrinfo **info)
{
    if (*info) freeaddrinfo(*info);
}

static struct addrinfo *numeric(const struct address *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    return getaddrinfo(address->host, address->port, &hints, &found) == 0 ? found : NULL;
}

static int nonblocking(int fd)
{
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return fd;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int connect_proxy(const struct socks *socks)
{
    AUTO(info_free) struct addrinfo *to = numeric(&socks->proxy);
    int error = 0;
    socklen_t size = sizeof error;
    if (!to) return -1;
    AUTO(fd_close) int fd = nonblocking(socket(to->ai_family, SOCK_STREAM, 0));
    if (fd < 0) return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS) return -1;
    bool is_up = wait_for(fd, POLLOUT) &&
                 getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
    if (!is_up) return -1;
    int taken = fd;
    fd = -1;
    return taken;
}

static bool send_all(int fd, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(fd, bytes + at, size - at, MSG_NOSIGNAL);
        if (sent > 0) at += (size_t)sent;
        bool waits = sent < 0 && (errno == EAGAIN || errno == EINTR);
        if (sent < 0 && (!waits || !wait_for(fd, POLLOUT))) return false;
    }
    return true;
}

static bool receive_all(int fd, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, bytes + at, size - at, 0);
        if (got > 0) at += (size_t)got;
        bool waits = got < 0 && (errno == EAGAIN || errno == EINTR);
        if (got == 0 || (got < 0 && (!waits || !wait_for(fd, POLLIN)))) return false;
    }
    return true;
}

// The address as the request has it, from its kind to its port.
static size_t write_target(const struct address *target, uint8_t out[260])
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    size_t size = 1;
    AUTO(info_free) struct addrinfo *ip = numeric(target);
    if (ip && ip->ai_family == AF_INET) {
        memcpy(&four, ip->ai_addr, sizeof four);
        out[0] = SOCKS_V4;
        memcpy(out + size, &four.sin_addr, sizeof four.sin_addr);
        size += sizeof four.sin_addr;
    } else if (ip) {
        memcpy(&six, ip->ai_addr, sizeof six);
        out[0] = SOCKS_V6;
        memcpy(out + size, &six.sin6_addr, sizeof six.sin6_addr);
        size += sizeof six.sin6_addr;
    } else {
        size_t length = strlen(target->host); // at most 255
        out[0] = SOCKS_NAME;
        out[size++] = (uint8_t)length;
        memcpy(out + size, target->host, length);
        size += length;
    }
    unsigned long port = strtoul(target->port, NULL, 10);
    out[size++] = (uint8_t)(port >> 8);
    out[size++] = (uint8_t)port;
    return size;
}

static bool ask(int fd, const struct address *target)
{
    static const uint8_t greeting[] = {SOCKS_VERSION, 1, 0}; // one way to log in: none
    uint8_t request[3 + 260] = {SOCKS_VERSION, SOCKS_CONNECT, 0};
    uint8_t answer[256];
    size_t size = 3 + write_target(target, request + 3);
    if (!send_all(fd, greeting, sizeof greeting) || !receive_all(fd, answer, 2)) return false;
    if (answer[0] != SOCKS_VERSION || answer[1] != 0) return false;
    if (!send_all(fd, request, size) || !receive_all(fd, answer, 5)) return false;
    if (answer[0] != SOCKS_VERSION || answer[1] != 0) return false;
    // Where it connects from is of no interest: what is left of it, and the port.
    size_t left = answer[3] == SOCKS_V4 ? 3 : answer[3] == SOCKS_V6 ? 15 : answer[4];
    return receive_all(fd, answer, left + 2 <= sizeof answer ? left + 2 : sizeof answer);
}

// False: it has ended; all that came has gone on.
static bool pipe_move(struct pipe *pipe)
{
    if (pipe->size == 0) {
        ssize_t got = recv(pipe->from, pipe->bytes, sizeof pipe->bytes, 0);
        if (got == 0) return false;
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        pipe->size = (size_t)got;
    }
    while (pipe->size > 0) {
        ssize_t sent = send(pipe->to, pipe->bytes + pipe->at, pipe->size, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN || errno == EINTR;
        pipe->at += (size_t)sent;
        pipe->size -= (size_t)sent;
    }
    pipe->at = 0;
    return true;
}

static short wanted(const struct pipe *in, const struct pipe *out)
{
    short events = in->size == 0 ? POLLIN : 0;
    return (short)(events | (out->size > 0 ? POLLOUT : 0));
}

// Until either side ends it: no half of a connection of ZeroMQ's goes on.
static void carry(int here, int there)
{
    AUTO(mem_free) struct pipe *pipes = mem_zalloc(2, sizeof *pipes);
    pipes[0].from = pipes[1].to = here;
    pipes[1].from = pipes[0].to = there;
    alive_watch(there, false);
    for (;;) {
        struct pollfd items[] = {{.fd = here, .events = wanted(&pipes[0], &pipes[1])},
                                 {.fd = there, .events = wanted(&pipes[1], &pipes[0])}};
        if (poll(items, 2, -1) < 0 && errno != EINTR) return;
        if (!pipe_move(&pipes[0]) || !pipe_move(&pipes[1])) return;
        if (((items[0].revents | items[1].revents) & (POLLERR | POLLHUP)) != 0) return;
    }
}

static void *socks_run(void *argument)
{
    struct socks *socks = argument;
    AUTO(fd_close) int there = connect_proxy(socks);
    bool is_open = there >= 0 && ask(there, &socks->target) && wait_for(socks->listener, POLLIN);
    AUTO(fd_close) int here = is_open ? nonblocking(accept(socks->listener, NULL, NULL)) : -1;
    if (!is_open) log_info(LOG_NET, "no way through the proxy", "address=%s", socks->target.host);
    fd_close(&socks->listener);
    free(socks);
    if (here >= 0) carry(here, there);
    return NULL;
}

bool socks_open(const char *proxy, const char *target, char out[NET_ADDRESS_BYTES])
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    socklen_t size = sizeof own;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct socks *socks = mem_zalloc(1, sizeof *socks);
    bool is_sound = address_parse(proxy, &socks->proxy) && address_parse(target, &socks->target);
    socks->listener = is_sound ? nonblocking(socket(AF_INET, SOCK_STREAM, 0)) : -1;
    bool is_up = socks->listener >= 0 &&
                 bind(socks->listener, (const struct sockaddr *)&own, sizeof own) == 0 &&
                 listen(socks->listener, 1) == 0 &&
                 getsockname(socks->listener, (struct sockaddr *)&own, &size) == 0;
    if (is_up) (void)snprintf(out, NET_ADDRESS_BYTES, "tcp://127.0.0.1:%u", ntohs(own.sin_port));
    if (is_up && thread_start_detached(socks_run, socks)) return true;
    fd_close(&socks->listener);
    free(socks);
    return false;
}
