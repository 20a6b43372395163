// SPDX-License-Identifier: MIT
//
// A name that nobody and nothing has, and what may have been meant.
#include <string.h>

#include "agent/base/own.h"
#include "agent/base/suggest.h"
#include "agent/daemon/control_priv.h"

static const char *hint_of(const struct suggestion *best, const char *otherwise, struct buf *out)
{
    if (best->text == NULL) return otherwise;
    buf_printf(out, "did you mean %s?", best->text);
    return buf_text(out);
}

void control_unknown_peer(struct agent *agent, uint64_t request, const char *name)
{
    struct suggestion best;
    const struct registry_peer *peers;
    AUTO(buf_fini) struct buf hint = {0};
    uint32_t count = registry_peers(agent->registry, &peers);
    suggest_begin(&best, name, strlen(name));
    for (uint32_t i = 0; i < count; i++)
        suggest_offer(&best, peers[i].name);
    control_refuse(agent, request, REFUSE_UNKNOWN_PEER,
                   hint_of(&best, "cfgsync-agent peer list shows all", &hint),
                   "no peer is called %.64s", name);
}

void control_unknown_folder(struct agent *agent, uint64_t request, const char *name)
{
    struct suggestion best;
    const struct registry_folder *folders;
    AUTO(buf_fini) struct buf hint = {0};
    uint32_t count = registry_folders(agent->registry, &folders);
    suggest_begin(&best, name, strlen(name));
    for (uint32_t i = 0; i < count; i++)
        suggest_offer(&best, folders[i].name);
    control_refuse(agent, request, REFUSE_UNKNOWN_FOLDER,
                   hint_of(&best, "cfgsync-agent folder list shows all", &hint),
                   "no folder is called %.64s", name);
}
