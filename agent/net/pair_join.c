// SPDX-License-Identifier: MIT
//
// Who joins: looks the host up, tries its addresses in turn, and has one guess. Only "busy" in the
// place of a SHARE is tried again, until a code can no longer be good.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/net/pair_priv.h"

enum { BUSY_RETRY_MS = 300 };

// Waits without a connection. False: told to close.
static bool rest(struct pair *pair, int fd, short events, int64_t until_ms)
{
    struct pollfd fds[] = {{.fd = pair->wake[0], .events = POLLIN}, {.fd = fd, .events = events}};
    enum pair_order what;
    for (;;) {
        int64_t left = until_ms - pair_now_ms();
        if (left <= 0) return true;
        if (poll(fds, fd < 0 ? 1 : 2, (int)left) < 0) continue;
        if (fds[0].revents != 0 && pair_take_order(pair, &what) && what == ORDER_CLOSE) {
            return false;
        }
        if (fd >= 0 && fds[1].revents != 0) return true;
    }
}

static void free_info(struct addrinfo **info)
{
    if (*info != NULL) freeaddrinfo(*info);
}

static int connect_begin(const char *endpoint)
{
    struct address address;
    AUTO(free_info) struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    if (!address_parse(endpoint, &address)) return -1;
    if (getaddrinfo(address.host, address.port, &hints, &found) != 0) return -1;
    AUTO(fd_close) int fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return -1;
    }
    if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) return -1;
    int taken = fd;
    fd = -1;
    return taken;
}

// Connected, or -1 with the reason. *out_closed: told to close meanwhile.
static int connect_one(struct pair *pair, const char *endpoint, enum pair_end *out_end,
                       bool *out_closed)
{
    int number = 0;
    socklen_t size = sizeof number;
    AUTO(fd_close) int fd = connect_begin(endpoint);
    *out_end = errno == ECONNREFUSED ? PAIR_END_REFUSED : PAIR_END_UNREACHABLE;
    if (fd < 0) return -1;
    *out_closed = !rest(pair, fd, POLLOUT, pair_now_ms() + pair->times.connect_ms);
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    bool is_late = poll(&look, 1, 0) != 1;
    bool is_known = getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0;
    *out_end = number == ECONNREFUSED ? PAIR_END_REFUSED : PAIR_END_UNREACHABLE;
    if (*out_closed || is_late || !is_known || number != 0) return -1;
    int taken = fd;
    fd = -1;
    return taken;
}

static void host_of(const struct pair *pair, char out[PAIR_HOST_MAX])
{
    bool is_six = strchr(pair->at.host, ':') != NULL;
    (void)snprintf(out, PAIR_HOST_MAX, "%s%.255s%s", is_six ? "[" : "", pair->at.host,
                   is_six ? "]" : "");
}

static void resolver_drop(struct resolver **resolver)
{
    resolver_destroy(resolver);
}

// The numeric addresses, or NULL. *out_closed: told to close meanwhile.
static struct resolved *look_up(struct pair *pair, bool *out_closed)
{
    struct device_id nobody = {0};
    AUTO(resolver_drop) struct resolver *resolver = resolver_new();
    if (resolver == NULL) return NULL;
    resolver_ask(resolver, nobody, 0, 0, &pair->at);
    *out_closed = !rest(pair, resolver_fd(resolver), POLLIN, pair_now_ms() + pair->times.step_ms);
    return resolver_next(resolver);
}

// ---- the exchange

enum outcome { OUTCOME_MET, OUTCOME_BUSY, OUTCOME_OVER };

// A frame of that kind, else the end is told.
static enum outcome expect(struct pair *pair, struct pair_link *link, enum pair_kind kind,
                           struct pair_frame *out)
{
    enum pair_order what;
    int64_t until_ms = pair_now_ms() + pair->times.step_ms;
    enum link_state state = link_wait(pair, link, until_ms, out);
    while (state == LINK_ORDER) {
        if (pair_take_order(pair, &what) && what == ORDER_CLOSE) return OUTCOME_OVER;
        state = link_wait(pair, link, until_ms, out);
    }
    bool is_frame = state == LINK_FRAME;
    if (is_frame && out->kind == kind) return OUTCOME_MET;
    if (is_frame && out->kind == PAIR_BYE) {
        enum pair_end end = link_reason(out->payload);
        // The PROOF that was sent tests a guess of whoever answers: it is sent once.
        bool is_too_late = end == PAIR_END_BUSY && kind != PAIR_SHARE;
        if (end == PAIR_END_BUSY && !is_too_late) return OUTCOME_BUSY;
        pair_ended(pair, is_too_late ? PAIR_END_MALFORMED : end, !is_too_late);
        return OUTCOME_OVER;
    }
    bool is_silent = state == LINK_LATE || state == LINK_CLOSED;
    pair_ended(pair, is_silent ? PAIR_END_LOST : PAIR_END_MALFORMED, false);
    return OUTCOME_OVER;
}

