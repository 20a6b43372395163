// SPDX-License-Identifier: MIT
//
// agent/cli/verb — one verb, one file, one entry of the table that help is printed from.
#ifndef AGENT_CLI_VERB_PRIV_H
#define AGENT_CLI_VERB_PRIV_H

#include "agent/cli/args_priv.h"
#include "agent/cli/cli.h"

// What a word may be, for completion.
enum complete {
    COMPLETE_NOTHING,
    COMPLETE_PEER,
    COMPLETE_KNOWN, // a device that peers know and that is none
    COMPLETE_PEERS, // with commas between them, and "all"
    COMPLETE_FOLDER,
    COMPLETE_FOLDERS,
    COMPLETE_FOLDER_OR_PEER,
    COMPLETE_OFFER, // a folder that a peer shares
    COMPLETE_SETTING,
    COMPLETE_CONFLICT,
    COMPLETE_KEPT,
    COMPLETE_ORPHAN,
    COMPLETE_INVITE,
    COMPLETE_VERB,
    COMPLETE_SHELL,
    COMPLETE_PROMPT, // a shell, or starship
    COMPLETE_FILE,
    COMPLETE_DIR,
};

enum { VERB_COMPLETES_MAX = 2 };

struct cli_verb {
    const char *name;    // "peer add"
    const char *usage;   // what follows the name, "" if nothing
    const char *summary; // for the list of verbs
    const char *help;    // paragraphs, "" if the summary says it all
    const struct cli_option *options;
    size_t words_min;
    size_t words_max;
    enum complete completes[VERB_COMPLETES_MAX]; // by place; the last one also what comes after it
    int (*run)(const struct cli_context *context, const struct args *args);
};

extern const struct cli_verb verb_init, verb_run, verb_id, verb_status, verb_sync, verb_stop;
extern const struct cli_verb verb_config_show;
extern const struct cli_verb verb_log, verb_pause, verb_resume;
extern const struct cli_verb verb_why, verb_verify, verb_abandon;
extern const struct cli_verb verb_pair, verb_invite, verb_invite_list, verb_invite_revoke;
extern const struct cli_verb verb_peer_add, verb_peer_list, verb_peer_remove, verb_peer_rename;
extern const struct cli_verb verb_peer_trust;
extern const struct cli_verb verb_folder_add, verb_folder_list, verb_folder_share, verb_folder_set;
extern const struct cli_verb verb_folder_accept, verb_folder_remove;
extern const struct cli_verb verb_folder_override, verb_folder_reset;
extern const struct cli_verb verb_conflicts, verb_conflicts_list, verb_conflicts_show;
extern const struct cli_verb verb_conflicts_take, verb_conflicts_resolve, verb_conflicts_dismiss;
extern const struct cli_verb verb_kept, verb_restore, verb_undo;
extern const struct cli_verb verb_plan, verb_approve, verb_revert;
extern const struct cli_verb verb_ignore, verb_ignore_list, verb_ignore_remove;
extern const struct cli_verb verb_adopt, verb_rekey, verb_config_check, verb_help, verb_version;
extern const struct cli_verb verb_completion, verb_doctor, verb_prompt, verb_bench;
extern const struct cli_verb verb_service_install, verb_service_uninstall, verb_service_status;

// All verbs in the order of help; ends with NULL.
extern const struct cli_verb *const verb_table[];

const struct cli_verb *verb_find(const char *name);
bool verb_is_group(const char *word); // "peer": the first word of several verbs
// Prints; verb_print_help of a group ("peer") lists its verbs. False: no such verb or group.
bool verb_print_help(const char *name);
void verb_print_list(void);
int verb_unknown(const char *name); // says so on stderr, with what may have been meant

#endif
