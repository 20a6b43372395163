// SPDX-License-Identifier: MIT
//
// Who offers: listens until somebody shows the code, or the code is dead.
//
// Connections come and say BEGIN; of those that have, one at a time is answered with a share and
// may prove that it knows the code. That proof is the guess: a wrong one ends the offer. Who only
// occupies a place loses it after step_ms, or to a newcomer while it has not even begun, and has
// learnt nothing.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/net/pair_priv.h"

struct attempt {
    struct pair_link link;
    int64_t until_ms;
    bool begun; // the one in flight
};

struct offer {
    struct pair *pair;
    struct attempt *attempts[PAIR_ATTEMPTS_MAX];
    uint32_t count;
    int64_t until_ms;
    struct attempt *winner;
    bool over;
};

// ---- listening

static int listen_host(const char *host, uint16_t port)
{
    struct address address;
    bool is_known;
    (void)snprintf(address.host, sizeof address.host, "%.300s", host);
    (void)snprintf(address.port, sizeof address.port, "%u", (unsigned)port);
    return listen_address(&address, &is_known);
}

// At this port, so that a firewall can let it through, else at any.
static bool listen_here(struct pair *pair, const char *host, unsigned long port)
{
    char text[NET_ADDRESS_BYTES];
    if (pair->listener_count == PAIR_LISTEN_MAX) return true;
    int fd = port > 0 && port <= UINT16_MAX ? listen_host(host, (uint16_t)port) : -1;
    if (fd < 0) fd = listen_host(host, 0);
    if (fd < 0) return false;
    listen_endpoint(fd, strcmp(host, "*") == 0, text);
    pair->endpoints[pair->listener_count] = mem_strdup(text);
    pair->listeners[pair->listener_count++] = fd;
    return true;
}

// Where the agent itself listens, so that an agent that is local stays so.
enum err offer_listen(struct pair *pair, const struct pair_options *options, struct fault *fault)
{
    bool ok = options->listen_count > 0 || listen_here(pair, "*", PAIR_PORT);
    for (uint32_t i = 0; i < options->listen_count; i++) {
        struct address address;
        if (!address_parse(options->listen[i], &address)) continue;
        unsigned long own = strtoul(address.port, NULL, 10);
        ok = listen_here(pair, address.host, own > 0 ? own + 1 : 0) || ok;
    }
    if (ok && pair->listener_count > 0) return ERR_OK;
    *fault = (struct fault){ERR_CONFIG, 0, "no address to listen on for the other device"};
    return ERR_CONFIG;
}

// ---- who comes

static void drop(struct offer *offer, struct attempt *attempt)
{
    for (uint32_t i = 0; i < offer->count; i++) {
        if (offer->attempts[i] != attempt) continue;
        link_fini(&attempt->link);
        free(attempt);
        offer->count--;
        memmove(&offer->attempts[i], &offer->attempts[i + 1],
                (offer->count - i) * sizeof offer->attempts[0]);
        return;
    }
}

static const struct attempt *in_flight(const struct offer *offer)
{
    for (uint32_t i = 0; i < offer->count; i++)
        if (offer->attempts[i]->begun) return offer->attempts[i];
    return NULL;
}

// The oldest that has not begun makes room; there is always one, for one has begun at most.
static void make_room(struct offer *offer)
{
    if (offer->count < PAIR_ATTEMPTS_MAX) return;
    drop(offer, offer->attempts[offer->attempts[0]->begun ? 1 : 0]);
}

static void take_stranger(struct offer *offer, int listener)
{
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    char text[NET_ADDRESS_BYTES] = "";
    int fd = accept(listener, (struct sockaddr *)&from, &size);
    if (fd < 0) return;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    make_room(offer);
    struct attempt *attempt = mem_zalloc(1, sizeof *attempt);
    link_init(&attempt->link, fd);
    attempt->until_ms = pair_now_ms() + offer->pair->times.step_ms;
    if (address_text((const struct sockaddr *)&from, size, text)) {
        struct slice host = address_host(slice_text(text));
        (void)snprintf(attempt->link.host, sizeof attempt->link.host, "%.*s", (int)host.size,
                       (const char *)host.data);
    }
    offer->attempts[offer->count++] = attempt;
}

// ---- what they say

// Before anybody is told: whoever comes then finds nobody.
static void stop_listening(struct pair *pair)
{
    for (uint32_t i = 0; i < pair->listener_count; i++)
        fd_close(&pair->listeners[i]);
}

static void dead(struct offer *offer, enum pair_end end)
{
    offer->over = true;
    pair_ended(offer->pair, end, false);
}

static void refuse(struct offer *offer, struct attempt *attempt, enum pair_end end)
{
    link_bye(&attempt->link, end);
    drop(offer, attempt);
}

static void on_begin(struct offer *offer, struct attempt *attempt, struct slice payload)
{
    struct pair_link *link = &attempt->link;
    uint8_t answer[1 + PAIR_NONCE_BYTES + CPACE_SHARE_BYTES] = {PAIR_VERSION};
    if (payload.size < 1 + PAIR_NONCE_BYTES || payload.data[0] != PAIR_VERSION) {
        refuse(offer, attempt, payload.size > 0 ? PAIR_END_VERSION : PAIR_END_MALFORMED);
        return;
    }
    if (in_flight(offer) != NULL) {
        refuse(offer, attempt, PAIR_END_BUSY);
        return;
    }
    memcpy(link->nonces, payload.data + 1, PAIR_NONCE_BYTES);
    crypto_random(link->nonces + PAIR_NONCE_BYTES, PAIR_NONCE_BYTES);
    link_cpace(offer->pair, link);
    memcpy(answer + 1, link->nonces + PAIR_NONCE_BYTES, PAIR_NONCE_BYTES);
    cpace_share(link->cpace, answer + 1 + PAIR_NONCE_BYTES);
    link_send(link, PAIR_SHARE, slice_of(answer, sizeof answer));
    attempt->begun = true;
    attempt->until_ms = pair_now_ms() + offer->pair->times.step_ms;
}

