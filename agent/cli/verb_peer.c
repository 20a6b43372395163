// SPDX-License-Identifier: MIT
//
// agent/cli/verb_peer — trust by hand.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/confirm_priv.h"
#include "agent/cli/known_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/status_priv.h"
#include "agent/cli/verb_priv.h"
#include "crypto/identity.h"

enum { ANSWER_S = 60 };

static int bad_text(void)
{
    cli_error("names and addresses are UTF-8 text");
    return CLI_USAGE;
}

// Here as well as in the agent, so that a mistyped id is told without one.
static int check_id(const char *text)
{
    struct device_id device;
    unsigned group = 0;
    if (device_id_parse(text, &device, &group) == ERR_OK) return CLI_DONE;
    if (group > 0) {
        cli_error("the device id is mistyped in group %u", group);
    } else {
        cli_error("that is not a device id: its length is wrong; cfgsync-agent id prints one");
    }
    return CLI_USAGE;
}

static int add(const struct cli_context *context, const struct args *args)
{
    int result = check_id(args->words[1]);
    if (result != CLI_DONE) return result;
    AUTO(json_drop) json_t *addresses = json_array();
    size_t at = 0;
    for (const char *url; (url = args_next(args, "--at", &at)) != NULL;) {
        AUTO(buf_fini) struct buf full = {0};
        buf_printf(&full, "%s%s", strstr(url, "://") != NULL ? "" : "tcp://", url);
        if (json_array_append_new(addresses, json_string(buf_text(&full))) != 0) return bad_text();
    }
    json_t *body =
        json_pack("{s:s, s:s, s:O, s:b}", "name", args->words[0], "id", args->words[1], "addresses",
                  addresses, "approves", (int)!args_has(args, "--no-approve"));
    if (body == NULL) return bad_text();
    AUTO(json_drop) json_t *answer = NULL;
    result = agent_ask(context, "POST", "/v1/peers", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        printf("%s is %strusted; it must trust this device, too\n", args->words[0],
               field_true(answer, "unchanged") ? "already " : "");
    }
    return CLI_DONE;
}

static void row(struct table *table, const json_t *peer, int64_t now_ms)
{
    AUTO(buf_fini) struct buf link = {0};
    status_link(&link, peer, now_ms);
    table_cell(table, field_text(peer, "name", "?"));
    table_cell(table, field_true(peer, "connected") ? "connected" : "away");
    table_cell(table, buf_text(&link));
    table_cell(table, field_true(peer, "approves") ? "" : "may not approve");
    table_cell(table, field_text(peer, "id", ""));
    table_cell(table, field_text(peer, "declared_at", ""));
}

// An address, and how the last try there ended.
static void print_address(const json_t *peer, const char *address, const char *note, int64_t now_ms)
{
    AUTO(buf_fini) struct buf line = {0};
    size_t at;
    json_t *one;
    buf_printf(&line, "    %s%s", address, note);
    json_array_foreach(json_object_get(peer, "tried"), at, one)
    {
        if (strcmp(field_text(one, "address", ""), address) != 0) continue;
        buf_printf(&line, "  %s, ", field_text(one, "reason", "?"));
        print_ago(&line, (int64_t)field_number(one, "at"), now_ms);
    }
    (void)puts(buf_text(&line));
}

static void print_addresses(const json_t *peer, int64_t now_ms)
{
    const json_t *addresses = json_object_get(peer, "addresses");
    const json_t *seen = json_object_get(peer, "seen_at");
    const char *hint = field_text(peer, "hint", NULL);
    bool any = json_array_size(addresses) + json_array_size(seen) > 0 || hint != NULL;
    size_t at;
    json_t *address;
    if (any) printf("\n%s\n", field_text(peer, "name", "?"));
    json_array_foreach((json_t *)(uintptr_t)addresses, at, address)
        print_address(peer, json_string_value(address), "", now_ms);
    json_array_foreach((json_t *)(uintptr_t)seen, at, address)
        print_address(peer, json_string_value(address), " (mDNS)", now_ms);
    if (hint != NULL) printf("  next: %s\n", hint);
}

static int list(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "GET", "/v1/peers", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    struct table table;
    table_init(&table, 6);
    size_t at;
    json_t *peer;
    int64_t now_ms = (int64_t)field_number(answer, "now_ms");
    json_array_foreach(json_object_get(answer, "peers"), at, peer) row(&table, peer, now_ms);
    if (table.cell_count == 0) (void)puts("no peers; cfgsync-agent peer add NAME ID adds one");
    table_print(&table, "");
    table_fini(&table);
    json_array_foreach(json_object_get(answer, "peers"), at, peer) print_addresses(peer, now_ms);
    known_print(json_object_get(answer, "known"));
    return CLI_DONE;
}

// A change whose answer is no news but that it was made.
static int change(const struct cli_context *context, const char *path, json_t *body,
                  const char *done)
{
    if (body == NULL) return bad_text();
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", path, body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        (void)puts(done);
    }
    return CLI_DONE;
}

static int remove_peer(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf done = {0};
    AUTO(buf_fini) struct buf question = {0};
    buf_printf(&question, "%s gets nothing from here any more. Trust it no longer?",
               args->words[0]);
    if (!confirm(args, buf_text(&question))) return CLI_FAILED;
    buf_printf(&done, "%s is no longer trusted here; the other devices keep their own lists",
               args->words[0]);
    return change(context, "/v1/peers/remove", json_pack("{s:s}", "name", args->words[0]),
                  buf_text(&done));
}

static int rename_peer(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf done = {0};
    buf_printf(&done, "%s is now called %s", args->words[0], args->words[1]);
    json_t *body = json_pack("{s:s, s:s}", "old", args->words[0], "new", args->words[1]);
    return change(context, "/v1/peers/rename", body, buf_text(&done));
}

static const struct cli_option add_options[] = {
    {"--at", "ADDRESS", "tcp://HOST:PORT to dial it at, may be repeated; none: it dials us"},
    {"--no-approve", NULL, "it may not approve mass deletes for this device"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_peer_add = {
    .name = "peer add",
    .usage = "NAME ID [--at ADDRESS]... [--no-approve]",
    .summary = "trust another device",
    .help = "ID is what cfgsync-agent id prints there. Both must add each other. Trust is not\n"
            "sharing: a peer sees only the folders shared with it.",
    .options = add_options,
    .words_min = 2,
    .words_max = 2,
    .run = add,
};

const struct cli_verb verb_peer_list = {
    .name = "peer list",
    .usage = "",
    .summary = "the devices trusted here, how each is reached or why not, and what to do",
    .help =
        "For each address: where it is from, and how the last try there ended. Then the devices\n"
        "that two of them know and that are not trusted here: cfgsync-agent peer trust.",
    .run = list,
};

static const struct cli_option remove_options[] = {
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_peer_remove = {
    .name = "peer remove",
    .usage = "NAME [--yes]",
    .summary = "trust a device no longer, at once",
    .help = "This device's own list only: the others keep theirs.",
    .options = remove_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_PEER},
    .run = remove_peer,
};

const struct cli_verb verb_peer_rename = {
    .name = "peer rename",
    .usage = "OLD NEW",
    .summary = "call a device something else here",
    .help = "",
    .words_min = 2,
    .words_max = 2,
    .completes = {COMPLETE_PEER, COMPLETE_NOTHING},
    .run = rename_peer,
};
