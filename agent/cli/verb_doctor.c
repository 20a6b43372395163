// SPDX-License-Identifier: MIT
//
// agent/cli/verb_doctor — what is well and what is not, and what to do about it: this machine (the
// daemon's room looks), then what the running agent says.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/finding.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { CLOCK_LEAST_MS = 2000, CLOCK_MOST_MS = 60 * 1000 };

static void look_agent(json_t *findings, const json_t *status)
{
    const char *version =
        field_text(json_object_get(status, "version"), "program", CFGSYNC_VERSION);
    if (strcmp(version, CFGSYNC_VERSION) != 0) {
        finding_add(findings, FINDING_WARNING, "agent", "restart it",
                    "the running one is version %s, this program is %s", version, CFGSYNC_VERSION);
        return;
    }
    AUTO(buf_fini) struct buf since = {0};
    int64_t now_ms = (int64_t)field_number(status, "now_ms");
    print_ago(&since, now_ms - (int64_t)field_number(status, "uptime_ms"), now_ms);
    finding_add(findings, FINDING_OK, "agent", NULL, "pid %" PRIu64 ", started %s",
                field_number(status, "pid"), buf_text(&since));
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "tcp://127.", 10) == 0 || strncmp(address, "tcp://[::1]", 11) == 0;
}

// What is in force cannot be read without root: that it is switched on is what can be told.
static const char *firewall(void)
{
    static const char *const places[][2] = {
        {"/run/firewalld/firewalld.pid", "sudo firewall-cmd --permanent --add-port="},
        {"/run/firewalld.pid", "sudo firewall-cmd --permanent --add-port="},
        {"/run/ufw.lock", "sudo ufw allow "},
        {"/lib/ufw/ufw.lock", "sudo ufw allow "},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i][0], F_OK) == 0) return places[i][1];
    return NULL;
}

static bool any_incoming(const json_t *status)
{
    size_t at;
    json_t *peer;
    json_array_foreach(json_object_get(status, "peers"), at, peer)
    {
        if (strcmp(field_text(peer, "from", ""), "incoming") == 0) return true;
    }
    return false;
}

static void look_ports(json_t *findings, const json_t *status)
{
    const json_t *listen = json_object_get(status, "listen");
    AUTO(buf_fini) struct buf all = {0};
    bool outside = false;
    const char *port = "";
    for (size_t i = 0; i < json_array_size(listen); i++) {
        const char *address = json_string_value(json_array_get(listen, i));
        buf_printf(&all, "%s%s", i > 0 ? ", " : "", address);
        if (is_loopback(address)) continue;
        outside = true;
        port = strrchr(address, ':') + 1;
    }
    const char *command = firewall();
    AUTO(buf_fini) struct buf fix = {0};
    if (all.size == 0) {
        finding_add(findings, FINDING_OK, "ports", NULL, "listens nowhere, only dials");
    } else if (!outside) {
        finding_add(findings, FINDING_WARNING, "ports", "listen = {\"tcp://*:7575\"} in the config",
                    "%s: other machines cannot connect", buf_text(&all));
    } else if (command != NULL && !any_incoming(status)) {
        buf_printf(&fix, "%s%s/tcp, if other machines shall connect", command, port);
        finding_add(findings, FINDING_WARNING, "ports", buf_text(&fix),
                    "%s; a firewall is on, and nobody has connected from outside", buf_text(&all));
    } else {
        finding_add(findings, FINDING_OK, "ports", NULL, "%s", buf_text(&all));
    }
}

static void look_discovery(json_t *findings, const json_t *status)
{
    const char *state = field_text(status, "discovery", "?");
    bool away = strcmp(state, "away") == 0;
    finding_add(
        findings, away ? FINDING_WARNING : FINDING_OK, "mDNS",
        away ? "install and start avahi-daemon, or set discovery = off in the config" : NULL, "%s",
        away                          ? "no service answers: peers are found by address alone"
        : strcmp(state, "off") == 0   ? "switched off in the config"
        : strcmp(state, "none") == 0  ? "not built into this program"
        : strcmp(state, "works") == 0 ? "works"
                                      : state);
}

static void look_watches(json_t *findings, const json_t *status)
{
    const json_t *watches = json_object_get(status, "watches");
    uint64_t used = field_number(watches, "used");
    uint64_t limit = field_number(watches, "limit");
    uint64_t missing = field_number(watches, "missing");
    AUTO(buf_fini) struct buf fix = {0};
    buf_printf(&fix,
               "echo fs.inotify.max_user_watches=%" PRIu64
               " | sudo tee /etc/sysctl.d/60-cfgsync.conf && sudo sysctl --system",
               4 * (used + missing) > limit ? 4 * (used + missing) : 2 * limit);
    if (missing > 0) {
        finding_add(findings, FINDING_ERROR, "watches", buf_text(&fix),
                    "%" PRIu64 " directories cannot be watched, and are walked every 30 s; %" PRIu64
                    " of at most %" PRIu64 " are",
                    missing, used, limit);
    } else if (limit > 0 && used > limit / 10 * 8) {
        finding_add(findings, FINDING_WARNING, "watches", buf_text(&fix),
                    "%" PRIu64 " of at most %" PRIu64, used, limit);
    } else {
        AUTO(buf_fini) struct buf most = {0};
        if (limit > 0) buf_printf(&most, ", at most %" PRIu64, limit);
        finding_add(findings, FINDING_OK, "watches", NULL, "%" PRIu64 "%s", used, buf_text(&most));
    }
}

