// SPDX-License-Identifier: MIT
//
// libconfuse parses; its callbacks check each value while the line it stands on is known. The file
// is read here and not by libconfuse, whose scanner ends the process when a read fails.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <confuse.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/base/suggest.h"
#include "agent/daemon/config_checks_priv.h"
#include "agent/daemon/names_priv.h"
#include "crypto/hash.h"
#include "crypto/identity.h"
#include "proto/vv.h"

enum { CONFIG_BYTES_MAX = 1 << 20, CONFIG_MESSAGE_MAX = 512 };

// libconfuse's callbacks have no argument of ours. Parsing is one call on one thread, and this is
// set during it only.
struct parse {
    const char *file;
    struct buf *message;
};
static _Thread_local struct parse *current_parse;

static enum err fail(struct buf *out, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum err fail(struct buf *out, const char *at, const char *format, ...)
{
    char text[CONFIG_MESSAGE_MAX];
    va_list list;
    va_start(list, format);
    int written = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    buf_clear(out);
    buf_printf(out, "%s: %s", at, written < 0 ? "" : text);
    return ERR_CONFIG;
}

// ---- while parsing

static const char *const keys[] = {"name",      "listen",          "peer",          "folder",
                                   "id",        "address",         "approves",      "path",
                                   "with",      "include_secrets", "include_vcs",   "discovery",
                                   "quiet",     "upload_rate",     "bulk_priority", "download_rate",
                                   "log_level", "log_format",      "socks_proxy"};

// libconfuse says: no such option 'KEY'
static void suggest_key(const char *text, struct buf *out)
{
    struct suggestion best;
    const char *key = strstr(text, "no such option '");
    if (key == NULL) return;
    key = strchr(key, '\'') + 1;
    suggest_begin(&best, key, strcspn(key, "'"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        suggest_offer(&best, keys[i]);
    for (int i = 0; i < SETTING_COUNT; i++)
        suggest_offer(&best, setting_name((enum setting)i));
    if (best.text != NULL) buf_printf(out, "; did you mean %s?", best.text);
}

static void on_error(cfg_t *cfg, const char *format, va_list list)
    __attribute__((format(printf, 2, 0)));

static void on_error(cfg_t *cfg, const char *format, va_list list)
{
    struct buf *out = current_parse->message;
    if (out->size > 0) return; // the first error is the cause
    char text[CONFIG_MESSAGE_MAX];
    if (vsnprintf(text, sizeof text, format, list) < 0) text[0] = '\0';
    buf_printf(out, "%s:%d: ", current_parse->file, cfg->line);
    if (cfg->title != NULL) buf_printf(out, "%s %s: ", cfg->name, cfg->title);
    buf_append_text(out, text);
    suggest_key(text, out);
}

// ---- from the parsed tree to values

// Line on which the section of this title begins: libconfuse remembers only where it ends.
static unsigned section_line(const char *text, const char *kind, const char *title)
{
    unsigned line = 0;
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        if (*at == '\n') at++;
        line++;
        at += strspn(at, " \t");
        if (strncmp(at, kind, strlen(kind)) != 0) continue;
        const char *word = at + strlen(kind);
        size_t gap = strspn(word, " \t\"'");
        word += gap;
        size_t size = strcspn(word, " \t\"'{\r\n");
        if (gap > 0 && size == strlen(title) && memcmp(word, title, size) == 0) return line;
    }
    return 0;
}

static char *declared_at(const struct config *config, const char *text, cfg_t *section)
{
    unsigned line = section_line(text, cfg_name(section), cfg_title(section));
    AUTO(buf_fini) struct buf at = {0};
    buf_printf(&at, "%s:%u", config->file, line > 0 ? line : (unsigned)section->line);
    return mem_strdup(buf_text(&at));
}

static char **copy_list(cfg_t *cfg, const char *key, uint32_t *out_count)
{
    unsigned count = cfg_size(cfg, key);
    char **list = mem_zalloc(count + 1, sizeof *list);
    for (unsigned i = 0; i < count; i++)
        list[i] = mem_strdup(cfg_getnstr(cfg, key, i));
    *out_count = count;
    return list;
}

static struct registry_peer take_peer(const struct config *config, const char *text, cfg_t *section)
{
    struct registry_peer peer = {
        .name = mem_strdup(cfg_title(section)),
        .approves = cfg_getbool(section, "approves") == cfg_true,
        .declared_at = declared_at(config, text, section),
    };
    unsigned group;
    CHECK(device_id_parse(cfg_getstr(section, "id"), &peer.device, &group) == ERR_OK);
    peer.addresses = copy_list(section, "address", &peer.address_count);
    return peer;
}

// "all" among the peers means what --with all means.
static void take_all(struct registry_folder *folder)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < folder->with_count; i++) {
        if (strcmp(folder->with[i], "all") == 0) {
            folder->with_all = true;
            free(folder->with[i]);
        } else {
            folder->with[kept++] = folder->with[i];
        }
    }
    folder->with_count = kept;
}

