// SPDX-License-Identifier: MIT
//
// Folders in and out, and with whom they are shared.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/control_priv.h"
#include "agent/daemon/invites_priv.h"
#include "agent/daemon/left_out_priv.h"
#include "agent/daemon/names_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/daemon/reload_priv.h"
#include "agent/daemon/roots_priv.h"
#include "agent/daemon/view_priv.h"
#include "crypto/hash.h"

// ---- as JSON

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_bytes(slice_text(text)) : json_null();
}

json_t *control_folder_json(const struct folder_view *view)
{
    static const struct folder_id none;
    const struct registry_folder *folder = view->registry;
    struct folder_id id = view->engine != NULL ? view->engine->id : folder->id;
    char hex[2 * sizeof id.bytes + 1];
    hex_lower(id.bytes, sizeof id.bytes, hex);
    bool has_id = memcmp(&id, &none, sizeof none) != 0;
    json_t *out = json_object();
    json_object_set_new(out, "name", json_string(folder->name));
    json_object_set_new(out, "id", has_id ? json_string(hex) : json_null());
    json_object_set_new(out, "path", json_bytes(slice_text(folder->path)));
    json_object_set_new(out, "with", json_texts(folder->with, folder->with_count));
    json_object_set_new(out, "with_all", json_boolean(folder->with_all));
    json_object_set_new(out, "include_secrets", json_boolean(folder->include_secrets));
    json_object_set_new(out, "include_vcs", json_boolean(folder->include_vcs));
    json_object_set_new(out, "settings", settings_json(folder));
    json_object_set_new(out, "declared_at", text_or_null(folder->declared_at));
    json_object_set_new(out, "state", json_string(folder_state_text(view->state)));
    json_object_set_new(out, "code", text_or_null(view->code));
    if (view->engine != NULL) {
        json_object_set_new(out, "items", json_integer((json_int_t)view->engine->items));
        json_object_set_new(out, "bytes", json_integer((json_int_t)view->engine->bytes));
    }
    return out;
}

json_t *control_shared_with(const struct agent *agent, const struct registry_folder *folder)
{
    if (!folder->with_all) return json_texts(folder->with, folder->with_count);
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    json_t *names = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(names, json_string(peers[i].name));
    return names;
}

static json_t *offers_json(struct agent *agent)
{
    struct offer_seen *offers;
    uint32_t count = engine_offers(agent->engine, agent->scratch, &offers);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        // No agent has a folder of such a name, and it would stand in a line that people copy.
        if (!name_valid(arena_text(agent->scratch, offers[i].name))) continue;
        json_t *out = json_object();
        json_object_set_new(out, "name", json_bytes(offers[i].name));
        json_object_set_new(out, "from", json_bytes(offers[i].peer));
        json_object_set_new(out, "items", json_integer((json_int_t)offers[i].items));
        json_object_set_new(out, "bytes", json_integer((json_int_t)offers[i].bytes));
        json_object_set_new(out, "here", json_boolean(offers[i].here));
        json_array_append_new(list, out);
    }
    return list;
}

void control_folders_list(struct agent *agent, uint64_t request, const json_t *body)
{
    (void)body;
    struct view view;
    view_take(agent, agent->scratch, &view);
    json_t *list = json_array();
    for (uint32_t i = 0; i < view.folder_count; i++) {
        json_array_append_new(list, control_folder_json(&view.folders[i]));
    }
    json_t *out = json_object();
    json_object_set_new(out, "folders", list);
    json_object_set_new(out, "offers", offers_json(agent));
    control_answer(agent, request, out);
}

static void answer_folder(struct agent *agent, uint64_t request, const char *name)
{
    struct view view;
    view_take(agent, agent->scratch, &view);
    const struct folder_view *folder = view_folder(&view, name);
    json_t *out = json_object();
    json_object_set_new(out, "folder", control_folder_json(folder));
    json_object_set_new(out, "shared_with", control_shared_with(agent, folder->registry));
    control_answer(agent, request, out);
}

// ---- what add and share have in common

static bool peers_known(struct agent *agent, uint64_t request, char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (registry_peer(agent->registry, names[i]) != NULL) continue;
        control_unknown_peer(agent, request, names[i]);
        return false;
    }
    return true;
}

static bool has_text(char *const *texts, uint32_t count, const char *text)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(texts[i], text) == 0) return true;
    }
    return false;
}