static void look_peer(json_t *findings, const json_t *peer, int64_t now_ms)
{
    AUTO(buf_fini) struct buf subject = {0};
    AUTO(buf_fini) struct buf seen = {0};
    buf_printf(&subject, "peer %s", field_text(peer, "name", "?"));
    uint64_t last = field_number(peer, "last_seen");
    buf_append_text(&seen, last > 0 ? "last seen " : "never seen");
    if (last > 0) print_ago(&seen, (int64_t)last, now_ms);
    int64_t clock_ms = json_integer_value(json_object_get(peer, "clock_ms"));
    int64_t off_ms = clock_ms < 0 ? -clock_ms : clock_ms;
    const char *reason = field_text(peer, "reason", NULL);
    if (!field_true(peer, "connected")) {
        finding_add(findings, FINDING_WARNING, buf_text(&subject),
                    field_text(peer, "hint", "is its agent running? cfgsync-agent peer list"),
                    "not connected, %s%s%s", buf_text(&seen), reason != NULL ? "; " : "",
                    reason != NULL ? reason : "");
    } else if (off_ms >= CLOCK_LEAST_MS) {
        finding_add(findings, off_ms >= CLOCK_MOST_MS ? FINDING_ERROR : FINDING_WARNING,
                    buf_text(&subject), "set both clocks: timedatectl set-ntp true",
                    "its clock is %" PRId64 " s %s: of two edits the wrong one may keep the name",
                    off_ms / 1000, clock_ms > 0 ? "ahead" : "behind");
    } else {
        finding_add(findings, FINDING_OK, buf_text(&subject), NULL, "connected, %s",
                    field_text(peer, "address", "?"));
    }
}

static void look_peers(json_t *findings, const json_t *status)
{
    size_t at;
    json_t *peer;
    json_t *peers = json_object_get(status, "peers");
    json_array_foreach(peers, at, peer)
    {
        look_peer(findings, peer, (int64_t)field_number(status, "now_ms"));
    }
    if (json_array_size(peers) > 0) return;
    finding_add(findings, FINDING_WARNING, "peers", "cfgsync-agent pair", "none yet");
}

static void look_running(const struct cli_context *context, json_t *findings)
{
    AUTO(json_drop) json_t *status = agent_peek(context, "GET", "/v1/status", NULL);
    if (status == NULL) {
        bool alive = home_owner(&context->home) != 0;
        finding_add(findings, FINDING_ERROR, "agent",
                    alive ? "cfgsync-agent stop, then start it again" : "cfgsync-agent run", "%s",
                    alive ? "it does not answer" : "none is running");
        return;
    }
    look_agent(findings, status);
    look_ports(findings, status);
    look_discovery(findings, status);
    look_watches(findings, status);
    look_peers(findings, status);
    size_t problems = json_array_size(json_object_get(status, "errors"));
    finding_add(findings, problems > 0 ? FINDING_WARNING : FINDING_OK, "status",
                problems > 0 ? "cfgsync-agent status" : NULL, "%s",
                problems > 0 ? "it shows problems" : "no problems");
}

static void print_finding(const struct cli_context *context, const json_t *finding)
{
    const char *level = field_text(finding, "level", "?");
    const char *fix = field_text(finding, "fix", NULL);
    const char *color = strcmp(level, "ok") == 0        ? "\033[32m"
                        : strcmp(level, "warning") == 0 ? "\033[33m"
                                                        : "\033[31m";
    printf("%s%-8s%s %s: %s\n", context->color ? color : "", level, context->color ? "\033[0m" : "",
           field_text(finding, "subject", "?"), field_text(finding, "text", ""));
    if (fix != NULL) printf("         %s\n", fix);
}

static size_t count_of(const json_t *findings, const char *level)
{
    size_t count = 0, at;
    json_t *finding;
    json_array_foreach((json_t *)(uintptr_t)findings, at, finding)
    {
        count += strcmp(field_text(finding, "level", ""), level) == 0;
    }
    return count;
}

static int run(const struct cli_context *context, const struct args *args)
{
    (void)args;
    AUTO(json_drop) json_t *findings = json_array();
    context->hooks->examine(context, findings);
    look_running(context, findings);
    size_t errors = count_of(findings, "error");
    size_t warnings = count_of(findings, "warning");
    if (context->json) {
        AUTO(json_drop)
        json_t *out = json_pack("{s:O, s:I, s:I}", "findings", findings, "errors",
                                (json_int_t)errors, "warnings", (json_int_t)warnings);
        print_json(out);
        return errors > 0 ? CLI_FAILED : CLI_DONE;
    }
    size_t at;
    json_t *finding;
    json_array_foreach(findings, at, finding) print_finding(context, finding);
    AUTO(buf_fini) struct buf sum = {0};
    print_count(&sum, errors, "error");
    buf_append_text(&sum, ", ");
    print_count(&sum, warnings, "warning");
    printf("\n%s\n", errors + warnings > 0 ? buf_text(&sum) : "all is well");
    return errors > 0 ? CLI_FAILED : CLI_DONE;
}

const struct cli_verb verb_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "look for what is wrong on this machine, and say how to fix it",
    .help =
        "Looks at the agent's files, the folders' disks, limits, ports, clocks, mDNS and peers.\n"
        "Each line is ok, a warning or an error; below it what to do. Exit 1 if there are\n"
        "errors. Changes nothing, and works without a running agent.",
    .run = run,
};
