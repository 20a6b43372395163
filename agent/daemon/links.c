// SPDX-License-Identifier: MIT
//
// A peer's path, or why there is none, and the command that comes next. Of several addresses the
// one decides where the peer came closest to an answer.
#include <string.h>

#include "agent/daemon/links_priv.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/nearby_priv.h"

// Where its address is from. Who dials us is seen at a port of no further use.
static const char *source_of(const struct agent *agent, const struct registry_peer *peer,
                             const char *address)
{
    for (uint32_t i = 0; i < peer->address_count; i++)
        if (strcmp(peer->addresses[i], address) == 0) return "configured";
    return nearby_is(agent, peer->device, address) ? "mdns" : "incoming";
}

// ---- why there is none

struct reason {
    const char *why;
    const char *hint;
};

static struct reason failure_reason(const struct agent *agent, const struct registry_peer *peer,
                                    const struct attempt *attempt)
{
    char id[DEVICE_ID_TEXT_MAX];
    struct arena *arena = agent->scratch;
    struct slice host = address_host(slice_text(attempt->address));
    struct reason out = {.why = net_failure_text(attempt->failure)};
    switch (attempt->failure) {
    case NET_KEY_REFUSED:
        out.hint = arena_printf(arena, "on %s: cfgsync-agent peer add %s %s", peer->name,
                                name_valid(agent->name) ? agent->name : "NAME",
                                device_id_text(agent->device, id));
        break;
    case NET_SOMEBODY_ELSE:
        out.hint = arena_printf(arena,
                                "on %s: cfgsync-agent id; if it is not %s, that device has a new "
                                "key: cfgsync-agent peer remove %s, then pair again",
                                peer->name, device_id_text(peer->device, id), peer->name);
        break;
    case NET_NOT_AN_AGENT:
        out.hint = arena_printf(arena,
                                "another program has that port; on %s: cfgsync-agent status "
                                "--json says where it listens",
                                peer->name);
        break;
    case NET_REFUSED:
        out.hint =
            arena_printf(arena, "on %s: cfgsync-agent status says whether it runs", peer->name);
        break;
    case NET_TIMED_OUT:
        out.hint =
            arena_printf(arena, "is %s on, and does no firewall there drop its port? ping %.*s",
                         peer->name, SLICE_ARG(host));
        break;
    case NET_NO_ROUTE:
        out.hint = arena_printf(arena, "is this machine on a network? ping %.*s", SLICE_ARG(host));
        break;
    case NET_NAME_UNKNOWN:
        out.hint = arena_printf(arena, "getent hosts %.*s", SLICE_ARG(host));
        break;
    case NET_BAD_ADDRESS:
    case NET_NO_MEANS:
    case NET_NO_FAILURE: break;
    }
    return out;
}

static struct reason reason_of(const struct agent *agent, const struct registry_peer *peer,
                               const struct peer_status *status)
{
    const struct attempt *tried[ATTEMPTS_PEER_MAX];
    uint32_t count = attempts_of(agent, peer->device, tried);
    const struct attempt *best = NULL;
    if (status->connected) return (struct reason){0};
    if (peer->unconfirmed) {
        return (struct reason){"the pairing was cut off, and it has not connected since",
                               "if it shows no such peer: cfgsync-agent pair, on both, again"};
    }
    if (status->version_differs) {
        return (struct reason){"it speaks another version of the protocol",
                               "install the same version on both machines; cfgsync-agent version"};
    }
    for (uint32_t i = 0; i < count; i++)
        if (best == NULL || tried[i]->failure >= best->failure) best = tried[i];
    if (best != NULL) return failure_reason(agent, peer, best);
    if (peer->address_count > 0 || nearby_sees(agent, peer->device)) return (struct reason){0};
    return (struct reason){"no address is known here; it can only call",
                           arena_printf(agent->scratch,
                                        "cfgsync-agent peer add %s ID --at "
                                        "tcp://HOST:7575%s gives it one",
                                        peer->name, peer->approves ? "" : " --no-approve")};
}

// ---- as JSON

static json_t *tried_json(const struct agent *agent, struct device_id device)
{
    const struct attempt *tried[ATTEMPTS_PEER_MAX];
    uint32_t count = attempts_of(agent, device, tried);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "address", json_bytes(slice_text(tried[i]->address)));
        json_object_set_new(one, "reason", json_string(net_failure_text(tried[i]->failure)));
        json_object_set_new(one, "at", json_integer((json_int_t)tried[i]->wall_ms));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_bytes(slice_text(text)) : json_null();
}

static json_t *number_or_null(int64_t number, bool is_known)
{
    return is_known ? json_integer((json_int_t)number) : json_null();
}

void links_describe(const struct agent *agent, const struct registry_peer *peer,
                    const struct peer_status *status, json_t *out)
{
    const char *address = arena_text(agent->scratch, status->address);
    bool has_path = status->connected && address[0] != '\0';
    struct reason reason = reason_of(agent, peer, status);
    const char *via = status->near ? "lan" : "wan";
    json_object_set_new(out, "connected", json_boolean(status->connected));
    json_object_set_new(out, "address", text_or_null(address[0] != '\0' ? address : NULL));
    json_object_set_new(out, "via", text_or_null(has_path ? via : NULL));
    json_object_set_new(out, "from",
                        text_or_null(has_path ? source_of(agent, peer, address) : NULL));
    json_object_set_new(out, "dialled", has_path ? json_boolean(status->dialled) : json_null());
    json_object_set_new(out, "seen_at", nearby_json(agent, peer->device));
    json_object_set_new(out, "rtt_ms", number_or_null(status->rtt_ms, status->rtt_ms >= 0));
    json_object_set_new(out, "last_seen",
                        number_or_null(status->last_seen_wall_ms, status->last_seen_wall_ms > 0));
    json_object_set_new(out, "clock_ms", number_or_null(status->clock_ms, status->rtt_ms >= 0));
    json_object_set_new(out, "reason", text_or_null(reason.why));
    json_object_set_new(out, "hint", text_or_null(reason.hint));
    json_object_set_new(out, "tried", tried_json(agent, peer->device));
}
