// SPDX-License-Identifier: MIT
//
// agent/daemon/control — requests of the local API (docs/API.md), answered on the engine's thread.
//
// A handler answers its request once, now or later. `body` is an object whose keys and types have
// been checked against the route's fields.
#ifndef AGENT_DAEMON_CONTROL_PRIV_H
#define AGENT_DAEMON_CONTROL_PRIV_H

#include "agent/daemon/agent_priv.h"

// Errors of docs/API.md.
enum refusal {
    REFUSE_BAD_JSON,
    REFUSE_UNKNOWN_KEY,
    REFUSE_BAD_VALUE,
    REFUSE_BAD_DEVICE_ID,
    REFUSE_BAD_ADDRESS,
    REFUSE_BAD_NAME,
    REFUSE_UNKNOWN_PATH,
    REFUSE_WRONG_METHOD,
    REFUSE_UNKNOWN_PEER,
    REFUSE_UNKNOWN_FOLDER,
    REFUSE_EXISTS,
    REFUSE_OWN_DEVICE,
    REFUSE_DECLARED,
    REFUSE_BAD_PATH,
    REFUSE_NOT_POSSIBLE,
    REFUSE_BUSY,
    REFUSE_WRONG_CODE,
    REFUSE_EXPIRED,
    REFUSE_DECLINED,
    REFUSE_UNREACHED,
    REFUSE_FAILED,
    REFUSE_ENDING,
};

enum field_type { FIELD_TEXT, FIELD_TEXTS, FIELD_BOOL, FIELD_NUMBER };

struct field {
    const char *key; // NULL: there are no more
    enum field_type type;
    bool required;
};

enum { FIELDS_MAX = 6 };

typedef void control_handler(struct agent *agent, uint64_t request, const json_t *body);

struct route {
    const char *method;
    const char *path;
    control_handler *handler;
    struct field fields[FIELDS_MAX + 1];
};

const struct route *control_route(uint32_t n); // NULL: there are no more

void control_answer(struct agent *agent, uint64_t request, json_t *take); // 200
// `hint` may be NULL.
void control_refuse(struct agent *agent, uint64_t request, enum refusal code, const char *hint,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

// unknown-peer, unknown-folder; the hint is the nearest name.
void control_unknown_peer(struct agent *agent, uint64_t request, const char *name);
void control_unknown_folder(struct agent *agent, uint64_t request, const char *name);

// ---- reading a body. Absent keys have the default.
const char *body_text(const json_t *body, const char *key); // NULL
bool body_bool(const json_t *body, const char *key, bool absent);
// False, and answered: it is none of min to max, within +-2^53. Absent: *inout stays.
bool body_whole(struct agent *agent, uint64_t request, const json_t *body, const char *key,
                int64_t min, int64_t max, int64_t *inout);
// Texts of a list, on the agent's scratch arena.
char **body_texts(struct agent *agent, const json_t *body, const char *key, uint32_t *out_count);

// ---- control_status.c, control_peers.c, control_folders.c, control_sync.c, control_why.c,
// metrics.c
control_handler control_status, control_events, control_metrics;
control_handler control_peers_list, control_peers_add, control_peers_remove, control_peers_rename;
control_handler control_peers_trust;
control_handler control_folders_list, control_folders_add, control_folders_share,
    control_folders_set, control_folders_accept, control_folders_remove;
control_handler control_sync, control_why, control_verify, control_bench;
control_handler control_ignore_add, control_ignore_remove, control_ignore_list;
control_handler control_orphans, control_abandon;
control_handler control_conflicts, control_conflicts_take, control_conflicts_resolve,
    control_conflicts_dismiss;
control_handler control_kept, control_restore, control_undo;
control_handler control_plan, control_approve, control_revert;
control_handler control_pair_offer, control_pair_join, control_pair_wait, control_pair_answer;
control_handler control_pair_find;
control_handler control_invites_list, control_invites_add, control_invites_revoke;
control_handler control_pair_card, control_pair_introduce;
control_handler control_pause, control_resume;
control_handler control_log, control_folders_override, control_folders_reset;

// NULL, and answered: there is no such folder.
const struct registry_folder *control_folder(struct agent *agent, uint64_t request,
                                             const char *name);
// True, and answered: it stands in the config file.
bool control_declared(struct agent *agent, uint64_t request, const struct registry_folder *folder);
// Registry first: what is not kept is not begun. False: answered.
bool control_folder_keep(struct agent *agent, uint64_t request,
                         const struct registry_folder *folder, bool is_new, uint32_t *out_folder);
struct folder_view;
json_t *control_folder_json(const struct folder_view *view); // as in GET /v1/folders
json_t *control_shared_with(const struct agent *agent, const struct registry_folder *folder);
// control_added.c. `unchanged`: it was there already.
void control_added_wait(struct agent *agent, uint64_t request, const char *name, uint32_t number,
                        bool is_new, bool unchanged);
json_t *settings_json(const struct registry_folder *folder);
// False, and answered: there is none of this name. NULL is any.
bool control_folder_known(struct agent *agent, uint64_t request, const char *name);
void control_plan_settle(struct agent *agent);
int64_t control_plan_deadline(const struct agent *agent);
void control_plan_gone(struct agent *agent, uint64_t request);
void control_plan_end(struct agent *agent);
void control_folders_settle(struct agent *agent);
int64_t control_folders_deadline(const struct agent *agent);
void control_folders_gone(struct agent *agent, uint64_t request);
void control_sync_settle(struct agent *agent);
void control_sync_gone(struct agent *agent, uint64_t request);
void control_pair_gone(struct agent *agent, uint64_t request);

// The peer as in GET /v1/peers.
json_t *control_peer_json(struct agent *agent, const struct registry_peer *peer);
// What several peers know and is none here; with or without what was removed here.
json_t *known_json(const struct agent *agent, bool with_removed);

// A list of texts as JSON.
json_t *json_texts(char *const *texts, uint32_t count);

#endif
