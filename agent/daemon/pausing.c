// SPDX-License-Identifier: MIT
#include <time.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/pausing_priv.h"

enum { LOOK_MS = 60 * 1000, DAY_MINUTES = 24 * 60 };

enum err pausing_open(struct agent *agent, struct buf *out_message)
{
    struct fault fault = {0};
    enum err err = pauses_open(agent->state_fd, HOME_PAUSES_NAME, &agent->pauses, &fault);
    if (err) {
        buf_printf(out_message, "%s/%s cannot be used: %s", agent->home.state_dir, HOME_PAUSES_NAME,
                   fault.what);
    }
    return err;
}

void pausing_end(struct agent *agent)
{
    pauses_close(&agent->pauses);
}

// ---- quiet hours

// The wall clock at which the quiet hours that it is in end; 0: it is in none.
static int64_t quiet_end(const struct config *config, int64_t wall_ms)
{
    struct tm tm;
    time_t now = (time_t)(wall_ms / 1000);
    if (!config->has_quiet || localtime_r(&now, &tm) == NULL) return 0;
    int minute = tm.tm_hour * 60 + tm.tm_min;
    int from = (int)config->quiet_from, to = (int)config->quiet_to;
    bool quiet = from < to ? minute >= from && minute < to : minute >= from || minute < to;
    if (!quiet) return 0;
    int left = (to - minute + DAY_MINUTES) % DAY_MINUTES;
    return wall_ms - wall_ms % 1000 + ((int64_t)left * 60 - tm.tm_sec) * 1000;
}

// ---- the switches

static bool is_over(const struct agent *agent, const struct pause *pause)
{
    return pause->until_ms != 0 && pause->until_ms <= agent->wall_ms;
}

// One that is over and cannot be removed is none.
static bool has(const struct agent *agent, const struct pause *like)
{
    const struct pause *found = pauses_find(agent->pauses, like);
    return found != NULL && !is_over(agent, found);
}

static void apply(struct agent *agent)
{
    const struct registry_folder *folders;
    const struct registry_peer *peers;
    uint32_t folder_count = registry_folders(agent->registry, &folders);
    uint32_t peer_count = registry_peers(agent->registry, &peers);
    bool all = has(agent, &(struct pause){.kind = PAUSE_ALL});
    engine_pause(agent->engine, all || agent->quiet_until_ms != 0);
    for (uint32_t i = 0; i < folder_count; i++) {
        struct pause like = {.kind = PAUSE_FOLDER, .folder = folders[i].name};
        engine_folder_pause(agent->engine, folders[i].name, has(agent, &like));
    }
    for (uint32_t i = 0; i < peer_count; i++) {
        struct pause like = {.kind = PAUSE_PEER, .device = peers[i].device};
        engine_peer_pause(agent->engine, peers[i].device, has(agent, &like));
    }
    show_dirty(agent);
}

// One of those that are over. False: there is none.
static bool over(const struct agent *agent, struct pause *out)
{
    const struct pause *list;
    uint32_t count = pauses_all(agent->pauses, &list);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_over(agent, &list[i])) continue;
        *out = list[i];
        return true;
    }
    return false;
}

// Of those that are not over yet.
static int64_t next_end(const struct agent *agent)
{
    const struct pause *list;
    int64_t at = agent->quiet_until_ms != 0 ? agent->quiet_until_ms : INT64_MAX;
    uint32_t count = pauses_all(agent->pauses, &list);
    for (uint32_t i = 0; i < count; i++)
        if (list[i].until_ms != 0 && !is_over(agent, &list[i]) && list[i].until_ms < at)
            at = list[i].until_ms;
    return at;
}

static void plan(struct agent *agent)
{
    int64_t at = next_end(agent);
    struct pause stuck; // could not be removed, and is to be
    bool waits = at != INT64_MAX || agent->config.has_quiet || over(agent, &stuck);
    int64_t left = at != INT64_MAX && at - agent->wall_ms < LOOK_MS ? at - agent->wall_ms : LOOK_MS;
    agent->pause_due_ms = waits ? agent->now_ms + left : INT64_MAX;
}

void pausing_changed(struct agent *agent)
{
    int64_t until = quiet_end(&agent->config, agent->wall_ms);
    if (until == 0) agent->quiet_over_ms = 0;
    agent->quiet_until_ms = until == agent->quiet_over_ms ? 0 : until;
    for (struct pause gone; over(agent, &gone);) {
        enum err err = pauses_remove(agent->pauses, &gone);
        log_info(LOG_DAEMON, "pause is over", "kept=%d", err != ERR_OK);
        if (err) break; // tried again
    }
    apply(agent);
    plan(agent);
}

void pausing_settle(struct agent *agent)
{
    if (agent->now_ms >= agent->pause_due_ms) pausing_changed(agent);
}

int64_t pausing_deadline(const struct agent *agent)
{
    return agent->pause_due_ms;
}

