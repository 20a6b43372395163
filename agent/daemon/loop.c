// SPDX-License-Identifier: MIT
//
// The engine's thread. Each turn reads the clock once, carries everything that has happened into
// the engine in bounded portions, lets it act, settles what it asked for, and sleeps until
// something happens or is due. When nothing is due it sleeps without end.
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/daemon/agent_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/daemon/process_priv.h"
#include "agent/daemon/reload_priv.h"
#include "agent/daemon/sleep_priv.h"
#include "agent/daemon/wire_rooms.h"

enum {
    WATCH_EVENTS_MAX = 4096, // of one turn
    JOBS_MAX = 256,
    NET_EVENTS_MAX = 256,
    REQUESTS_MAX = 64,
    RESCAN_MS = 30 * 1000,      // folders that are not wholly watched
    MISSED_MS = 60 * 60 * 1000, // those that are
    SLEEP_MS_MIN = 1000,
    SLIM_JOBS = 64, // from so many on the memory that they took is given back
    SLIM_MS = 5000, // after the last
    REST_MS = 1000,
    REST_STEP_MS = 20,
};

static void read_clocks(struct agent *agent)
{
    agent->now_ms = agent_clock_ms();
    agent->wall_ms = clock_ms(CLOCK_REALTIME);
    engine_now(agent->engine, agent->now_ms, agent->wall_ms);
}

bool loop_watch(struct agent *agent)
{
    struct watch_event event;
    for (int i = 0; i < WATCH_EVENTS_MAX; i++) {
        if (!disk_watch_next(agent->workers.disk, &event)) return true;
        engine_watch(agent->engine, event.folder, wire_watch(event.what), event.path);
    }
    return false;
}

static bool take_jobs(struct agent *agent)
{
    for (int i = 0; i < JOBS_MAX; i++) {
        struct job *job = mailbox_try(agent->results);
        if (job == NULL) return true;
        // Rules that were written before a file was are known before that file's look counts.
        if (job->kind == JOB_LOOK) (void)loop_watch(agent);
        // The base store goes on for long, a little at a time, and puts nothing off.
        bool lasts = job->kind == JOB_BASE && agent->slim_due_ms != INT64_MAX;
        engine_job_done(agent->engine, job);
        if (++agent->jobs_done >= SLIM_JOBS && !lasts) agent->slim_due_ms = agent->now_ms + SLIM_MS;
    }
    return false;
}

static enum conn_way way_of(const struct net_event *event)
{
    if (!event->dialled) return CONN_ACCEPTED;
    return event->is_near ? CONN_DIALLED_NEAR : CONN_DIALLED;
}

// Much was done, and it is over.
static void slim(struct agent *agent)
{
    if (agent->now_ms < agent->slim_due_ms) return;
    agent->slim_due_ms = INT64_MAX;
    agent->jobs_done = 0;
    engine_slim(agent->engine);
    process_memory_return();
}

static void take_net(struct agent *agent, const struct net_event *event)
{
    if (invites_net(agent, event)) return;
    nearby_net(agent, event);
    attempts_net(agent, event);
    renew_net(agent, event);
    switch (event->kind) {
    case NET_UP: // neither dials, nor admits, who is not trusted there
        peers_confirm(agent, event->device, true);
        engine_conn_up(agent->engine, event->conn, event->device, way_of(event), event->lane,
                       event->address);
        break;
    case NET_MESSAGE: engine_message(agent->engine, event->conn, event->bytes); break;
    case NET_DOWN: engine_conn_down(agent->engine, event->conn); break;
    case NET_DRAINED: engine_drained(agent->engine, event->conn); break;
    case NET_FAILED: show_dirty(agent); break;
    case NET_CHANGED:
        engine_network_changed(agent->engine);
        show_dirty(agent);
        break;
    }
}

static bool take_nets(struct agent *agent)
{
    struct net_event event;
    for (int i = 0; i < NET_EVENTS_MAX; i++) {
        read_clocks(agent); // how long an answer took is told by when it came, not its turn
        if (!net_next(agent->net, agent->now_ms, &event)) return true;
        take_net(agent, &event);
    }
    return false;
}

static bool take_requests(struct agent *agent)
{
    for (int i = 0; i < REQUESTS_MAX; i++) {
        struct api_request *request = mailbox_try(agent->inbox);
        if (request == NULL) return true;
        control_request(agent, request);
    }
    return false;
}

// Directories for which there were no watches left are seen by walking from time to time.
static void rescan_unwatched(struct agent *agent)
{
    if (agent->now_ms < agent->rescan_due_ms) return;
    for (uint32_t i = 0; i < agent->folder_count; i++) {
        const struct live_folder *live = &agent->folders[i];
        if (folders_unwatched(agent, live->name) == 0) continue;
        engine_watch(agent->engine, live->folder, ENGINE_RESCAN, slice_text(""));
    }
    agent->rescan_due_ms = INT64_MAX;
}

