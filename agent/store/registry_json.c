// SPDX-License-Identifier: MIT
//
// The form of registry.json (docs/STORAGE.md). Reading believes nothing: the file may have been
// edited by hand. Writing changes the keys we know and leaves the others where they are.
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/store/registry_priv.h"

enum { REGISTRY_FORM = 1 };

static const char hex_digits[] = "0123456789abcdef";

json_t *hex_dump(const uint8_t *bytes, size_t size)
{
    char text[2 * 32 + 1];
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = hex_digits[bytes[i] >> 4];
        text[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    return json_stringn(text, 2 * size);
}

bool hex_load(const json_t *value, uint8_t *out, size_t size)
{
    const char *text = json_string_value(value);
    if (!text || json_string_length(value) != 2 * size) return false;
    memset(out, 0, size);
    for (size_t i = 0; i < 2 * size; i++) {
        const char *digit = memchr(hex_digits, text[i], 16);
        if (!digit) return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - hex_digits));
    }
    return true;
}

// ---- reading. Each reader answers with static text that says what is wrong, or NULL.

static char *copy_text(struct arena *arena, const json_t *value)
{
    return arena_text(arena, slice_of(json_string_value(value), json_string_length(value)));
}

static bool is_name(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0 &&
           json_string_length(value) <= PROTO_NAME_BYTES_MAX;
}

static bool load_flag(const json_t *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_is_true(value);
    return !value || json_is_boolean(value);
}

static bool load_texts(struct arena *arena, const json_t *array, size_t max, char ***out,
                       uint32_t *out_count)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count > max) return false;
    *out = arena_alloc(arena, count, sizeof **out);
    *out_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        const json_t *text = json_array_get(array, i);
        if (!json_is_string(text)) return false;
        (*out)[i] = copy_text(arena, text);
    }
    return true;
}

static const char *load_peer(struct tables *tables, json_t *object)
{
    const json_t *name = json_object_get(object, "name");
    const json_t *addresses = json_object_get(object, "addresses");
    if (!is_name(name)) return "a peer without a proper name";
    struct registry_peer *peer = &tables->peers[tables->peer_count];
    tables->peer_json[tables->peer_count++] = json_incref(object);
    peer->name = copy_text(tables->arena, name);
    if (!hex_load(json_object_get(object, "id"), peer->device.bytes, sizeof peer->device.bytes)) {
        return "a peer's id is not 64 hex digits";
    }
    if (!load_flag(object, "approves", &peer->approves)) return "a peer's approves is no boolean";
    if (!load_flag(object, "unconfirmed", &peer->unconfirmed))
        return "a peer's unconfirmed is no boolean";
    if (addresses && !load_texts(tables->arena, addresses, REGISTRY_ADDRESSES_MAX, &peer->addresses,
                                 &peer->address_count)) {
        return "a peer's addresses are not a short list of texts";
    }
    return NULL;
}

static bool load_with(struct arena *arena, const json_t *with, struct registry_folder *folder)
{
    if (!with) return true;
    folder->with_all = json_is_string(with) && strcmp(json_string_value(with), "all") == 0;
    return folder->with_all ||
           load_texts(arena, with, PROTO_ARRAY_ENTRIES_MAX, &folder->with, &folder->with_count);
}

// Settings of a newer program stay where they are.
static const char *load_settings(struct arena *arena, const json_t *object,
                                 struct registry_folder *folder)
{
    if (object != NULL && !json_is_object(object)) return "a folder's settings are no object";
    for (int i = 0; i < SETTING_COUNT; i++) {
        const json_t *value = json_object_get(object, setting_name((enum setting)i));
        if (value == NULL) continue;
        if (!json_is_string(value) || setting_fault((enum setting)i, json_string_value(value)))
            return "a folder's settings have a value that cannot be";
        folder->settings[i] = copy_text(arena, value);
    }
    return NULL;
}

