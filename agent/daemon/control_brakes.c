// SPDX-License-Identifier: MIT
//
// What brakes hold: approved, reverted. Showing it has a file of its own.
#include <string.h>

#include "agent/daemon/control_priv.h"

bool control_folder_known(struct agent *agent, uint64_t request, const char *name)
{
    if (name == NULL || folders_find(agent, name) != NULL) return true;
    control_unknown_folder(agent, request, name);
    return false;
}

static bool needs_decision(struct agent *agent, const char *name)
{
    struct plan plan;
    if (!engine_plan(agent->engine, agent->scratch, name, &plan)) return false;
    bool there = false;
    for (uint32_t i = 0; i < plan.peer_count; i++)
        there |= plan.peers[i].of_others > 0;
    return there || plan.brake[0] != '\0' || plan.in_brake[0] != '\0';
}

// Without a name: the one folder in which something is held.
static const char *folder_meant(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "folder");
    if (!control_folder_known(agent, request, name)) return NULL;
    uint32_t held = 0;
    for (uint32_t i = 0; name == NULL && i < agent->folder_count; i++)
        held += needs_decision(agent, agent->folders[i].name);
    for (uint32_t i = 0; name == NULL && held == 1; i++)
        if (needs_decision(agent, agent->folders[i].name)) return agent->folders[i].name;
    if (name != NULL) return name;
    if (held == 0)
        control_refuse(agent, request, REFUSE_NOT_POSSIBLE, NULL, "nothing is held");
    else
        control_refuse(agent, request, REFUSE_BAD_VALUE, "cfgsync-agent plan shows them",
                       "something is held in %u folders: say which", held);
    return NULL;
}

static void decide(struct agent *agent, uint64_t request, const json_t *body,
                   enum decision_kind kind)
{
    struct decision decision = {.kind = kind, .folder = folder_meant(agent, request, body)};
    if (decision.folder != NULL) engine_decide(agent->engine, request, &decision);
}

void control_approve(struct agent *agent, uint64_t request, const json_t *body)
{
    decide(agent, request, body, DECIDE_APPROVE);
}

void control_revert(struct agent *agent, uint64_t request, const json_t *body)
{
    decide(agent, request, body, DECIDE_REVERT);
}
