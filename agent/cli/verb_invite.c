// SPDX-License-Identifier: MIT
//
// agent/cli/verb_invite — invitations for machines where nobody sits.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 60 };

// Names separated by commas, of every --folders.
static json_t *folder_names(const struct args *args)
{
    json_t *out = json_array();
    size_t at = 0;
    for (const char *list; (list = args_next(args, "--folders", &at)) != NULL;) {
        while (*list != '\0') {
            size_t size = strcspn(list, ",");
            if (size > 0) json_array_append_new(out, json_stringn(list, size));
            list += size + (list[size] == ',');
        }
    }
    return out;
}

static json_t *addresses(const struct args *args)
{
    json_t *out = json_array();
    size_t at = 0;
    for (const char *url; (url = args_next(args, "--at", &at)) != NULL;) {
        AUTO(buf_fini) struct buf full = {0};
        buf_printf(&full, "%s%s", strstr(url, "://") != NULL ? "" : "tcp://", url);
        json_array_append_new(out, json_string(buf_text(&full)));
    }
    return out;
}

static int invite(const struct cli_context *context, const struct args *args)
{
    const char *uses = args_value(args, "--uses");
    const char *expires = args_value(args, "--expires");
    json_t *body = json_object();
    json_object_set_new(body, "folders", folder_names(args));
    json_object_set_new(body, "at", addresses(args));
    char *end = NULL;
    if (uses != NULL) {
        json_object_set_new(body, "uses", json_integer(strtol(uses, &end, 10)));
    }
    int64_t ms = 0;
    bool bad_uses = uses != NULL && (end == uses || *end != '\0');
    bool bad_expires = expires != NULL && !when_duration(expires, &ms);
    if (bad_uses || bad_expires) {
        json_decref(body);
        cli_error(bad_uses ? "--uses: a number of machines"
                           : "--expires: for example 90s, 30m, 1h, 7d");
        return CLI_USAGE;
    }
    if (expires != NULL) json_object_set_new(body, "expires_s", json_integer(ms / 1000));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/invites", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        (void)puts(field_text(answer, "token", ""));
    }
    return CLI_DONE;
}

static void row(struct table *table, const json_t *one)
{
    AUTO(buf_fini) struct buf uses = {0};
    AUTO(buf_fini) struct buf until = {0};
    AUTO(buf_fini) struct buf folders = {0};
    size_t at;
    json_t *name;
    buf_printf(&uses, "%" PRIu64 " of %" PRIu64 " used", field_number(one, "used"),
               field_number(one, "uses"));
    buf_append_text(&until, "until ");
    when_print((int64_t)field_number(one, "expires_ms"), &until);
    json_array_foreach(json_object_get(one, "folders"), at, name)
    {
        buf_printf(&folders, "%s%s", at > 0 ? "," : "", json_string_value(name));
    }
    table_cell(table, field_text(one, "id", "?"));
    table_cell(table, buf_text(&uses));
    table_cell(table, buf_text(&until));
    table_cell(table, buf_text(&folders));
}

static int list(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "GET", "/v1/invites", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    struct table table;
    table_init(&table, 4);
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(answer, "invites"), at, one) row(&table, one);
    if (table.cell_count == 0) (void)puts("no invitations");
    table_print(&table, "");
    table_fini(&table);
    return CLI_DONE;
}

static int revoke(const struct cli_context *context, const struct args *args)
{
    json_t *body = json_pack("{s:s}", "id", args->words[0]);
    if (body == NULL) {
        cli_error("that is no id; cfgsync-agent invite list shows them");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/invites/revoke", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        (void)puts("revoked; who has come already stays a peer (cfgsync-agent peer remove)");
    }
    return CLI_DONE;
}

static const struct cli_option invite_options[] = {
    {"--uses", "N", "how many machines may come (default: 1)"},
    {"--expires", "DURATION", "for how long: 90s, 30m, 1h, 7d (default: 1h)"},
    {"--folders", "FOLDER,...", "folders of this machine that are shared with who comes"},
    {"--at", "ADDRESS", "where to reach this machine, besides the addresses it knows itself"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_invite = {
    .name = "invite",
    .usage = "[--uses N] [--expires DURATION] [--folders FOLDER,...] [--at ADDRESS]...",
    .summary = "make a token by which new machines join",
    .help = "Prints one word. Whoever has it becomes a peer: hand it over like a password. There:\n"
            "cfgsync-agent init --join-file FILE, then cfgsync-agent run.",
    .options = invite_options,
    .run = invite,
};

const struct cli_verb verb_invite_list = {
    .name = "invite list",
    .usage = "",
    .summary = "the invitations that have not expired",
    .help = "",
    .run = list,
};

const struct cli_verb verb_invite_revoke = {
    .name = "invite revoke",
    .usage = "ID | all",
    .summary = "let nobody come any more by an invitation",
    .help = "Who has come stays a peer.",
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_INVITE},
    .run = revoke,
};
