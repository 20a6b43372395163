// SPDX-License-Identifier: MIT
//
// agent/cli/verb_log — what changed, who did it, and what came of it; the latest first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 120, SHOWN = 50, SHOWN_MAX = 100000, PAGE = 1000 };

struct wanted {
    const char *folder, *path; // one of them
    const char *peer;
    int64_t since_ms;
    size_t max;
};

// Of one folder, page by page.
static int ask(const struct cli_context *context, const struct wanted *wanted, json_t *all)
{
    json_int_t before = 0;
    size_t found = 0;
    do {
        size_t left = wanted->max - found;
        json_t *body =
            json_pack("{s:s*, s:s*, s:s*, s:I, s:I, s:I}", "folder", wanted->folder, "path",
                      wanted->path, "peer", wanted->peer, "since_ms", (json_int_t)wanted->since_ms,
                      "before", before, "max", (json_int_t)(left < PAGE ? left : PAGE));
        if (body == NULL) {
            cli_error("names are UTF-8 text");
            return CLI_USAGE;
        }
        AUTO(json_drop) json_t *answer = NULL;
        int result = agent_ask(context, "POST", "/v1/log", body, ANSWER_S, &answer);
        if (result != CLI_DONE) return result;
        found += json_array_size(json_object_get(answer, "changes"));
        (void)json_array_extend(all, json_object_get(answer, "changes"));
        before = json_integer_value(json_object_get(answer, "before"));
    } while (before != 0 && found < wanted->max);
    return CLI_DONE;
}

static int ask_all(const struct cli_context *context, struct wanted *wanted, json_t *all)
{
    AUTO(json_drop) json_t *folders = NULL;
    int result = agent_ask(context, "GET", "/v1/folders", NULL, ANSWER_S, &folders);
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(folders, "folders"), at, one)
    {
        wanted->folder = field_text(one, "name", "");
        if (result == CLI_DONE) result = ask(context, wanted, all);
    }
    return result;
}

static int later_first(const void *a, const void *b)
{
    const json_t *const *left = a, *const *right = b;
    uint64_t l = field_number(*left, "when_ms"), r = field_number(*right, "when_ms");
    return (l < r) - (l > r);
}

// The first `max` by time, as a new list.
static json_t *latest(const json_t *all, size_t max)
{
    size_t count = json_array_size(all);
    AUTO(mem_free) json_t **list = mem_zalloc(count + 1, sizeof(json_t *));
    for (size_t i = 0; i < count; i++)
        list[i] = json_array_get(all, i);
    qsort(list, count, sizeof(json_t *), later_first);
    json_t *out = json_array();
    for (size_t i = 0; i < count && i < max; i++)
        (void)json_array_append(out, list[i]);
    return out;
}

static void add_outcome(struct buf *out, const json_t *change)
{
    const json_t *missing = json_object_get(change, "missing");
    const char *outcome = field_text(change, "outcome", "?");
    const char *reason = field_text(change, "reason", NULL);
    size_t at;
    json_t *name;
    if (strcmp(outcome, "here") == 0 && json_array_size(missing) == 0) outcome = "in sync";
    buf_append_text(out, outcome);
    if (reason != NULL) buf_printf(out, ": %s", reason);
    json_array_foreach((json_t *)(uintptr_t)missing, at, name)
    {
        buf_printf(out, "%s%s", at == 0 ? ", not yet on " : ", ", json_string_value(name));
    }
    int64_t replaced = (int64_t)field_number(change, "replaced_ms");
    if (replaced == 0) return;
    buf_append_text(out, " ");
    when_print(replaced, out);
}

static void row(struct table *table, const json_t *change)
{
    AUTO(buf_fini) struct buf when = {0};
    AUTO(buf_fini) struct buf outcome = {0};
    when_print((int64_t)field_number(change, "when_ms"), &when);
    add_outcome(&outcome, change);
    table_cell(table, buf_text(&when));
    table_cell(table, field_text(change, "by", "?"));
    table_cell(table, field_text(change, "what", "?"));
    table_cell(table, field_text(change, "path", "?"));
    table_cell(table, buf_text(&outcome));
}

static void print(const json_t *changes)
{
    struct table table;
    size_t at;
    json_t *one;
    table_init(&table, 5);
    json_array_foreach((json_t *)(uintptr_t)changes, at, one)
    {
        row(&table, one);
    }
    if (table.cell_count == 0) (void)puts("nothing has changed");
    table_print(&table, "");
    table_fini(&table);
}

static bool read_options(const struct args *args, struct wanted *out)
{
    struct timeval now = {0};
    const char *since = args_value(args, "--since"), *max = args_value(args, "--max");
    (void)gettimeofday(&now, NULL);
    out->peer = args_value(args, "--peer");
    out->max = since != NULL ? SHOWN_MAX : SHOWN;
    if (since != NULL &&
        !when_read(since, (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000, &out->since_ms)) {
        cli_error("--since: for example 2h, 7d, 14:05, \"2026-03-01 14:05\"");
        return false;
    }
    if (max == NULL) return true;
    char *end;
    long number = strtol(max, &end, 10);
    out->max = (size_t)number;
    if (end != max && *end == '\0' && number >= 1 && number <= SHOWN_MAX) return true;
    cli_error("--max: 1 to %d", SHOWN_MAX);
    return false;
}

static int run(const struct cli_context *context, const struct args *args)
{
    struct wanted wanted = {0};
    AUTO(buf_fini) struct buf path = {0};
    AUTO(json_drop) json_t *all = json_array();
    if (!read_options(args, &wanted)) return CLI_USAGE;
    if (args->word_count > 0 && !path_absolute(args->words[0], &path)) {
        cli_error("%s: no such path", args->words[0]);
        return CLI_USAGE;
    }
    if (args->word_count > 0) wanted.path = buf_text(&path);
    int result = wanted.path != NULL ? ask(context, &wanted, all) : ask_all(context, &wanted, all);
    if (result != CLI_DONE) return result;
    json_t *changes = latest(all, wanted.max);
    AUTO(json_drop) json_t *out = json_pack("{s:o}", "changes", changes);
    if (context->json) {
        print_json(out);
    } else {
        print(changes);
    }
    return CLI_DONE;
}

static const struct cli_option options[] = {
    {"--peer", "PEER", "only what this device has changed (also this one, by its own name)"},
    {"--since", "TIME", "2h, 7d, 14:05, \"2026-03-01 14:05\""},
    {"--max", "N", "so many (default: 50; with --since, all)"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_log = {
    .name = "log",
    .usage = "[PATH] [--peer PEER] [--since TIME] [--max N]",
    .summary = "what changed, by which device, and what came of it",
    .help = "Of each file its last change, the latest first; of one file also what is kept of it.\n"
            "Times are those of the device that made the change.",
    .options = options,
    .words_max = 1,
    .completes = {COMPLETE_FILE},
    .run = run,
};
