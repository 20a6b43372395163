// SPDX-License-Identifier: MIT
//
// agent/cli/verb_folder — list, share, accept, remove; adding has a file of its own.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/confirm_priv.h"
#include "agent/cli/folder_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 60 };

static void add_names(json_t *list, const char *names, bool *out_all)
{
    while (*names != '\0') {
        size_t size = strcspn(names, ", ");
        if (size == 3 && memcmp(names, "all", 3) == 0) {
            *out_all = true;
        } else if (size > 0) {
            (void)json_array_append_new(list, json_bytes(slice_of(names, size)));
        }
        names += size;
        names += strspn(names, ", ");
    }
}

void folder_with(const struct args *args, const char *asked, json_t *body)
{
    json_t *list = json_array();
    bool all = false;
    size_t at = 0;
    for (const char *names; (names = args_next(args, "--with", &at)) != NULL;) {
        add_names(list, names, &all);
    }
    if (asked != NULL) add_names(list, asked, &all);
    (void)json_object_set_new(body, "with", list);
    (void)json_object_set_new(body, "with_all", json_boolean(all));
}

void folder_print_shared(const json_t *answer)
{
    size_t at;
    json_t *name;
    json_t *list = json_object_get(answer, "shared_with");
    (void)fputs("shared with ", stdout);
    json_array_foreach(list, at, name)
    {
        printf("%s%s", at > 0 ? ", " : "", json_string_value(name));
    }
    (void)puts(json_array_size(list) == 0
                   ? "nobody yet; cfgsync-agent folder share says with whom"
                   : "; they must add it and share it with this device, too");
}

static void row(struct table *table, const json_t *folder)
{
    AUTO(buf_fini) struct buf with = {0};
    size_t at;
    json_t *name;
    if (field_true(folder, "with_all")) buf_append_text(&with, "all");
    json_array_foreach(json_object_get(folder, "with"), at, name)
    {
        buf_printf(&with, "%s%s", with.size > 0 ? "," : "", json_string_value(name));
    }
    table_cell(table, field_text(folder, "name", "?"));
    table_cell(table, field_text(folder, "state", "-"));
    table_cell(table, field_text(folder, "code", ""));
    table_cell(table, with.size > 0 ? buf_text(&with) : "nobody");
    table_cell(table, field_text(folder, "path", ""));
    table_cell(table, field_text(folder, "declared_at", ""));
}

static void offers_print(const json_t *offers)
{
    struct table table;
    size_t at;
    json_t *one;
    if (json_array_size(offers) == 0) return;
    (void)puts("offered by peers:");
    table_init(&table, 4);
    json_array_foreach((json_t *)(uintptr_t)offers, at, one)
    {
        const char *name = field_text(one, "name", "?"), *from = field_text(one, "from", "?");
        bool here = field_true(one, "here");
        AUTO(buf_fini) struct buf size = {0};
        AUTO(buf_fini) struct buf how = {0};
        print_count(&size, field_number(one, "items"), "item");
        buf_append_text(&size, ", ");
        print_bytes(&size, field_number(one, "bytes"));
        buf_printf(&how, "cfgsync-agent folder %s %s %s--with %s", here ? "share" : "add", name,
                   here ? "" : "PATH ", from);
        table_cell(&table, name);
        table_cell(&table, buf_text(&size));
        table_cell(&table, from);
        table_cell(&table, buf_text(&how));
    }
    table_print(&table, "  ");
    table_fini(&table);
}

static int list(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    struct table table;
    table_init(&table, 6);
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(answer, "folders"), at, one) row(&table, one);
    if (table.cell_count == 0)
        (void)puts("no folders; cfgsync-agent folder add NAME PATH adds one");
    table_print(&table, "");
    table_fini(&table);
    offers_print(json_object_get(answer, "offers"));
    return CLI_DONE;
}

static int share(const struct cli_context *context, const struct args *args)
{
    if (!args_has(args, "--with")) {
        cli_error("folder share needs --with PEER,... or --with all");
        return CLI_USAGE;
    }
    json_t *body = json_object();
    (void)json_object_set_new(body, "name", json_bytes(slice_text(args->words[0])));
    folder_with(args, NULL, body);
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/folders/share", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        printf("%s: ", args->words[0]);
        folder_print_shared(answer);
    }
    return CLI_DONE;
}

static int accept_folder(const struct cli_context *context, const struct args *args)
{
    const char *from = args_value(args, "--from");
    if (from == NULL) {
        cli_error("folder accept needs --from PEER, whose folder is to be joined");
        return CLI_USAGE;
    }
    json_t *body = json_object();
    (void)json_object_set_new(body, "name", json_bytes(slice_text(args->words[0])));
    (void)json_object_set_new(body, "from", json_bytes(slice_text(from)));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/folders/accept", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        printf("%s joins the folder of %s; what differs here becomes a conflict, nothing is lost;\n"
               "cfgsync-agent undo %s takes it back on this device\n",
               args->words[0], from, args->words[0]);
    }
    return CLI_DONE;
}

static int remove_folder(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf question = {0};
    buf_printf(&question, "Its files stay. Sync %s here no longer?", args->words[0]);
    if (!confirm(args, buf_text(&question))) return CLI_FAILED;
    json_t *body = json_object();
    (void)json_object_set_new(body, "name", json_bytes(slice_text(args->words[0])));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/folders/remove", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
    } else {
        printf("%s is no longer synced here; its files stay\n", args->words[0]);
    }
    return CLI_DONE;
}

const struct cli_verb verb_folder_list = {
    .name = "folder list",
    .usage = "",
    .summary = "the folders of this device, and those that peers offer",
    .help = "Of an offer: name, size, who offers it, and the line that joins it.",
    .run = list,
};

static const struct cli_option share_options[] = {
    {"--with", "PEER,...", "or all: every trusted peer, now and later"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_folder_share = {
    .name = "folder share",
    .usage = "NAME --with PEER,...",
    .summary = "share a folder with more peers",
    .help = "",
    .options = share_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = share,
};

static const struct cli_option accept_options[] = {
    {"--from", "PEER", "whose folder is to be joined"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_folder_accept = {
    .name = "folder accept",
    .usage = "NAME --from PEER",
    .summary = "join a peer's folder with the one of this name here",
    .help =
        "For a folder that waits with join-pending because both sides have files of their own.\n"
        "What the peer has keeps its names; what differs here becomes a conflict item.",
    .options = accept_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_OFFER},
    .run = accept_folder,
};

static const struct cli_option remove_options[] = {
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_folder_remove = {
    .name = "folder remove",
    .usage = "NAME [--yes]",
    .summary = "sync a folder no longer; its files stay",
    .help = "",
    .options = remove_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = remove_folder,
};
