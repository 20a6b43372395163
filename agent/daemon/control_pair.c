// SPDX-License-Identifier: MIT
//
// Pairing with a code, as the local API has it: offer or join, wait until the other one is there,
// answer. A client that hangs up while it waits ends the pairing.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "crypto/words.h"
#include "proto/vv.h"

struct pairing *pairing_new(struct agent *agent)
{
    struct pairing *pairing = mem_zalloc(1, sizeof *pairing);
    pairing->events = mailbox_new(wake_up, &agent->wake);
    return pairing;
}

// Back to the state in which none is under way.
static void clear(struct pairing *pairing)
{
    pair_close(&pairing->pair);
    for (struct pair_event *left; (left = mailbox_try(pairing->events)) != NULL;)
        pair_event_destroy(&left);
    buf_fini(&pairing->card);
    free(pairing->at);
    free(pairing->name);
    free(pairing->peer);
    *pairing = (struct pairing){.events = pairing->events};
}

void pairing_destroy(struct pairing **pairing)
{
    if (*pairing == NULL) return;
    clear(*pairing);
    mailbox_destroy(&(*pairing)->events);
    free(*pairing);
    *pairing = NULL;
}

// ---- what is said when it does not come to an end

struct ending {
    enum refusal code;
    const char *message;
    const char *hint;
};

#define NEW_CODE "a code is good for one guess; begin again on both machines"

static const struct ending endings[] = {
    [PAIR_END_NONE] = {REFUSE_FAILED, "the pairing has ended", NULL},
    [PAIR_END_BUSY] = {REFUSE_BUSY, "somebody else is in the way of pairing there all the time",
                       NEW_CODE},
    [PAIR_END_WRONG_CODE] = {REFUSE_WRONG_CODE,
                             "the code does not match the other machine's; it is used up",
                             NEW_CODE},
    [PAIR_END_EXPIRED] = {REFUSE_EXPIRED, "the time is over on the other machine",
                          "begin again on both machines"},
    [PAIR_END_DECLINED] = {REFUSE_DECLINED, "the other machine has ended the pairing", NULL},
    [PAIR_END_VERSION] = {REFUSE_NOT_POSSIBLE, "the other machine's program is of another version",
                          "install the same version on both machines"},
    [PAIR_END_FAILED] = {REFUSE_FAILED, "the new peer could not be stored", NULL},
    [PAIR_END_MALFORMED] = {REFUSE_FAILED, "what answers there does not speak this protocol",
                            "is HOST:PORT the one that the other machine shows?"},
    [PAIR_END_UNKNOWN_HOST] = {REFUSE_UNREACHED, "the host is not known", NULL},
    [PAIR_END_REFUSED] = {REFUSE_UNREACHED, "nobody offers to pair there",
                          "on the other machine: cfgsync-agent pair --offer; a code lives for two "
                          "minutes"},
    [PAIR_END_UNREACHABLE] = {REFUSE_UNREACHED, "there is no way to that address",
                              "is it the right one, and does a firewall let it through?"},
    [PAIR_END_LOST] = {REFUSE_UNREACHED, "the connection to the other machine was lost",
                       "begin again on both machines"},
    [PAIR_END_NOBODY_CAME] = {REFUSE_EXPIRED, "nobody came; the code is dead",
                              "begin again for a new one"},
    [PAIR_END_GUESSED] = {REFUSE_WRONG_CODE, "somebody came with a wrong code; it is dead now",
                          "begin again for a new one, if that was you"},
    [PAIR_END_DECLINED_HERE] = {REFUSE_DECLINED, "not paired", NULL},
    [PAIR_END_NOT_ANSWERED] = {REFUSE_EXPIRED, "it was not confirmed on both sides in time",
                               "begin again on both machines"},
};

static void read_card(const struct pairing *pairing, struct card *out)
{
    struct fault fault;
    CHECK(card_read(buf_slice(&pairing->card), out, &fault) == ERR_OK); // it was, to get here
}

static bool is_self(const struct agent *agent, const struct pairing *pairing)
{
    struct card card;
    if (pairing->card.size == 0) return false;
    read_card(pairing, &card);
    return device_equal(card.device, agent->device);
}

// The other one may have stored this device, or not: what is here stays, and is shown as not
// confirmed until the two have met.
static bool is_cut_off(const struct pairing *pairing)
{
    return pairing->peer != NULL && pairing->end == PAIR_END_LOST && !pairing->by_other;
}

