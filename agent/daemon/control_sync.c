// SPDX-License-Identifier: MIT
//
// POST /v1/sync: the engine says once how it went; the answer is made at the end of that turn,
// because what it counts is asked of the engine, which must not be asked while it speaks.
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"

enum { TIMEOUT_S_STANDARD = 60, TIMEOUT_S_MAX = 7 * 24 * 3600 };

// What is under way in both directions.
static uint64_t open_changes(const struct engine_status *status)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < status->peer_count; i++)
        sum += status->peers[i].owed_changes;
    for (uint32_t i = 0; i < status->folder_count; i++)
        sum += status->folders[i].pending_in;
    return sum;
}

static uint64_t versions_seen(const struct engine_status *status)
{
    return status->counters.minted + status->counters.versions_in;
}

static uint64_t bytes_moved(const struct engine_status *status)
{
    return status->counters.content_bytes_in + status->counters.content_bytes_out;
}

static bool request_fits(struct agent *agent, uint64_t request, const json_t *body,
                         struct sync_request *out)
{
    const char *folder = body_text(body, "folder");
    const char *peer = body_text(body, "peer");
    const json_t *timeout = json_object_get(body, "timeout_s");
    double seconds = json_is_number(timeout) ? json_number_value(timeout) : TIMEOUT_S_STANDARD;
    if (folder != NULL && folders_find(agent, folder) == NULL) {
        control_unknown_folder(agent, request, folder);
        return false;
    }
    const struct registry_peer *known = peer != NULL ? registry_peer(agent->registry, peer) : NULL;
    if (peer != NULL && known == NULL) {
        control_unknown_peer(agent, request, peer);
        return false;
    }
    if (!(seconds >= 0 && seconds <= TIMEOUT_S_MAX)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "timeout_s: must be 0 to %d",
                       (int)TIMEOUT_S_MAX);
        return false;
    }
    *out = (struct sync_request){
        .folder = folder,
        .has_peer = known != NULL,
        .wait = body_bool(body, "wait", false),
        .timeout_ms = (int64_t)(seconds * 1000),
        .unwatched = folders_unwatched(agent, folder) > 0,
    };
    if (known != NULL) out->peer = known->device;
    return true;
}

void control_sync(struct agent *agent, uint64_t request, const json_t *body)
{
    struct sync_request sync;
    if (!request_fits(agent, request, body, &sync)) return;
    // What was saved before the call is in the watch queue at the latest.
    while (!loop_watch(agent))
        continue;
    struct engine_status status;
    engine_status(agent->engine, agent->scratch, &status);
    agent->sync_waits =
        mem_realloc(agent->sync_waits, (agent->sync_wait_count + 1) * sizeof *agent->sync_waits);
    agent->sync_waits[agent->sync_wait_count++] = (struct sync_wait){
        .request = request,
        .folder = sync.folder != NULL ? mem_strdup(sync.folder) : NULL,
        .wait = sync.wait,
        .started_ms = agent->now_ms,
        .changes = open_changes(&status),
        .versions = versions_seen(&status),
        .bytes = bytes_moved(&status),
    };
    engine_sync(agent->engine, request, &sync);
}

void control_sync_done(struct agent *agent, uint64_t ticket, const struct sync_result *result)
{
    for (uint32_t i = 0; i < agent->sync_wait_count; i++) {
        struct sync_wait *wait = &agent->sync_waits[i];
        if (wait->request != ticket || wait->result != NULL) continue;
        json_t *lines = json_array();
        for (uint32_t n = 0; n < result->count; n++) {
            json_t *line = json_object();
            const char *level = result->lines[n].problem ? "error" : "info";
            json_object_set_new(line, "level", json_string(level));
            json_object_set_new(line, "text", json_bytes(result->lines[n].text));
            json_array_append_new(lines, line);
        }
        wait->result = json_object();
        json_object_set_new(wait->result, "exit", json_integer(result->exit));
        json_object_set_new(wait->result, "lines", lines);
        return;
    }
}

// Secrets are held by the disk, unknown to the engine: they delay nothing, and are said at the end.
static void add_held(struct agent *agent, const struct sync_wait *wait)
{
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        const struct live_folder *live = &agent->folders[i];
        if (wait->folder != NULL && strcmp(wait->folder, live->name) != 0) continue;
        struct slice first;
        uint32_t total = disk_held(agent->workers.disk, live->folder, agent->scratch, 1, &first);
        if (total == 0) continue;
        AUTO(buf_fini) struct buf text = {0};
        char escaped[LOG_ESCAPED_MAX];
        buf_printf(&text, "%s: %s", live->name, log_escape(first, escaped));
        if (total > 1) buf_printf(&text, " and %u more", total - 1);
        buf_append_text(&text, ": held, looks like a secret; cfgsync-agent status names all");
        json_t *line = json_object();
        json_object_set_new(line, "level", json_string("warn"));
        json_object_set_new(line, "text", json_bytes(buf_slice(&text)));
        json_array_append_new(json_object_get(wait->result, "lines"), line);
        if (json_integer_value(json_object_get(wait->result, "exit")) == 0) {
            json_object_set_new(wait->result, "exit", json_integer(5));
        }
    }
}

void control_sync_settle(struct agent *agent)
{
    for (uint32_t i = 0; i < agent->sync_wait_count;) {
        struct sync_wait wait = agent->sync_waits[i];
        if (wait.result == NULL) {
            i++;
            continue;
        }
        agent->sync_waits[i] = agent->sync_waits[--agent->sync_wait_count];
        struct engine_status status;
        engine_status(agent->engine, agent->scratch, &status);
        uint64_t had = wait.changes + versions_seen(&status) - wait.versions;
        uint64_t left = open_changes(&status);
        json_object_set_new(wait.result, "changes",
                            json_integer((json_int_t)(had > left ? had - left : 0)));
        json_object_set_new(wait.result, "bytes",
                            json_integer((json_int_t)(bytes_moved(&status) - wait.bytes)));
        json_object_set_new(wait.result, "elapsed_ms",
                            json_integer((json_int_t)(agent->now_ms - wait.started_ms)));
        if (wait.wait) add_held(agent, &wait);
        control_answer(agent, wait.request, wait.result);
        free(wait.folder);
    }
}

void control_sync_gone(struct agent *agent, uint64_t request)
{
    for (uint32_t i = 0; i < agent->sync_wait_count; i++) {
        if (agent->sync_waits[i].request != request) continue;
        if (agent->sync_waits[i].result == NULL) engine_sync_cancel(agent->engine, request);
        json_drop(&agent->sync_waits[i].result);
        free(agent->sync_waits[i].folder);
        agent->sync_waits[i] = agent->sync_waits[--agent->sync_wait_count];
        return;
    }
}