static const char *load_folder(struct tables *tables, json_t *object)
{
    const json_t *name = json_object_get(object, "name");
    const json_t *path = json_object_get(object, "path");
    const json_t *id = json_object_get(object, "id");
    const json_t *from = json_object_get(object, "accept_from");
    if (!is_name(name)) return "a folder without a proper name";
    struct registry_folder *folder = &tables->folders[tables->folder_count];
    tables->folder_json[tables->folder_count++] = json_incref(object);
    folder->name = copy_text(tables->arena, name);
    if (!json_is_string(path) || json_string_value(path)[0] != '/') {
        return "a folder's path is not absolute";
    }
    folder->path = copy_text(tables->arena, path);
    if (!load_with(tables->arena, json_object_get(object, "with"), folder)) {
        return "a folder's with is neither \"all\" nor a list of names";
    }
    if (!load_flag(object, "include_secrets", &folder->include_secrets) ||
        !load_flag(object, "include_vcs", &folder->include_vcs)) {
        return "a folder's include is no boolean";
    }
    if (id && !hex_load(id, folder->id.bytes, sizeof folder->id.bytes)) {
        return "a folder's id is not 32 hex digits";
    }
    if (from && !is_name(from)) return "a folder's accept_from is not a name";
    if (from) folder->accept_from = copy_text(tables->arena, from);
    return load_settings(tables->arena, json_object_get(object, "settings"), folder);
}

static bool has_duplicates(const struct tables *tables)
{
    for (uint32_t i = 0; i < tables->peer_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(tables->peers[i].name, tables->peers[j].name) == 0) return true;
        }
    }
    for (uint32_t i = 0; i < tables->folder_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(tables->folders[i].name, tables->folders[j].name) == 0) return true;
        }
    }
    return false;
}

static const char *load_entries(struct tables *tables, const json_t *peers, const json_t *folders)
{
    const char *wrong = NULL;
    for (size_t i = 0; i < json_array_size(peers) && !wrong; i++) {
        wrong = load_peer(tables, json_array_get(peers, i));
    }
    for (size_t i = 0; i < json_array_size(folders) && !wrong; i++) {
        wrong = load_folder(tables, json_array_get(folders, i));
    }
    if (!wrong && has_duplicates(tables)) wrong = "a name stands there twice";
    return wrong;
}

static enum err refuse(struct fault *fault, const char *name, const char *what)
{
    char escaped[LOG_ESCAPED_MAX];
    log_error(LOG_STORE, "registry refused", "file=\"%s\" what=\"%s\"",
              log_escape(slice_text(name), escaped), what);
    *fault = (struct fault){.code = ERR_CONFIG, .what = what};
    return ERR_CONFIG;
}

static enum err refuse_syntax(struct fault *fault, const char *name, const json_error_t *error)
{
    char file[LOG_ESCAPED_MAX];
    char text[LOG_ESCAPED_MAX];
    log_error(LOG_STORE, "registry is not JSON", "at=\"%s:%d:%d\" what=\"%s\"",
              log_escape(slice_text(name), file), error->line, error->column,
              log_escape(slice_text(error->text), text));
    *fault = (struct fault){
        .code = ERR_CONFIG,
        .offset = error->position > 0 ? (uint32_t)error->position : 0,
        .what = "the registry is not JSON",
    };
    return ERR_CONFIG;
}

enum err tables_load(struct slice text, const char *name, struct tables **out, struct fault *fault)
{
    json_error_t error = {0};
    AUTO(json_drop)
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (!root) return refuse_syntax(fault, name, &error);
    const json_t *form = json_object_get(root, "version");
    const json_t *peers = json_object_get(root, "peers");
    const json_t *folders = json_object_get(root, "folders");
    if (!json_is_integer(form)) return refuse(fault, name, "the registry has no version");
    if (json_integer_value(form) != REGISTRY_FORM) {
        return refuse(fault, name, "the registry was made by a newer program");
    }
    bool lists = (!peers || json_is_array(peers)) && (!folders || json_is_array(folders));
    if (!lists) return refuse(fault, name, "peers and folders must be lists");
    AUTO(tables_destroy)
    struct tables *tables = tables_new(json_incref(root), (uint32_t)json_array_size(peers),
                                       (uint32_t)json_array_size(folders));
    const char *wrong = load_entries(tables, peers, folders);
    if (wrong) return refuse(fault, name, wrong);
    *out = TAKE(tables);
    return ERR_OK;
}

// ---- writing

// Takes `value`, which is NULL when its text was not UTF-8.
static bool set(json_t *object, const char *key, json_t *value)
{
    return value && json_object_set_new(object, key, value) == 0;
}

