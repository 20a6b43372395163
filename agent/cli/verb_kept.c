// SPDX-License-Identifier: MIT
//
// agent/cli/verb_kept — what was replaced or deleted here, and how it comes back.
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 120 };

static int64_t now_ms(void)
{
    struct timeval tv = {0};
    (void)gettimeofday(&tv, NULL);
    return (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

static void row(struct table *table, const json_t *kept)
{
    AUTO(buf_fini) struct buf when = {0};
    AUTO(buf_fini) struct buf size = {0};
    AUTO(buf_fini) struct buf number = {0};
    when_print((int64_t)field_number(kept, "when_ms"), &when);
    if (strcmp(field_text(kept, "kind", ""), "file") == 0)
        print_bytes(&size, field_number(kept, "size"));
    else
        buf_append_text(&size, field_text(kept, "kind", "?"));
    buf_printf(&number, "%llu", (unsigned long long)field_number(kept, "number"));
    table_cell(table, buf_text(&number));
    table_cell(table, buf_text(&when));
    table_cell(table, field_text(kept, "by", "?"));
    table_cell(table, buf_text(&size));
    table_cell(table, field_text(kept, "path", "?"));
}

static int ask(const struct cli_context *context, const char *path, json_t *all, bool *out_more)
{
    AUTO(json_drop) json_t *answer = NULL;
    json_t *body = json_pack("{s:s}", "path", path);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    int result = agent_ask(context, "POST", "/v1/kept", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    (void)json_array_extend(all, json_object_get(answer, "kept"));
    *out_more = *out_more || field_true(answer, "more");
    return CLI_DONE;
}

static int ask_all(const struct cli_context *context, json_t *all, bool *out_more)
{
    AUTO(json_drop) json_t *folders = NULL;
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &folders);
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(folders, "folders"), at, one)
    {
        if (result == CLI_DONE) result = ask(context, field_text(one, "path", "/"), all, out_more);
    }
    return result;
}

static int kept(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *all = json_array();
    AUTO(buf_fini) struct buf path = {0};
    bool more = false;
    if (args->word_count > 0 && !path_absolute(args->words[0], &path)) {
        cli_error("%s: no such path", args->words[0]);
        return CLI_USAGE;
    }
    int result = args->word_count > 0 ? ask(context, buf_text(&path), all, &more)
                                      : ask_all(context, all, &more);
    if (result != CLI_DONE) return result;
    if (context->json) {
        AUTO(json_drop) json_t *out = json_pack("{s:O, s:b}", "kept", all, "more", (int)more);
        print_json(out);
        return CLI_DONE;
    }
    struct table table;
    table_init(&table, 5);
    size_t at;
    json_t *one;
    json_array_foreach(all, at, one) row(&table, one);
    if (table.cell_count == 0) (void)puts("nothing is kept");
    table_print(&table, "");
    table_fini(&table);
    if (more) (void)puts("... and older ones; name a path to see fewer");
    return CLI_DONE;
}

static int show_result(const struct cli_context *context, const json_t *answer, const char *what)
{
    uint64_t changed = field_number(answer, "changed");
    uint64_t left_alone = field_number(answer, "left_alone");
    if (context->json) {
        print_json(answer);
    } else {
        AUTO(buf_fini) struct buf text = {0};
        print_count(&text, changed, "path");
        printf("%s: %s\n", what,
               changed > 0 ? buf_text(&text) : "nothing to do, it is like that already");
        if (left_alone > 0)
            cli_error("%llu left alone: changed since, or not empty",
                      (unsigned long long)left_alone);
    }
    return left_alone > 0 ? CLI_FAILED : CLI_DONE;
}

static int restore(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf path = {0};
    const char *at = args_value(args, "--at");
    int64_t at_ms = 0;
    if (!path_absolute(args->words[0], &path)) {
        cli_error("%s: no such path", args->words[0]);
        return CLI_USAGE;
    }
    if (at != NULL && !when_read(at, now_ms(), &at_ms)) {
        cli_error("--at %s: a moment is \"2026-03-01 14:05\", \"14:05\" or, ago, \"2h\"", at);
        return CLI_USAGE;
    }
    json_t *body = json_pack("{s:s}", "path", buf_text(&path));
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    if (at != NULL) (void)json_object_set_new(body, "at_ms", json_integer(at_ms));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/restore", body, ANSWER_S, &answer);
    return result != CLI_DONE ? result : show_result(context, answer, "restored");
}

static int undo(const struct cli_context *context, const struct args *args)
{
    const char *folder = args->word_count > 0 ? args->words[0] : NULL;
    AUTO(json_drop) json_t *answer = NULL;
    json_t *body = json_pack("{s:s*}", "folder", folder);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    int result = agent_ask(context, "POST", "/v1/undo", body, 0, &answer);
    if (result != CLI_DONE) return result;
    result = show_result(context, answer, "taken back");
    if (!context->json && field_true(answer, "apart"))
        (void)puts("the folder stands apart from that of the other devices again, as before it was "
                   "joined; they keep what they got");
    return result;
}

const struct cli_verb verb_kept = {
    .name = "kept",
    .usage = "[PATH]",
    .summary = "what was replaced or deleted here",
    .help =
        "By changes of other devices, and of files up to 256 KiB by hand, too. Newest first, of\n"
        "PATH and what is below it; without PATH, of every folder. Kept for 30 days, within a\n"
        "tenth of the disk.",
    .words_max = 1,
    .completes = {COMPLETE_FILE},
    .run = kept,
};

static const struct cli_option restore_options[] = {
    {"--at", "TIME", "as it was then: \"2026-03-01 14:05\", \"14:05\", or \"2h\" ago"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_restore = {
    .name = "restore",
    .usage = "PATH [--at TIME]",
    .summary = "bring back a kept version, here and on the peers",
    .help =
        "Without --at the one that was taken away last. What is there now is kept in its turn. A\n"
        "directory that is gone comes back with what was kept of it.",
    .options = restore_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_KEPT},
    .run = restore,
};

const struct cli_verb verb_undo = {
    .name = "undo",
    .usage = "[FOLDER]",
    .summary = "take back the last changes that came from other devices, here and on the peers",
    .help =
        "All that was applied without a pause is taken back at once; what was edited here since\n"
        "is left alone. Another undo takes the undo back. Of a folder that was joined, until the\n"
        "next change comes: this device has it as it was before, apart from the others, who keep\n"
        "what they have.",
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = undo,
};
