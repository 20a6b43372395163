// SPDX-License-Identifier: MIT
//
// agent/cli/verb_conflicts — what was set aside when two devices edited the same file, and what a
// person makes of it.
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/meant_priv.h"
#include "agent/cli/paths_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "agent/cli/when_priv.h"

enum { ANSWER_S = 90 };

static int all_conflicts(const struct cli_context *context, json_t **out)
{
    return agent_ask(context, "GET", "/v1/conflicts", NULL, ANSWER_S, out);
}

static void describe(const json_t *side, struct buf *out)
{
    const char *kind = field_text(side, "kind", "nothing");
    if (!json_is_object(side)) {
        buf_append_text(out, "deleted");
        return;
    }
    buf_printf(out, "%s, ", field_text(side, "by", "an unknown device"));
    when_print((int64_t)field_number(side, "when_ms"), out);
    if (strcmp(kind, "file") == 0) {
        buf_append_text(out, ", ");
        print_bytes(out, field_number(side, "size"));
    } else if (strcmp(kind, "link") == 0) {
        buf_printf(out, ", link to %s", field_text(side, "target", "?"));
    } else {
        buf_printf(out, ", %s", kind);
    }
}

static void print_one(const json_t *conflict)
{
    AUTO(buf_fini) struct buf here = {0};
    AUTO(buf_fini) struct buf aside = {0};
    describe(json_object_get(conflict, "here"), &here);
    describe(json_object_get(conflict, "aside"), &aside);
    printf("%s\n  in place:  %s\n  set aside: %s\n", field_text(conflict, "path", "?"),
           buf_text(&here), buf_text(&aside));
}

static int list(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *answer = NULL;
    int result = all_conflicts(context, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    size_t at;
    json_t *one;
    json_t *conflicts = json_object_get(answer, "conflicts");
    json_array_foreach(conflicts, at, one) print_one(one);
    if (json_array_size(conflicts) == 0) {
        (void)puts("no conflicts");
    } else {
        printf("\n%s set aside. Keep what is in place: cfgsync-agent conflicts dismiss PATH\n"
               "take what was set aside:  cfgsync-agent conflicts take PATH\n"
               "see the difference:       cfgsync-agent conflicts show PATH\n",
               json_array_size(conflicts) == 1 ? "1 edit is" : "These edits are");
    }
    return CLI_DONE;
}

// ---- which are meant: a path, or a pattern of the shell

struct paths {
    char **list;
    size_t count;
    bool by_pattern; // some of them
};

static void paths_fini(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        mem_free(&paths->list[i]);
    mem_free(&paths->list);
}

static void paths_add(struct paths *paths, const char *path)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->list[i], path) == 0) return;
    }
    paths->list = mem_realloc(paths->list, (paths->count + 1) * sizeof *paths->list);
    paths->list[paths->count++] = mem_strdup(path);
}

// 0, or the exit code after an explanation.
static int paths_meant(const json_t *answer, const char *word, struct paths *out)
{
    AUTO(buf_fini) struct buf full = {0};
    size_t at, before = out->count;
    json_t *one;
    if (!path_absolute(word, &full)) {
        cli_error("%s: no such path", word);
        return CLI_USAGE;
    }
    const json_t *conflicts = json_object_get(answer, "conflicts");
    size_t plain = word_plain(buf_text(&full), conflicts);
    out->by_pattern |= is_pattern(buf_text(&full) + plain);
    json_array_foreach(conflicts, at, one)
    {
        const char *path = field_text(one, "path", "");
        if (path_meant(buf_text(&full), plain, path)) paths_add(out, path);
    }
    if (out->count > before) return CLI_DONE;
    cli_error("%s: there is no conflict over it; cfgsync-agent conflicts lists them", word);
    return CLI_FAILED;
}

// ---- show

static int diff(const char *here, const char *aside)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0) return CLI_FAILED;
    if (child == 0) {
        (void)execlp("diff", "diff", "-u", "--label", "in place", "--label", "set aside", "--",
                     here, aside, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return CLI_FAILED;
    if (WEXITSTATUS(status) == 127) cli_error("diff is not installed: compare %s yourself", aside);
    return WEXITSTATUS(status) <= 1 ? CLI_DONE : CLI_FAILED;
}

static bool is_file(const json_t *side)
{
    return json_is_object(side) && strcmp(field_text(side, "kind", ""), "file") == 0;
}

static int show(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    AUTO(paths_fini) struct paths paths = {0};
    int result = all_conflicts(context, &answer);
    if (result == CLI_DONE) result = paths_meant(answer, args->words[0], &paths);
    if (result != CLI_DONE) return result;
    AUTO(json_drop) json_t *chosen = json_array();
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(answer, "conflicts"), at, one)
    {
        const char *path = field_text(one, "path", "");
        for (size_t i = 0; i < paths.count; i++) {
            if (strcmp(path, paths.list[i]) == 0) (void)json_array_append(chosen, one);
        }
    }
    if (context->json) {
        print_json(chosen);
        return CLI_DONE;
    }
    json_array_foreach(chosen, at, one)
    {
        print_one(one);
        printf("  kept as:   %s\n", field_text(one, "item", "?"));
        if (is_file(json_object_get(one, "here")) && is_file(json_object_get(one, "aside")))
            result = diff(field_text(one, "path", ""), field_text(one, "item", ""));
    }
    return result;
}

