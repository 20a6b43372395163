// SPDX-License-Identifier: MIT
//
// agent/cli/verb_bench — how good the way to a peer is.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 30 };

// Sets what the status says of the peer's connection in the answer.
static void add_path(const struct cli_context *context, const char *peer, json_t *answer)
{
    static const char *const keys[] = {"address", "via", "from"};
    AUTO(json_drop) json_t *status = agent_peek(context, "GET", "/v1/status", NULL);
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(status, "peers"), at, one)
    {
        if (strcmp(field_text(one, "name", ""), peer) != 0) continue;
        json_t *path = json_object();
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            (void)json_object_set(path, keys[i], json_object_get(one, keys[i]));
        (void)json_object_set_new(answer, "path", path);
    }
}

static void print_flow(const char *what, const json_t *flow)
{
    AUTO(buf_fini) struct buf line = {0};
    uint64_t bytes = field_number(flow, "bytes");
    uint64_t ms = field_number(flow, "ms");
    print_bytes(&line, ms > 0 ? bytes * 1000 / ms : 0);
    buf_append_text(&line, "/s (");
    print_bytes(&line, bytes);
    buf_printf(&line, " in %.1f s)", (double)ms / 1000);
    printf("  %-10s  %s\n", what, buf_text(&line));
}

static int run(const struct cli_context *context, const struct args *args)
{
    const char *peer = args->words[0];
    json_t *body = json_pack("{s:s}", "peer", peer);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/bench", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    add_path(context, peer, answer);
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    const json_t *path = json_object_get(answer, "path");
    printf("%s  %s %s\n", peer, field_text(path, "via", ""), field_text(path, "address", ""));
    printf("  %-10s  %.2f ms (%" PRIu64 " of them)\n", "round trip",
           json_number_value(json_object_get(answer, "rtt_ms")),
           field_number(answer, "round_trips"));
    print_flow("to it", json_object_get(answer, "to"));
    print_flow("from it", json_object_get(answer, "from"));
    return CLI_DONE;
}

const struct cli_verb verb_bench = {
    .name = "bench",
    .usage = "PEER",
    .summary = "measure the way to a peer: round trip, speed both ways, in ten seconds",
    .help = "By the connection that is in use, beside what is synced meanwhile, with 2 MiB on the\n"
            "way at most, as contents are sent.",
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_PEER},
    .run = run,
};
