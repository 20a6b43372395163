// SPDX-License-Identifier: MIT
//
// The icon is rewritten at most every 100 ms and only when it changes, status events are made at
// most every 250 ms and only when somebody listens. Computing what is owed costs what is owed, so
// after a costly look the next one waits longer.
#include <stdio.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/notify_priv.h"
#include "agent/daemon/view_priv.h"

enum { ICON_MS = 100, EVENTS_MS = 250, COST_FACTOR = 20 };

void show_dirty(struct agent *agent)
{
    agent->icon_dirty = true;
    agent->events_dirty = true;
}

static bool icon_due(const struct agent *agent)
{
    return agent->icon_dirty && agent->now_ms >= agent->icon_due_ms;
}

static bool events_due(const struct agent *agent)
{
    return agent->events_dirty && agent->event_client_count > 0 &&
           agent->now_ms >= agent->events_due_ms;
}

static void write_icon(struct agent *agent, const struct view *view)
{
    char icon[STATUS_ICON_BYTES_MAX];
    status_icon(view->state, view->attention, icon);
    agent->icon_dirty = false;
    if (strcmp(icon, agent->statusfile.icon) != 0) {
        char line[64];
        (void)snprintf(line, sizeof line, "STATUS=%s", folder_state_text(view->state));
        notify_send(line);
    }
    // Logged where it failed; the next change tries again.
    enum err err = statusfile_set(&agent->statusfile, icon);
    (void)err;
}

static void send_status(struct agent *agent, const struct view *view)
{
    AUTO(json_drop) json_t *json = view_json(agent, view);
    AUTO(mem_free) char *text = json_dumps(json, JSON_COMPACT);
    agent->events_dirty = false;
    if (text != NULL) events_status(agent, slice_text(text));
}

void show_settle(struct agent *agent)
{
    bool with_icon = icon_due(agent);
    bool with_events = events_due(agent);
    if (!with_icon && !with_events) return;
    int64_t before = agent_clock_ms();
    struct view view;
    view_take(agent, agent->scratch, &view);
    if (with_icon) write_icon(agent, &view);
    if (with_events) send_status(agent, &view);
    int64_t wait = (agent_clock_ms() - before) * COST_FACTOR;
    if (with_icon) agent->icon_due_ms = agent->now_ms + (wait > ICON_MS ? wait : ICON_MS);
    if (with_events) agent->events_due_ms = agent->now_ms + (wait > EVENTS_MS ? wait : EVENTS_MS);
}

int64_t show_deadline(const struct agent *agent)
{
    int64_t due = INT64_MAX;
    if (agent->icon_dirty) due = agent->icon_due_ms;
    if (agent->events_dirty && agent->event_client_count > 0 && agent->events_due_ms < due) {
        due = agent->events_due_ms;
    }
    return due;
}
