// SPDX-License-Identifier: MIT
//
// agent/cli/verb_pair — two machines get to know each other by a code that a person carries over.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pair_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"
#include "crypto/identity.h"
#include "crypto/words.h"

enum { ANSWER_S = 60, QUESTION_S = 150 };

int pair_bad_text(void)
{
    cli_error("names and addresses are UTF-8 text");
    return CLI_USAGE;
}

// ---- asking

bool pair_read_line(struct buf *out)
{
    AUTO(mem_free) char *line = NULL;
    size_t capacity = 0;
    ssize_t size = getline(&line, &capacity, stdin);
    if (size < 0) return false;
    while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
        size--;
    buf_append(out, line, (size_t)size);
    return true;
}

static void on_signal(int number)
{
    (void)number;
}

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};

enum { ENDING_COUNT = 3 };

void pair_hold_signals(sigset_t *before)
{
    sigset_t held;
    struct sigaction quiet = {.sa_handler = on_signal};
    (void)sigemptyset(&held);
    for (size_t i = 0; i < ENDING_COUNT; i++) {
        (void)sigaddset(&held, ending_signals[i]);
        (void)sigaction(ending_signals[i], &quiet, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &held, before);
}

void pair_release_signals(const sigset_t *before)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigprocmask(SIG_SETMASK, before, NULL);
    for (size_t i = 0; i < ENDING_COUNT; i++)
        (void)sigaction(ending_signals[i], &usual, NULL);
}

bool pair_read_answer(const sigset_t *before, struct buf *out)
{
    fd_set input;
    FD_ZERO(&input);
    FD_SET(STDIN_FILENO, &input);
    // The agents wait no longer, either.
    struct timespec patience = {.tv_sec = QUESTION_S};
    return pselect(STDIN_FILENO + 1, &input, NULL, NULL, &patience, before) == 1 &&
           pair_read_line(out);
}

static void print_met(const json_t *met)
{
    const char *platform = field_text(met, "platform", "");
    printf("the other machine: %s%s%s%s\n", field_text(met, "name", "?"),
           *platform != '\0' ? " (" : "", platform, *platform != '\0' ? ")" : "");
    printf("  its fingerprint:   %s\n", field_text(met, "fingerprint", "?"));
    printf("  this machine's:    %s\n",
           field_text(json_object_get(met, "own"), "fingerprint", "?"));
    printf("  called here:       %s%s\n", field_text(met, "as", "?"),
           field_true(met, "known") ? " (it is a peer already)" : "");
}

bool pair_confirm(const struct cli_context *context, const struct args *args, const json_t *met,
                  const char *question)
{
    AUTO(buf_fini) struct buf answer = {0};
    sigset_t before;
    // From here on Ctrl-C is an answer to the question, so that the other machine learns of it.
    pair_hold_signals(&before);
    if (context->json) {
        print_json(met);
    } else {
        print_met(met);
    }
    (void)fflush(stdout);
    bool yes = args_has(args, "--yes");
    // Also without a terminal: a person may sit behind the pipe.
    if (!yes) (void)fprintf(stderr, "%s Trust it? [y/N] ", question);
    if (!yes && pair_read_answer(&before, &answer)) {
        const char *text = buf_text(&answer);
        yes = text[0] == 'y' || text[0] == 'Y';
    } else if (!yes && !isatty(STDIN_FILENO)) {
        (void)fputc('\n', stderr);
        cli_error("nobody is here to confirm it; --yes does");
    }
    pair_release_signals(&before);
    return yes;
}

int pair_done(const struct cli_context *context, const struct args *args, const json_t *done)
{
    const char *peer = field_text(done, "peer", "?");
    if (context->json) {
        print_json(done);
        return CLI_DONE;
    }
    printf("paired: %s is trusted here, and this machine there\n", peer);
    printf("share a folder with it, on both machines: cfgsync-agent folder add NAME PATH "
           "--with %s\n"
           "what it offers, when it is connected: cfgsync-agent folder list\n",
           peer);
    // --yes is for scripts, also at a terminal.
    return args_has(args, "--yes") ? CLI_DONE : pair_share(context, peer);
}

// ---- with a code

static int settle(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *met = NULL;
    AUTO(json_drop) json_t *done = NULL;
    int result = agent_ask(context, "POST", "/v1/pair/wait", NULL, 0, &met);
    if (result != CLI_DONE) return result;
    bool yes = pair_confirm(context, args, met, "Does the other machine show the same?");
    if (yes && !context->json) {
        (void)fprintf(stderr, "waiting for the answer there ...\n");
    }
    json_t *body = json_pack("{s:b}", "yes", (int)yes);
    result = agent_ask(context, "POST", "/v1/pair/answer", body, 0, &done);
    return result != CLI_DONE ? result : pair_done(context, args, done);
}

