// SPDX-License-Identifier: MIT
//
// POST /v1/why: the chain of reasons of one path, the one that decides first.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/locate_priv.h"
#include "agent/daemon/view_priv.h"
#include "proto/path.h"

struct answer {
    struct agent *agent;
    json_t *reasons;
    const char *state; // of the first reason
};

static void reason(struct answer *answer, const char *code, const char *hint, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

static void reason(struct answer *answer, const char *code, const char *hint, const char *format,
                   ...)
{
    char text[PROTO_PATH_BYTES_MAX * 2 + 512];
    va_list list;
    va_start(list, format);
    if (vsnprintf(text, sizeof text, format, list) < 0) text[0] = '\0';
    va_end(list);
    json_t *one = json_object();
    json_object_set_new(one, "code", json_string(code));
    json_object_set_new(one, "text", json_bytes(slice_text(text)));
    json_object_set_new(one, "hint", hint != NULL ? json_string(hint) : json_null());
    json_array_append_new(answer->reasons, one);
    if (answer->state == NULL) answer->state = code;
}

// ---- which folder, and which path in it

struct place {
    const struct folder_view *folder;
    const struct live_folder *live;
    struct slice path; // empty: the root itself
    bool is_item;
};

static bool place_find(struct agent *agent, uint64_t request, const struct view *view,
                       const char *path, struct place *out)
{
    struct located at;
    *out = (struct place){0};
    if (!locate(agent, request, path, &at)) return false;
    for (uint32_t i = 0; i < view->folder_count; i++) {
        if (strcmp(view->folders[i].registry->name, at.folder->name) == 0)
            out->folder = &view->folders[i];
    }
    out->live = folders_find(agent, at.folder->name);
    out->path = at.path;
    out->is_item = at.is_item && at.path.size > 0;
    if (out->folder != NULL && out->live != NULL) return true;
    control_refuse(agent, request, REFUSE_FAILED, NULL, "the folder is not open");
    return false;
}

// ---- the reasons

// What stops the folder as a whole. A brake that holds it is one of these.
static bool folder_reason(struct answer *answer, const struct folder_view *folder)
{
    static const char *const of_paths[] = {"", "blocked", "secrets", "rules", "no-source"};
    for (size_t i = 0; i < sizeof of_paths / sizeof *of_paths; i++) {
        if (strcmp(folder->code, of_paths[i]) == 0) return false;
    }
    const struct folder_status *status = folder->engine;
    const struct status_error *found = NULL;
    for (uint32_t i = 0; status != NULL && i < status->error_count && found == NULL; i++) {
        if (strcmp(status->errors[i].code, folder->code) == 0) found = &status->errors[i];
    }
    reason(answer, folder->code, found != NULL ? found->hint : NULL, "the folder %s is stopped: %s",
           folder->registry->name,
           found != NULL && found->message != NULL ? found->message : folder->code);
    return true;
}

static bool is_directory(struct agent *agent, const struct place *place)
{
    struct stat st;
    const char *path = arena_printf(agent->scratch, "%s/%s", place->folder->registry->path,
                                    arena_text(agent->scratch, place->path));
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

// True: nothing else needs to be said.
static bool rule_reason(struct answer *answer, const struct place *place,
                        const struct path_status *status, struct buf *rule)
{
    struct agent *agent = answer->agent;
    enum ignored why = disk_ignored_path(agent->workers.disk, place->live->folder, place->path,
                                         is_directory(agent, place), rule);
    if (why == IGNORED_NO || (why == IGNORED_SECRET && status->known)) return false;
    if (why == IGNORED_SECRET) {
        reason(
            answer, "secret",
            "cfgsync-agent folder add NAME PATH --include-secrets shares all that look so; a line "
            "!NAME in .cfgsync/ignore of the folder shares one",
            "held: it looks like a secret (%s)", buf_text(rule));
        return true;
    }
    reason(answer, "ignored", NULL, "left out by a rule: %s", buf_text(rule));
    if (status->known && !status->deleted)
        reason(answer, "known", NULL,
               "it is synced elsewhere; what is on this disk stays as it is");
    return true;
}

static void conflict_reasons(struct answer *answer, const struct path_status *status)
{
    char escaped[LOG_ESCAPED_MAX];
    if (status->heads > 1)
        reason(answer, "conflict", NULL, "%u edits were made at once and are being resolved",
               status->heads);
    for (uint32_t i = 0; i < status->conflict_count; i++) {
        reason(answer, "conflict", "look at both, and delete the conflict item when it is settled",
               "in conflict with %s", log_escape(status->conflicts[i], escaped));
    }
}

static void when(struct buf *out, const struct agent *agent, int64_t then_ms)
{
    int64_t s = (agent->wall_ms - then_ms) / 1000;
    if (then_ms == 0)
        buf_append_text(out, "never seen");
    else if (s < 60)
        buf_printf(out, "last seen %lld s ago", (long long)(s > 0 ? s : 0));
    else if (s < 2 * 3600)
        buf_printf(out, "last seen %lld min ago", (long long)(s / 60));
    else if (s < 48 * 3600)
        buf_printf(out, "last seen %lld h ago", (long long)(s / 3600));
    else
        buf_printf(out, "last seen %lld days ago", (long long)(s / 86400));
}

static void content_reasons(struct answer *answer, const struct path_status *status)
{
    uint32_t away = 0;
    if (status->sought != NULL)
        reason(answer, "no-source",
               "connect who had it last, or give it up: cfgsync-agent abandon PATH",
               "nobody has answered with its content for %s", status->sought);
    if (!status->awaits_content) return;
    if (!status->no_source) {
        reason(answer, "waiting-content", NULL, "its content is on its way");
        return;
    }
    for (uint32_t i = 0; i < status->peer_count; i++) {
        const struct path_peer *peer = &status->peers[i];
        AUTO(buf_fini) struct buf seen = {0};
        bool has = peer->has == PATH_ON_DISK || slice_equal(peer->name, status->author);
        if (!has || peer->connected) continue;
        when(&seen, answer->agent, peer->last_seen_wall_ms);
        reason(answer, "waiting-content", NULL, "waiting for its content from %.*s (%s)",
               SLICE_ARG(peer->name), buf_text(&seen));
        away++;
    }
    if (away == 0 && status->sought == NULL) {
        reason(answer, "no-source", "connect the device on which it was saved",
               "no peer has the content; it was saved by %.*s", SLICE_ARG(status->author));
    }
}

static void here_reasons(struct answer *answer, const struct path_status *status)
{
    char escaped[LOG_ESCAPED_MAX];
    if (status->problem != NULL) reason(answer, "not-synced", NULL, "%s", status->problem);
    if (status->blocked != NULL) {
        const char *code = arena_printf(answer->agent->scratch, "blocked:%s", status->blocked);
        if (status->clash.size > 0)
            reason(answer, code, "rename one of them",
                   "it cannot be here together with %s, which has the same name on this disk",
                   log_escape(status->clash, escaped));
        else
            reason(answer, code, status->hint[0] != '\0' ? status->hint : NULL,
                   "it cannot be put in place here: %s", status->blocked);
    }
    if (status->held != NULL)
        reason(answer, status->held, "cfgsync-agent plan, then approve or revert",
               "a change of it is held (%s)", status->held);
    conflict_reasons(answer, status);
    content_reasons(answer, status);
    if (status->need && answer->state == NULL)
        reason(answer, "pending-in", NULL, "a newer version is being put in place here");
    if (status->looking && answer->state == NULL && !status->known)
        reason(answer, "looking", NULL, "it is being looked at");
}

// ---- and the peers

static void peer_reason(struct answer *answer, const struct path_peer *peer)
{
    AUTO(buf_fini) struct buf seen = {0};
    when(&seen, answer->agent, peer->last_seen_wall_ms);
    if (peer->has == PATH_BLOCKED)
        reason(answer, "blocked-there", NULL, "%.*s cannot take it: %.*s", SLICE_ARG(peer->name),
               SLICE_ARG(peer->reason));
    else if (!peer->connected)
        reason(answer, "pending-out", NULL, "%.*s has not got it: not connected (%s)",
               SLICE_ARG(peer->name), buf_text(&seen));
    else if (strcmp(peer->share, "paused") == 0)
        reason(answer, "paused", "cfgsync-agent resume", "%.*s has not got it: paused",
               SLICE_ARG(peer->name));
    else if (strcmp(peer->share, "paused-there") == 0)
        reason(answer, "paused-there", NULL, "%.*s has not got it: it pauses there",
               SLICE_ARG(peer->name));
    else if (strcmp(peer->share, "joined") != 0)
        reason(answer, peer->share, NULL, "%.*s has not got it: the folder is %s there",
               SLICE_ARG(peer->name), peer->share);
    else
        reason(answer, "pending-out", NULL, "%.*s has not got it yet", SLICE_ARG(peer->name));
}

static void peers_reasons(struct answer *answer, const struct path_status *status)
{
    AUTO(buf_fini) struct buf with = {0};
    for (uint32_t i = 0; i < status->peer_count; i++) {
        const struct path_peer *peer = &status->peers[i];
        if (peer->has != PATH_ON_DISK) {
            peer_reason(answer, peer);
            continue;
        }
        buf_printf(&with, "%s%.*s", with.size > 0 ? ", " : "", SLICE_ARG(peer->name));
    }
    const char *what =
        status->deleted && !status->implied ? "deleted, and so it is on" : "in sync with";
    if (with.size > 0 && !status->need)
        reason(answer, answer->state == NULL ? "synced" : "synced-with", NULL, "%s %s", what,
               buf_text(&with));
    if (status->peer_count == 0)
        reason(answer, "alone", "cfgsync-agent folder share NAME --with PEER",
               "the folder is shared with nobody");
}

static json_t *peers_json(const struct path_status *status)
{
    static const char *const has[] = {[PATH_UNKNOWN] = "unknown",
                                      [PATH_KNOWN] = "known",
                                      [PATH_ON_DISK] = "on-disk",
                                      [PATH_BLOCKED] = "blocked"};
    json_t *list = json_array();
    for (uint32_t i = 0; i < status->peer_count; i++) {
        const struct path_peer *peer = &status->peers[i];
        json_t *one = json_object();
        json_object_set_new(one, "name", json_bytes(peer->name));
        json_object_set_new(one, "connected", json_boolean(peer->connected));
        json_object_set_new(one, "last_seen",
                            peer->last_seen_wall_ms > 0
                                ? json_integer((json_int_t)peer->last_seen_wall_ms)
                                : json_null());
        json_object_set_new(one, "share", json_string(peer->share));
        json_object_set_new(one, "has", json_string(has[peer->has]));
        json_object_set_new(one, "reason",
                            peer->has == PATH_BLOCKED ? json_bytes(peer->reason) : json_null());
        json_array_append_new(list, one);
    }
    return list;
}

static void explain(struct answer *answer, const struct place *place,
                    const struct path_status *status, struct buf *rule)
{
    (void)folder_reason(answer, place->folder);
    if (place->path.size == 0) {
        if (answer->state == NULL)
            reason(answer, folder_state_text(place->folder->state), NULL,
                   "the root of the folder %s, which is %s", place->folder->registry->name,
                   folder_state_text(place->folder->state));
        return;
    }
    if (rule_reason(answer, place, status, rule)) return;
    const char *fault = path_fault(place->path);
    if (fault != NULL) {
        reason(answer, "not-synced", NULL, "it cannot be synced: %s", fault);
        return;
    }
    here_reasons(answer, status);
    if (!status->known && !status->implied) {
        if (answer->state == NULL)
            reason(answer, "unknown", NULL, "nothing of this name is known here");
        return;
    }
    if (status->known || status->implied) peers_reasons(answer, status);
}

void control_why(struct agent *agent, uint64_t request, const json_t *body)
{
    struct view view;
    struct place place;
    struct path_status status = {0};
    view_take(agent, agent->scratch, &view);
    if (!place_find(agent, request, &view, body_text(body, "path"), &place)) return;
    if (place.is_item &&
        !engine_path(agent->engine, agent->scratch, place.live->folder, place.path, &status)) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the folder is being removed");
        return;
    }
    struct answer answer = {.agent = agent, .reasons = json_array()};
    AUTO(buf_fini) struct buf rule = {0};
    explain(&answer, &place, &status, &rule);
    json_t *out = json_object();
    json_object_set_new(out, "folder", json_bytes(slice_text(place.folder->registry->name)));
    json_object_set_new(out, "path", json_bytes(place.path));
    json_object_set_new(out, "state", json_string(answer.state != NULL ? answer.state : "unknown"));
    json_object_set_new(out, "reasons", answer.reasons);
    json_object_set_new(out, "rule", rule.size > 0 ? json_bytes(buf_slice(&rule)) : json_null());
    json_object_set_new(out, "saved_by", status.known ? json_bytes(status.author) : json_null());
    json_object_set_new(out, "saved_ms",
                        status.known ? json_integer((json_int_t)status.saved_ms) : json_null());
    json_object_set_new(out, "deleted", json_boolean(status.deleted && !status.implied));
    json_object_set_new(out, "peers", peers_json(&status));
    control_answer(agent, request, out);
}
