// SPDX-License-Identifier: MIT
//
// The door and the thread. Everything in the thread waits in poll, with a pipe for orders in it, so
// that it ends at once when it is told to.
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/own.h"
#include "agent/base/thread.h"
#include "agent/net/pair_priv.h"

static const struct pair_times times_default = {
    .code_ms = PAIR_CODE_MS,
    .step_ms = 10 * 1000,
    .answer_ms = 120 * 1000,
    .connect_ms = 3 * 1000,
};

int64_t pair_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

// ---- events and orders

void pair_event_destroy(struct pair_event **event)
{
    if (*event == NULL) return;
    buf_fini(&(*event)->card);
    free(*event);
    *event = NULL;
}

static struct pair_event *event_new(enum pair_event_kind kind)
{
    struct pair_event *event = mem_zalloc(1, sizeof *event);
    event->kind = kind;
    return event;
}

void pair_ended(struct pair *pair, enum pair_end end, bool by_other)
{
    struct pair_event *event = event_new(PAIR_ENDED);
    event->end = end;
    event->by_other = by_other;
    mailbox_put(pair->events, event);
}

static void wake(void *context)
{
    const struct pair *pair = context;
    ssize_t written = write(pair->wake[1], "", 1);
    (void)written; // a full pipe wakes as well
}

static void order(struct pair *pair, enum pair_order what)
{
    enum pair_order *message = mem_alloc(sizeof *message);
    *message = what;
    mailbox_put(pair->orders, message);
}

bool pair_take_order(struct pair *pair, enum pair_order *out)
{
    uint8_t bytes[16];
    while (read(pair->wake[0], bytes, sizeof bytes) > 0)
        continue;
    AUTO(mem_free) enum pair_order *message = mailbox_try(pair->orders);
    if (message == NULL) return false;
    // A mailbox wakes when it was empty; the next order must be seen, too.
    if (mailbox_count(pair->orders) > 0) wake(pair);
    *out = *message;
    return true;
}

void pair_answer(struct pair *pair, bool yes)
{
    order(pair, yes ? ORDER_YES : ORDER_NO);
}

void pair_stored(struct pair *pair, bool ok)
{
    order(pair, ok ? ORDER_STORED : ORDER_NOT_STORED);
}

// ---- after they have met

struct settling {
    bool own_yes;
    bool other_yes;
    bool own_stored;
    bool other_stored;
    bool over;
    int64_t until_ms;
};

static void settle_end(struct pair *pair, struct settling *s, enum pair_end end, bool by_other)
{
    s->over = true;
    pair_ended(pair, end, by_other);
}

static void settle_send(struct pair_link *link, enum pair_kind kind)
{
    AUTO(buf_fini) struct buf sealed = {0};
    uint8_t word = (uint8_t)kind;
    seal_close(link->seal_key, link->sealed_count++, slice_of(&word, 1), &sealed);
    link_send(link, kind, buf_slice(&sealed));
}

static void settle_order(struct pair *pair, struct pair_link *link, struct settling *s)
{
    enum pair_order what;
    if (!pair_take_order(pair, &what)) return;
    if (what == ORDER_YES && !s->own_yes) {
        s->own_yes = true;
        settle_send(link, PAIR_ACCEPT);
    } else if (what == ORDER_NO) {
        link_bye(link, PAIR_END_DECLINED);
        settle_end(pair, s, PAIR_END_DECLINED_HERE, false);
    } else if (what == ORDER_STORED && s->own_yes && s->other_yes) {
        s->own_stored = true;
        settle_send(link, PAIR_STORED);
    } else if (what == ORDER_NOT_STORED) {
        link_bye(link, PAIR_END_FAILED);
        settle_end(pair, s, PAIR_END_FAILED, false);
    } else if (what == ORDER_CLOSE) {
        if (!s->own_stored) link_bye(link, PAIR_END_DECLINED);
        s->over = true;
    }
}

static bool opens_as(struct pair_link *link, const struct pair_frame *frame)
{
    AUTO(buf_fini) struct buf word = {0};
    return seal_open(link->open_key, link->opened_count++, frame->payload, &word) &&
           word.size == 1 && word.data[0] == (uint8_t)frame->kind;
}

static void settle_frame(struct pair *pair, struct pair_link *link, struct settling *s,
                         const struct pair_frame *frame)
{
    if (frame->kind == PAIR_BYE) {
        settle_end(pair, s, link_reason(frame->payload), true);
    } else if (frame->kind == PAIR_ACCEPT && !s->other_yes && opens_as(link, frame)) {
        s->other_yes = true;
    } else if (frame->kind == PAIR_STORED && s->own_yes && s->other_yes && !s->other_stored &&
               opens_as(link, frame)) {
        s->other_stored = true;
    } else {
        link_bye(link, PAIR_END_MALFORMED);
        settle_end(pair, s, PAIR_END_MALFORMED, false);
    }
}