static void refuse_end(struct agent *agent, uint64_t request, const struct pairing *pairing)
{
    if (is_cut_off(pairing)) {
        control_refuse(
            agent, request, REFUSE_UNREACHED,
            "cfgsync-agent peer list: if it is not connected soon, pair again",
            "%s is trusted here, but the connection was lost before it had said the same",
            pairing->peer);
        return;
    }
    if (is_self(agent, pairing)) {
        control_refuse(agent, request, REFUSE_OWN_DEVICE,
                       "if that is a copy of this machine: cfgsync-agent rekey on one of them",
                       "the other machine has this device's own key");
        return;
    }
    size_t at = (size_t)pairing->end;
    bool is_known = at < sizeof endings / sizeof endings[0] && endings[at].message != NULL;
    const struct ending *ending = is_known ? &endings[at] : &endings[PAIR_END_NONE];
    const char *where = pairing->end >= PAIR_END_UNKNOWN_HOST &&
                                pairing->end <= PAIR_END_UNREACHABLE && pairing->at != NULL
                            ? pairing->at
                            : "";
    control_refuse(agent, request, ending->code, ending->hint, "%s%s%s%.300s", ending->message,
                   pairing->end == PAIR_END_FAILED && pairing->by_other ? " on the other machine"
                                                                        : "",
                   *where != '\0' ? ": " : "", where);
}

// ---- what comes from the pairing

static json_t *met_json(struct agent *agent, const struct pairing *pairing)
{
    struct card card;
    read_card(pairing, &card);
    json_t *out = introduce_json(agent, &card, pairing->host, pairing->name);
    json_object_set_new(out, "state", json_string("met"));
    return out;
}

static json_t *done_json(const struct pairing *pairing)
{
    json_t *out = json_object();
    json_object_set_new(out, "state", json_string("done"));
    json_object_set_new(out, "peer", json_string(pairing->peer));
    return out;
}

// Tells the waiter, if there is one and there is something to tell.
static void tell(struct agent *agent)
{
    struct pairing *pairing = agent->pairing;
    uint64_t request = pairing->waiter;
    if (request == 0) return;
    switch (pairing->state) {
    case PAIRING_MET:
        if (pairing->answered) return;
        control_answer(agent, request, met_json(agent, pairing));
        pairing->waiter = 0;
        return;
    case PAIRING_DONE:
        control_answer(agent, request, done_json(pairing));
        clear(pairing);
        return;
    case PAIRING_ENDED:
        refuse_end(agent, request, pairing);
        clear(pairing);
        return;
    case PAIRING_NONE:
    case PAIRING_OPEN:
    case PAIRING_AGREED: return;
    }
}

static void on_met(struct agent *agent, struct pairing *pairing, const struct pair_event *event)
{
    struct card card;
    pairing->state = PAIRING_MET;
    buf_append(&pairing->card, event->card.data, event->card.size);
    memcpy(pairing->host, event->host, sizeof pairing->host);
    read_card(pairing, &card);
    if (!device_equal(card.device, agent->device)) return;
    pairing->answered = true;
    pair_answer(pairing->pair, false);
}

static void on_agreed(struct agent *agent, struct pairing *pairing)
{
    struct card card;
    char *name;
    read_card(pairing, &card);
    enum err err = introduce(agent, &card, pairing->host, pairing->name, &name, &pairing->is_new);
    if (err) log_error(LOG_DAEMON, "new peer not stored", "error=\"%s\"", err_text(err));
    if (!err) pairing->peer = mem_strdup(name);
    if (!err && pairing->is_new) peers_confirm(agent, card.device, false);
    pairing->state = PAIRING_AGREED;
    pair_stored(pairing->pair, !err);
    show_dirty(agent);
}

static void on_done(struct agent *agent, struct pairing *pairing)
{
    struct card card;
    read_card(pairing, &card);
    peers_confirm(agent, card.device, true);
    pairing->state = PAIRING_DONE;
}

// Half trust is none: what was stored here, and surely not there, goes again.
static void undo(struct agent *agent, struct pairing *pairing)
{
    if (pairing->state != PAIRING_AGREED || pairing->peer == NULL || !pairing->is_new) return;
    if (registry_peer(agent->registry, pairing->peer) == NULL) return;
    enum err err = peers_remove(agent, pairing->peer, false);
    if (err) log_error(LOG_DAEMON, "new peer not removed again", "error=\"%s\"", err_text(err));
    show_dirty(agent);
}

void control_pair_take(struct agent *agent)
{
    struct pairing *pairing = agent->pairing;
    for (struct pair_event *next; (next = mailbox_try(pairing->events)) != NULL;) {
        AUTO(pair_event_destroy) struct pair_event *event = next;
        switch (event->kind) {
        case PAIR_MET: on_met(agent, pairing, event); break;
        case PAIR_AGREED: on_agreed(agent, pairing); break;
        case PAIR_DONE: on_done(agent, pairing); break;
        case PAIR_ENDED:
            pairing->end = event->end;
            pairing->by_other = event->by_other;
            if (!is_cut_off(pairing)) undo(agent, pairing);
            pairing->state = PAIRING_ENDED;
            break;
        }
    }
    tell(agent);
}

void control_pair_gone(struct agent *agent, uint64_t request)
{
    struct pairing *pairing = agent->pairing;
    if (request == 0 || pairing->waiter != request) return;
    pairing->waiter = 0;
    // What both have agreed to is carried out.
    if (pairing->state != PAIRING_AGREED) clear(pairing);
}

