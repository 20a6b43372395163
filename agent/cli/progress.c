// SPDX-License-Identifier: MIT
//
// agent/cli/progress — asks for the status in the pauses of another question.
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/progress_priv.h"

enum { QUIET_MS = 1000, EVERY_MS = 400, PACE_MS = 200 };

void pace_see(struct pace *pace, int64_t now_ms, uint64_t left)
{
    int64_t passed_ms = now_ms - pace->at_ms;
    if (pace->at_ms == 0 || left > pace->left || passed_ms < 0) {
        *pace = (struct pace){.at_ms = now_ms, .left = left}; // there is more to do than before
        return;
    }
    if (passed_ms < PACE_MS) return;
    double rate = (double)(pace->left - left) * 1000 / (double)passed_ms;
    pace->rate = pace->rate > 0 ? pace->rate * 0.7 + rate * 0.3 : rate;
    pace->at_ms = now_ms;
    pace->left = left;
}

void pace_print(const struct pace *pace, struct buf *out)
{
    if (pace->rate < 1 || pace->left == 0) return;
    buf_append_text(out, ", ");
    print_bytes(out, (uint64_t)pace->rate);
    double seconds = (double)pace->left / pace->rate;
    if (seconds >= 2 * 86400) {
        buf_append_text(out, "/s, days left");
    } else if (seconds >= 90 * 60) {
        buf_printf(out, "/s, %.0f h left", seconds / 3600);
    } else if (seconds >= 90) {
        buf_printf(out, "/s, %.0f min left", seconds / 60);
    } else {
        buf_printf(out, "/s, %.0f s left", seconds < 1 ? 1 : seconds);
    }
}

void under_way_read(const json_t *status, struct under_way *out)
{
    *out = (struct under_way){0};
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(status, "folders"), at, folder)
    {
        const json_t *in = json_object_get(folder, "pending_in");
        const json_t *away = json_object_get(folder, "pending_out");
        out->in_changes += field_number(in, "changes");
        out->in_bytes += field_number(in, "bytes");
        out->out_changes += field_number(away, "changes");
        out->out_bytes += field_number(away, "bytes");
        if (!field_true(folder, "scanning")) continue;
        out->scanning = true;
        out->scanned += field_number(folder, "scanned");
    }
}

void progress_begin(struct progress *progress, const struct cli_context *context)
{
    *progress = (struct progress){.context = context, .begun_ms = clock_ms(CLOCK_MONOTONIC)};
}

static void add(struct buf *line, const char *arrow, uint64_t changes, uint64_t bytes)
{
    if (changes == 0) return;
    buf_printf(line, "%s%s%" PRIu64 " (", line->size > 0 ? "  " : "", arrow, changes);
    print_bytes(line, bytes);
    buf_append_text(line, ")");
}

void progress_wait(void *context)
{
    struct progress *progress = context;
    int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
    bool soon = now_ms - progress->begun_ms < QUIET_MS ||
                (progress->shown && now_ms - progress->pace.at_ms < EVERY_MS);
    if (soon || progress->context->json || !isatty(STDERR_FILENO)) return;
    AUTO(json_drop) json_t *status = agent_peek(progress->context, "GET", "/v1/status", NULL);
    if (status == NULL) return;
    struct under_way all;
    under_way_read(status, &all);
    pace_see(&progress->pace, now_ms, all.in_bytes + all.out_bytes);
    progress->pace.at_ms = now_ms;
    AUTO(buf_fini) struct buf line = {0};
    if (all.scanning) buf_printf(&line, "looking at the disk, %" PRIu64 " so far", all.scanned);
    add(&line, "↓", all.in_changes, all.in_bytes);
    add(&line, "↑", all.out_changes, all.out_bytes);
    pace_print(&progress->pace, &line);
    if (line.size == 0) buf_append_text(&line, "waiting");
    (void)fprintf(stderr, "\r%s\033[K", buf_text(&line));
    progress->shown = true;
}

void progress_end(struct progress *progress)
{
    if (progress->shown) (void)fputs("\r\033[K", stderr);
}
