// SPDX-License-Identifier: MIT
//
// agent/cli/pair_ssh — the near end of pairing over ssh. JSON, a line each:
//
//     there: {"cfgsync-pair": 1, "card": HEX}        or {"error": TEXT, "exit": N}
//     here:  {"card": HEX}                           after the person here has said yes
//     there: {"stored": true}
//     here:  {"stored": true}                        without it the other side takes it back
//
// This side takes it back unless the other then ends with 0.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/ssh_priv.h"

#define COMMAND "cfgsync-agent pair --stdio"

static void say(struct ssh *ssh, json_t *take)
{
    AUTO(json_drop) json_t *value = take;
    AUTO(mem_free) char *text = json_dumps(value, JSON_COMPACT);
    ssh_say(ssh, text != NULL ? text : "{}");
}

// The next line that is of the exchange; what a login prints is passed over. NULL: none came.
static json_t *hear(struct ssh *ssh, const char *key)
{
    for (int i = 0; i < SSH_NOISE_MAX; i++) {
        AUTO(buf_fini) struct buf line = {0};
        if (!ssh_line(ssh, &line)) return NULL;
        AUTO(json_drop)
        json_t *value = json_loadb(buf_text(&line), line.size, JSON_REJECT_DUPLICATES, NULL);
        if (json_object_get(value, key) != NULL || json_object_get(value, "error") != NULL) {
            return TAKE(value);
        }
    }
    return NULL;
}

static int another_version(const struct ssh *ssh)
{
    cli_error("the cfgsync-agent on %s is of another version: it cannot pair so", ssh->target);
    (void)fprintf(stderr, "  install the same version on both machines\n");
    return CLI_FAILED;
}

// Why there was no answer, from ssh's exit code.
static int explain(const struct ssh *ssh, int code)
{
    if (code == CLI_USAGE) return another_version(ssh);
    if (code == SSH_NO_CONNECTION) {
        cli_error("ssh could not connect to %s, see above", ssh->target);
        return CLI_UNREACHED;
    }
    if (code == SSH_NOT_FOUND) {
        cli_error("there is no cfgsync-agent on %s, or not in the PATH that ssh has there",
                  ssh->target);
        (void)fprintf(stderr, "  install it there, for all users\n");
    } else {
        cli_error("cfgsync-agent on %s ended with %d without pairing", ssh->target, code);
    }
    return CLI_FAILED;
}

static int explain_error(const struct ssh *ssh, const json_t *answer)
{
    uint64_t code = field_number(answer, "exit");
    cli_error("%s: %s", ssh->target, field_text(answer, "error", "failed"));
    if (code == CLI_NO_AGENT) {
        (void)fprintf(stderr, "  start it there: cfgsync-agent run (before the first time: "
                              "cfgsync-agent init)\n");
    }
    return CLI_FAILED;
}

static int no_answer(struct ssh *ssh, const json_t *answer)
{
    if (answer != NULL) {
        (void)ssh_end(ssh);
        return explain_error(ssh, answer);
    }
    return explain(ssh, ssh_end(ssh));
}

static int introduce(const struct cli_context *context, const struct args *args,
                     const struct ssh *ssh, const char *card, json_t **out)
{
    json_t *body = json_pack("{s:s, s:s, s:s*}", "card", card, "host", ssh->host, "name",
                             args_value(args, "--name"));
    return agent_ask(context, "POST", "/v1/pair/introduce", body, SSH_ANSWER_S, out);
}

// From the other's card to the end; `own` is the agent's answer with both.
static int trust(const struct cli_context *context, const struct args *args, struct ssh *ssh,
                 const char *card, const json_t *own)
{
    if (!pair_confirm(context, args, json_object_get(own, "other"),
                      "Is this the machine that you mean?")) {
        (void)ssh_end(ssh);
        cli_error("not paired");
        return CLI_FAILED;
    }
    say(ssh, json_pack("{s:s}", "card", field_text(own, "card", "")));
    AUTO(json_drop) json_t *answer = hear(ssh, "stored");
    if (!field_true(answer, "stored")) return no_answer(ssh, answer);
    AUTO(json_drop) json_t *peer = NULL;
    sigset_t before;
    pair_hold_signals(&before); // ssh gets Ctrl-C, too, and then ends with an error
    int result = introduce(context, args, ssh, card, &peer);
    if (result == CLI_DONE) say(ssh, json_pack("{s:b}", "stored", 1));
    bool is_kept_there = ssh_end(ssh) == 0;
    if (result == CLI_DONE && !is_kept_there) {
        pair_undo(context, peer);
        cli_error("not paired: %s did not confirm the end", ssh->target);
        (void)fprintf(stderr,
                      "  if this machine stands in cfgsync-agent peer list there, pair again "
                      "or remove it\n");
        result = CLI_FAILED;
    }
    pair_release_signals(&before);
    return result == CLI_DONE ? pair_done(context, args, peer) : result;
}

int pair_ssh(const struct cli_context *context, const struct args *args, const char *url)
{
    struct ssh ssh;
    AUTO(json_drop) json_t *own = NULL;
    if (!ssh_parse(url, &ssh)) {
        cli_error("%s is not ssh://[USER@]HOST[:PORT]", url);
        return CLI_USAGE;
    }
    // Before anybody is asked for a password: is there an agent here, and is the name free?
    json_t *body = json_pack("{s:s*}", "name", args_value(args, "--name"));
    if (body == NULL) return pair_bad_text();
    int result = agent_ask(context, "POST", "/v1/pair/card", body, SSH_ANSWER_S, &own);
    if (result != CLI_DONE) return result;
    if (!ssh_start(&ssh, COMMAND)) {
        cli_error("ssh cannot be started: %s", strerror(errno));
        return CLI_FAILED;
    }
    AUTO(json_drop) json_t *hello = hear(&ssh, "cfgsync-pair");
    const char *card = field_text(hello, "card", NULL);
    if (card == NULL) return no_answer(&ssh, hello);
    if (field_number(hello, "cfgsync-pair") != SSH_VERSION) {
        (void)ssh_end(&ssh);
        return another_version(&ssh);
    }
    json_drop(&own);
    body = json_pack("{s:s, s:s, s:s*}", "card", card, "host", ssh.host, "name",
                     args_value(args, "--name"));
    result = agent_ask(context, "POST", "/v1/pair/card", body, SSH_ANSWER_S, &own);
    if (result == CLI_DONE) return trust(context, args, &ssh, card, own);
    (void)ssh_end(&ssh);
    return result;
}
