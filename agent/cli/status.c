// SPDX-License-Identifier: MIT
//
// agent/cli/status — one line per folder and peer, then what needs somebody. "↓" is what this disk
// does not show yet, "↑" what the others do not.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pauses_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/status_priv.h"

struct paint {
    const char *state;
    const char *color;
};

static const char *color_of(const struct cli_context *context, const char *state)
{
    static const struct paint paints[] = {
        {"synced", "\033[32m"}, {"conflict", "\033[31m"}, {"error", "\033[31m"},
        {"held", "\033[33m"},   {"paused", "\033[33m"},
    };
    if (!context->color) return "";
    for (size_t i = 0; i < sizeof paints / sizeof paints[0]; i++) {
        if (strcmp(paints[i].state, state) == 0) return paints[i].color;
    }
    return "\033[36m";
}

int status_exit(const json_t *status)
{
    uint64_t conflicts = 0;
    bool held = false;
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(status, "folders"), at, folder)
    {
        conflicts += field_number(folder, "conflicts");
        held = held || field_number(folder, "held") > 0 ||
               strcmp(field_text(folder, "state", ""), "held") == 0;
    }
    if (conflicts > 0) return CLI_CONFLICTS;
    return held ? CLI_HELD : CLI_DONE;
}

static void add_pending(struct buf *out, const json_t *object, const char *key, const char *arrow)
{
    const json_t *pending = json_object_get(object, key);
    uint64_t changes = field_number(pending, "changes");
    uint64_t bytes = field_number(pending, "bytes");
    if (changes == 0) return;
    if (out->size > 0) buf_append_text(out, " ");
    buf_printf(out, "%s%" PRIu64, arrow, changes);
    if (bytes == 0) return;
    buf_append_text(out, " (");
    print_bytes(out, bytes);
    buf_append_text(out, ")");
}

static void add_more(struct buf *out, uint64_t count, const char *what)
{
    if (count == 0) return;
    if (out->size > 0) buf_append_text(out, ", ");
    buf_printf(out, "%" PRIu64 " %s", count, what);
}

static void folder_row(struct table *table, const json_t *folder)
{
    const char *code = field_text(folder, "code", NULL);
    AUTO(buf_fini) struct buf state = {0};
    buf_append_text(&state, field_text(folder, "state", "?"));
    if (code != NULL) buf_printf(&state, " (%s)", code);
    const char *mode = field_text(folder, "mode", "two-way");
    if (strcmp(mode, "two-way") != 0) buf_printf(&state, ", %s", mode);
    AUTO(buf_fini) struct buf size = {0};
    print_count(&size, field_number(folder, "items"), "item");
    buf_append_text(&size, ", ");
    print_bytes(&size, field_number(folder, "bytes"));
    AUTO(buf_fini) struct buf pending = {0};
    add_pending(&pending, folder, "pending_in", "↓");
    add_pending(&pending, folder, "pending_out", "↑");
    add_more(&pending, field_number(folder, "conflicts"), "in conflict");
    add_more(&pending, field_number(folder, "held"), "held");
    add_more(&pending, field_number(folder, "differs"), "differ here");
    add_more(&pending, field_number(folder, "changed_here"), "changed only here");
    table_cell(table, field_text(folder, "name", "?"));
    table_cell(table, buf_text(&state));
    table_cell(table, buf_text(&size));
    table_cell(table, buf_text(&pending));
    table_cell(table, field_text(folder, "path", ""));
}

static void add_path(struct buf *out, const json_t *peer)
{
    const char *from = field_text(peer, "from", NULL);
    const json_t *rtt = json_object_get(peer, "rtt_ms");
    const char *via = field_text(peer, "via", NULL);
    if (via != NULL) buf_printf(out, "%s ", via);
    buf_append_text(out, field_text(peer, "address", "connected"));
    if (from != NULL) {
        bool says_both = strcmp(from, "incoming") == 0 || field_true(peer, "dialled");
        buf_printf(out, " (%s%s)", from, says_both ? "" : ", it dialled");
    }
    if (json_is_number(rtt)) buf_printf(out, ", %.0f ms", json_number_value(rtt));
}

enum { CLOCK_S_MAX = 120 }; // apart: worth a word

static void add_clock(struct buf *out, const json_t *peer)
{
    double seconds = json_number_value(json_object_get(peer, "clock_ms")) / 1000;
    if (seconds > -CLOCK_S_MAX && seconds < CLOCK_S_MAX) return;
    buf_printf(out, "; its clock is %.0f s %s this one: timedatectl",
               seconds < 0 ? -seconds : seconds, seconds < 0 ? "behind" : "ahead of");
}

void status_link(struct buf *out, const json_t *peer, int64_t now_ms)
{
    uint64_t seen = field_number(peer, "last_seen");
    if (field_true(peer, "connected")) {
        add_path(out, peer);
        add_clock(out, peer);
        return;
    }
    buf_append_text(out, seen > 0 ? "last seen " : "never seen");
    if (seen > 0) print_ago(out, (int64_t)seen, now_ms);
    const char *reason = field_text(peer, "reason", NULL);
    if (reason != NULL) buf_printf(out, "; %s", reason);
}