// Some writes are told by no event: through a mapping, by a hard link from outside, by another
// host.
static void walk_for_missed(struct agent *agent)
{
    bool starts = agent->missed_due_ms == 0;
    if (agent->now_ms < agent->missed_due_ms) return;
    for (uint32_t i = 0; i < agent->folder_count && !starts; i++) {
        const struct live_folder *live = &agent->folders[i];
        if (folders_unwatched(agent, live->name) > 0) continue; // walked as it is
        engine_watch(agent->engine, live->folder, ENGINE_MISSED, slice_text(""));
    }
    agent->missed_due_ms = agent->now_ms + MISSED_MS;
}

static void plan_rescan(struct agent *agent)
{
    if (agent->rescan_due_ms != INT64_MAX || folders_unwatched(agent, NULL) == 0) return;
    agent->rescan_due_ms = agent->now_ms + RESCAN_MS;
}

// What was connected before is asked whether it still is, and all are dialled at once.
static void note_sleep(struct agent *agent)
{
    int64_t total_ms = sleep_total_ms();
    int64_t slept_ms = total_ms - agent->slept_ms;
    agent->slept_ms = total_ms;
    if (slept_ms < SLEEP_MS_MIN) return;
    log_info(LOG_DAEMON, "the machine has slept", "seconds=%lld", (long long)(slept_ms / 1000));
    net_changed(agent->net);
    engine_network_changed(agent->engine);
    renew_soon(agent);
}

static bool turn(struct agent *agent)
{
    note_sleep(agent);
    bool idle = loop_watch(agent);
    idle = take_jobs(agent) && idle;
    idle = take_nets(agent) && idle;
    idle = take_requests(agent) && idle;
    control_pair_take(agent);
    redeem_take(agent);
    invites_expire(agent);
    nearby_settle(agent);
    pausing_settle(agent);
    reload_settle(agent);
    renew_settle(agent);
    rescan_unwatched(agent);
    walk_for_missed(agent);
    slim(agent);
    engine_tick(agent->engine);
    control_settle(agent);
    show_settle(agent);
    plan_rescan(agent);
    return idle;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int sleep_ms(const struct agent *agent)
{
    int64_t due = earlier(engine_deadline(agent->engine), net_next_ms(agent->net));
    due = earlier(due, earlier(control_deadline(agent), show_deadline(agent)));
    due = earlier(due, earlier(agent->rescan_due_ms, invites_deadline(agent)));
    due = earlier(due, agent->missed_due_ms);
    due = earlier(due, earlier(redeem_deadline(agent), nearby_deadline(agent)));
    due = earlier(due, earlier(pausing_deadline(agent), reload_deadline(agent)));
    due = earlier(due, agent->renew_due_ms);
    due = earlier(due, agent->slim_due_ms);
    if (due == INT64_MAX) return -1;
    int64_t left = due - agent_clock_ms();
    if (left < 0) return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

// The last thing that is written, unless a disk does not answer.
static void rest(struct agent *agent)
{
    int fds[] = {agent->wake.read_fd};
    bool ready[] = {false};
    int64_t end = agent_clock_ms() + REST_MS;
    arena_reset(agent->scratch);
    engine_rest(agent->engine);
    while (!engine_rested(agent->engine) && agent_clock_ms() < end) {
        read_clocks(agent);
        (void)take_jobs(agent);
        net_poll(agent->net, fds, ready, 1, REST_STEP_MS);
        if (ready[0]) wake_drain(&agent->wake);
    }
}

// Each is a byte: 1 for SIGHUP.
static void take_signals(struct agent *agent)
{
    char byte;
    bool again = false;
    while (read(agent->signals.read_fd, &byte, 1) == 1) {
        if (byte == 0) agent->ending = true;
        again |= byte == 1;
    }
    if (again && !agent->ending) reload_now(agent);
}

void loop_run(struct agent *agent)
{
    // Those that may not be there come last, and are left out.
    enum { WAKE, SIGNALS, FD_MIN, FD_MAX = FD_MIN + 3 };
    int fds[FD_MAX] = {agent->wake.read_fd, agent->signals.read_fd};
    bool ready[FD_MAX] = {false};
    while (!agent->ending) {
        arena_reset(agent->scratch);
        read_clocks(agent);
        bool idle = turn(agent);
        uint32_t count = FD_MIN, config = FD_MAX, sleep = FD_MAX;
        int watch_fd = disk_watch_fd(agent->workers.disk);
        if (watch_fd >= 0) fds[count++] = watch_fd;
        if (agent->config_fd >= 0) fds[config = count++] = agent->config_fd;
        if (agent->sleep_fd >= 0) fds[sleep = count++] = agent->sleep_fd;
        net_poll(agent->net, fds, ready, count, idle && !agent->ending ? sleep_ms(agent) : 0);
        // Before the mailboxes are looked into: what is put into them from now on wakes anew.
        if (ready[WAKE]) wake_drain(&agent->wake);
        if (config < count && ready[config]) reload_noticed(agent);
        if (sleep < count && ready[sleep]) sleep_drain(agent->sleep_fd);
        if (ready[SIGNALS]) take_signals(agent);
    }
    rest(agent);
}
