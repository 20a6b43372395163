// SPDX-License-Identifier: MIT
//
// agent/cli/verb_status — once, for the shell prompt, or again and again.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/status_priv.h"
#include "agent/cli/verb_priv.h"

enum { ANSWER_S = 60, EVENT_BYTES_MAX = 16 << 20 };

// Reads a small file and asks nobody: this runs before every prompt. A file whose agent is dead
// says nothing.
static int prompt(const struct cli_context *context)
{
    char icon[64];
    if (home_owner(&context->home) == 0) return CLI_DONE;
    AUTO(fd_close) int fd = open(context->home.status, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd >= 0 ? read(fd, icon, sizeof icon) : 0;
    if (size > 0) (void)fwrite(icon, 1, (size_t)size, stdout);
    return CLI_DONE;
}

struct watcher {
    const struct cli_context *context;
    struct buf text; // of the stream, from the last event not complete
    struct pace pace;
    bool any;
};

static void show(struct watcher *watcher, const char *data)
{
    AUTO(json_drop) json_t *status = json_loads(data, 0, NULL);
    if (!json_is_object(status)) return;
    if (watcher->context->json) {
        AUTO(mem_free) char *line = json_dumps(status, JSON_COMPACT);
        (void)puts(line);
    } else {
        bool clears = isatty(STDOUT_FILENO);
        if (clears) (void)fputs("\033[H\033[2J", stdout);
        if (!clears && watcher->any) (void)puts("");
        status_print(watcher->context, status, &watcher->pace);
    }
    watcher->any = true;
    (void)fflush(stdout);
}

// One event: lines up to an empty one.
static void take_event(struct watcher *watcher, char *event)
{
    AUTO(buf_fini) struct buf data = {0};
    bool is_status = false;
    char *rest = NULL;
    for (char *line = strtok_r(event, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strcmp(line, "event: status") == 0) is_status = true;
        if (strncmp(line, "data: ", 6) == 0) buf_append_text(&data, line + 6);
    }
    if (is_status) show(watcher, buf_text(&data));
}

static void on_bytes(void *context, struct slice piece)
{
    struct watcher *watcher = context;
    if (watcher->text.size + piece.size > EVENT_BYTES_MAX) buf_clear(&watcher->text);
    buf_append(&watcher->text, piece.data, piece.size);
    char *start = (char *)(uintptr_t)buf_text(&watcher->text);
    for (char *end; (end = strstr(start, "\n\n")) != NULL; start = end + 2) {
        *end = '\0';
        take_event(watcher, start);
    }
    size_t left = strlen(start);
    memmove(watcher->text.data, start, left);
    watcher->text.size = left;
}

static int watch(const struct cli_context *context)
{
    struct watcher watcher = {.context = context};
    (void)setvbuf(stdout, NULL, _IOFBF, 0); // each picture at once, or it flickers
    int result = agent_listen(context, "/v1/events", on_bytes, &watcher);
    buf_fini(&watcher.text);
    if (result != CLI_DONE) return result;
    cli_error("the agent has ended");
    return CLI_NO_AGENT;
}

static int run(const struct cli_context *context, const struct args *args)
{
    bool is_prompt = args_has(args, "--prompt");
    bool is_watch = args_has(args, "--watch");
    if ((is_prompt && (is_watch || context->json))) {
        cli_error("--prompt stands alone");
        return CLI_USAGE;
    }
    if (is_prompt) return prompt(context);
    if (is_watch) return watch(context);
    AUTO(json_drop) json_t *status = NULL;
    int result = agent_ask(context, "GET", "/v1/status", NULL, ANSWER_S, &status);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(status);
    } else {
        status_print(context, status, NULL);
    }
    return status_exit(status);
}

static const struct cli_option options[] = {
    {"--prompt", NULL, "one icon for the shell prompt, nothing if no agent runs"},
    {"--watch", NULL, "again whenever something changes, until interrupted"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_status = {
    .name = "status",
    .usage = "[--json | --prompt | --watch]",
    .summary = "folders, peers, what is under way and what needs you",
    .help = "Exit 3 if there are conflicts, else 5 if something is held for a decision, else 0.\n"
            "--prompt: ✓ synced, ↑ not yet on every peer, ↓ incoming, ⚡ syncing, ✗ conflict or\n"
            "error, with a count.",
    .options = options,
    .run = run,
};
