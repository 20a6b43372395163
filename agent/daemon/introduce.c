// SPDX-License-Identifier: MIT
//
// From a card to a peer. What stands on a card is the other device's word: names and addresses are
// made to fit or left out.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/base/own.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/pairing_priv.h"

#define PROGRAM "cfgsync-agent " CFGSYNC_VERSION

// Cut where a character ends.
static struct slice short_text(const char *text)
{
    size_t size = strlen(text);
    if (size > CARD_TEXT_MAX) size = CARD_TEXT_MAX;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return slice_of(text, size);
}

void introduce_self(struct agent *agent, struct buf *out)
{
    const char *const *endpoints;
    struct utsname system;
    struct reach reach;
    char platform[sizeof system.sysname + sizeof system.machine + 1] = "";
    uint32_t count = net_endpoints(agent->net, &endpoints);
    reach_of(endpoints, count, &reach);
    if (uname(&system) == 0) {
        (void)snprintf(platform, sizeof platform, "%s %s", system.sysname, system.machine);
    }
    struct card card = {.device = agent->device,
                        .name = short_text(agent->name),
                        .platform = short_text(platform),
                        .program = slice_text(PROGRAM),
                        .port = reach.port,
                        .address_count = reach.count};
    for (uint32_t i = 0; i < reach.count; i++)
        card.addresses[i] = slice_text(reach.addresses[i]);
    card_write(&card, out);
}

// ---- the name

static char *fitting(const struct agent *agent, struct slice name)
{
    char *text = arena_text(agent->scratch, name);
    for (char *at = text; *at != '\0'; at++) {
        char one[2] = {*at, '\0'};
        if (!name_valid(one)) *at = '-';
    }
    return name_valid(text) ? text : arena_text(agent->scratch, slice_text("device"));
}

const char *introduce_name(const struct agent *agent, const struct card *card, const char *wanted)
{
    const struct registry_peer *known = registry_peer_by_device(agent->registry, card->device);
    if (known != NULL) return arena_text(agent->scratch, slice_text(known->name));
    const char *name = wanted != NULL ? wanted : fitting(agent, card->name);
    const char *free_name = name;
    for (unsigned number = 2; registry_peer(agent->registry, free_name) != NULL; number++)
        free_name = arena_printf(agent->scratch, "%.*s-%u", NAME_BYTES_MAX - 11, name, number);
    return free_name;
}

// ---- the addresses

struct found {
    char *texts[REGISTRY_ADDRESSES_MAX];
    uint32_t count;
};

static void add(struct found *found, char *address)
{
    if (found->count == REGISTRY_ADDRESSES_MAX || !address_valid(address, false)) return;
    for (uint32_t i = 0; i < found->count; i++)
        if (strcmp(found->texts[i], address) == 0) return;
    found->texts[found->count++] = address;
}

static void addresses(struct agent *agent, const struct card *card, const char *host,
                      struct found *found)
{
    if (card->port > 0) add(found, arena_printf(agent->scratch, "tcp://%s:%u", host, card->port));
    for (uint32_t i = 0; i < card->address_count; i++)
        add(found, arena_text(agent->scratch, card->addresses[i]));
}

enum err introduce(struct agent *agent, const struct card *card, const char *host,
                   const char *wanted, char **out_name, bool *out_new)
{
    struct found found = {0};
    const struct registry_peer *known = registry_peer_by_device(agent->registry, card->device);
    const char *name = introduce_name(agent, card, wanted);
    struct registry_peer peer = {.device = card->device, .approves = true};
    peer.name = arena_text(agent->scratch, slice_text(name));
    addresses(agent, card, host, &found);
    *out_new = known == NULL;
    *out_name = peer.name;
    if (known != NULL && known->declared_at != NULL) return ERR_OK; // the user's own word stands
    if (known != NULL) {
        peer.approves = known->approves;
        for (uint32_t i = 0; i < known->address_count; i++)
            add(&found, arena_text(agent->scratch, slice_text(known->addresses[i])));
    }
    peer.addresses = found.texts;
    peer.address_count = found.count;
    return peers_put(agent, &peer);
}