static void settle_wait(struct pair *pair, struct pair_link *link, struct settling *s)
{
    struct pair_frame frame;
    switch (link_wait(pair, link, s->until_ms, &frame)) {
    case LINK_FRAME: settle_frame(pair, link, s, &frame); break;
    case LINK_ORDER: settle_order(pair, link, s); break;
    case LINK_LATE:
        // What was stored here stays, so that the other one may come to its end, too.
        if (!s->own_stored) link_bye(link, PAIR_END_EXPIRED);
        settle_end(pair, s, s->own_yes && s->other_yes ? PAIR_END_LOST : PAIR_END_NOT_ANSWERED,
                   false);
        break;
    case LINK_MORE: break;
    case LINK_MALFORMED:
        link_bye(link, PAIR_END_MALFORMED);
        settle_end(pair, s, PAIR_END_MALFORMED, false);
        break;
    case LINK_CLOSED: settle_end(pair, s, PAIR_END_LOST, false); break;
    }
}

void pair_settle(struct pair *pair, struct pair_link *link)
{
    struct settling s = {.until_ms = pair_now_ms() + pair->times.answer_ms};
    struct pair_event *met = event_new(PAIR_MET);
    bool agreed = false;
    buf_append(&met->card, link->other_card.data, link->other_card.size);
    memcpy(met->host, link->host, sizeof met->host);
    mailbox_put(pair->events, met);
    while (!s.over && !(s.own_stored && s.other_stored)) {
        if (s.own_yes && s.other_yes && !agreed) {
            agreed = true;
            s.until_ms = pair_now_ms() + pair->times.step_ms;
            mailbox_put(pair->events, event_new(PAIR_AGREED));
        }
        settle_wait(pair, link, &s);
    }
    if (!s.over) mailbox_put(pair->events, event_new(PAIR_DONE));
}

// ---- life

static void *run(void *context)
{
    struct pair *pair = context;
    if (pair->offers) {
        offer_run(pair);
    } else {
        join_run(pair);
    }
    return NULL;
}

static void destroy(struct pair **pair)
{
    struct pair *self = *pair;
    if (self == NULL) return;
    *pair = NULL;
    for (uint32_t i = 0; i < self->listener_count; i++) {
        fd_close(&self->listeners[i]);
        free(self->endpoints[i]);
    }
    for (void *left; (left = mailbox_try(self->orders)) != NULL;)
        free(left);
    mailbox_destroy(&self->orders);
    fd_close(&self->wake[0]);
    fd_close(&self->wake[1]);
    buf_fini(&self->card);
    crypto_wipe(self->code, sizeof self->code);
    free(self);
}

static bool start(struct pair *pair)
{
    if (pipe(pair->wake) != 0) return false;
    for (int i = 0; i < 2; i++) {
        (void)fcntl(pair->wake[i], F_SETFD, FD_CLOEXEC);
        (void)fcntl(pair->wake[i], F_SETFL, O_NONBLOCK);
    }
    return thread_start(&pair->thread, run, pair);
}

enum err pair_open(const struct pair_options *options, struct pair **out, struct fault *fault)
{
    AUTO(destroy) struct pair *pair = mem_zalloc(1, sizeof *pair);
    CHECK(code_valid(options->code) && strlen(options->code) < sizeof pair->code);
    pair->identity = options->identity;
    pair->offers = options->at == NULL;
    pair->times = options->times != NULL ? *options->times : times_default;
    pair->events = options->events;
    pair->wake[0] = pair->wake[1] = -1;
    pair->orders = mailbox_new(wake, pair);
    buf_append(&pair->card, options->card.data, options->card.size);
    memcpy(pair->code, options->code, strlen(options->code) + 1);
    if (pair->offers) {
        enum err err = offer_listen(pair, options, fault);
        if (err) return err;
    } else if (!address_parse(options->at, &pair->at)) {
        *fault = (struct fault){ERR_CONFIG, 0, "this is no HOST:PORT"};
        return ERR_CONFIG;
    }
    if (!start(pair)) {
        *fault = (struct fault){ERR_CONFIG, 0, "no descriptors or threads left"};
        return ERR_CONFIG;
    }
    *out = TAKE(pair);
    return ERR_OK;
}

void pair_close(struct pair **pair)
{
    if (*pair == NULL) return;
    order(*pair, ORDER_CLOSE);
    CHECK(pthread_join((*pair)->thread, NULL) == 0);
    destroy(pair);
}

uint32_t pair_endpoints(const struct pair *pair, const char *const **out)
{
    *out = (const char *const *)pair->endpoints;
    return pair->listener_count;
}
