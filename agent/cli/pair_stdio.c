// SPDX-License-Identifier: MIT
//
// agent/cli/pair_stdio — the far end of pair ssh://. ssh has said who is there, so nobody is asked.
#include <signal.h>
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

// NULL if it is no JSON.
static json_t *parse(const struct buf *line)
{
    if (line->size > SSH_LINE_MAX) return NULL;
    return json_loadb((const char *)line->data, line->size, JSON_REJECT_DUPLICATES, NULL);
}

// Has the near end stored it, too?
static bool confirmed(const sigset_t *before)
{
    AUTO(buf_fini) struct buf line = {0};
    if (!pair_read_answer(before, &line)) return false;
    AUTO(json_drop) json_t *last = parse(&line);
    return field_true(last, "stored");
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
    // However long it takes: what became of it must be known.
    return agent_ask(context, "POST", "/v1/pair/introduce", body, 0, out);
}

void pair_undo(const struct cli_context *context, const json_t *introduced)
{
    AUTO(json_drop) json_t *answer = NULL;
    if (!field_true(introduced, "new")) return;
    json_t *body = json_pack("{s:s}", "name", field_text(introduced, "peer", ""));
    (void)agent_ask(context, "POST", "/v1/peers/remove", body, SSH_ANSWER_S, &answer);
}

int pair_stdio(const struct cli_context *context)
{
    struct cli_context quiet = *context;
    quiet.json = false;             // standard output is the other one's
    (void)signal(SIGPIPE, SIG_IGN); // who has gone says nothing more, which is heard
    AUTO(json_drop) json_t *own = NULL;
    AUTO(json_drop) json_t *peer = NULL;
    int result = agent_ask(&quiet, "POST", "/v1/pair/card", NULL, SSH_ANSWER_S, &own);
    if (result == CLI_NO_AGENT) return fail(result, "no agent is running there");
    if (result != CLI_DONE) return fail(result, "the agent there cannot pair");
    say(json_pack("{s:i, s:s}", "cfgsync-pair", SSH_VERSION, "card", field_text(own, "card", "")));

    AUTO(buf_fini) struct buf line = {0};
    if (!pair_read_line(&line)) return CLI_FAILED; // it has gone, or was told no
    AUTO(json_drop) json_t *other = parse(&line);
    const char *card = field_text(other, "card", NULL);
    if (card == NULL) return CLI_FAILED;
    sigset_t before;
    pair_hold_signals(&before); // who is trusted from here on is let go again on every way out
    result = introduce(&quiet, card, &peer);
    if (result != CLI_DONE) return fail(result, "the agent there refuses it");
    say(json_pack("{s:b}", "stored", 1));
    if (confirmed(&before)) return CLI_DONE;
    pair_undo(&quiet, peer);
    return CLI_FAILED;
}
