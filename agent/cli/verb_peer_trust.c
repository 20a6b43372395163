// SPDX-License-Identifier: MIT
//
// agent/cli/verb_peer_trust — what two of my devices trust is trusted here, too, in one step.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/known_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "crypto/identity.h"

enum { ANSWER_S = 60 };

// ---- shown

// "laptop, desk (fon)": who knows it, and how it is called there if that is something else.
static void add_known_to(struct buf *out, const json_t *device)
{
    const char *name = field_text(device, "name", "");
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(device, "known_to"), at, one)
    {
        const char *there = field_text(one, "name", "");
        buf_printf(out, "%s%s", at > 0 ? ", " : "", field_text(one, "peer", "?"));
        if (strcmp(there, name) != 0) buf_printf(out, " (as %s)", there);
    }
}

void known_print(const json_t *known)
{
    size_t at;
    json_t *device;
    json_array_foreach((json_t *)(uintptr_t)known, at, device)
    {
        AUTO(buf_fini) struct buf by = {0};
        const char *name = field_text(device, "as", "?");
        add_known_to(&by, device);
        if (at == 0) (void)puts("\nknown to your devices, and not trusted here");
        printf("  %s  %s\n    known to %s%s\n", name, field_text(device, "fingerprint", "?"),
               buf_text(&by), field_true(device, "removed") ? "; it was removed here" : "");
        printf("    %s\n    next: cfgsync-agent peer trust %s\n", field_text(device, "id", "?"),
               name);
    }
}

// ---- found

static bool is_called(const json_t *device, const char *name)
{
    return strcmp(field_text(device, "as", ""), name) == 0 ||
           strcmp(field_text(device, "name", ""), name) == 0;
}

// By the whole id, however it is spelt.
static bool is_device(const json_t *device, const char *text)
{
    struct device_id wanted, one;
    unsigned group;
    return device_id_parse(text, &wanted, &group) == ERR_OK &&
           device_id_parse(field_text(device, "id", ""), &one, &group) == ERR_OK &&
           memcmp(wanted.bytes, one.bytes, sizeof one.bytes) == 0;
}

static json_t *find_peer(const json_t *answer, const char *word)
{
    size_t at;
    json_t *peer;
    json_array_foreach(json_object_get(answer, "peers"), at, peer)
    {
        if (is_called(peer, word) || is_device(peer, word)) return peer;
    }
    return NULL;
}

// The one that is meant, borrowed; NULL, and said: none is, or several are.
static json_t *find(const json_t *answer, const char *word)
{
    json_t *found = NULL;
    size_t at, count = 0;
    json_t *device;
    json_array_foreach(json_object_get(answer, "known"), at, device)
    {
        if (!is_called(device, word) && !is_device(device, word)) continue;
        found = device;
        count++;
    }
    if (count == 1) return found;
    if (count > 1) {
        cli_error("several devices are called %s: give the id; cfgsync-agent peer list shows them",
                  word);
    } else {
        cli_error("no device called %s, or of that id, is known to two of the devices that are "
                  "trusted here",
                  word);
        (void)fprintf(stderr, "  cfgsync-agent peer list shows those that are; with a code it "
                              "needs nobody else: cfgsync-agent pair\n");
    }
    return NULL;
}

// ---- trusted

static int said(const struct cli_context *context, const struct args *args, const json_t *peer,
                const json_t *folders)
{
    const char *name = field_text(peer, "name", "?");
    if (context->json) {
        print_json(peer);
    } else {
        printf("%s is trusted here; it must trust this device, too. On %s:\n"
               "    cfgsync-agent peer trust %s\n"
               "if peer list there shows that device as known to others, else\n"
               "    cfgsync-agent pair\n",
               name, name, field_text(json_object_get(peer, "own"), "name", "THIS"));
    }
    if (folders != NULL) return pair_share_all(context, name, folders);
    bool asks = !context->json && !args_has(args, "--yes");
    return asks ? pair_share(context, name) : CLI_DONE;
}

static int already(const struct cli_context *context, const json_t *peer)
{
    if (context->json) {
        print_json(peer);
    } else {
        printf("%s is trusted here already\n", field_text(peer, "name", "?"));
    }
    return CLI_DONE;
}

static int run(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    AUTO(json_drop) json_t *peer = NULL;
    AUTO(json_drop) json_t *folders = NULL;
    AUTO(buf_fini) struct buf by = {0};
    const char *word = args->words[0], *called = args_value(args, "--name");
    const char *line = args_value(args, "--folders");
    int result = agent_ask(context, "GET", "/v1/peers", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    const json_t *known = find_peer(answer, word);
    if (known != NULL) return already(context, known);
    json_t *device = find(answer, word);
    if (device == NULL) return CLI_FAILED;
    if (called != NULL && json_object_set_new(device, "as", json_string(called)) != 0)
        return pair_bad_text();
    if (line != NULL)
        result = pair_share_choose(context, field_text(device, "as", ""), line, &folders);
    if (result != CLI_DONE) return result;
    add_known_to(&by, device);
    if (!context->json) printf("known to %s\n", buf_text(&by));
    if (!pair_confirm(context, args, device, "They trust it.")) {
        cli_error("nothing is changed");
        return CLI_FAILED;
    }
    json_t *body = json_pack("{s:s, s:s*}", "id", field_text(device, "id", ""), "name", called);
    if (body == NULL) return pair_bad_text();
    result = agent_ask(context, "POST", "/v1/peers/trust", body, ANSWER_S, &peer);
    return result != CLI_DONE ? result : said(context, args, peer, folders);
}

static const struct cli_option options[] = {
    {"--name", "NAME", "what to call it here (default: as the others do)"},
    {"--folders", "FOLDER,...", "folders of this machine to share with it, or all"},
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_peer_trust = {
    .name = "peer trust",
    .usage = "NAME|ID [--name NAME] [--folders FOLDER,...] [--yes]",
    .summary = "trust a device that two of those trusted here know",
    .help =
        "cfgsync-agent peer list shows which there are, with the words of their fingerprints;\n"
        "cfgsync-agent id, on that device, prints its id. Trust must be mutual: there it is the\n"
        "same step. At a terminal it is asked then which folders to share.",
    .options = options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_KNOWN},
    .run = run,
};
