// SPDX-License-Identifier: MIT
//
// The table of routes, and what all of them share: checked bodies, answers, refusals.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/nearby_priv.h"

enum { TEXTS_MAX = 256 };

static void control_stop(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    control_answer(agent, request, json_object());
    agent->ending = true;
}

static const struct route routes[] = {
    {"GET", "/v1/status", control_status, {{0}}},
    {"GET", "/v1/peers", control_peers_list, {{0}}},
    {"GET", "/v1/folders", control_folders_list, {{0}}},
    {"GET", "/v1/events", control_events, {{0}}},
    {"GET", "/metrics", control_metrics, {{0}}},
    {"POST",
     "/v1/peers",
     control_peers_add,
     {{"name", FIELD_TEXT, true},
      {"id", FIELD_TEXT, true},
      {"addresses", FIELD_TEXTS, false},
      {"approves", FIELD_BOOL, false}}},
    {"POST",
     "/v1/peers/trust",
     control_peers_trust,
     {{"id", FIELD_TEXT, true}, {"name", FIELD_TEXT, false}}},
    {"POST", "/v1/peers/remove", control_peers_remove, {{"name", FIELD_TEXT, true}}},
    {"POST",
     "/v1/peers/rename",
     control_peers_rename,
     {{"old", FIELD_TEXT, true}, {"new", FIELD_TEXT, true}}},
    {"POST",
     "/v1/folders",
     control_folders_add,
     {{"name", FIELD_TEXT, true},
      {"path", FIELD_TEXT, true},
      {"with", FIELD_TEXTS, false},
      {"with_all", FIELD_BOOL, false},
      {"include_secrets", FIELD_BOOL, false},
      {"include_vcs", FIELD_BOOL, false}}},
    {"POST",
     "/v1/folders/share",
     control_folders_share,
     {{"name", FIELD_TEXT, true}, {"with", FIELD_TEXTS, false}, {"with_all", FIELD_BOOL, false}}},
    {"POST",
     "/v1/folders/set",
     control_folders_set,
     {{"name", FIELD_TEXT, true}, {"settings", FIELD_TEXTS, false}}},
    {"POST",
     "/v1/folders/accept",
     control_folders_accept,
     {{"name", FIELD_TEXT, true}, {"from", FIELD_TEXT, true}}},
    {"POST", "/v1/folders/remove", control_folders_remove, {{"name", FIELD_TEXT, true}}},
    {"POST", "/v1/folders/override", control_folders_override, {{"name", FIELD_TEXT, true}}},
    {"POST", "/v1/folders/reset", control_folders_reset, {{"name", FIELD_TEXT, true}}},
    {"POST",
     "/v1/sync",
     control_sync,
     {{"folder", FIELD_TEXT, false},
      {"peer", FIELD_TEXT, false},
      {"wait", FIELD_BOOL, false},
      {"timeout_s", FIELD_NUMBER, false}}},
    {"GET", "/v1/conflicts", control_conflicts, {{0}}},
    {"POST",
     "/v1/conflicts/take",
     control_conflicts_take,
     {{"path", FIELD_TEXT, true}, {"from", FIELD_TEXT, false}}},
    {"POST",
     "/v1/conflicts/resolve",
     control_conflicts_resolve,
     {{"path", FIELD_TEXT, true}, {"with", FIELD_TEXT, true}}},
    {"POST", "/v1/conflicts/dismiss", control_conflicts_dismiss, {{"path", FIELD_TEXT, true}}},
    {"POST", "/v1/kept", control_kept, {{"path", FIELD_TEXT, true}}},
    {"POST",
     "/v1/restore",
     control_restore,
     {{"path", FIELD_TEXT, true}, {"at_ms", FIELD_NUMBER, false}, {"number", FIELD_NUMBER, false}}},
    {"POST", "/v1/undo", control_undo, {{"folder", FIELD_TEXT, false}}},
    {"POST",
     "/v1/plan",
     control_plan,
     {{"folder", FIELD_TEXT, false},
      {"wait_ms", FIELD_NUMBER, false},
      {"go_on", FIELD_BOOL, false}}},
    {"POST", "/v1/approve", control_approve, {{"folder", FIELD_TEXT, false}}},
    {"POST", "/v1/revert", control_revert, {{"folder", FIELD_TEXT, false}}},
    {"POST",
     "/v1/log",
     control_log,
     {{"folder", FIELD_TEXT, false},
      {"path", FIELD_TEXT, false},
      {"peer", FIELD_TEXT, false},
      {"since_ms", FIELD_NUMBER, false},
      {"before", FIELD_NUMBER, false},
      {"max", FIELD_NUMBER, false}}},
    {"POST", "/v1/why", control_why, {{"path", FIELD_TEXT, true}}},
    {"POST",
     "/v1/verify",
     control_verify,
     {{"folder", FIELD_TEXT, false},
      {"peer", FIELD_TEXT, false},
      {"timeout_s", FIELD_NUMBER, false}}},
    {"POST", "/v1/bench", control_bench, {{"peer", FIELD_TEXT, true}}},
    {"POST",
     "/v1/ignore/add",
     control_ignore_add,
     {{"folder", FIELD_TEXT, false},
      {"path", FIELD_TEXT, false},
      {"rules", FIELD_TEXTS, true},
      {"local", FIELD_BOOL, false}}},
    {"POST",
     "/v1/ignore/remove",
     control_ignore_remove,
     {{"folder", FIELD_TEXT, false},
      {"path", FIELD_TEXT, false},
      {"rules", FIELD_TEXTS, true},
      {"local", FIELD_BOOL, false}}},
    {"POST",
     "/v1/ignore/list",
     control_ignore_list,
     {{"folder", FIELD_TEXT, false}, {"path", FIELD_TEXT, false}, {"local", FIELD_BOOL, false}}},
    {"GET", "/v1/orphans", control_orphans, {{0}}},
    {"POST",
     "/v1/abandon",
     control_abandon,
     {{"paths", FIELD_TEXTS, true}, {"now", FIELD_BOOL, false}}},
    {"GET", "/v1/invites", control_invites_list, {{0}}},
    {"POST",
     "/v1/invites",
     control_invites_add,
     {{"uses", FIELD_NUMBER, false},
      {"expires_s", FIELD_NUMBER, false},
      {"folders", FIELD_TEXTS, false},
      {"at", FIELD_TEXTS, false}}},
    {"POST", "/v1/invites/revoke", control_invites_revoke, {{"id", FIELD_TEXT, true}}},
    {"POST", "/v1/pair/offer", control_pair_offer, {{"name", FIELD_TEXT, false}}},
    {"POST", "/v1/pair/find", control_pair_find, {{0}}},
    {"POST",
     "/v1/pair/join",
     control_pair_join,
     {{"at", FIELD_TEXT, true}, {"code", FIELD_TEXT, true}, {"name", FIELD_TEXT, false}}},
    {"POST", "/v1/pair/wait", control_pair_wait, {{0}}},
    {"POST",
     "/v1/pair/card",
     control_pair_card,
     {{"card", FIELD_TEXT, false}, {"host", FIELD_TEXT, false}, {"name", FIELD_TEXT, false}}},
    {"POST",
     "/v1/pair/introduce",
     control_pair_introduce,
     {{"card", FIELD_TEXT, true}, {"host", FIELD_TEXT, true}, {"name", FIELD_TEXT, false}}},
    {"POST", "/v1/pair/answer", control_pair_answer, {{"yes", FIELD_BOOL, true}}},
    {"POST",
     "/v1/pause",
     control_pause,
     {{"name", FIELD_TEXT, false},
      {"folder", FIELD_TEXT, false},
      {"peer", FIELD_TEXT, false},
      {"for_s", FIELD_NUMBER, false}}},
    {"POST",
     "/v1/resume",
     control_resume,
     {{"name", FIELD_TEXT, false}, {"folder", FIELD_TEXT, false}, {"peer", FIELD_TEXT, false}}},
    {"POST", "/v1/stop", control_stop, {{0}}},
};

