// SPDX-License-Identifier: MIT
//
// Uses an invitation: a second, small `net` with the invitation's key dials the inviter until it
// answers. What comes back over CURVE is an answer for good, so the file goes. Anything else is
// tried again: "key not accepted", too, can be said by whoever is on the way.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/thread.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "crypto/pairing.h"
#include "proto/vv.h"

#define NO_MEANS "no descriptors or threads left"

enum { AGAIN_MS = 30000 };

enum redeem_state { REDEEM_WAITING, REDEEM_DONE, REDEEM_REFUSED };

// From the thread. `why` is static.
struct redeem_news {
    enum redeem_state state;
    const char *why;
    bool is_last;    // the thread has ended
    struct buf card; // DONE
    char *host;
};

struct redeem {
    enum redeem_state state;
    char message[160];
    int64_t again_ms; // when the thread, which has ended, is started again; else INT64_MAX
    struct mailbox *news;
    // the thread's
    bool is_running;
    pthread_t thread;
    struct wake wake;
    atomic_bool stop;
    struct identity *identity; // of the invitation
    struct device_id inviter;
    struct buf join;
    char *addresses[CARD_ADDRESSES_MAX];
    uint32_t address_count;
    const char *socks_proxy; // NULL: none
    conn_id conn;            // where JOIN was said
};

static void news_destroy(struct redeem_news **news)
{
    if (*news == NULL) return;
    buf_fini(&(*news)->card);
    free((*news)->host);
    free(*news);
    *news = NULL;
}

// ---- in the thread

static struct redeem_news *tell(struct redeem *redeem, enum redeem_state state, const char *why)
{
    struct redeem_news *news = mem_zalloc(1, sizeof *news);
    news->state = state;
    news->why = why;
    news->is_last = state != REDEEM_WAITING;
    if (news->is_last) atomic_store(&redeem->stop, true);
    return news;
}

static bool only_inviter(void *context, const uint8_t curve_key[32], struct device_id *out_device)
{
    const struct redeem *redeem = context;
    uint8_t key[CURVE_KEY_BYTES];
    if (device_curve_key(redeem->inviter, key) != ERR_OK || memcmp(key, curve_key, 32) != 0) {
        return false;
    }
    *out_device = redeem->inviter;
    return true;
}

static struct redeem_news *on_answer(struct redeem *redeem, const struct net_event *event)
{
    struct slice bytes = event->bytes;
    if (bytes.size == 0) return tell(redeem, REDEEM_REFUSED, "the answer is none");
    switch ((enum join_answer)bytes.data[0]) {
    case JOIN_USED_UP: return tell(redeem, REDEEM_REFUSED, "it is used up");
    case JOIN_EXPIRED: return tell(redeem, REDEEM_REFUSED, "it has expired");
    case JOIN_OK: break;
    case JOIN_FAILED:
    default: return tell(redeem, REDEEM_REFUSED, "the other machine could not store this one");
    }
    struct redeem_news *news = tell(redeem, REDEEM_DONE, NULL);
    buf_append(&news->card, bytes.data + 1, bytes.size - 1);
    return news;
}

static void on_event(struct redeem *redeem, struct net *net, const struct net_event *event)
{
    struct redeem_news *news = NULL;
    if (event->kind == NET_UP && event->lane == LANE_CONTROL) {
        redeem->conn = event->conn;
        if (net_send(net, event->conn, buf_slice(&redeem->join)) != ERR_OK) {
            net_drop(net, event->conn);
        }
    } else if (event->kind == NET_MESSAGE && event->conn == redeem->conn) {
        news = on_answer(redeem, event);
        struct slice host = address_host(event->address);
        news->host = mem_zalloc(host.size + 1, 1);
        if (host.size > 0) memcpy(news->host, host.data, host.size);
    } else if (event->kind == NET_FAILED && event->failure == NET_KEY_REFUSED) {
        news = tell(redeem, REDEEM_WAITING,
                    "it is used up, expired or revoked, or another machine answers there");
    } else if (event->kind == NET_FAILED) {
        news = tell(redeem, REDEEM_WAITING, net_failure_text(event->failure));
    }
    if (news != NULL) mailbox_put(redeem->news, news);
}