void control_pair_end(struct agent *agent)
{
    struct pairing *pairing = agent->pairing;
    if (pairing == NULL) return;
    if (pairing->waiter != 0) {
        control_refuse(agent, pairing->waiter, REFUSE_ENDING, NULL, "the agent is ending");
    }
    pairing_destroy(&agent->pairing);
}

// ---- requests

// One that nobody waits for any more makes room.
static bool make_room(struct agent *agent, uint64_t request)
{
    struct pairing *pairing = agent->pairing;
    bool is_left = pairing->state == PAIRING_OPEN && pairing->waiter == 0;
    bool is_over = pairing->state == PAIRING_DONE || pairing->state == PAIRING_ENDED;
    if (pairing->state == PAIRING_NONE || is_left || is_over) {
        clear(pairing);
        return true;
    }
    control_refuse(agent, request, REFUSE_BUSY, "end that one first, or let it end",
                   "another pairing is under way on this machine");
    return false;
}

static bool open_pair(struct agent *agent, uint64_t request, const char *code, const char *at,
                      const char *name)
{
    struct pairing *pairing = agent->pairing;
    const struct config *config = &agent->config;
    AUTO(buf_fini) struct buf card = {0};
    struct fault fault = {0};
    introduce_self(agent, &card);
    struct pair_options options = {
        .identity = agent->identity,
        .card = buf_slice(&card),
        .code = code,
        .at = at,
        .listen = (const char *const *)config->listen,
        .listen_count = config->has_listen ? config->listen_count : 0,
        .events = pairing->events,
    };
    if (pair_open(&options, &pairing->pair, &fault) != ERR_OK) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "cannot pair: %s",
                       fault.what != NULL ? fault.what : "failed");
        return false;
    }
    pairing->state = PAIRING_OPEN;
    if (at != NULL) pairing->at = mem_strdup(at + strlen("tcp://"));
    if (name != NULL) pairing->name = mem_strdup(name);
    return true;
}

void control_pair_offer(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *const *endpoints;
    struct reach reach;
    char code[CODE_TEXT_MAX];
    const char *name = body_text(body, "name");
    if (!introduce_name_fits(agent, request, name) || !make_room(agent, request)) return;
    code_draw(code);
    if (!open_pair(agent, request, code, NULL, name)) return;
    uint32_t count = pair_endpoints(agent->pairing->pair, &endpoints);
    reach_of(endpoints, count, &reach);
    json_t *at = json_array();
    for (uint32_t i = 0; i < reach.count; i++)
        json_array_append_new(at, json_string(reach.addresses[i] + strlen("tcp://")));
    json_t *out = json_object();
    json_object_set_new(out, "code", json_string(code));
    json_object_set_new(out, "at", at);
    json_object_set_new(out, "expires_ms", json_integer(agent->wall_ms + PAIR_CODE_MS));
    json_object_set_new(out, "own", introduce_own_json(agent));
    json_object_set_new(out, "discovery", json_string(nearby_state(agent)));
    control_answer(agent, request, out);
    crypto_wipe(code, sizeof code);
}

void control_pair_join(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *at = body_text(body, "at");
    const char *code = body_text(body, "code");
    const char *name = body_text(body, "name");
    const char *full =
        strncmp(at, "tcp://", 6) == 0 ? at : arena_printf(agent->scratch, "tcp://%.300s", at);
    if (!address_valid(full, false)) {
        control_refuse(agent, request, REFUSE_BAD_ADDRESS, "for example 192.168.1.5:7576",
                       "\"%.300s\" is not HOST:PORT", at);
        return;
    }
    if (!code_valid(code)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "code: is no pairing code");
        return;
    }
    if (!introduce_name_fits(agent, request, name) || !make_room(agent, request)) return;
    if (!open_pair(agent, request, code, full, name)) return;
    control_answer(agent, request, json_object());
}

// Lets the request wait for what comes next.
static void wait_for(struct agent *agent, uint64_t request)
{
    struct pairing *pairing = agent->pairing;
    if (pairing->state == PAIRING_NONE || pairing->waiter != 0) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, NULL,
                       pairing->waiter != 0 ? "another client waits for this pairing"
                                            : "no pairing is under way");
        return;
    }
    pairing->waiter = request;
    tell(agent);
}

void control_pair_wait(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    wait_for(agent, request);
}

void control_pair_answer(struct agent *agent, uint64_t request, const json_t *body)
{
    struct pairing *pairing = agent->pairing;
    if (pairing->state == PAIRING_MET && !pairing->answered) {
        pairing->answered = true;
        pair_answer(pairing->pair, body_bool(body, "yes", false));
    } else if (pairing->state != PAIRING_ENDED) {
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, NULL, "there is nothing to answer");
        return;
    }
    wait_for(agent, request);
}