json_t *texts_dump(char *const *texts, uint32_t count)
{
    AUTO(json_drop) json_t *array = json_array();
    for (uint32_t i = 0; i < count; i++) {
        if (json_array_append_new(array, json_string(texts[i])) != 0) return NULL;
    }
    return TAKE(array);
}

static bool dump_peer(json_t *object, const struct registry_peer *peer)
{
    (void)json_object_del(object, "unconfirmed");
    if (peer->unconfirmed && !set(object, "unconfirmed", json_true())) return false;
    return set(object, "name", json_string(peer->name)) &&
           set(object, "id", hex_dump(peer->device.bytes, sizeof peer->device.bytes)) &&
           set(object, "addresses", texts_dump(peer->addresses, peer->address_count)) &&
           set(object, "approves", json_boolean(peer->approves));
}

static bool dump_optional(json_t *object, const struct registry_folder *folder)
{
    static const struct folder_id none;
    bool drawn = memcmp(&folder->id, &none, sizeof none) != 0;
    (void)json_object_del(object, "id");
    (void)json_object_del(object, "accept_from");
    if (drawn && !set(object, "id", hex_dump(folder->id.bytes, sizeof folder->id.bytes))) {
        return false;
    }
    return !folder->accept_from || set(object, "accept_from", json_string(folder->accept_from));
}

static bool dump_settings(json_t *object, const struct registry_folder *folder)
{
    json_t *settings = json_object_get(object, "settings");
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *name = setting_name((enum setting)i);
        (void)json_object_del(settings, name);
        if (folder->settings[i] == NULL) continue;
        if (settings == NULL) {
            settings = json_object();
            if (!set(object, "settings", settings)) return false;
        }
        if (!set(settings, name, json_string(folder->settings[i]))) return false;
    }
    if (settings != NULL && json_object_size(settings) == 0)
        (void)json_object_del(object, "settings");
    return true;
}

static bool dump_folder(json_t *object, const struct registry_folder *folder)
{
    json_t *with =
        folder->with_all ? json_string("all") : texts_dump(folder->with, folder->with_count);
    return set(object, "with", with) && set(object, "name", json_string(folder->name)) &&
           set(object, "path", json_string(folder->path)) &&
           set(object, "include_secrets", json_boolean(folder->include_secrets)) &&
           set(object, "include_vcs", json_boolean(folder->include_vcs)) &&
           dump_settings(object, folder) && dump_optional(object, folder);
}

static bool dump_entries(struct tables *tables, json_t *peers, json_t *folders)
{
    bool good = true;
    for (uint32_t i = 0; i < tables->peer_count && good; i++) {
        bool declared = tables->peers[i].declared_at != NULL;
        if (!declared && !tables->peer_json[i]) tables->peer_json[i] = json_object();
        if (!declared) good = dump_peer(tables->peer_json[i], &tables->peers[i]);
        if (tables->peer_json[i]) (void)json_array_append(peers, tables->peer_json[i]);
    }
    for (uint32_t i = 0; i < tables->folder_count && good; i++) {
        bool declared = tables->folders[i].declared_at != NULL;
        if (!declared && !tables->folder_json[i]) tables->folder_json[i] = json_object();
        if (!declared) {
            good = dump_folder(tables->folder_json[i], &tables->folders[i]);
            names_dump(tables, tables->folder_json[i], &tables->folders[i]);
        }
        if (tables->folder_json[i]) (void)json_array_append(folders, tables->folder_json[i]);
    }
    return good;
}

static int append(const char *text, size_t size, void *out)
{
    buf_append(out, text, size);
    return 0;
}

enum err tables_dump(struct tables *tables, struct buf *out)
{
    AUTO(json_drop) json_t *peers = json_array();
    AUTO(json_drop) json_t *folders = json_array();
    if (!dump_entries(tables, peers, folders)) return ERR_UNREPRESENTABLE;
    bool good = set(tables->root, "version", json_integer(REGISTRY_FORM)) &&
                set(tables->root, "peers", json_incref(peers)) &&
                set(tables->root, "folders", json_incref(folders)) &&
                json_dump_callback(tables->root, append, out, JSON_INDENT(2)) == 0;
    buf_append_text(out, "\n");
    return good ? ERR_OK : ERR_UNREPRESENTABLE;
}
