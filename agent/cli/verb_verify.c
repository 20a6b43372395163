// SPDX-License-Identifier: MIT
//
// agent/cli/verb_verify — an audit now; the agent says what came of it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

static void print_pair(const json_t *pair)
{
    const char *folder = field_text(pair, "folder", "?"), *peer = field_text(pair, "peer", "?");
    const char *result = field_text(pair, "result", "?");
    AUTO(buf_fini) struct buf items = {0};
    print_count(&items, field_number(pair, "items"), "item");
    if (strcmp(result, "equal") == 0) {
        printf("%s: equal with %s, %s\n", folder, peer, buf_text(&items));
    } else if (strcmp(result, "repaired") == 0) {
        printf("%s: differed from %s and is repaired: of %s, %" PRIu64
               " came from there and %" PRIu64 " went\n",
               folder, peer, buf_text(&items), field_number(pair, "came"),
               field_number(pair, "went"));
    } else if (strcmp(result, "not-connected") == 0) {
        cli_error("%s: %s is not connected", folder, peer);
    } else if (strcmp(result, "not-joined") == 0) {
        cli_error("%s: %s does not carry this folder", folder, peer);
    } else {
        cli_error("%s: %s and this device did not come to know the same in time", folder, peer);
    }
}

static int run(const struct cli_context *context, const struct args *args)
{
    int64_t timeout;
    if (!timeout_read(args, &timeout)) return CLI_USAGE;
    const char *folder = args->word_count > 0 ? args->words[0] : NULL;
    json_t *body = json_pack("{s:s*, s:s*, s:I}", "folder", folder, "peer",
                             args_value(args, "--peer"), "timeout_s", (json_int_t)timeout);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_await(context, "/v1/verify", body, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        size_t at;
        json_t *pair;
        json_t *pairs = json_object_get(answer, "pairs");
        json_array_foreach(pairs, at, pair) print_pair(pair);
        if (json_array_size(pairs) == 0) (void)puts("nothing is shared with anybody");
    }
    uint64_t code = field_number(answer, "exit");
    return code < 126 ? (int)code : CLI_FAILED;
}

static const struct cli_option options[] = {
    {"--peer", "PEER", "with this peer only"},
    {"--timeout", "SECONDS", "give up after that long (default: 60)"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_verify = {
    .name = "verify",
    .usage = "[FOLDER] [--peer PEER] [--timeout SECONDS]",
    .summary = "compare all that is known with the peers",
    .help =
        "Compares every item, whatever the peers have said before, and repairs what differs; it\n"
        "costs little when nothing does. The agent does so by itself once a day. Exit 0: all\n"
        "are equal; 1: something differed and is repaired; 4: a peer was not connected or not\n"
        "in step in time.",
    .options = options,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = run,
};