// `folder` with what the body asks for added; lists live on the scratch arena. False: nothing new.
static bool widen(struct agent *agent, const json_t *body, struct registry_folder *folder)
{
    uint32_t asked_count;
    char **asked = body_texts(agent, body, "with", &asked_count);
    char **with =
        arena_alloc(agent->scratch, (size_t)folder->with_count + asked_count + 1, sizeof *with);
    uint32_t count = folder->with_count;
    bool changed = false;
    for (uint32_t i = 0; i < count; i++)
        with[i] = folder->with[i];
    for (uint32_t i = 0; i < asked_count; i++) {
        if (has_text(with, count, asked[i])) continue;
        with[count++] = asked[i];
        changed = true;
    }
    folder->with = with;
    folder->with_count = count;
    bool *flags[] = {&folder->with_all, &folder->include_secrets, &folder->include_vcs};
    static const char *const keys[] = {"with_all", "include_secrets", "include_vcs"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (*flags[i] || !body_bool(body, keys[i], false)) continue;
        *flags[i] = true;
        changed = true;
    }
    return changed;
}

bool control_declared(struct agent *agent, uint64_t request, const struct registry_folder *folder)
{
    if (folder->declared_at == NULL) return false;
    if (folder->ends) {
        control_refuse(agent, request, REFUSE_DECLARED, "stop the agent and start it again",
                       "folder %s is declared no more and ends at the next start", folder->name);
        return true;
    }
    control_refuse(agent, request, REFUSE_DECLARED, "change it there; the agent reads it again",
                   "folder %s stands in the config file, %s", folder->name, folder->declared_at);
    return true;
}

// Registry first: what is not kept is not begun. Answers when it fails.
bool control_folder_keep(struct agent *agent, uint64_t request,
                         const struct registry_folder *folder, bool is_new, uint32_t *out_folder)
{
    AUTO(mem_free) char *name = mem_strdup(folder->name); // may be the registry's, which moves
    enum err err = registry_put_folder(agent->registry, folder);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "the registry cannot be written: %s",
                       err_text(err));
        return false;
    }
    err = folders_open(agent, registry_folder(agent->registry, name), is_new, out_folder);
    if (!err) return true;
    if (is_new) {
        enum err undone = registry_remove_folder(agent->registry, name);
        if (undone) log_error(LOG_DAEMON, "registry not written", "error=\"%s\"", err_text(undone));
    }
    control_refuse(agent, request, REFUSE_FAILED, NULL, "folder %s cannot be opened: %s", name,
                   err_text(err));
    return false;
}

// ---- add

static bool refuse_path(struct agent *agent, uint64_t request, const char *path, const char *why)
{
    control_refuse(agent, request, REFUSE_BAD_PATH, NULL, "%.400s: %s", path, why);
    return false;
}

// The directory is there and usable, made if only its last component is missing.
static bool path_usable(struct agent *agent, uint64_t request, const char *name, const char *path)
{
    AUTO(buf_fini) struct buf why = {0};
    struct stat st;
    if (path[0] != '/') return refuse_path(agent, request, path, "is not an absolute path");
    if (root_allowed(agent->registry, &agent->home, name, path, &why) != ERR_OK ||
        !reload_leaves(agent, name, path, &why)) {
        control_refuse(agent, request, REFUSE_BAD_PATH, NULL, "%s", buf_text(&why));
        return false;
    }
    if (mkdir(path, 0777 & ~agent->umask) != 0 && errno != EEXIST) {
        return refuse_path(agent, request, path, strerror(errno));
    }
    if (stat(path, &st) != 0) return refuse_path(agent, request, path, strerror(errno));
    if (!S_ISDIR(st.st_mode)) return refuse_path(agent, request, path, "is not a directory");
    if (access(path, R_OK | W_OK | X_OK) != 0) {
        return refuse_path(agent, request, path, strerror(errno));
    }
    return true;
}

// It could not be opened when it came, or at the start.
static bool open_now(struct agent *agent, uint64_t request, const struct registry_folder *folder,
                     uint32_t *out_number)
{
    bool is_new = folders_never_ran(agent, folder);
    if (folder->declared_at == NULL)
        return control_folder_keep(agent, request, folder, is_new, out_number);
    enum err err = folders_open(agent, folder, is_new, out_number);
    if (err)
        control_refuse(agent, request, REFUSE_FAILED, NULL, "folder %s cannot be opened: %s",
                       folder->name, err_text(err));
    return !err;
}

static void add_again(struct agent *agent, uint64_t request, const json_t *body,
                      const struct registry_folder *known)
{
    struct registry_folder folder = *known;
    bool changed = widen(agent, body, &folder);
    if (changed && control_declared(agent, request, known)) return;
    const struct live_folder *live = folders_find(agent, known->name);
    uint32_t number = live != NULL ? live->folder : 0;
    if (live == NULL) {
        if (!open_now(agent, request, &folder, &number)) return;
    } else if (changed) {
        if (!control_folder_keep(agent, request, &folder, false, &number)) return;
    }
    control_added_wait(agent, request, body_text(body, "name"), number, false, !changed);
}