static void peer_row(struct table *table, const json_t *peer, int64_t now_ms)
{
    AUTO(buf_fini) struct buf pending = {0};
    add_pending(&pending, peer, "pending_in", "↓");
    add_pending(&pending, peer, "pending_out", "↑");
    AUTO(buf_fini) struct buf link = {0};
    status_link(&link, peer, now_ms);
    AUTO(buf_fini) struct buf folders = {0};
    size_t at;
    json_t *name;
    json_array_foreach(json_object_get(peer, "folders"), at, name)
    {
        buf_printf(&folders, "%s%s", at > 0 ? "," : "", json_string_value(name));
    }
    table_cell(table, field_text(peer, "name", "?"));
    table_cell(table, field_true(peer, "connected") ? "connected" : "away");
    table_cell(table, buf_text(&pending));
    table_cell(table, folders.size > 0 ? buf_text(&folders) : "no folders");
    table_cell(table, buf_text(&link));
}

// Of the rest that waits for a person the errors tell.
static void print_conflicts(const json_t *folders)
{
    uint64_t all = 0;
    size_t at;
    json_t *folder;
    json_array_foreach((json_t *)(uintptr_t)folders, at, folder)
    {
        uint64_t conflicts = field_number(folder, "conflicts");
        if (conflicts == 0) continue;
        AUTO(buf_fini) struct buf line = {0};
        print_count(&line, conflicts, "edit");
        printf("%s  %s: %s set aside\n", all == 0 ? "\nconflicts\n" : "",
               field_text(folder, "name", "?"), buf_text(&line));
        all += conflicts;
    }
    if (all > 0) (void)puts("    cfgsync-agent conflicts");
}

// What to do about those that are not there, as far as it is known.
static void print_away(const json_t *peers)
{
    size_t at;
    json_t *peer;
    json_array_foreach((json_t *)(uintptr_t)peers, at, peer)
    {
        const char *hint = field_text(peer, "hint", NULL);
        if (hint != NULL) printf("    %s: %s\n", field_text(peer, "name", "?"), hint);
    }
}

// Who is trusted elsewhere; what there is to know of each, peer list has.
static void print_known(const json_t *known)
{
    size_t at;
    json_t *device;
    json_array_foreach((json_t *)(uintptr_t)known, at, device)
        printf("%s%s", at == 0 ? "    known to your devices, not trusted here: " : ", ",
               field_text(device, "name", "?"));
    if (json_array_size(known) > 0) (void)puts("; cfgsync-agent peer list");
}

static void print_errors(const json_t *errors)
{
    size_t at;
    json_t *error;
    json_array_foreach((json_t *)(uintptr_t)errors, at, error)
    {
        const char *folder = field_text(error, "folder", NULL);
        const char *path = field_text(error, "path", NULL);
        const char *peer = field_text(error, "peer", NULL);
        const char *hint = field_text(error, "hint", NULL);
        if (at == 0) (void)puts("\nproblems");
        printf("  %s%s%s%s%s%s%s: %s\n", field_text(error, "code", "error"), folder ? " " : "",
               folder ? folder : "", path ? "/" : "", path ? path : "", peer ? " at " : "",
               peer ? peer : "", field_text(error, "message", ""));
        if (hint != NULL) printf("    %s\n", hint);
    }
}

void status_print(const struct cli_context *context, const json_t *status, struct pace *pace)
{
    const json_t *device = json_object_get(status, "device");
    const char *state = field_text(status, "state", "?");
    size_t at;
    json_t *one;
    AUTO(buf_fini) struct buf speed = {0};
    if (pace != NULL) {
        struct under_way all;
        under_way_read(status, &all);
        pace_see(pace, (int64_t)field_number(status, "now_ms"), all.in_bytes + all.out_bytes);
        pace_print(pace, &speed);
    }
    printf("%s  %s%s%s%s\n", field_text(device, "name", "?"), color_of(context, state), state,
           context->color ? "\033[0m" : "", buf_text(&speed));
    (void)pauses_print(json_object_get(status, "pauses"), "");

    struct table table;
    table_init(&table, 5);
    json_array_foreach(json_object_get(status, "folders"), at, one) folder_row(&table, one);
    (void)puts(table.cell_count > 0 ? "\nfolders" : "\nno folders; cfgsync-agent folder add");
    table_print(&table, "  ");
    table_fini(&table);

    table_init(&table, 5);
    int64_t now_ms = (int64_t)field_number(status, "now_ms");
    json_array_foreach(json_object_get(status, "peers"), at, one) peer_row(&table, one, now_ms);
    (void)puts(table.cell_count > 0 ? "\npeers" : "\nno peers; cfgsync-agent peer add");
    table_print(&table, "  ");
    table_fini(&table);
    print_away(json_object_get(status, "peers"));
    print_known(json_object_get(status, "known"));
    print_conflicts(json_object_get(status, "folders"));
    print_errors(json_object_get(status, "errors"));
}
