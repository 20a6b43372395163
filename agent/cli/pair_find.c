// SPDX-License-Identifier: MIT
//
// Looks on the local network for whoever shows a code. What is seen there anybody could have said:
// only the code decides.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"

enum { ANSWER_S = 60 };

// The one to dial; IPv4 if there is a choice, because who listens on one address only does so
// there.
static const char *address_of(const json_t *offer)
{
    size_t at;
    json_t *address;
    const json_t *all = json_object_get(offer, "at");
    json_array_foreach(all, at, address)
    {
        const char *text = json_string_value(address);
        if (text != NULL && *text != '[') return text;
    }
    const char *first = json_string_value(json_array_get(all, 0));
    return first != NULL ? first : "?";
}

static int several(const json_t *offers)
{
    size_t at;
    json_t *offer;
    cli_error("several machines on this network show a code; say which one you mean:");
    json_array_foreach(offers, at, offer)
    {
        (void)fprintf(stderr, "    cfgsync-agent pair --at %s    (%s)\n", address_of(offer),
                      field_text(offer, "host", "?"));
    }
    return CLI_USAGE;
}

static const char *why_not(const char *discovery)
{
    if (strcmp(discovery, "works") == 0) return "nobody on this network is seen to show a code";
    if (strcmp(discovery, "off") == 0) return "the config file here says: discovery = off";
    if (strcmp(discovery, "none") == 0) return "this program was built without mDNS";
    return "no mDNS service answers on this machine (avahi-daemon)";
}

int pair_find(const struct cli_context *context, bool must, struct buf *out_at)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/pair/find", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    const json_t *offers = json_object_get(answer, "offers");
    size_t count = json_array_size(offers);
    if (count > 1) return several(offers);
    if (count == 1) {
        const json_t *offer = json_array_get(offers, 0);
        buf_append_text(out_at, address_of(offer));
        (void)fprintf(stderr, "%s shows a code, at %s\n", field_text(offer, "host", "?"),
                      buf_text(out_at));
    } else if (must) {
        cli_error("%s", why_not(field_text(answer, "discovery", "works")));
        (void)fprintf(stderr, "On the other machine: cfgsync-agent pair --offer; then give --at "
                              "HOST:PORT here, as it shows it\n");
        return CLI_UNREACHED;
    }
    return CLI_DONE;
}
