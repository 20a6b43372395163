// SPDX-License-Identifier: MIT
//
// agent/cli/verb_abandon — contents that went with the device that had them are given up.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/meant_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 90, PATHS_AT_ONCE = 128 };

static bool is_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 && path[size] == '/';
}

// Those that a word means; a directory means all in it.
static int choose(const json_t *orphans, const char *word, json_t *chosen)
{
    AUTO(buf_fini) struct buf full = {0};
    size_t at, before = json_array_size(chosen);
    json_t *one;
    if (!path_absolute(word, &full)) {
        cli_error("%s: no such path", word);
        return CLI_USAGE;
    }
    size_t plain = word_plain(buf_text(&full), orphans);
    json_array_foreach(orphans, at, one)
    {
        const char *path = field_text(one, "path", "");
        bool meant = path_meant(buf_text(&full), plain, path) || is_below(path, buf_text(&full));
        if (meant && !field_true(one, "chosen")) (void)json_array_append(chosen, one);
        if (meant) (void)json_object_set_new(one, "chosen", json_true());
    }
    if (json_array_size(chosen) > before) return CLI_DONE;
    cli_error("%s: no content is sought in vain for it; cfgsync-agent why tells what it waits for",
              word);
    return CLI_FAILED;
}

static void duration(struct buf *out, uint64_t ms)
{
    uint64_t hours = ms / 3600000;
    if (hours >= 48)
        print_count(out, hours / 24, "day");
    else
        print_count(out, hours, "hour");
}

static void describe(const json_t *orphan)
{
    AUTO(buf_fini) struct buf text = {0};
    print_bytes(&text, field_number(orphan, "size"));
    buf_printf(&text, ", saved by %s, ", field_text(orphan, "by", "?"));
    when_print((int64_t)field_number(orphan, "when_ms"), &text);
    buf_append_text(&text, "; sought for ");
    duration(&text, field_number(orphan, "sought_ms"));
    printf("%s\n  given up: %s\n  had last: %s", field_text(orphan, "path", "?"), buf_text(&text),
           field_text(orphan, "holder", "?"));
    uint64_t seen = field_number(orphan, "holder_seen_ms");
    if (seen > 0) {
        buf_clear(&text);
        when_print((int64_t)seen, &text);
        printf(", last seen %s", buf_text(&text));
    }
    printf("\n  becomes:  %s\n", field_true(orphan, "here") ? "what is on this disk" : "nothing");
}

static int too_early(const json_t *orphan)
{
    AUTO(buf_fini) struct buf left = {0};
    if (field_number(orphan, "left_ms") == 0) return CLI_DONE;
    duration(&left, field_number(orphan, "left_ms") + 3600000 - 1);
    cli_error("%s: %s may come back with it; it counts as lost in %s. --now gives it up before",
              field_text(orphan, "path", "?"), field_text(orphan, "holder", "?"), buf_text(&left));
    return CLI_FAILED;
}

static int confirm(const struct args *args, size_t count)
{
    AUTO(buf_fini) struct buf question = {0};
    AUTO(buf_fini) struct buf reply = {0};
    if (args_has(args, "--yes")) return CLI_DONE;
    buf_append_text(&question, "Give up ");
    print_count(&question, count, "content");
    buf_append_text(&question, "? (y, or nothing)");
    if (!ask_line(buf_text(&question), &reply)) {
        cli_error("nobody can be asked here: --yes gives them up");
        return CLI_USAGE;
    }
    if (strcasecmp(buf_text(&reply), "y") == 0 || strcasecmp(buf_text(&reply), "yes") == 0)
        return CLI_DONE;
    (void)puts("nothing was given up");
    return CLI_FAILED;
}

struct sums {
    uint64_t given_up, came, unsure;
};

static int ask(const struct cli_context *context, json_t *paths, bool now, struct sums *sums)
{
    AUTO(json_drop) json_t *answer = NULL;
    json_t *body = json_pack("{s:o, s:b}", "paths", paths, "now", (int)now);
    int result = agent_await(context, "/v1/abandon", body, &answer);
    sums->given_up += field_number(answer, "given_up");
    sums->came += field_number(answer, "came");
    sums->unsure += field_number(answer, "unsure");
    return result;
}

// Those of one folder together, some at a time.
static int give_up(const struct cli_context *context, const json_t *chosen, bool now,
                   struct sums *sums)
{
    int result = CLI_DONE;
    size_t count = json_array_size(chosen);
    for (size_t at = 0; at < count && result == CLI_DONE;) {
        const char *folder = field_text(json_array_get(chosen, at), "folder", "");
        json_t *paths = json_array();
        for (; at < count && json_array_size(paths) < PATHS_AT_ONCE; at++) {
            const json_t *one = json_array_get(chosen, at);
            if (strcmp(field_text(one, "folder", ""), folder) != 0) break;
            (void)json_array_append(paths, json_object_get(one, "path"));
        }
        result = ask(context, paths, now, sums);
    }
    return result;
}

static int show(const struct cli_context *context, const struct sums *sums)
{
    if (context->json) {
        AUTO(json_drop)
        json_t *out = json_pack("{s:I, s:I, s:I}", "given_up", (json_int_t)sums->given_up, "came",
                                (json_int_t)sums->came, "unsure", (json_int_t)sums->unsure);
        print_json(out);
    } else {
        AUTO(buf_fini) struct buf text = {0};
        print_count(&text, sums->given_up, "content");
        printf("given up: %s\n", buf_text(&text));
    }
    if (sums->came > 0)
        cli_error("%" PRIu64 " not given up: a peer has the content after all, or something newer",
                  sums->came);
    if (sums->unsure > 0)
        cli_error("%" PRIu64
                  " not given up: a connected peer did not answer in time, is sending it, or "
                  "its folder is not ready; try again",
                  sums->unsure);
    return sums->came + sums->unsure > 0 ? CLI_FAILED : CLI_DONE;
}

static int run(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    AUTO(json_drop) json_t *chosen = json_array();
    bool now = args_has(args, "--now");
    struct sums sums = {0};
    size_t at;
    json_t *one;
    int result = agent_ask(context, "GET", "/v1/orphans", NULL, ANSWER_S, &answer);
    for (size_t i = 0; i < args->word_count && result == CLI_DONE; i++)
        result = choose(json_object_get(answer, "orphans"), args->words[i], chosen);
    json_array_foreach(chosen, at, one)
    {
        if (result == CLI_DONE && !now) result = too_early(one);
        if (result == CLI_DONE && !context->json) describe(one);
    }
    if (result == CLI_DONE) result = confirm(args, json_array_size(chosen));
    if (result == CLI_DONE) result = give_up(context, chosen, now, &sums);
    return result == CLI_DONE ? show(context, &sums) : result;
}

static const struct cli_option options[] = {
    {"--now", NULL, "also what has been sought for less than a week"},
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_abandon = {
    .name = "abandon",
    .usage = "PATH... [--now] [--yes]",
    .summary = "give up contents that went with the device that had them",
    .help =
        "For files that status shows as no-source: a version is known, and for a week no device\n"
        "has answered with its content. All connected peers are compared with and asked once\n"
        "more; if one has it, it is fetched instead. Else what is on this disk takes its place\n"
        "everywhere, or nothing, if nothing is. A device that comes back with an edit of it wins;\n"
        "one that comes back with the content as it was keeps it among its kept versions\n"
        "(restore brings it back). PATH is a file, a directory, or a quoted pattern.",
    .options = options,
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_ORPHAN, COMPLETE_ORPHAN},
    .run = run,
};
