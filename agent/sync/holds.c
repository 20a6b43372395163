// SPDX-License-Identifier: MIT
//
// HOLD: a brake tells the other devices of the folder that something waits for a person, so that
// whoever made the change sees it where it was made.
#include <stdio.h>
#include <string.h>

#include "agent/sync/brake_priv.h"

static void hold_send(struct share *share, bool unpublished)
{
    struct folder *folder = share->folder;
    struct told *told = &share->told_holds[unpublished];
    struct message m = {.kind = MSG_HELD};
    const char *brake = unpublished ? brake_text(folder) : brake_in_text(folder);
    uint64_t changes = unpublished ? brake_held(folder) : brake_in_held(folder);
    if (changes == 0) brake = "";
    if (told->changes == changes && strcmp(told->brake != NULL ? told->brake : "", brake) == 0)
        return;
    m.hold.folder = folder->row.id;
    m.hold.brake = slice_text(brake);
    m.hold.changes = changes;
    m.hold.unpublished = unpublished;
    if (!unpublished && changes > 0) {
        m.hold.spans =
            arena_alloc(folder->engine->scratch, PROTO_HOLD_SPANS_MAX, sizeof *m.hold.spans);
        m.hold.span_count = brake_in_spans(folder, PROTO_HOLD_SPANS_MAX, m.hold.spans);
    }
    if (session_send(share->session, LANE_CONTROL, &m))
        *told = (struct told){.brake = brake, .changes = changes};
}

void holds_show(struct share *share)
{
    hold_send(share, false);
    hold_send(share, true);
}

void holds_tell(struct folder *folder)
{
    for (struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->joined) holds_show(share);
    }
}

void holds_forget(struct share *share)
{
    for (int i = 0; i < 2; i++) {
        mem_free(&share->holds[i].spans);
        share->holds[i] = (struct peer_hold){0};
        share->told_holds[i] = (struct told){0};
    }
}

void hold_handle(struct share *share, const struct msg_hold *m)
{
    struct peer_hold *hold = &share->holds[m->unpublished];
    bool new = hold->changes == 0 && m->changes > 0;
    mem_free(&hold->spans);
    *hold = (struct peer_hold){.changes = m->changes};
    (void)snprintf(hold->brake, sizeof hold->brake, "%.*s", SLICE_ARG(m->brake));
    if (m->span_count > 0) {
        hold->spans = mem_alloc(m->span_count * sizeof *hold->spans);
        memcpy(hold->spans, m->spans, m->span_count * sizeof *hold->spans);
        hold->span_count = m->span_count;
    }
    if (new) {
        char brake[LOG_ESCAPED_MAX];
        log_warn(LOG_SYNC, "held there", "folder=%s peer=%s brake=%s changes=%llu",
                 share->folder->name, share->session->peer->name, log_escape(m->brake, brake),
                 (unsigned long long)m->changes);
    }
    engine_changed(share->folder->engine);
}