// ---- answers

static void send_json(struct agent *agent, uint64_t request, int status, json_t *take)
{
    AUTO(json_drop) json_t *value = take;
    AUTO(mem_free) char *text = json_dumps(value, JSON_COMPACT);
    struct slice body = slice_text(text != NULL ? text : "{}");
    api_answer(agent->api, request, status, "application/json", body);
}

void control_answer(struct agent *agent, uint64_t request, json_t *take)
{
    send_json(agent, request, 200, take);
}

static const struct {
    const char *text;
    int status;
    int exit;
} refusals[] = {
    [REFUSE_BAD_JSON] = {"bad-json", 400, 2},
    [REFUSE_UNKNOWN_KEY] = {"unknown-key", 400, 2},
    [REFUSE_BAD_VALUE] = {"bad-value", 400, 2},
    [REFUSE_BAD_DEVICE_ID] = {"bad-device-id", 400, 2},
    [REFUSE_BAD_ADDRESS] = {"bad-address", 400, 2},
    [REFUSE_BAD_NAME] = {"bad-name", 400, 2},
    [REFUSE_UNKNOWN_PATH] = {"unknown-path", 404, 1},
    [REFUSE_WRONG_METHOD] = {"wrong-method", 405, 1},
    [REFUSE_UNKNOWN_PEER] = {"unknown-peer", 404, 1},
    [REFUSE_UNKNOWN_FOLDER] = {"unknown-folder", 404, 1},
    [REFUSE_EXISTS] = {"exists", 409, 1},
    [REFUSE_OWN_DEVICE] = {"own-device", 409, 1},
    [REFUSE_DECLARED] = {"declared", 409, 1},
    [REFUSE_BAD_PATH] = {"bad-path", 409, 1},
    [REFUSE_NOT_POSSIBLE] = {"not-possible", 409, 1},
    [REFUSE_BUSY] = {"busy", 409, 1},
    [REFUSE_WRONG_CODE] = {"wrong-code", 409, 1},
    [REFUSE_EXPIRED] = {"expired", 409, 1},
    [REFUSE_DECLINED] = {"declined", 409, 1},
    [REFUSE_UNREACHED] = {"unreached", 409, 4},
    [REFUSE_FAILED] = {"failed", 500, 1},
    [REFUSE_ENDING] = {"ending", 503, 1},
};