static struct registry_folder take_folder(const struct config *config, const char *text,
                                          cfg_t *section)
{
    struct registry_folder folder = {
        .name = mem_strdup(cfg_title(section)),
        .path = mem_strdup(cfg_getstr(section, "path")),
        .include_secrets = cfg_getbool(section, "include_secrets") == cfg_true,
        .include_vcs = cfg_getbool(section, "include_vcs") == cfg_true,
        .declared_at = declared_at(config, text, section),
    };
    folder.with = copy_list(section, "with", &folder.with_count);
    take_all(&folder);
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = cfg_getstr(section, setting_name((enum setting)i));
        if (value != NULL) folder.settings[i] = mem_strdup(value);
    }
    return folder;
}

static void take(struct config *out, const char *text, cfg_t *cfg)
{
    const char *name = cfg_getstr(cfg, "name");
    out->name = name != NULL ? mem_strdup(name) : NULL;
    out->has_listen = (cfg_getopt(cfg, "listen")->flags & CFGF_MODIFIED) != 0;
    out->listen = copy_list(cfg, "listen", &out->listen_count);
    out->discovery = cfg_getbool(cfg, "discovery") == cfg_true;
    const char *quiet = cfg_getstr(cfg, "quiet");
    out->has_quiet = quiet != NULL && config_quiet(quiet, &out->quiet_from, &out->quiet_to);
    const char *up = cfg_getstr(cfg, "upload_rate"), *down = cfg_getstr(cfg, "download_rate");
    if (up != NULL) (void)config_rate(up, &out->upload_rate);
    if (down != NULL) (void)config_rate(down, &out->download_rate);
    const char *bulk = cfg_getstr(cfg, "bulk_priority");
    out->bulk_low = bulk != NULL && strcmp(bulk, "low") == 0;
    const char *level = cfg_getstr(cfg, "log_level"), *format = cfg_getstr(cfg, "log_format");
    if (level != NULL) (void)log_level_find(level, &out->log_level);
    out->log_json = format != NULL && strcmp(format, "json") == 0;
    const char *proxy = cfg_getstr(cfg, "socks_proxy");
    out->socks_proxy = proxy != NULL ? mem_strdup(proxy) : NULL;
    out->peer_count = cfg_size(cfg, "peer");
    out->peers = mem_zalloc(out->peer_count + 1, sizeof *out->peers);
    for (uint32_t i = 0; i < out->peer_count; i++) {
        out->peers[i] = take_peer(out, text, cfg_getnsec(cfg, "peer", i));
    }
    out->folder_count = cfg_size(cfg, "folder");
    out->folders = mem_zalloc(out->folder_count + 1, sizeof *out->folders);
    for (uint32_t i = 0; i < out->folder_count; i++) {
        out->folders[i] = take_folder(out, text, cfg_getnsec(cfg, "folder", i));
    }
}

