// SPDX-License-Identifier: MIT
//
// Server-sent events: each client gets every event from when it came. Slow ones are the API's care.
#include "agent/base/check.h"
#include "agent/daemon/agent_priv.h"

void events_add(struct agent *agent, uint64_t request)
{
    uint32_t count = agent->event_client_count + 1;
    agent->event_clients = mem_realloc(agent->event_clients, count * sizeof *agent->event_clients);
    agent->event_clients[agent->event_client_count++] = (struct event_client){.request = request};
}

void events_gone(struct agent *agent, uint64_t request)
{
    for (uint32_t i = 0; i < agent->event_client_count; i++) {
        if (agent->event_clients[i].request != request) continue;
        agent->event_clients[i] = agent->event_clients[--agent->event_client_count];
        return;
    }
}

void events_send(struct agent *agent, const char *event, struct slice json)
{
    for (uint32_t i = 0; i < agent->event_client_count; i++) {
        api_event(agent->api, agent->event_clients[i].request, event, json);
    }
}