void pausing_forget(struct agent *agent, const struct pause *like)
{
    enum err err = pauses_remove(agent->pauses, like);
    if (err) log_warn(LOG_DAEMON, "pause not removed", "error=\"%s\"", err_text(err));
}

// ---- shown

static json_t *pause_json(const char *what, const char *name, int64_t until_ms)
{
    json_t *out = json_object();
    json_object_set_new(out, "what", json_string(what));
    json_object_set_new(out, "name", name != NULL ? json_bytes(slice_text(name)) : json_null());
    json_object_set_new(out, "until_ms", until_ms != 0 ? json_integer(until_ms) : json_null());
    return out;
}

json_t *pausing_json(const struct agent *agent)
{
    const struct pause *list;
    uint32_t count = pauses_all(agent->pauses, &list);
    json_t *out = json_array();
    for (uint32_t i = 0; i < count; i++) {
        static const char *const kinds[] = {"all", "folder", "peer"};
        if (is_over(agent, &list[i])) continue;
        const char *name = list[i].folder;
        if (list[i].kind == PAUSE_PEER) {
            const struct registry_peer *peer =
                registry_peer_by_device(agent->registry, list[i].device);
            if (peer == NULL) continue;
            name = peer->name;
        }
        json_array_append_new(out, pause_json(kinds[list[i].kind], name, list[i].until_ms));
    }
    if (agent->quiet_until_ms != 0)
        json_array_append_new(out, pause_json("quiet", NULL, agent->quiet_until_ms));
    return out;
}

// ---- POST /v1/pause, /v1/resume

// What is meant, or false after a refusal. Nothing is named: everything.
static bool meant(struct agent *agent, uint64_t request, const json_t *body, struct pause *out)
{
    const char *name = body_text(body, "name");
    const char *folder = body_text(body, "folder"), *peer = body_text(body, "peer");
    *out = (struct pause){.kind = PAUSE_ALL};
    if ((name != NULL) + (folder != NULL) + (peer != NULL) > 1) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "name one folder or one peer");
        return false;
    }
    const char *any = name != NULL ? name : folder != NULL ? folder : peer;
    if (any == NULL) return true;
    const struct registry_folder *a = peer == NULL ? registry_folder(agent->registry, any) : NULL;
    const struct registry_peer *b = folder == NULL ? registry_peer(agent->registry, any) : NULL;
    if (a != NULL && b != NULL) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, "say which: --folder NAME or --peer NAME",
                       "%.64s is a folder and a peer", any);
        return false;
    }
    if (a == NULL && b == NULL) {
        control_refuse(agent, request, peer != NULL ? REFUSE_UNKNOWN_PEER : REFUSE_UNKNOWN_FOLDER,
                       "cfgsync-agent status shows all", "no %s is called %.64s",
                       folder != NULL ? "folder"
                       : peer != NULL ? "peer"
                                      : "folder or peer",
                       any);
        return false;
    }
    if (a != NULL) *out = (struct pause){.kind = PAUSE_FOLDER, .folder = a->name};
    if (b != NULL) *out = (struct pause){.kind = PAUSE_PEER, .device = b->device};
    return true;
}

static void answer(struct agent *agent, uint64_t request, enum err err)
{
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "%s cannot be written: %s",
                       HOME_PAUSES_NAME, err_text(err));
        return;
    }
    pausing_changed(agent);
    json_t *out = json_object();
    json_object_set_new(out, "pauses", pausing_json(agent));
    control_answer(agent, request, out);
}

void control_pause(struct agent *agent, uint64_t request, const json_t *body)
{
    enum { FOR_S_MAX = 10 * 365 * 86400 };
    struct pause pause;
    const json_t *value = json_object_get(body, "for_s");
    double seconds = json_number_value(value);
    if (json_is_number(value) && !(seconds >= 1 && seconds <= FOR_S_MAX)) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "for_s: must be 1 to %d", FOR_S_MAX);
        return;
    }
    if (!meant(agent, request, body, &pause)) return;
    if (json_is_number(value)) pause.until_ms = agent->wall_ms + (int64_t)(seconds * 1000);
    enum err err = pauses_put(agent->pauses, &pause);
    if (!err) log_info(LOG_DAEMON, "paused", "for_s=%.0f", seconds);
    answer(agent, request, err);
}

void control_resume(struct agent *agent, uint64_t request, const json_t *body)
{
    struct pause pause;
    if (!meant(agent, request, body, &pause)) return;
    bool all = pause.kind == PAUSE_ALL;
    enum err err = all ? pauses_clear(agent->pauses) : pauses_remove(agent->pauses, &pause);
    // These quiet hours, too; the next ones come.
    if (all) agent->quiet_over_ms = quiet_end(&agent->config, agent->wall_ms);
    if (!err) log_info(LOG_DAEMON, "resumed", "all=%d", all);
    answer(agent, request, err);
}
