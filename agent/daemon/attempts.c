// SPDX-License-Identifier: MIT
//
// How the last try at each address ended, so that a person can be told. Bounded for each peer:
// addresses come from mDNS, too, where anybody can make some up.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/daemon/links_priv.h"
#include "proto/vv.h"

struct attempts {
    struct attempt *list; // the oldest first
    uint32_t count;
};

static void drop_at(struct attempts *attempts, uint32_t at)
{
    free(attempts->list[at].address);
    size_t behind = --attempts->count - at;
    memmove(&attempts->list[at], &attempts->list[at + 1], behind * sizeof *attempts->list);
}

static void forget(struct attempts *attempts, struct device_id device, struct slice address)
{
    for (uint32_t i = attempts->count; i-- > 0;) {
        const struct attempt *one = &attempts->list[i];
        bool is_it = device_equal(one->device, device) &&
                     (address.data == NULL || slice_equal(slice_text(one->address), address));
        if (is_it) drop_at(attempts, i);
    }
}

static void make_room(struct attempts *attempts, struct device_id device)
{
    uint32_t count = 0;
    for (uint32_t i = attempts->count; i-- > 0;) {
        if (!device_equal(attempts->list[i].device, device)) continue;
        if (++count >= ATTEMPTS_PEER_MAX) drop_at(attempts, i);
    }
}

void attempts_net(struct agent *agent, const struct net_event *event)
{
    bool failed = event->kind == NET_FAILED;
    if (!failed && (event->kind != NET_UP || !event->dialled)) return;
    if (agent->attempts == NULL) agent->attempts = mem_zalloc(1, sizeof *agent->attempts);
    struct attempts *attempts = agent->attempts;
    forget(attempts, event->device, event->address);
    if (!failed || registry_peer_by_device(agent->registry, event->device) == NULL) return;
    make_room(attempts, event->device);
    attempts->list = mem_realloc(attempts->list, (attempts->count + 1) * sizeof *attempts->list);
    struct attempt *one = &attempts->list[attempts->count++];
    *one = (struct attempt){
        .device = event->device, .failure = event->failure, .wall_ms = agent->wall_ms};
    one->address = mem_strdup(arena_text(agent->scratch, event->address));
}

void attempts_forget(struct agent *agent, struct device_id device)
{
    if (agent->attempts != NULL) forget(agent->attempts, device, (struct slice){0});
}

void attempts_end(struct agent *agent)
{
    if (agent->attempts == NULL) return;
    while (agent->attempts->count > 0)
        drop_at(agent->attempts, agent->attempts->count - 1);
    free(agent->attempts->list);
    free(agent->attempts);
    agent->attempts = NULL;
}

uint32_t attempts_of(const struct agent *agent, struct device_id device,
                     const struct attempt *out[ATTEMPTS_PEER_MAX])
{
    uint32_t count = 0;
    for (uint32_t i = 0; agent->attempts != NULL && i < agent->attempts->count; i++) {
        const struct attempt *one = &agent->attempts->list[i];
        if (count < ATTEMPTS_PEER_MAX && device_equal(one->device, device)) out[count++] = one;
    }
    return count;
}
