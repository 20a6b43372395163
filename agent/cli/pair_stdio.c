// SPDX-License-Identifier: MIT
//
// agent/cli/pair_stdio — the far end of pair ssh://. ssh has said who is there, so nobody is asked.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/ssh_priv.h"

static void say(json_t *take)
{
    AUTO(json_drop) json_t *value = take;
    AUTO(mem_free) char *text = json_dumps(value, JSON_COMPACT);
    (void)puts(text != NULL ? text : "{}");
    (void)fflush(stdout);
}

// NULL at the end, or when it is no JSON.
static json_t *hear(void)
{
    AUTO(buf_fini) struct buf line = {0};
    if (!pair_read_line(&line) || line.size > SSH_LINE_MAX) return NULL;
    return json_loadb(buf_text(&line), line.size, JSON_REJECT_DUPLICATES, NULL);
}

static int fail(int result, const char *message)
{
    say(json_pack("{s:s, s:i}", "error", message, "exit", result));
    return result;
}

// The address that ssh's client came from.
static const char *client_host(char out[64])
{
    const char *connection = getenv("SSH_CONNECTION");
    size_t size = connection != NULL ? strcspn(connection, " ") : 0;
    if (size == 0 || size > 60) return "";
    bool is_six = memchr(connection, ':', size) != NULL;
    (void)snprintf(out, 64, "%s%.*s%s", is_six ? "[" : "", (int)size, connection,
                   is_six ? "]" : "");
    return out;
}

static int introduce(const struct cli_context *context, const char *card, json_t **out)
{
    char host[64];
    json_t *body = json_pack("{s:s, s:s}", "card", card, "host", client_host(host));
    return agent_ask(context, "POST", "/v1/pair/introduce", body, SSH_ANSWER_S, out);
}

static void undo(const struct cli_context *context, const json_t *peer)
{
    AUTO(json_drop) json_t *answer = NULL;
    if (!field_true(peer, "new")) return;
    json_t *body = json_pack("{s:s}", "name", field_text(peer, "peer", ""));
    (void)agent_ask(context, "POST", "/v1/peers/remove", body, SSH_ANSWER_S, &answer);
}

int pair_stdio(const struct cli_context *context)
{
    struct cli_context quiet = *context;
    quiet.json = false; // standard output is the other one's
    AUTO(json_drop) json_t *own = NULL;
    AUTO(json_drop) json_t *peer = NULL;
    int result = agent_ask(&quiet, "POST", "/v1/pair/card", NULL, SSH_ANSWER_S, &own);
    if (result == CLI_NO_AGENT) return fail(result, "no agent is running there");
    if (result != CLI_DONE) return fail(result, "the agent there cannot pair");
    say(json_pack("{s:i, s:s}", "cfgsync-pair", SSH_VERSION, "card", field_text(own, "card", "")));

    AUTO(json_drop) json_t *other = hear();
    const char *card = field_text(other, "card", NULL);
    if (card == NULL) return CLI_FAILED; // it has gone, or was told no
    result = introduce(&quiet, card, &peer);
    if (result != CLI_DONE) return fail(result, "the agent there refuses it");
    say(json_pack("{s:b}", "stored", 1));
    AUTO(json_drop) json_t *last = hear();
    if (field_true(last, "stored")) return CLI_DONE;
    undo(&quiet, peer);
    return CLI_FAILED;
}
