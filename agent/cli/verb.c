// SPDX-License-Identifier: MIT
//
// agent/cli/verb — the table, and the help that is printed from it.
#include <stdio.h>
#include <string.h>

#include "agent/base/suggest.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

const struct cli_verb *const verb_table[] = {
    &verb_init,
    &verb_run,
    &verb_stop,
    &verb_id,
    &verb_status,
    &verb_sync,
    &verb_pause,
    &verb_resume,
    &verb_log,
    &verb_why,
    &verb_verify,
    &verb_pair,
    &verb_invite,
    &verb_invite_list,
    &verb_invite_revoke,
    &verb_peer_add,
    &verb_peer_list,
    &verb_peer_remove,
    &verb_peer_rename,
    &verb_peer_trust,
    &verb_folder_add,
    &verb_folder_list,
    &verb_folder_share,
    &verb_folder_set,
    &verb_folder_override,
    &verb_folder_reset,
    &verb_folder_accept,
    &verb_folder_remove,
    &verb_ignore,
    &verb_ignore_list,
    &verb_ignore_remove,
    &verb_conflicts,
    &verb_conflicts_list,
    &verb_conflicts_show,
    &verb_conflicts_take,
    &verb_conflicts_resolve,
    &verb_conflicts_dismiss,
    &verb_kept,
    &verb_restore,
    &verb_undo,
    &verb_plan,
    &verb_approve,
    &verb_revert,
    &verb_abandon,
    &verb_adopt,
    &verb_rekey,
    &verb_config_check,
    &verb_config_show,
    &verb_doctor,
    &verb_bench,
    &verb_service_install,
    &verb_service_uninstall,
    &verb_service_status,
    &verb_completion,
    &verb_prompt,
    &verb_help,
    &verb_version,
    NULL,
};

// First words that are nothing alone.
static const char *const groups[] = {"peer", "folder", "config", "service", NULL};

const struct cli_verb *verb_find(const char *name)
{
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        if (strcmp(verb_table[i]->name, name) == 0) return verb_table[i];
    }
    return NULL;
}

bool verb_is_group(const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        const char *name = verb_table[i]->name;
        if (strncmp(name, word, size) == 0 && name[size] == ' ') return true;
    }
    return false;
}

static void print_options(const char *title, const struct cli_option *options)
{
    if (options == NULL || options->name == NULL) return;
    printf("\n%s:\n", title);
    for (; options->name != NULL; options++) {
        char left[64];
        (void)snprintf(left, sizeof left, "%s%s%s", options->name, options->value ? " " : "",
                       options->value ? options->value : "");
        printf("  %-20s %s\n", left, options->help);
    }
}

static void print_one(const struct cli_verb *verb)
{
    printf("usage: cfgsync-agent %s%s%s\n\n%s\n", verb->name, verb->usage[0] != '\0' ? " " : "",
           verb->usage, verb->summary);
    if (verb->help[0] != '\0') printf("\n%s\n", verb->help);
    print_options("Options", verb->options);
    print_options("Options of every verb", args_global);
}

static void print_line(const struct cli_verb *verb)
{
    printf("  %-18s %s\n", verb->name, verb->summary);
}

bool verb_print_help(const char *name)
{
    const struct cli_verb *verb = verb_find(name);
    size_t size = strlen(name);
    bool any = verb != NULL, listed = false;
    if (any) print_one(verb);
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        verb = verb_table[i];
        if (strncmp(verb->name, name, size) != 0 || verb->name[size] != ' ') continue;
        if (!any) printf("%s:\n", name);
        if (verb_find(name) != NULL && !listed) printf("\nMore:\n");
        listed = true;
        print_line(verb);
        printf("  %18s cfgsync-agent %s %s\n", "", verb->name, verb->usage);
        any = true;
    }
    return any;
}

void verb_print_list(void)
{
    printf("cfgsync-agent keeps folders the same on your machines, directly, without a server.\n\n"
           "usage: cfgsync-agent [--home DIR] [--json] VERB ...\n\n");
    for (size_t i = 0; verb_table[i] != NULL; i++)
        print_line(verb_table[i]);
    printf("\ncfgsync-agent help VERB describes one. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
           "3 conflicts (status), 4 peers not reachable in time, 5 held for a decision, 6 no "
           "agent.\n");
}

int verb_unknown(const char *name)
{
    struct suggestion best;
    suggest_begin(&best, name, strlen(name));
    for (size_t i = 0; verb_table[i] != NULL; i++)
        suggest_offer(&best, verb_table[i]->name);
    for (size_t i = 0; groups[i] != NULL; i++)
        suggest_offer(&best, groups[i]);
    if (best.text != NULL) {
        cli_error("unknown verb %s; did you mean %s?", name, best.text);
    } else {
        cli_error("unknown verb %s; cfgsync-agent help lists them", name);
    }
    return CLI_USAGE;
}
