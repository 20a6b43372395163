// SPDX-License-Identifier: MIT
//
// GET /metrics: Prometheus' text format 0.0.4. Names of folders and peers are labels; both consist
// of letters, digits, '.', '_' and '-' only, so nothing needs quoting.
#include <inttypes.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/process_priv.h"
#include "agent/daemon/view_priv.h"

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void counters(struct buf *out, const struct engine_counters *c)
{
    const struct {
        const char *name;
        const char *help;
        uint64_t value;
    } rows[] = {
        {"cfgsync_messages_received_total", "Messages from peers.", c->messages_in},
        {"cfgsync_messages_sent_total", "Messages to peers.", c->messages_out},
        {"cfgsync_received_bytes_total", "Bytes of messages from peers.", c->bytes_in},
        {"cfgsync_sent_bytes_total", "Bytes of messages to peers.", c->bytes_out},
        {"cfgsync_contents_received_total", "Contents from peers.", c->contents_in},
        {"cfgsync_contents_sent_total", "Contents to peers.", c->contents_out},
        {"cfgsync_content_received_bytes_total", "Bytes of contents from peers.",
         c->content_bytes_in},
        {"cfgsync_content_sent_bytes_total", "Bytes of contents to peers.", c->content_bytes_out},
        {"cfgsync_content_reused_bytes_total", "Bytes of contents that older files here had.",
         c->content_bytes_reused},
        {"cfgsync_versions_received_total", "Versions learned from peers.", c->versions_in},
        {"cfgsync_versions_minted_total", "Changes found on this disk.", c->minted},
        {"cfgsync_versions_applied_total", "Versions put on this disk.", c->applied},
        {"cfgsync_conflicts_total", "Conflict items made here.", c->conflicts_made},
        {"cfgsync_rounds_total", "Rounds of exchange with peers.", c->rounds},
        {"cfgsync_index_commits_total", "Transactions of the index.", c->commits},
        {"cfgsync_sessions_refused_total", "Sessions that ended because of what was received.",
         c->sessions_refused},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        single(out, rows[i].name, "counter", rows[i].help, rows[i].value);
    }
}

enum folder_number {
    ITEMS,
    BYTES,
    PENDING_IN,
    PENDING_OUT,
    CONFLICTS,
    HELD,
    BLOCKED,
    FOLDER_NUMBERS
};

static uint64_t folder_value(const struct folder_view *view, enum folder_number which)
{
    static const struct folder_status nothing;
    const struct folder_status *engine = view->engine != NULL ? view->engine : &nothing;
    switch (which) {
    case ITEMS: return engine->items;
    case BYTES: return engine->bytes;
    case PENDING_IN: return engine->pending_in;
    case PENDING_OUT: return engine->pending_out;
    case CONFLICTS: return engine->conflicts;
    case HELD: return view->held;
    case BLOCKED: return engine->blocked;
    case FOLDER_NUMBERS: return 0;
    }
    return 0;
}

static void folders(struct buf *out, const struct view *view)
{
    static const struct {
        const char *name;
        const char *help;
    } rows[FOLDER_NUMBERS] = {
        [ITEMS] = {"cfgsync_folder_items", "Items that exist."},
        [BYTES] = {"cfgsync_folder_bytes", "Bytes of their contents."},
        [PENDING_IN] = {"cfgsync_folder_pending_in", "Items that this disk does not show yet."},
        [PENDING_OUT] = {"cfgsync_folder_pending_out",
                         "Changes owed to the peer that is owed most."},
        [CONFLICTS] = {"cfgsync_folder_conflicts", "Conflict items."},
        [HELD] = {"cfgsync_folder_held", "Things that wait for a person."},
        [BLOCKED] = {"cfgsync_folder_blocked", "Items that cannot be put on this disk now."},
    };
    for (int n = 0; n < FOLDER_NUMBERS; n++) {
        head(out, rows[n].name, "gauge", rows[n].help);
        for (uint32_t i = 0; i < view->folder_count; i++) {
            const struct folder_view *folder = &view->folders[i];
            buf_printf(out, "%s{folder=\"%s\"} %" PRIu64 "\n", rows[n].name, folder->registry->name,
                       folder_value(folder, (enum folder_number)n));
        }
    }
}

static void peers(struct buf *out, const struct view *view)
{
    const struct engine_status *status = &view->engine;
    head(out, "cfgsync_peer_connected", "gauge", "1 if there is a session with the peer.");
    for (uint32_t i = 0; i < status->peer_count; i++) {
        buf_printf(out, "cfgsync_peer_connected{peer=\"%.*s\"} %d\n",
                   SLICE_ARG(status->peers[i].name), status->peers[i].connected ? 1 : 0);
    }
    head(out, "cfgsync_peer_owed_changes", "gauge", "Changes that the peer does not have yet.");
    for (uint32_t i = 0; i < status->peer_count; i++) {
        buf_printf(out, "cfgsync_peer_owed_changes{peer=\"%.*s\"} %" PRIu64 "\n",
                   SLICE_ARG(status->peers[i].name), status->peers[i].owed_changes);
    }
    head(out, "cfgsync_peer_owed_bytes", "gauge",
         "Bytes of contents that the peer does not have yet.");
    for (uint32_t i = 0; i < status->peer_count; i++) {
        buf_printf(out, "cfgsync_peer_owed_bytes{peer=\"%.*s\"} %" PRIu64 "\n",
                   SLICE_ARG(status->peers[i].name), status->peers[i].owed_bytes);
    }
}

void control_metrics(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct view view;
    AUTO(buf_fini) struct buf out = {0};
    view_take(agent, agent->scratch, &view);
    head(&out, "cfgsync_info", "gauge", "The program's version.");
    buf_printf(&out, "cfgsync_info{version=\"%s\"} 1\n", CFGSYNC_VERSION);
    single(&out, "cfgsync_uptime_seconds", "gauge", "Seconds since the agent started.",
           (uint64_t)(agent->now_ms - agent->started_ms) / 1000);
    single(&out, "cfgsync_resident_bytes", "gauge", "Resident memory.", process_rss_bytes());
    head(&out, "cfgsync_cpu_seconds_total", "counter", "CPU time of all threads.");
    uint64_t cpu_ms = process_cpu_ms();
    buf_printf(&out, "cfgsync_cpu_seconds_total %" PRIu64 ".%03" PRIu64 "\n", cpu_ms / 1000,
               cpu_ms % 1000);
    counters(&out, &view.engine.counters);
    folders(&out, &view);
    peers(&out, &view);
    api_answer(agent->api, request, 200, "text/plain; version=0.0.4", buf_slice(&out));
}
