// SPDX-License-Identifier: MIT
//
// Server-sent events: each client gets every event from when it came, and who comes again, those
// that it has missed. Slow ones are the API's care.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/agent_priv.h"

static const char *id_of(const struct agent *agent, uint64_t number, char out[API_EVENT_ID_MAX])
{
    (void)snprintf(out, API_EVENT_ID_MAX, "%" PRIx64 "-%" PRIu64, (uint64_t)agent->born_ms, number);
    return out;
}

static void say_lost(struct agent *agent, uint64_t request, uint64_t count, bool restarted)
{
    char json[96];
    (void)snprintf(json, sizeof json, "{\"count\": %" PRIu64 ", \"restarted\": %s}", count,
                   restarted ? "true" : "false");
    api_event(agent->api, request, "lost", "", slice_text(json));
}

static void send_missed(struct agent *agent, uint64_t request, const char *last)
{
    char id[API_EVENT_ID_MAX];
    uint64_t born = 0, number = 0;
    if (last[0] == '\0') return;
    bool known = sscanf(last, "%" SCNx64 "-%" SCNu64, &born, &number) == 2 &&
                 born == (uint64_t)agent->born_ms && number <= agent->event_count;
    uint64_t first = agent->event_count > EVENTS_KEPT ? agent->event_count - EVENTS_KEPT : 0;
    if (!known) {
        say_lost(agent, request, 0, true);
        return;
    }
    if (number < first) say_lost(agent, request, first - number, false);
    for (uint64_t n = number < first ? first : number; n < agent->event_count; n++) {
        const struct past_event *past = &agent->past_events[n % EVENTS_KEPT];
        api_event(agent->api, request, past->name, id_of(agent, n + 1, id), slice_text(past->json));
    }
}

void events_add(struct agent *agent, uint64_t request, const char *last)
{
    uint32_t count = agent->event_client_count + 1;
    agent->event_clients = mem_realloc(agent->event_clients, count * sizeof *agent->event_clients);
    agent->event_clients[agent->event_client_count++] = (struct event_client){.request = request};
    send_missed(agent, request, last);
}

void events_gone(struct agent *agent, uint64_t request)
{
    for (uint32_t i = 0; i < agent->event_client_count; i++) {
        if (agent->event_clients[i].request != request) continue;
        agent->event_clients[i] = agent->event_clients[--agent->event_client_count];
        return;
    }
}

static void send_all(struct agent *agent, const char *event, struct slice json)
{
    char id[API_EVENT_ID_MAX];
    id_of(agent, agent->event_count, id);
    for (uint32_t i = 0; i < agent->event_client_count; i++)
        api_event(agent->api, agent->event_clients[i].request, event, id, json);
}

void events_status(struct agent *agent, struct slice json)
{
    send_all(agent, "status", json);
}

void events_status_to(struct agent *agent, uint64_t request, struct slice json)
{
    char id[API_EVENT_ID_MAX];
    api_event(agent->api, request, "status", id_of(agent, agent->event_count, id), json);
}

static char *copy_of(struct slice text)
{
    char *copy = mem_alloc(text.size + 1);
    if (text.size > 0) memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

void events_send(struct agent *agent, const char *event, struct slice json)
{
    struct past_event *past = &agent->past_events[agent->event_count++ % EVENTS_KEPT];
    free(past->name);
    free(past->json);
    *past = (struct past_event){.name = mem_strdup(event), .json = copy_of(json)};
    send_all(agent, event, json);
}

void events_end(struct agent *agent)
{
    for (int i = 0; i < EVENTS_KEPT; i++) {
        free(agent->past_events[i].name);
        free(agent->past_events[i].json);
    }
}