static enum outcome refuse(struct pair *pair, struct pair_link *link, enum pair_end end)
{
    link_bye(link, end);
    pair_ended(pair, end, false);
    return OUTCOME_OVER;
}

static void send_proof(struct pair *pair, struct pair_link *link)
{
    AUTO(buf_fini) struct buf proof = {0};
    uint8_t share[CPACE_SHARE_BYTES];
    cpace_share(link->cpace, share);
    buf_append(&proof, share, sizeof share);
    link_proof_write(pair, link, &proof);
    link_send(link, PAIR_PROOF, buf_slice(&proof));
}

static enum outcome exchange(struct pair *pair, struct pair_link *link)
{
    struct pair_frame frame;
    uint8_t begin[1 + PAIR_NONCE_BYTES] = {PAIR_VERSION};
    crypto_random(link->nonces, PAIR_NONCE_BYTES);
    memcpy(begin + 1, link->nonces, PAIR_NONCE_BYTES);
    link_send(link, PAIR_BEGIN, slice_of(begin, sizeof begin));
    enum outcome outcome = expect(pair, link, PAIR_SHARE, &frame);
    if (outcome != OUTCOME_MET) return outcome;
    if (frame.payload.size != 1 + PAIR_NONCE_BYTES + CPACE_SHARE_BYTES) {
        return refuse(pair, link, PAIR_END_MALFORMED);
    }
    if (frame.payload.data[0] != PAIR_VERSION) return refuse(pair, link, PAIR_END_VERSION);
    memcpy(link->nonces + PAIR_NONCE_BYTES, frame.payload.data + 1, PAIR_NONCE_BYTES);
    link_cpace(pair, link);
    if (!link_share(pair, link, frame.payload.data + 1 + PAIR_NONCE_BYTES)) {
        return refuse(pair, link, PAIR_END_WRONG_CODE);
    }
    send_proof(pair, link);
    outcome = expect(pair, link, PAIR_PROOF, &frame);
    if (outcome != OUTCOME_MET) return outcome;
    if (!link_proof_read(pair, link, frame.payload)) {
        return refuse(pair, link, PAIR_END_WRONG_CODE);
    }
    host_of(pair, link->host);
    return OUTCOME_MET;
}

static enum outcome talk(struct pair *pair, int fd)
{
    AUTO(link_fini) struct pair_link link;
    link_init(&link, fd);
    enum outcome outcome = exchange(pair, &link);
    if (outcome == OUTCOME_MET) pair_settle(pair, &link);
    return outcome;
}

// One address after the other until one answers; BUSY if that one has no time for us.
static enum outcome attempt(struct pair *pair, const struct resolved *found)
{
    enum pair_end end = PAIR_END_UNKNOWN_HOST;
    bool is_closed = false;
    for (uint32_t i = 0; i < found->count; i++) {
        int fd = connect_one(pair, found->endpoints[i], &end, &is_closed);
        if (is_closed) return OUTCOME_OVER;
        if (fd >= 0) return talk(pair, fd);
    }
    pair_ended(pair, end, false);
    return OUTCOME_OVER;
}

void join_run(struct pair *pair)
{
    int64_t until_ms = pair_now_ms() + pair->times.code_ms;
    bool is_closed = false;
    AUTO(mem_free) struct resolved *found = look_up(pair, &is_closed);
    if (is_closed) return;
    if (found == NULL || found->count == 0) {
        pair_ended(pair, PAIR_END_UNKNOWN_HOST, false);
        return;
    }
    while (attempt(pair, found) == OUTCOME_BUSY) {
        if (!rest(pair, -1, 0, pair_now_ms() + BUSY_RETRY_MS)) return;
        if (pair_now_ms() < until_ms) continue;
        pair_ended(pair, PAIR_END_BUSY, true);
        return;
    }
}
