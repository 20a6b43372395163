// SPDX-License-Identifier: MIT
//
// agent/cli/verb_folder_add — adds a folder and says what of it stays behind, and why.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/folder_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 60, SHOWN_MAX = 10 };

// Only at a terminal, and only if there is anybody to share with.
static int ask_whom(const struct cli_context *context, struct buf *out)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "GET", "/v1/peers", NULL, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    AUTO(buf_fini) struct buf question = {0};
    size_t at;
    json_t *peer;
    json_array_foreach(json_object_get(answer, "peers"), at, peer)
    {
        buf_printf(&question, "%s%s", at > 0 ? ", " : "Share it with whom? (",
                   field_text(peer, "name", "?"));
    }
    if (question.size == 0) return CLI_DONE;
    buf_append_text(&question, "; all; nothing: nobody yet)");
    (void)ask_line(buf_text(&question), out);
    return CLI_DONE;
}

static void print_more(uint64_t total, size_t shown)
{
    if (total > shown) printf("  and %llu more\n", (unsigned long long)(total - shown));
}

static void print_left_out(const json_t *answer)
{
    const uint64_t total = field_number(answer, "left_out_total");
    size_t at;
    json_t *one;
    json_t *list = json_object_get(answer, "left_out");
    if (json_array_size(list) == 0) return;
    (void)puts("left out:");
    json_array_foreach(list, at, one)
    {
        if (at == SHOWN_MAX) break;
        printf("  %s (%s)\n", field_text(one, "path", "?"), field_text(one, "pattern", "?"));
    }
    print_more(total > 0 ? total : json_array_size(list), at);
}

static int print_held(const json_t *answer, const char *name, const char *path)
{
    uint64_t total = field_number(answer, "held_total");
    size_t at;
    json_t *one;
    json_t *list = json_object_get(answer, "held");
    if (total == 0) total = json_array_size(list);
    if (total == 0) return CLI_DONE;
    (void)puts("held, because they look like secrets:");
    json_array_foreach(list, at, one)
    {
        if (at == SHOWN_MAX) break;
        printf("  %s\n", json_string_value(one));
    }
    print_more(total, at);
    printf("to sync them, too: cfgsync-agent folder add %s %s --include-secrets\n", name, path);
    return CLI_HELD;
}

static int show(const struct cli_context *context, const json_t *answer, const char *name)
{
    const json_t *folder = json_object_get(answer, "folder");
    const char *path = field_text(folder, "path", "?");
    if (context->json) {
        print_json(answer);
        bool held = field_number(answer, "held_total") > 0 ||
                    json_array_size(json_object_get(answer, "held")) > 0;
        return held ? CLI_HELD : CLI_DONE;
    }
    AUTO(buf_fini) struct buf line = {0};
    print_count(&line, field_number(folder, "items"), "item");
    buf_append_text(&line, ", ");
    print_bytes(&line, field_number(folder, "bytes"));
    printf("%s: %s in %s; ", name, buf_text(&line), path);
    folder_print_shared(answer);
    print_left_out(answer);
    return print_held(answer, name, path);
}

static int run(const struct cli_context *context, const struct args *args)
{
    const char *name = args->words[0];
    AUTO(mem_free) char *path = realpath(args->words[1], NULL);
    if (path == NULL) {
        cli_error("%s: %s", args->words[1], strerror(errno));
        if (errno == ENOENT) (void)fprintf(stderr, "  make it first: mkdir -p\n");
        return CLI_FAILED;
    }
    AUTO(buf_fini) struct buf asked = {0};
    if (!args_has(args, "--with")) {
        int result = ask_whom(context, &asked);
        if (result != CLI_DONE) return result;
    }
    json_t *path_text = json_string(path);
    if (path_text == NULL) {
        cli_error("the folder's own path must be UTF-8 text");
        return CLI_FAILED;
    }
    json_t *body = json_object();
    (void)json_object_set_new(body, "name", json_bytes(slice_text(name)));
    (void)json_object_set_new(body, "path", path_text);
    folder_with(args, buf_text(&asked), body);
    (void)json_object_set_new(body, "include_secrets",
                              json_boolean(args_has(args, "--include-secrets")));
    (void)json_object_set_new(body, "include_vcs", json_boolean(args_has(args, "--vcs")));
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_await(context, "/v1/folders", body, &answer);
    return result != CLI_DONE ? result : show(context, answer, name);
}

static const struct cli_option options[] = {
    {"--with", "PEER,...", "share it with these, or all: every trusted peer, now and later"},
    {"--include-secrets", NULL, "sync files that look like secrets, too"},
    {"--vcs", NULL, "sync version-control directories (.git ...), too"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_folder_add = {
    .name = "folder add",
    .usage = "NAME PATH [--with PEER,...] [--include-secrets] [--vcs]",
    .summary = "keep a folder in sync",
    .help =
        "Devices that share a folder call it by the same NAME; each has it at a PATH of its own.\n"
        "It is shared with nobody until --with or folder share says with whom. Answers when the\n"
        "first scan has ended and says what was left out; exit 5 if files that look like secrets\n"
        "are held.",
    .options = options,
    .words_min = 2,
    .words_max = 2,
    .completes = {COMPLETE_OFFER, COMPLETE_DIR},
    .run = run,
};