static enum err parse(struct config *out, const char *text, struct buf *out_message)
{
    cfg_opt_t peer[] = {
        CFG_STR("id", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("address", NULL, CFGF_NODEFAULT),
        CFG_BOOL("approves", cfg_true, CFGF_NONE),
        CFG_END(),
    };
    enum { FOLDER_KEYS = 4 };
    cfg_opt_t folder[FOLDER_KEYS + SETTING_COUNT + 1] = {
        CFG_STR("path", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("with", NULL, CFGF_NODEFAULT),
        CFG_BOOL("include_secrets", cfg_false, CFGF_NONE),
        CFG_BOOL("include_vcs", cfg_false, CFGF_NONE),
    };
    for (int i = 0; i < SETTING_COUNT; i++) {
        folder[FOLDER_KEYS + i] =
            (cfg_opt_t)CFG_STR(setting_name((enum setting)i), NULL, CFGF_NODEFAULT);
    }
    folder[FOLDER_KEYS + SETTING_COUNT] = (cfg_opt_t)CFG_END();
    cfg_opt_t root[] = {
        CFG_STR("name", NULL, CFGF_NODEFAULT),
        CFG_STR_LIST("listen", NULL, CFGF_NODEFAULT),
        CFG_BOOL("discovery", cfg_true, CFGF_NONE),
        CFG_STR("quiet", NULL, CFGF_NODEFAULT),
        CFG_STR("upload_rate", NULL, CFGF_NODEFAULT),
        CFG_STR("download_rate", NULL, CFGF_NODEFAULT),
        CFG_STR("bulk_priority", NULL, CFGF_NODEFAULT),
        CFG_STR("log_level", NULL, CFGF_NODEFAULT),
        CFG_STR("log_format", NULL, CFGF_NODEFAULT),
        CFG_STR("socks_proxy", NULL, CFGF_NODEFAULT),
        CFG_SEC("peer", peer, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("folder", folder, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_END(),
    };
    cfg_t *cfg = cfg_init(root, CFGF_NONE);
    CHECK(cfg != NULL);
    cfg_set_error_function(cfg, on_error);
    cfg_set_validate_func(cfg, "name", config_check_device_name);
    cfg_set_validate_func(cfg, "listen", config_check_addresses);
    cfg_set_validate_func(cfg, "quiet", config_check_quiet);
    cfg_set_validate_func(cfg, "upload_rate", config_check_rate);
    cfg_set_validate_func(cfg, "download_rate", config_check_rate);
    cfg_set_validate_func(cfg, "bulk_priority", config_check_word);
    cfg_set_validate_func(cfg, "log_level", config_check_word);
    cfg_set_validate_func(cfg, "log_format", config_check_word);
    cfg_set_validate_func(cfg, "peer", config_check_section);
    cfg_set_validate_func(cfg, "peer|id", config_check_id);
    cfg_set_validate_func(cfg, "peer|address", config_check_addresses);
    cfg_set_validate_func(cfg, "folder", config_check_section);
    cfg_set_validate_func(cfg, "folder|path", config_check_path);
    cfg_set_validate_func(cfg, "folder|with", config_check_with);
    cfg_set_validate_func(cfg, "socks_proxy", config_check_proxy);
    for (int i = 0; i < SETTING_COUNT; i++) {
        AUTO(buf_fini) struct buf key = {0};
        buf_printf(&key, "folder|%s", setting_name((enum setting)i));
        cfg_set_validate_func(cfg, buf_text(&key), config_check_setting);
    }

    struct parse parsing = {.file = out->file, .message = out_message};
    current_parse = &parsing;
    int result = cfg_parse_buf(cfg, text);
    current_parse = NULL;
    if (result == CFG_SUCCESS) take(out, text, cfg);
    cfg_free(cfg);
    if (result == CFG_SUCCESS) return ERR_OK;
    if (out_message->size == 0) buf_printf(out_message, "%s: cannot be parsed", out->file);
    return ERR_CONFIG;
}

static enum err read_all(int fd, const char *file, struct buf *out, struct buf *out_message)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(out_message, file, "is not a file");
    if (st.st_size > CONFIG_BYTES_MAX) return fail(out_message, file, "is larger than 1 MiB");
    for (;;) {
        buf_reserve(out, 4096);
        ssize_t got = read(fd, out->data + out->size, 4096);
        if (got == 0) break;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(out_message, file, "cannot be read: %s", strerror(errno));
        out->size += (size_t)got;
        if (out->size > CONFIG_BYTES_MAX) return fail(out_message, file, "is larger than 1 MiB");
    }
    if (out->size > 0 && memchr(out->data, '\0', out->size) != NULL) {
        return fail(out_message, file, "is not text: it has a zero byte");
    }
    return ERR_OK;
}

// Length of a comment at `at`, without the end of its line; 0: none begins there.
static size_t comment_size(const char *at)
{
    if (at[0] == '#' || (at[0] == '/' && at[1] == '/')) return strcspn(at, "\n");
    if (at[0] != '/' || at[1] != '*') return 0;
    const char *end = strstr(at + 2, "*/");
    return end != NULL ? (size_t)(end + 2 - at) : strlen(at);
}

// libconfuse counts the lines of comments more than once: it gets blanks in their place.
static void blank_comments(char *text)
{
    char quote = 0;
    for (char *at = text; *at != '\0'; at++) {
        if (quote != 0 && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == quote) {
            quote = 0;
        } else if (quote == 0 && (*at == '"' || *at == '\'')) {
            quote = *at;
        } else if (quote == 0 && comment_size(at) > 0) {
            for (size_t left = comment_size(at); left > 0; left--, at++)
                if (*at != '\n') *at = ' ';
            at--;
        }
    }
}

enum err config_read(const char *file, struct config *out, struct buf *out_message)
{
    memset(out, 0, sizeof *out);
    out->file = mem_strdup(file);
    out->log_level = LOG_INFO;
    AUTO(buf_fini) struct buf text = {0};
    AUTO(fd_close) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) {
        return fail(out_message, file, "cannot be opened: %s", strerror(errno));
    }
    if (fd >= 0) {
        enum err err = read_all(fd, file, &text, out_message);
        if (err) return err;
    }
    out->missing = fd < 0;
    out->digest = hash_sha256(buf_slice(&text));
    buf_append(&text, "", 1);
    blank_comments((char *)text.data);
    return parse(out, (const char *)text.data, out_message);
}

static void free_list(char **list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void config_fini(struct config *config)
{
    for (uint32_t i = 0; i < config->peer_count; i++) {
        struct registry_peer *peer = &config->peers[i];
        free(peer->name);
        free_list(peer->addresses, peer->address_count);
        free(peer->declared_at);
    }
    for (uint32_t i = 0; i < config->folder_count; i++) {
        struct registry_folder *folder = &config->folders[i];
        free(folder->name);
        free(folder->path);
        free_list(folder->with, folder->with_count);
        for (int k = 0; k < SETTING_COUNT; k++)
            free(folder->settings[k]);
        free(folder->declared_at);
    }
    free(config->peers);
    free(config->folders);
    free_list(config->listen, config->listen_count);
    free(config->name);
    free(config->socks_proxy);
    free(config->file);
    memset(config, 0, sizeof *config);
}

// ---- into the registry

static enum err peer_fits(const struct config *config, uint32_t at, struct device_id own,
                          const struct registry *registry, struct buf *out)
{
    const struct registry_peer *peer = &config->peers[at];
    const char *where = peer->declared_at;
    if (device_equal(peer->device, own)) {
        return fail(out, where, "peer %s: id: this is this device's own id", peer->name);
    }
    for (uint32_t i = 0; i < at; i++) {
        if (device_equal(config->peers[i].device, peer->device)) {
            return fail(out, where, "peer %s: id: peer %s has the same id", peer->name,
                        config->peers[i].name);
        }
    }
    const struct registry_peer *known = registry_peer_by_device(registry, peer->device);
    if (known != NULL && strcmp(known->name, peer->name) != 0) {
        return fail(out, where, "peer %s: id: the same device was added as %s by command",
                    peer->name, known->name);
    }
    known = registry_peer(registry, peer->name);
    if (known != NULL && !device_equal(known->device, peer->device)) {
        return fail(out, where, "peer %s: a peer of this name with another id was added by command",
                    peer->name);
    }
    return ERR_OK;
}

static bool is_peer(const struct config *config, const struct registry *registry, const char *name)
{
    if (registry_peer(registry, name) != NULL) return true;
    for (uint32_t i = 0; i < config->peer_count; i++) {
        if (strcmp(config->peers[i].name, name) == 0) return true;
    }
    return false;
}

static enum err folder_fits(const struct config *config, const struct registry_folder *folder,
                            const struct registry *registry, struct buf *out)
{
    const char *where = folder->declared_at;
    for (uint32_t i = 0; i < folder->with_count; i++) {
        if (is_peer(config, registry, folder->with[i])) continue;
        return fail(out, where, "folder %s: with: no peer is called %s", folder->name,
                    folder->with[i]);
    }
    const struct registry_folder *known = registry_folder(registry, folder->name);
    if (known != NULL && strcmp(known->path, folder->path) != 0) {
        return fail(out, where, "folder %s: path: a folder of this name was added by command at %s",
                    folder->name, known->path);
    }
    return ERR_OK;
}

// What only the registry knows of a folder, its id above all, outlives its declaration.
static enum err declare_folder(const struct registry_folder *declared, struct registry *registry)
{
    struct registry_folder folder = *declared;
    const struct registry_folder *known = registry_folder(registry, folder.name);
    if (known != NULL) folder.id = known->id;
    return registry_put_folder(registry, &folder);
}

enum err config_declare(const struct config *config, struct device_id own,
                        struct registry *registry, struct buf *out_message)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < config->peer_count && !err; i++) {
        err = peer_fits(config, i, own, registry, out_message);
    }
    for (uint32_t i = 0; i < config->folder_count && !err; i++) {
        err = folder_fits(config, &config->folders[i], registry, out_message);
    }
    if (err) return err;
    for (uint32_t i = 0; i < config->peer_count && !err; i++) {
        err = registry_put_peer(registry, &config->peers[i]);
    }
    for (uint32_t i = 0; i < config->folder_count && !err; i++) {
        err = declare_folder(&config->folders[i], registry);
    }
    if (!err) err = registry_follow_names(registry, NULL);
    if (err) buf_printf(out_message, "the registry cannot be written: %s", err_text(err));
    return err;
}