void control_refuse(struct agent *agent, uint64_t request, enum refusal code, const char *hint,
                    const char *format, ...)
{
    char message[LOG_ESCAPED_MAX + 512];
    va_list list;
    va_start(list, format);
    if (vsnprintf(message, sizeof message, format, list) < 0) message[0] = '\0';
    va_end(list);
    json_t *error = json_object();
    json_object_set_new(error, "code", json_string(refusals[code].text));
    json_object_set_new(error, "message", json_bytes(slice_text(message)));
    if (hint != NULL) json_object_set_new(error, "hint", json_bytes(slice_text(hint)));
    json_object_set_new(error, "exit", json_integer(refusals[code].exit));
    json_t *out = json_object();
    json_object_set_new(out, "error", error);
    send_json(agent, request, refusals[code].status, out);
}

json_t *json_texts(char *const *texts, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(list, json_bytes(slice_text(texts[i])));
    }
    return list;
}

// ---- bodies

const char *body_text(const json_t *body, const char *key)
{
    return json_string_value(json_object_get(body, key));
}

bool body_bool(const json_t *body, const char *key, bool absent)
{
    const json_t *value = json_object_get(body, key);
    return value != NULL && !json_is_null(value) ? json_is_true(value) : absent;
}

bool body_whole(struct agent *agent, uint64_t request, const json_t *body, const char *key,
                int64_t min, int64_t max, int64_t *inout)
{
    const json_t *value = json_object_get(body, key);
    if (value == NULL || json_is_null(value)) return true;
    double number = json_number_value(value);
    if (number >= (double)min && number <= (double)max && number == (double)(int64_t)number) {
        *inout = (int64_t)number;
        return true;
    }
    control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "%s: a whole number of %lld to %lld",
                   key, (long long)min, (long long)max);
    return false;
}

char **body_texts(struct agent *agent, const json_t *body, const char *key, uint32_t *out_count)
{
    const json_t *list = json_object_get(body, key);
    size_t count = json_array_size(list);
    char **texts = arena_alloc(agent->scratch, count + 1, sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        texts[i] =
            arena_text(agent->scratch, slice_text(json_string_value(json_array_get(list, i))));
    }
    *out_count = (uint32_t)count;
    return texts;
}

static bool is_texts(const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) > TEXTS_MAX) return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i))) return false;
    }
    return true;
}

static bool field_fits(const struct field *field, const json_t *value)
{
    if (value == NULL || json_is_null(value)) return !field->required;
    switch (field->type) {
    case FIELD_TEXT: return json_is_string(value);
    case FIELD_TEXTS: return is_texts(value);
    case FIELD_BOOL: return json_is_boolean(value);
    case FIELD_NUMBER: return json_is_number(value);
    }
    return false;
}

static const struct field *field_find(const struct route *route, const char *key)
{
    for (const struct field *field = route->fields; field->key != NULL; field++) {
        if (strcmp(field->key, key) == 0) return field;
    }
    return NULL;
}