// ---- deciding

static int decide(const struct cli_context *context, const struct args *args, const char *route,
                  const char *key, const char *value, const char *done)
{
    AUTO(json_drop) json_t *answer = NULL;
    AUTO(paths_fini) struct paths paths = {0};
    int result = all_conflicts(context, &answer);
    for (size_t i = 0; i < args->word_count && result == CLI_DONE; i++)
        result = paths_meant(answer, args->words[i], &paths);
    if (result == CLI_DONE && paths.by_pattern && strcmp(key, "with") == 0) {
        cli_error("conflicts resolve takes one path, not a pattern");
        return CLI_USAGE;
    }
    AUTO(json_drop) json_t *all = json_array();
    bool left_alone = false;
    for (size_t i = 0; i < paths.count && result == CLI_DONE; i++) {
        AUTO(json_drop) json_t *decided = NULL;
        json_t *body = json_pack("{s:s}", "path", paths.list[i]);
        if (value != NULL) (void)json_object_set_new(body, key, json_string(value));
        result = agent_ask(context, "POST", route, body, ANSWER_S, &decided);
        if (result != CLI_DONE) break;
        uint64_t left = field_number(decided, "left_alone");
        left_alone |= left > 0;
        if (left > 0)
            cli_error("%s: %llu left alone: not possible here now; try again", paths.list[i],
                      (unsigned long long)left);
        else if (!context->json)
            printf("%s: %s\n", paths.list[i], done);
        (void)json_array_append_new(
            all, json_pack("{s:s, s:O}", "path", paths.list[i], "result", decided));
    }
    if (context->json && result == CLI_DONE) print_json(all);
    return result == CLI_DONE && left_alone ? CLI_FAILED : result;
}

static int take(const struct cli_context *context, const struct args *args)
{
    return decide(context, args, "/v1/conflicts/take", "from", args_value(args, "--from"),
                  "what was set aside is in place now; what was there is kept");
}

static int dismiss(const struct cli_context *context, const struct args *args)
{
    return decide(context, args, "/v1/conflicts/dismiss", "", NULL,
                  "what is in place stays; what was set aside is kept for a while");
}

static int resolve(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf file = {0};
    const char *with = args_value(args, "--with");
    if (with == NULL) {
        cli_error("conflicts resolve needs --with FILE: what the file shall be");
        return CLI_USAGE;
    }
    if (!path_absolute(with, &file) || access(buf_text(&file), R_OK) != 0) {
        cli_error("%s: cannot be read", with);
        return CLI_FAILED;
    }
    return decide(context, args, "/v1/conflicts/resolve", "with", buf_text(&file), "resolved");
}

#define PATH_HELP                                                                                  \
    "PATH is the plain name of the file, or a quoted pattern; what has that very name, with\n"     \
    "*, ? or [ in it, is meant alone."

const struct cli_verb verb_conflicts = {
    .name = "conflicts",
    .usage = "[list | show | take | resolve | dismiss]",
    .summary = "edits that were set aside because two devices edited the same file",
    .help = "The newer edit is in place on every device, the other one is kept aside on every\n"
            "device, too, and can be decided about on any of them.",
    .run = list,
};

const struct cli_verb verb_conflicts_list = {
    .name = "conflicts list",
    .usage = "",
    .summary = "who edited what and when",
    .help = "",
    .run = list,
};

const struct cli_verb verb_conflicts_show = {
    .name = "conflicts show",
    .usage = "PATH",
    .summary = "the difference between what is in place and what was set aside",
    .help = PATH_HELP,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_CONFLICT},
    .run = show,
};

static const struct cli_option take_options[] = {
    {"--from", "DEVICE", "whose edit, if several were set aside"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_conflicts_take = {
    .name = "conflicts take",
    .usage = "PATH... [--from DEVICE]",
    .summary = "put what was set aside in place, everywhere",
    .help = "What was in place is kept: cfgsync-agent undo, or restore PATH, brings it "
            "back.\n" PATH_HELP,
    .options = take_options,
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_CONFLICT, COMPLETE_CONFLICT},
    .run = take,
};

static const struct cli_option resolve_options[] = {
    {"--with", "FILE", "what the file shall be: PATH itself after editing it, or any other file"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_conflicts_resolve = {
    .name = "conflicts resolve",
    .usage = "PATH --with FILE",
    .summary = "put the content of FILE in place, everywhere",
    .help = "",
    .options = resolve_options,
    .words_min = 1,
    .words_max = 1,
    .completes = {COMPLETE_CONFLICT},
    .run = resolve,
};

const struct cli_verb verb_conflicts_dismiss = {
    .name = "conflicts dismiss",
    .usage = "PATH...",
    .summary = "keep what is in place; drop what was set aside, everywhere",
    .help = PATH_HELP,
    .words_min = 1,
    .words_max = ARGS_WORDS_MAX,
    .completes = {COMPLETE_CONFLICT, COMPLETE_CONFLICT},
    .run = dismiss,
};