static void *redeem_run(void *context)
{
    struct redeem *redeem = context;
    struct net *net = NULL;
    struct fault fault = {0};
    struct net_options options = {.identity = redeem->identity,
                                  .trusted = only_inviter,
                                  .context = redeem,
                                  .socks_proxy = redeem->socks_proxy};
    if (net_open(&options, &net, &fault) != ERR_OK) {
        struct redeem_news *news = tell(redeem, REDEEM_WAITING, NO_MEANS);
        news->is_last = true;
        mailbox_put(redeem->news, news);
        return NULL;
    }
    net_dial(net, redeem->inviter, (const char *const *)redeem->addresses, redeem->address_count);
    while (!atomic_load(&redeem->stop)) {
        struct net_event event;
        bool is_ready = false;
        int64_t left = net_next_ms(net) - agent_clock_ms();
        net_poll(net, &redeem->wake.read_fd, &is_ready, 1,
                 left < 0 ? 0 : (int)(left < 60000 ? left : 60000));
        while (!atomic_load(&redeem->stop) && net_next(net, agent_clock_ms(), &event))
            on_event(redeem, net, &event);
    }
    net_close(&net, 0);
    return NULL;
}

// ---- in the engine's thread

static bool read_token(struct agent *agent, struct buf *out)
{
    char text[TOKEN_TEXT_MAX + 1] = "";
    AUTO(fd_close)
    int fd = openat(agent->state_fd, HOME_JOIN_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    ssize_t size = read(fd, text, sizeof text - 1);
    bool ok = size > 0 && token_bytes(text, out);
    crypto_wipe(text, sizeof text);
    if (!ok) log_error(LOG_DAEMON, "the invitation is damaged", "path=%s", agent->home.join);
    return ok;
}

// Another token may have been left there meanwhile, for the next start.
static void forget(struct agent *agent)
{
    AUTO(buf_fini) struct buf bytes = {0};
    struct ticket ticket;
    struct fault fault;
    if (!read_token(agent, &bytes)) return;
    if (ticket_read(buf_slice(&bytes), &ticket, &fault) != ERR_OK) return;
    AUTO(identity_destroy) struct identity *key = identity_from_seed(ticket.seed);
    crypto_wipe(ticket.seed, sizeof ticket.seed);
    crypto_wipe(bytes.data, bytes.size);
    if (!device_equal(identity_device(key), identity_device(agent->redeem->identity))) return;
    if (unlinkat(agent->state_fd, HOME_JOIN_NAME, 0) != 0 || flush_file(agent->state_fd) != 0) {
        (void)log_errno(LOG_DAEMON, "unlink", slice_text(HOME_JOIN_NAME));
    }
}

// JOIN: signature, card.
static void make_join(struct agent *agent, struct redeem *redeem)
{
    AUTO(buf_fini) struct buf card = {0};
    AUTO(buf_fini) struct buf text = {0};
    struct device_id key = identity_device(redeem->identity);
    introduce_self(agent, &card);
    buf_append(&text, redeem->inviter.bytes, sizeof redeem->inviter.bytes);
    buf_append(&text, card.data, card.size);
    struct signature signature =
        statement_sign(agent->identity, JOIN_TAG, key.bytes, buf_slice(&text));
    buf_append(&redeem->join, signature.bytes, sizeof signature.bytes);
    buf_append(&redeem->join, card.data, card.size);
}

static void say_state(struct redeem *redeem, enum redeem_state state, const char *why)
{
    redeem->state = state;
    (void)snprintf(redeem->message, sizeof redeem->message, "the invitation %s: %s",
                   state == REDEEM_REFUSED ? "was refused" : "could not be used yet",
                   why != NULL ? why : "");
}

static bool launch(struct redeem *redeem)
{
    atomic_store(&redeem->stop, false);
    redeem->again_ms = INT64_MAX;
    if (wake_init(&redeem->wake) != ERR_OK) return false;
    redeem->is_running = thread_start(&redeem->thread, redeem_run, redeem);
    return redeem->is_running;
}

// The thread has ended, or is to.
static void halt(struct redeem *redeem)
{
    atomic_store(&redeem->stop, true);
    if (redeem->is_running) {
        wake_up(&redeem->wake);
        CHECK(pthread_join(redeem->thread, NULL) == 0);
    }
    redeem->is_running = false;
    wake_fini(&redeem->wake);
}

static void start(struct agent *agent)
{
    struct redeem *redeem = agent->redeem;
    if (launch(redeem)) return;
    halt(redeem);
    say_state(redeem, REDEEM_WAITING, NO_MEANS);
    redeem->again_ms = agent->now_ms + AGAIN_MS;
    log_error(LOG_DAEMON, "invitation not used", "why=\"%s\"", NO_MEANS);
}

void redeem_start(struct agent *agent)
{
    AUTO(buf_fini) struct buf bytes = {0};
    struct ticket ticket;
    struct fault fault;
    if (!read_token(agent, &bytes)) return;
    if (ticket_read(buf_slice(&bytes), &ticket, &fault) != ERR_OK) {
        log_error(LOG_DAEMON, "the invitation is damaged", "why=\"%s\"", fault.what);
        return;
    }
    struct redeem *redeem = mem_zalloc(1, sizeof *redeem);
    redeem->wake = (struct wake)WAKE_NONE;
    say_state(redeem, REDEEM_WAITING, "not tried yet");
    redeem->news = mailbox_new(wake_up, &agent->wake);
    redeem->identity = identity_from_seed(ticket.seed);
    redeem->inviter = ticket.device;
    redeem->socks_proxy = agent->config.socks_proxy;
    for (uint32_t i = 0; i < ticket.address_count; i++) {
        redeem->addresses[i] = mem_strdup(arena_text(agent->scratch, ticket.addresses[i]));
        redeem->address_count++;
    }
    crypto_wipe(ticket.seed, sizeof ticket.seed);
    crypto_wipe(bytes.data, bytes.size);
    make_join(agent, redeem);
    agent->redeem = redeem;
    start(agent);
}

static enum err accept_card(struct agent *agent, const struct redeem_news *news)
{
    struct card card;
    struct fault fault;
    char *peer;
    bool is_new;
    enum err err = card_read(buf_slice(&news->card), &card, &fault);
    if (!err && !device_equal(card.device, agent->redeem->inviter)) err = ERR_DENIED;
    if (!err) err = introduce(agent, &card, news->host, NULL, &peer, &is_new);
    if (!err) log_info(LOG_DAEMON, "joined by invitation", "peer=%s", peer);
    return err;
}

static void take(struct agent *agent, const struct redeem_news *news)
{
    struct redeem *redeem = agent->redeem;
    enum err err = news->state == REDEEM_DONE ? accept_card(agent, news) : ERR_OK;
    say_state(redeem, err ? REDEEM_WAITING : news->state, err ? err_text(err) : news->why);
    if (err) log_error(LOG_DAEMON, "inviter not stored", "error=\"%s\"", err_text(err));
    if (redeem->state == REDEEM_REFUSED) {
        log_error(LOG_DAEMON, "invitation refused", "why=\"%s\"", news->why);
    }
    if (redeem->state != REDEEM_WAITING) forget(agent);
    if (redeem->state == REDEEM_WAITING && news->is_last) {
        redeem->again_ms = agent->now_ms + AGAIN_MS;
    }
    show_dirty(agent);
}

static void take_all(struct agent *agent)
{
    for (struct redeem_news *next; (next = mailbox_try(agent->redeem->news)) != NULL;) {
        AUTO(news_destroy) struct redeem_news *news = next;
        take(agent, news);
    }
}

void redeem_take(struct agent *agent)
{
    if (agent->redeem == NULL) return;
    take_all(agent);
    if (agent->now_ms < agent->redeem->again_ms) return;
    halt(agent->redeem);
    start(agent);
}

int64_t redeem_deadline(const struct agent *agent)
{
    return agent->redeem != NULL ? agent->redeem->again_ms : INT64_MAX;
}

void redeem_end(struct agent *agent)
{
    struct redeem *redeem = agent->redeem;
    if (redeem == NULL) return;
    halt(redeem);
    take_all(agent);
    for (uint32_t i = 0; i < redeem->address_count; i++)
        free(redeem->addresses[i]);
    mailbox_destroy(&redeem->news);
    identity_destroy(&redeem->identity);
    buf_fini(&redeem->join);
    free(redeem);
    agent->redeem = NULL;
}

const char *redeem_problem(const struct agent *agent, const char **out_message,
                           const char **out_hint)
{
    const struct redeem *redeem = agent->redeem;
    if (redeem == NULL || redeem->state == REDEEM_DONE) return NULL;
    *out_message = redeem->message;
    if (redeem->state == REDEEM_REFUSED) {
        *out_hint = "ask for another: cfgsync-agent invite, on the other machine";
        return "join-refused";
    }
    *out_hint =
        "the machine that invited this one is dialled again and again; it can make another: "
        "cfgsync-agent invite";
    return "join-waiting";
}
