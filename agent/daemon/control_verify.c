// SPDX-License-Identifier: MIT
//
// POST /v1/verify: all that this device and its peers have is compared, now.
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"

enum { TIMEOUT_S_STANDARD = 60, TIMEOUT_S_MAX = 7 * 24 * 3600 };

void control_verify(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *folder = body_text(body, "folder"), *peer = body_text(body, "peer");
    const json_t *timeout = json_object_get(body, "timeout_s");
    double seconds = json_is_number(timeout) ? json_number_value(timeout) : TIMEOUT_S_STANDARD;
    const struct registry_peer *known = peer != NULL ? registry_peer(agent->registry, peer) : NULL;
    if (folder != NULL && folders_find(agent, folder) == NULL) {
        control_unknown_folder(agent, request, folder);
        return;
    }
    if (peer != NULL && known == NULL) {
        control_unknown_peer(agent, request, peer);
        return;
    }
    if (!(seconds >= 0 && seconds <= TIMEOUT_S_MAX)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "timeout_s: must be 0 to %d",
                       (int)TIMEOUT_S_MAX);
        return;
    }
    struct verify_request verify = {
        .folder = folder, .has_peer = known != NULL, .timeout_ms = (int64_t)(seconds * 1000)};
    if (known != NULL) verify.peer = known->device;
    engine_verify(agent->engine, request, &verify);
}

void control_verified(struct agent *agent, uint64_t ticket, const struct verify_result *result)
{
    json_t *pairs = json_array();
    for (uint32_t i = 0; i < result->count; i++) {
        const struct verify_line *line = &result->lines[i];
        json_t *pair = json_object();
        json_object_set_new(pair, "folder", json_bytes(line->folder));
        json_object_set_new(pair, "peer", json_bytes(line->peer));
        json_object_set_new(pair, "result", json_string(line->what));
        json_object_set_new(pair, "items", json_integer((json_int_t)line->items));
        json_object_set_new(pair, "came", json_integer((json_int_t)line->came));
        json_object_set_new(pair, "went", json_integer((json_int_t)line->went));
        json_array_append_new(pairs, pair);
    }
    json_t *out = json_object();
    json_object_set_new(out, "exit", json_integer(result->exit));
    json_object_set_new(out, "pairs", pairs);
    control_answer(agent, ticket, out);
}