static void print_offer(const struct cli_context *context, const json_t *offer)
{
    const json_t *at = json_object_get(offer, "at");
    size_t count = json_array_size(at);
    if (context->json) {
        print_json(offer);
        (void)fflush(stdout);
        return;
    }
    const char *first = json_string_value(json_array_get(at, 0));
    printf("On the other machine, within two minutes:\n\n"
           "    cfgsync-agent pair --at %s\n\n"
           "and when it asks for the code:\n\n"
           "    %s\n\n",
           first != NULL ? first : "?", field_text(offer, "code", "?"));
    if (strcmp(field_text(offer, "discovery", ""), "works") == 0) {
        printf("On the same network it finds this machine by itself, without --at.\n\n");
    }
    if (count > 1) {
        printf("Other addresses of this machine:");
        for (size_t i = 1; i < count; i++)
            printf(" %s", json_string_value(json_array_get(at, i)));
        printf("\n\n");
    }
    (void)fflush(stdout);
}

static int offer(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    json_t *body = json_pack("{s:s*}", "name", args_value(args, "--name"));
    if (body == NULL) return pair_bad_text();
    int result = agent_ask(context, "POST", "/v1/pair/offer", body, ANSWER_S, &answer);
    if (result != CLI_DONE) return result;
    print_offer(context, answer);
    return settle(context, args);
}

// NULL: said on stderr.
static const char *code_of(const struct args *args, char out[CODE_TEXT_MAX])
{
    AUTO(buf_fini) struct buf line = {0};
    const char *typed = args->word_count > 0 ? args->words[0] : NULL;
    if (typed != NULL) {
        cli_error("warning: a code on the command line can be seen by other users of this machine");
    } else if (!(isatty(STDIN_FILENO) ? ask_line("The code that the other machine shows:", &line)
                                      : pair_read_line(&line))) {
        cli_error("no code was given; it is the first line of standard input");
        return NULL;
    }
    if (typed == NULL) typed = buf_text(&line);
    const char *wrong = code_read(typed, out);
    if (wrong != NULL) {
        cli_error("%s; nothing was sent, the code is still good", wrong);
        return NULL;
    }
    if (strcmp(typed, out) != 0) (void)fprintf(stderr, "read as %s\n", out);
    return out;
}

static int join(const struct cli_context *context, const struct args *args, const char *at)
{
    char code[CODE_TEXT_MAX];
    if (code_of(args, code) == NULL) return CLI_USAGE;
    json_t *body =
        json_pack("{s:s, s:s, s:s*}", "at", at, "code", code, "name", args_value(args, "--name"));
    crypto_wipe(code, sizeof code);
    if (body == NULL) return pair_bad_text();
    AUTO(json_drop) json_t *answer = NULL;
    int result = agent_ask(context, "POST", "/v1/pair/join", body, ANSWER_S, &answer);
    return result != CLI_DONE ? result : settle(context, args);
}

// Joins whoever shows a code on this network. At a terminal, if nobody does, shows one.
static int find(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf at = {0};
    bool may_offer = args->word_count == 0 && isatty(STDIN_FILENO);
    int result = pair_find(context, !may_offer, &at);
    if (result != CLI_DONE) return result;
    return at.size > 0 ? join(context, args, buf_text(&at)) : offer(context, args);
}

static int run(const struct cli_context *context, const struct args *args)
{
    const char *word = args->word_count > 0 ? args->words[0] : NULL;
    bool is_ssh = word != NULL && strncmp(word, "ssh://", 6) == 0;
    (void)setvbuf(stdin, NULL, _IONBF, 0); // what is not read yet can be waited for
    bool has_at = args_has(args, "--at");
    bool offers = args_has(args, "--offer");
    if (args_has(args, "--stdio")) return pair_stdio(context);
    if (offers && (has_at || word != NULL)) {
        cli_error("--offer shows a code; --at and a code are for the other machine");
        return CLI_USAGE;
    }
    if (is_ssh && has_at) {
        cli_error("ssh:// says where already; --at is for a code");
        return CLI_USAGE;
    }
    if (is_ssh) return pair_ssh(context, args, word);
    if (has_at) return join(context, args, args_value(args, "--at"));
    return offers ? offer(context, args) : find(context, args);
}

static const struct cli_option options[] = {
    {"--offer", NULL, "show a code, whoever else does (without a terminal this must be said)"},
    {"--at", "HOST:PORT", "join: where the other machine shows a code, if it is not found"},
    {"--name", "NAME", "what to call the other machine here (default: as it calls itself)"},
    {"--yes", NULL, "trust whoever has the code, without asking"},
    {"--stdio", NULL, "for the far end of pair ssh://"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_pair = {
    .name = "pair",
    .usage = "[--offer | --at HOST:PORT | ssh://[USER@]HOST[:PORT] | --stdio] [--name NAME] "
             "[--yes]",
    .summary = "make this and another machine trust each other",
    .help = "One machine shows a code, and the line to type on the other, which asks for the code\n"
            "(without a terminal: the first line of standard input). On the same network plain\n"
            "`pair` on both does: the second finds the first. A code lives for two minutes and is\n"
            "good for one guess. Both show the other's name and fingerprint, and both ask.\n"
            "At a terminal it is asked then which folders to share.\n"
            "With ssh:// no code is needed: ssh runs cfgsync-agent there, and whoever may log in\n"
            "is believed.",
    .options = options,
    .words_max = 1,
    .run = run,
};