// The guess.
static void on_proof(struct offer *offer, struct attempt *attempt, struct slice payload)
{
    struct pair *pair = offer->pair;
    bool is_right = payload.size > CPACE_SHARE_BYTES &&
                    link_share(pair, &attempt->link, payload.data) &&
                    link_proof_read(pair, &attempt->link,
                                    slice_of(payload.data + CPACE_SHARE_BYTES,
                                             payload.size - CPACE_SHARE_BYTES));
    stop_listening(pair);
    if (is_right) {
        AUTO(buf_fini) struct buf proof = {0};
        link_proof_write(pair, &attempt->link, &proof);
        link_send(&attempt->link, PAIR_PROOF, buf_slice(&proof));
        offer->winner = attempt;
        return;
    }
    log_warn(LOG_NET, "wrong pairing code", "address=\"%s\"", attempt->link.host);
    refuse(offer, attempt, PAIR_END_WRONG_CODE);
    dead(offer, PAIR_END_GUESSED);
}

// Who joins has met somebody in between: no guess was made here, but that person needs a new code.
static void on_bye(struct offer *offer, struct attempt *attempt, struct slice payload)
{
    bool is_wrong = link_reason(payload) == PAIR_END_WRONG_CODE && attempt->begun;
    drop(offer, attempt);
    if (!is_wrong) return;
    stop_listening(offer->pair);
    dead(offer, PAIR_END_GUESSED);
}

static void serve(struct offer *offer, struct attempt *attempt)
{
    struct pair_frame frame;
    enum link_state state = link_read(&attempt->link, &frame);
    if (state == LINK_MORE) return;
    if (state == LINK_FRAME && frame.kind == PAIR_BEGIN && !attempt->begun) {
        on_begin(offer, attempt, frame.payload);
    } else if (state == LINK_FRAME && frame.kind == PAIR_PROOF && attempt->begun) {
        on_proof(offer, attempt, frame.payload);
    } else if (state == LINK_FRAME && frame.kind == PAIR_BYE) {
        on_bye(offer, attempt, frame.payload);
    } else if (state == LINK_CLOSED) {
        drop(offer, attempt);
    } else {
        refuse(offer, attempt, PAIR_END_MALFORMED);
    }
}

// ---- the loop

static int64_t next_ms(const struct offer *offer)
{
    int64_t next = offer->until_ms;
    for (uint32_t i = 0; i < offer->count; i++)
        if (offer->attempts[i]->until_ms < next) next = offer->attempts[i]->until_ms;
    return next;
}

static void expire(struct offer *offer)
{
    int64_t now = pair_now_ms();
    for (uint32_t i = offer->count; i-- > 0;)
        if (offer->attempts[i]->until_ms <= now) drop(offer, offer->attempts[i]);
    if (now < offer->until_ms) return;
    stop_listening(offer->pair);
    while (offer->count > 0)
        refuse(offer, offer->attempts[0], PAIR_END_EXPIRED);
    dead(offer, PAIR_END_NOBODY_CAME);
}

// Waits, then serves whoever has spoken and takes one newcomer per listener.
static void turn(struct offer *offer)
{
    struct pair *pair = offer->pair;
    struct pollfd fds[1 + PAIR_LISTEN_MAX + PAIR_ATTEMPTS_MAX] = {
        {.fd = pair->wake[0], .events = POLLIN}};
    struct attempt *spoken[PAIR_ATTEMPTS_MAX];
    uint32_t listeners = pair->listener_count;
    uint32_t count = offer->count;
    enum pair_order what;
    for (uint32_t i = 0; i < listeners; i++)
        fds[1 + i] = (struct pollfd){.fd = pair->listeners[i], .events = POLLIN};
    for (uint32_t i = 0; i < count; i++) {
        spoken[i] = offer->attempts[i];
        fds[1 + listeners + i] = (struct pollfd){.fd = spoken[i]->link.fd, .events = POLLIN};
    }
    int64_t left = next_ms(offer) - pair_now_ms();
    if (poll(fds, 1 + listeners + count, left > 0 ? (int)left : 0) < 0) return;
    if (fds[0].revents != 0 && pair_take_order(pair, &what) && what == ORDER_CLOSE) {
        offer->over = true;
    }
    // Serving one drops at most that one.
    for (uint32_t i = 0; i < count && !offer->over && offer->winner == NULL; i++)
        if (fds[1 + listeners + i].revents != 0) serve(offer, spoken[i]);
    for (uint32_t i = 0; i < listeners && !offer->over && offer->winner == NULL; i++)
        if (fds[1 + i].revents != 0) take_stranger(offer, pair->listeners[i]);
}

void offer_run(struct pair *pair)
{
    struct offer offer = {.pair = pair, .until_ms = pair_now_ms() + pair->times.code_ms};
    while (!offer.over && offer.winner == NULL) {
        turn(&offer);
        if (!offer.over && offer.winner == NULL) expire(&offer);
    }
    stop_listening(pair);
    for (uint32_t i = offer.count; i-- > 0;) {
        if (offer.attempts[i] == offer.winner) continue;
        refuse(&offer, offer.attempts[i], offer.winner ? PAIR_END_BUSY : PAIR_END_EXPIRED);
    }
    if (offer.winner != NULL) pair_settle(pair, &offer.winner->link);
    while (offer.count > 0)
        drop(&offer, offer.attempts[0]);
}
