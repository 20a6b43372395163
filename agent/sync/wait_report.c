// SPDX-License-Identifier: MIT
//
// What a request of wait.c ends with: a line for each thing to know, and how it went.
#include <string.h>

#include "agent/sync/wait_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

struct report {
    struct arena *arena;
    struct sync_line *lines;
    uint32_t count, capacity;
    int exit;
};

static void report_add(struct report *report, int exit_code, bool problem, const char *text)
{
    if (report->count == report->capacity) {
        uint32_t grown = report->capacity == 0 ? 16 : 2 * report->capacity;
        struct sync_line *lines = arena_alloc(report->arena, grown, sizeof *lines);
        if (report->count > 0) memcpy(lines, report->lines, report->count * sizeof *lines);
        report->lines = lines;
        report->capacity = grown;
    }
    report->lines[report->count++] =
        (struct sync_line){.problem = problem, .text = slice_text(text)};
    if (exit_code == 5 ||
        (report->exit != 5 && exit_code > 0 && (report->exit == 0 || exit_code == 4))) {
        report->exit = exit_code;
    }
}

static const char *peer_name(struct engine *engine, struct device_id device)
{
    return peer_find(engine, device)->name; // or the target is over
}

static void report_blocked_there(struct report *report, const struct target *t)
{
    struct bond *bond = bond_get(t->folder, t->device);
    struct msg_applied said;
    if (bond->blocked_total == 0 || !bond_blocked(report->arena, bond, &said)) return;
    for (uint32_t i = 0; i < said.blocked_count; i++) {
        const struct blocked_item *b = &said.blocked[i];
        if (!applied_minded(b->reason)) continue;
        char path[LOG_ESCAPED_MAX], reason[LOG_ESCAPED_MAX];
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: %s cannot take it: %s",
                                log_escape(b->path, path), peer_name(t->folder->engine, t->device),
                                log_escape(b->reason, reason)));
    }
}

static void report_blocked_here(struct report *report, struct folder *folder)
{
    struct slice paths[PROTO_BLOCKED_MAX];
    if (folder->row.blocked == 0) return;
    for (unsigned reason = BLOCKED_NONE + 1; reason < BLOCKED_COUNT; reason++) {
        if (!blocked_minded((enum blocked)reason)) continue;
        uint32_t count = INDEX(folder)->blocked(INDEX(folder)->self, report->arena, folder->number,
                                                (enum blocked)reason, 0, PROTO_BLOCKED_MAX, paths);
        for (uint32_t i = 0; i < count; i++) {
            char path[LOG_ESCAPED_MAX];
            report_add(report, 1, true,
                       arena_printf(report->arena, "%s: cannot be put here: %s",
                                    log_escape(paths[i], path),
                                    blocked_text((enum blocked)reason)));
        }
    }
}

static void report_unread(struct report *report, const struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *problem;
    while (map_next(folder->problems, &at, &path, &problem)) {
        char escaped[LOG_ESCAPED_MAX];
        if (problem_blocked(problem) == BLOCKED_NONE) continue;
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: %s here", log_escape(path, escaped),
                                problem_what(problem)));
    }
}

static void report_late(struct report *report, const struct target *t)
{
    struct engine *engine = t->folder->engine;
    const char *name = peer_name(engine, t->device);
    if (peer_session(engine, t->device) == NULL) {
        report_add(report, 4, true,
                   arena_printf(report->arena, "%s: %s is not connected", t->folder->name, name));
        return;
    }
    if (share_paused_there(target_share(t))) {
        report_add(report, 4, true,
                   arena_printf(report->arena, "%s: paused on %s", t->folder->name, name));
        return;
    }
    const struct bond *bond = bond_get(t->folder, t->device);
    report_add(report, 4, true,
               arena_printf(report->arena,
                            "%s: %s has not finished in time (%llu changes to go there, %llu here)",
                            t->folder->name, name, (unsigned long long)bond->need_changes,
                            (unsigned long long)t->folder->row.needs));
}

static void report_held_there(struct report *report, const struct target *t)
{
    const struct share *share = target_share(t);
    const char *name = peer_name(t->folder->engine, t->device);
    const char *folder = t->folder->name;
    for (int i = 0; i < 2; i++) {
        const struct peer_hold *hold = &share->holds[i];
        if (hold->changes == 0) continue;
        report_add(report, 5, true,
                   arena_printf(report->arena, "%s: %s holds %llu changes (%s): decide there",
                                folder, name, (unsigned long long)hold->changes, hold->brake));
    }
}

static void report_held_here(struct report *report, const struct folder *folder)
{
    uint64_t held = brake_held(folder) + brake_in_held(folder);
    if (held == 0) return;
    report_add(report, 5, true,
               arena_printf(report->arena,
                            "%s: %llu changes are held (%s): cfgsync-agent plan %s, then approve "
                            "or revert",
                            folder->name, (unsigned long long)held, brake_code(folder),
                            folder->name));
}

static void report_stopped(struct report *report, const struct folder *folder)
{
    char path[LOG_ESCAPED_MAX];
    const char *unread = log_escape(buf_slice(&folder->unread), path);
    report_add(report, 1, true,
               arena_printf(report->arena, "%s: stopped: %s%s%s", folder->name, unread,
                            unread[0] != 0 ? ": " : "", folder->root_what));
}

static void report_folders(struct engine *engine, const struct sync_wait *wait,
                           struct report *report)
{
    bool any = false;
    for (struct folder *f = engine->folders; f != NULL; f = f->next) {
        if (!wait_concerns(wait, f)) continue;
        any = true;
        if (f->root == ROOT_MISSING) {
            report_stopped(report, f);
        } else if (wait->wait) {
            report_held_here(report, f);
            report_blocked_here(report, f);
            report_unread(report, f);
        }
    }
    if (!any && !wait->all_folders) {
        report_add(report, 1, true,
                   arena_printf(report->arena, "%s: there is no such folder", wait->folder));
    }
}

void wait_report(struct engine *engine, const struct sync_wait *wait, bool late,
                 struct sync_result *out)
{
    struct report report = {.arena = engine->scratch};
    for (const struct target *t = wait->targets; t != NULL; t = t->next) {
        if (target_over(t)) continue;
        const char *name = peer_name(engine, t->device);
        if (target_paused_here(t)) {
            report_add(&report, wait->wait ? 4 : 0, wait->wait,
                       arena_printf(report.arena, "%s: paused with %s: cfgsync-agent resume",
                                    t->folder->name, name));
        } else if (target_pending(t)) {
            const char *text = arena_printf(
                report.arena, "%s: join-pending with %s: cfgsync-agent folder accept %s --from %s",
                t->folder->name, name, t->folder->name, name);
            report_add(&report, 5, true, text);
        } else if (target_not_carried(t)) {
            report_add(&report, 0, false,
                       arena_printf(report.arena, "%s: %s does not carry this folder",
                                    t->folder->name, name));
        } else if (wait->wait && target_held_there(t)) {
            report_held_there(&report, t);
        } else if (late && !target_done(t, wait->wait, report.arena)) {
            report_late(&report, t);
        } else if (wait->wait) {
            report_blocked_there(&report, t);
        }
    }
    if (late && wait->phase == PHASE_PRESENT)
        report_add(&report, 4, true, "what is on this disk was not looked at in time");
    report_folders(engine, wait, &report);
    *out = (struct sync_result){.exit = report.exit, .lines = report.lines, .count = report.count};
}
