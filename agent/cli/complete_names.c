// SPDX-License-Identifier: MIT
//
// agent/cli/complete_names — peers, folders and paths as the running agent knows them.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/complete_priv.h"
#include "agent/cli/paths_priv.h"

static json_t *ask(const struct candidates *out, const char *path)
{
    return agent_peek(out->context, "GET", path, NULL);
}

static void add_peers(struct candidates *out, bool all)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/peers");
    size_t at;
    json_t *peer;
    json_array_foreach(json_object_get(answer, "peers"), at, peer)
    {
        candidate_add(out, field_text(peer, "name", ""),
                      field_true(peer, "connected") ? "connected" : "away");
    }
    if (all) candidate_add(out, "all", "every trusted peer, now and later");
}

static void add_known(struct candidates *out)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/peers");
    size_t at;
    json_t *device;
    json_array_foreach(json_object_get(answer, "known"), at, device)
        candidate_add(out, field_text(device, "name", ""), field_text(device, "fingerprint", ""));
}

static void add_folders(struct candidates *out)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/folders");
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(answer, "folders"), at, folder)
    {
        candidate_add(out, field_text(folder, "name", ""), field_text(folder, "path", ""));
    }
}

// A folder waits to be joined, or it is not here at all.
static void add_offers(struct candidates *out)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/folders");
    size_t at;
    json_t *one;
    json_array_foreach(json_object_get(answer, "folders"), at, one)
    {
        if (strcmp(field_text(one, "code", ""), "join-pending") != 0) continue;
        candidate_add(out, field_text(one, "name", ""), field_text(one, "path", ""));
    }
    json_array_foreach(json_object_get(answer, "offers"), at, one)
    {
        AUTO(buf_fini) struct buf what = {0};
        buf_printf(&what, "from %s", field_text(one, "from", "?"));
        candidate_add(out, field_text(one, "name", ""), buf_text(&what));
    }
}

static void add_settings(struct candidates *out, const char *name)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/folders");
    size_t at;
    json_t *folder;
    json_array_foreach(json_object_get(answer, "folders"), at, folder)
    {
        const char *key;
        json_t *value;
        if (name == NULL || strcmp(field_text(folder, "name", ""), name) != 0) continue;
        json_object_foreach(json_object_get(folder, "settings"), key, value)
        {
            AUTO(buf_fini) struct buf text = {0};
            buf_printf(&text, "%s=%s", key, json_string_value(value));
            candidate_add(out, buf_text(&text), "as it is");
        }
    }
}

static void add_invites(struct candidates *out)
{
    AUTO(json_drop) json_t *answer = ask(out, "/v1/invites");
    size_t at;
    json_t *invite;
    json_array_foreach(json_object_get(answer, "invites"), at, invite)
    {
        candidate_add(out, field_text(invite, "id", ""), "");
    }
    candidate_add(out, "all", "every invitation");
}

// As it was begun: absolute, below "~/", or below the working directory.
static void add_path(struct candidates *out, const char *path, const char *what)
{
    const char *home = getenv("HOME");
    AUTO(mem_free) char *cwd = getcwd(NULL, 0);
    AUTO(buf_fini) struct buf text = {0};
    bool of_home = strncmp(out->typed, "~/", 2) == 0;
    const char *base = of_home ? home : out->typed[0] == '/' ? NULL : cwd;
    size_t size = base != NULL ? strlen(base) : 0;
    bool is_below = size > 0 && strncmp(path, base, size) == 0 && path[size] == '/';
    if (of_home && is_below) buf_append_text(&text, "~/");
    buf_append_text(&text, is_below ? path + size + 1 : path);
    candidate_add(out, buf_text(&text), what);
}

static void add_paths(struct candidates *out, const json_t *list, const char *what_key)
{
    const char *last = "";
    size_t at;
    json_t *one;
    out->kind = ":paths";
    json_array_foreach((json_t *)(uintptr_t)list, at, one)
    {
        const char *path = field_text(one, "path", "");
        if (strcmp(path, last) != 0) add_path(out, path, field_text(one, what_key, ""));
        last = path;
    }
}

static void add_kept(struct candidates *out)
{
    AUTO(buf_fini) struct buf directory = {0};
    AUTO(buf_fini) struct buf path = {0};
    const char *slash = strrchr(out->typed, '/');
    if (strncmp(out->typed, "~/", 2) == 0) {
        const char *home = getenv("HOME");
        buf_printf(&directory, "%s", home != NULL ? home : "");
        buf_append(&directory, out->typed + 1, (size_t)(slash - out->typed - 1));
    } else if (slash != NULL) {
        buf_append(&directory, out->typed, (size_t)(slash - out->typed + 1));
    } else {
        buf_append_text(&directory, ".");
    }
    if (!path_absolute(buf_text(&directory), &path)) return;
    json_t *body = json_object();
    (void)json_object_set_new(body, "path", json_bytes(buf_slice(&path)));
    AUTO(json_drop) json_t *answer = agent_peek(out->context, "POST", "/v1/kept", body);
    add_paths(out, json_object_get(answer, "kept"), "by");
    if (out->lines.size == 0) out->kind = ":files"; // on the way to a folder
}

void complete_names(struct candidates *candidates, enum complete what, const char *folder)
{
    AUTO(json_drop) json_t *answer = NULL;
    switch (what) {
    case COMPLETE_PEER: add_peers(candidates, false); break;
    case COMPLETE_KNOWN: add_known(candidates); break;
    case COMPLETE_PEERS:
        add_peers(candidates, candidates->lead.size == 0 ||
                                  candidates->lead.data[candidates->lead.size - 1] != ',');
        break;
    case COMPLETE_FOLDER:
    case COMPLETE_FOLDERS: add_folders(candidates); break;
    case COMPLETE_FOLDER_OR_PEER:
        add_folders(candidates);
        add_peers(candidates, false);
        break;
    case COMPLETE_OFFER: add_offers(candidates); break;
    case COMPLETE_SETTING: add_settings(candidates, folder); break;
    case COMPLETE_INVITE: add_invites(candidates); break;
    case COMPLETE_CONFLICT:
        answer = ask(candidates, "/v1/conflicts");
        add_paths(candidates, json_object_get(answer, "conflicts"), "item");
        break;
    case COMPLETE_ORPHAN:
        answer = ask(candidates, "/v1/orphans");
        add_paths(candidates, json_object_get(answer, "orphans"), "holder");
        break;
    case COMPLETE_KEPT: add_kept(candidates); break;
    case COMPLETE_NOTHING:
    case COMPLETE_VERB:
    case COMPLETE_SHELL:
    case COMPLETE_PROMPT:
    case COMPLETE_FILE:
    case COMPLETE_DIR: break;
    }
}