static void add_new(struct agent *agent, uint64_t request, const json_t *body, const char *name,
                    const char *path)
{
    uint32_t number;
    char *trimmed = arena_text(agent->scratch, slice_text(path));
    for (size_t size = strlen(trimmed); size > 1 && trimmed[size - 1] == '/';)
        trimmed[--size] = '\0';
    struct registry_folder folder = {
        .name = arena_text(agent->scratch, slice_text(name)),
        .path = trimmed,
    };
    (void)widen(agent, body, &folder);
    if (!path_usable(agent, request, name, trimmed)) return;
    // Nothing of another folder that had the name: neither its index nor who was invited to it.
    enum err err = engine_folder_forget(agent->engine, name);
    if (!err) err = invites_drop_folder(agent->invites, name);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL,
                       "the index or the invitations cannot be written: %s", err_text(err));
        return;
    }
    if (!control_folder_keep(agent, request, &folder, true, &number)) return;
    char escaped[LOG_ESCAPED_MAX];
    log_info(LOG_DAEMON, "folder added", "name=%s path=\"%s\"", name,
             log_escape(slice_text(trimmed), escaped));
    control_added_wait(agent, request, name, number, true, false);
}

static bool same_place(const char *a, const char *b)
{
    AUTO(mem_free) char *real_a = root_real(a);
    AUTO(mem_free) char *real_b = root_real(b);
    return strcmp(real_a, real_b) == 0;
}

void control_folders_add(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    const char *path = body_text(body, "path");
    uint32_t with_count;
    char **with = body_texts(agent, body, "with", &with_count);
    if (!name_valid(name)) {
        control_refuse(agent, request, REFUSE_BAD_NAME, NULL,
                       "\"%.64s\" is not a name: 1 to 64 letters, digits, '.', '_', '-'", name);
        return;
    }
    if (!peers_known(agent, request, with, with_count)) return;
    const struct registry_folder *known = registry_folder(agent->registry, name);
    if (known == NULL) {
        add_new(agent, request, body, name, path);
    } else if (path[0] == '/' && same_place(known->path, path)) {
        add_again(agent, request, body, known);
    } else {
        control_refuse(agent, request, REFUSE_EXISTS, "choose another name",
                       "a folder is called %s already, at %s", name, known->path);
    }
}

// ---- share, accept, remove

const struct registry_folder *control_folder(struct agent *agent, uint64_t request,
                                             const char *name)
{
    const struct registry_folder *folder = registry_folder(agent->registry, name);
    if (folder == NULL) {
        control_unknown_folder(agent, request, name);
    }
    return folder;
}

void control_folders_share(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    uint32_t with_count;
    char **with = body_texts(agent, body, "with", &with_count);
    const struct registry_folder *known = control_folder(agent, request, name);
    if (known == NULL || !peers_known(agent, request, with, with_count)) return;
    struct registry_folder folder = *known;
    uint32_t number;
    bool changed = widen(agent, body, &folder);
    if (changed && control_declared(agent, request, known)) return;
    if (changed && !control_folder_keep(agent, request, &folder, false, &number)) return;
    answer_folder(agent, request, name);
    show_dirty(agent);
}

void control_folders_accept(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    const char *from = body_text(body, "from");
    const char *what = NULL;
    if (control_folder(agent, request, name) == NULL) return;
    const struct registry_peer *peer = registry_peer(agent->registry, from);
    if (peer == NULL) {
        control_unknown_peer(agent, request, from);
        return;
    }
    enum err err = engine_folder_accept(agent->engine, name, peer->device, &what);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL, "folder %s: %s", name,
                       what != NULL ? what : err_text(err));
        return;
    }
    answer_folder(agent, request, name);
    show_dirty(agent);
}

void control_folders_remove(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    const struct registry_folder *folder = control_folder(agent, request, name);
    if (folder == NULL || control_declared(agent, request, folder)) return;
    // First: another folder of that name was never meant by an invitation.
    enum err err = invites_drop_folder(agent->invites, name);
    if (!err) err = registry_remove_folder(agent->registry, name);
    if (err) {
        control_refuse(agent, request, REFUSE_FAILED, NULL,
                       "the registry or the invitations cannot be written: %s", err_text(err));
        return;
    }
    folders_close(agent, name);
    pausing_forget(agent, &(struct pause){.kind = PAUSE_FOLDER, .folder = name});
    log_info(LOG_DAEMON, "folder removed", "name=%s", name);
    control_answer(agent, request, json_object());
    show_dirty(agent);
}
