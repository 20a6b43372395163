// SPDX-License-Identifier: MIT
//
// agent/cli/verb_plan — what brakes hold, and what is to become of it.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/confirm_priv.h"
#include "agent/cli/plan_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

static void count_add(struct buf *out, const json_t *counts, const char *key, const char *what)
{
    uint64_t count = field_number(counts, key);
    if (count > 0) buf_printf(out, "%s%" PRIu64 " %s", out->size > 0 ? ", " : "", count, what);
}

static bool held_print(const json_t *folder, const char *key, const char *where)
{
    const json_t *counts = json_object_get(folder, key);
    const char *brake = field_text(counts, "brake", NULL);
    AUTO(buf_fini) struct buf what = {0};
    if (brake == NULL) return false;
    count_add(&what, counts, "deleted", "deleted");
    count_add(&what, counts, "rewritten", "rewritten");
    count_add(&what, counts, "older", "replaced by what looks older");
    printf("  held (%s): %s, %s\n", brake, buf_text(&what), where);
    return true;
}

static void paths_print(const json_t *paths, uint64_t total)
{
    size_t at;
    json_t *path;
    json_array_foreach((json_t *)(uintptr_t)paths, at, path) printf(
        "    %-9s %s%s%s\n", field_text(path, "what", "?"), field_text(path, "path", "?"),
        field_true(path, "of_others") ? "  by " : "",
        field_true(path, "of_others") ? field_text(path, "by", "a device unknown here") : "");
    if (total > json_array_size(paths))
        printf("    ... and %" PRIu64 " more\n", total - json_array_size(paths));
}

static bool peers_print(const json_t *folder, const char *name)
{
    size_t at;
    json_t *peer;
    bool any = false;
    json_array_foreach(json_object_get(folder, "peers"), at, peer)
    {
        const char *who = field_text(peer, "name", "?");
        uint64_t of_others = field_number(peer, "held_of_others");
        uint64_t there = field_number(peer, "held_found_there");
        any = true;
        if (of_others > 0)
            printf("  %s holds %" PRIu64 " changes that came from others: approve %s here or "
                   "there, or revert it there\n",
                   who, of_others, name);
        if (there > 0)
            printf("  %s holds %" PRIu64 " changes found there: decide there\n", who, there);
        if (field_true(peer, "join_pending")) plan_join_print(folder, peer);
    }
    return any;
}

static uint64_t held_total(const json_t *folder, const char *key)
{
    const json_t *counts = json_object_get(folder, key);
    return field_number(counts, "deleted") + field_number(counts, "rewritten") +
           field_number(counts, "older");
}

static bool folder_print(const json_t *folder)
{
    const char *name = field_text(folder, "folder", "?");
    AUTO(buf_fini) struct buf size = {0};
    print_count(&size, field_number(folder, "items"), "item");
    printf("%s: %s\n", name, buf_text(&size));
    bool here = held_print(folder, "found_here", "found here and not published");
    bool others = held_print(folder, "of_others", "by other devices and not done here");
    uint64_t total = held_total(folder, "found_here") + held_total(folder, "of_others");
    paths_print(json_object_get(folder, "paths"), total);
    bool peers = peers_print(folder, name);
    if (here || others)
        printf("  cfgsync-agent approve %s: %s\n  cfgsync-agent revert %s: %s\n", name,
               here ? "it goes to the other devices" : "it is done here", name,
               here ? "the files come back" : "the files stay, and come back everywhere");
    if (!here && !others && !peers) printf("  nothing is held\n");
    return here || others || peers;
}

static int ask(const struct cli_context *context, const struct args *args, const char *route,
               json_t **out)
{
    const char *folder = args->word_count > 0 ? args->words[0] : NULL;
    json_t *body = json_pack("{s:s*}", "folder", folder);
    if (body == NULL) {
        cli_error("names are UTF-8 text");
        return CLI_USAGE;
    }
    return agent_await(context, route, body, out); // as long as there is progress
}

static int plan(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    const char *name = args->word_count > 0 ? args->words[0] : NULL;
    int result = plan_ask(context, name, &answer);
    if (result != CLI_DONE) return result;
    if (context->json) {
        print_json(answer);
        return CLI_DONE;
    }
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(answer, "folders"), at, folder)(void) folder_print(folder);
    if (json_array_size(json_object_get(answer, "folders")) == 0) (void)puts("no folders");
    return CLI_DONE;
}

static int done(const struct cli_context *context, const json_t *answer, const char *what,
                const char *left_how)
{
    uint64_t left = field_number(answer, "left_alone");
    if (context->json) {
        print_json(answer);
    } else {
        AUTO(buf_fini) struct buf text = {0};
        print_count(&text, field_number(answer, "changed"), "path");
        printf("%s: %s\n", what, buf_text(&text));
        if (left > 0)
            cli_error("%" PRIu64 " %s; cfgsync-agent plan and status show them", left, left_how);
    }
    return left > 0 ? CLI_FAILED : CLI_DONE;
}

static int approve(const struct cli_context *context, const struct args *args)
{
    if (!confirm(args, "What is held goes on, here and on the other devices. Is it meant?"))
        return CLI_FAILED;
    AUTO(json_drop) json_t *answer = NULL;
    int result = ask(context, args, "/v1/approve", &answer);
    return result != CLI_DONE
               ? result
               : done(context, answer, "approved",
                      "have not gone on yet: they are being changed, or cannot be looked at now");
}

static int revert(const struct cli_context *context, const struct args *args)
{
    AUTO(json_drop) json_t *answer = NULL;
    int result = ask(context, args, "/v1/revert", &answer);
    return result != CLI_DONE ? result
                              : done(context, answer, "put back",
                                     "cannot be had now: no connected peer has their content");
}

const struct cli_verb verb_plan = {
    .name = "plan",
    .usage = "[FOLDER]",
    .summary = "what is held for a decision, and what would happen",
    .help = "Deletions of more than 20 items and a quarter of a folder, rewrites of more than 50\n"
            "and half of it, what leaves nothing, and files that go back in time together are\n"
            "held: not published where they are found, and not done where they come from others.\n"
            "Of a folder that waits with join-pending: what is equal, only here, only there and\n"
            "different, before anything is joined.",
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = plan,
};

static const struct cli_option approve_options[] = {
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_approve = {
    .name = "approve",
    .usage = "[FOLDER] [--yes]",
    .summary = "what is held is meant: it goes on",
    .help =
        "Signed by this device, so that others who trust it to approve do not hold it again.\n"
        "FOLDER may be left out if something is held in one only. Exit 1 if some of it has not\n"
        "gone on after a minute without progress.",
    .options = approve_options,
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = approve,
};

const struct cli_verb verb_revert = {
    .name = "revert",
    .usage = "[FOLDER]",
    .summary = "what is held was a mistake: the files come back",
    .help = "What was found here is put back from kept versions and from peers; what replaced it\n"
            "is kept. What came from others is answered with what is on this disk. Exit 1 if\n"
            "something cannot be had now.",
    .words_max = 1,
    .completes = {COMPLETE_FOLDER},
    .run = revert,
};