// Answers and returns false when the body does not fit the route.
static bool body_fits(struct agent *agent, uint64_t request, const struct route *route,
                      json_t *body)
{
    static const char *const kinds[] = {
        [FIELD_TEXT] = "a text",
        [FIELD_TEXTS] = "a list of texts",
        [FIELD_BOOL] = "true or false",
        [FIELD_NUMBER] = "a number",
    };
    for (void *at = json_object_iter(body); at != NULL; at = json_object_iter_next(body, at)) {
        if (field_find(route, json_object_iter_key(at)) != NULL) continue;
        char escaped[LOG_ESCAPED_MAX];
        control_refuse(agent, request, REFUSE_UNKNOWN_KEY, NULL, "unknown key \"%s\"",
                       log_escape(slice_text(json_object_iter_key(at)), escaped));
        return false;
    }
    for (const struct field *field = route->fields; field->key != NULL; field++) {
        const json_t *value = json_object_get(body, field->key);
        if (field_fits(field, value)) continue;
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "%s: %s %s", field->key,
                       value == NULL ? "is missing:" : "must be", kinds[field->type]);
        return false;
    }
    return true;
}

// ---- dispatch

const struct route *control_route(uint32_t n)
{
    return n < sizeof routes / sizeof routes[0] ? &routes[n] : NULL;
}

static const struct route *find_route(const char *method, const char *path, bool *out_path_known)
{
    *out_path_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(routes[i].path, path) != 0) continue;
        *out_path_known = true;
        if (strcmp(routes[i].method, method) == 0) return &routes[i];
    }
    return NULL;
}

static void serve(struct agent *agent, const struct api_request *request)
{
    bool path_known;
    const struct route *route = find_route(request->method, request->path, &path_known);
    if (route == NULL) {
        enum refusal code = path_known ? REFUSE_WRONG_METHOD : REFUSE_UNKNOWN_PATH;
        char escaped[LOG_ESCAPED_MAX];
        control_refuse(agent, request->number, code, NULL, "%s %s: %s", request->method,
                       log_escape(slice_text(request->path), escaped),
                       path_known ? "wrong method" : "no such path");
        return;
    }
    json_error_t error;
    const char *text = request->body.size > 0 ? (const char *)request->body.data : "{}";
    size_t size = request->body.size > 0 ? request->body.size : 2;
    AUTO(json_drop) json_t *body = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(body)) {
        control_refuse(agent, request->number, REFUSE_BAD_JSON, NULL,
                       "the body is not a JSON object%s%s", body == NULL ? ": " : "",
                       body == NULL ? error.text : "");
        return;
    }
    if (body_fits(agent, request->number, route, body))
        route->handler(agent, request->number, body);
}

void control_request(struct agent *agent, struct api_request *request)
{
    if (request->gone) {
        events_gone(agent, request->number);
        control_folders_gone(agent, request->number);
        control_sync_gone(agent, request->number);
        control_plan_gone(agent, request->number);
        control_pair_gone(agent, request->number);
        nearby_find_gone(agent, request->number);
        engine_decide_cancel(agent->engine, request->number);
        engine_verify_cancel(agent->engine, request->number);
        engine_bench_cancel(agent->engine, request->number);
        engine_abandon_cancel(agent->engine, request->number);
    } else if (agent->ending) {
        control_refuse(agent, request->number, REFUSE_ENDING, NULL, "the agent is ending");
    } else {
        agent->last_event = request->last_event;
        serve(agent, request);
        agent->last_event = NULL;
    }
    api_request_destroy(&request);
}

void control_settle(struct agent *agent)
{
    control_folders_settle(agent);
    control_sync_settle(agent);
    control_plan_settle(agent);
}

int64_t control_deadline(const struct agent *agent)
{
    int64_t folders = control_folders_deadline(agent), plan = control_plan_deadline(agent);
    return plan < folders ? plan : folders;
}

void control_end(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->folder_wait_count; i++) {
        uint64_t request = agent->folder_waits[i].request;
        control_refuse(agent, request, REFUSE_ENDING, NULL, "the agent is ending");
        free(agent->folder_waits[i].name);
    }
    for (uint32_t i = 0; i < agent->sync_wait_count; i++) {
        control_refuse(agent, agent->sync_waits[i].request, REFUSE_ENDING, NULL,
                       "the agent is ending");
        json_drop(&agent->sync_waits[i].result);
        free(agent->sync_waits[i].folder);
    }
    control_plan_end(agent);
    for (uint32_t i = 0; i < agent->event_client_count; i++) {
        api_answer(agent->api, agent->event_clients[i].request, 0, NULL, slice_text(""));
    }
    free(agent->folder_waits);
    free(agent->sync_waits);
    free(agent->event_clients);
    agent->folder_wait_count = agent->sync_wait_count = agent->event_client_count = 0;
}
