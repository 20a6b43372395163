// SPDX-License-Identifier: MIT
//
// agent/cli/verb_init — identity and config file. What exists is never changed, and said so.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/own.h"
#include "agent/cli/device_priv.h"
#include "agent/cli/join_file_priv.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/verb_priv.h"

enum { NAME_BYTES_MAX = 64, LISTEN_BYTES_MAX = 255 };

static bool name_is_good(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX || strcmp(name, "all") == 0) return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("._-", *name) == NULL) return false;
    }
    return true;
}

// The host name up to its first dot, without what a name may not have.
static void default_name(char out[NAME_BYTES_MAX + 1])
{
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1);
    size_t size = 0;
    for (const char *at = host; *at != '\0' && *at != '.' && size < NAME_BYTES_MAX; at++) {
        out[size++] = isalnum((unsigned char)*at) || *at == '_' ? *at : '-';
    }
    out[size] = '\0';
    if (!name_is_good(out)) (void)snprintf(out, NAME_BYTES_MAX + 1, "device");
}

// tcp://HOST:PORT; the characters are those that need no quoting in the config file.
static bool listen_is_good(const char *url)
{
    if (strncmp(url, "tcp://", 6) != 0 || strlen(url) > LISTEN_BYTES_MAX) return false;
    const char *host = url + 6;
    const char *colon = strrchr(host, ':');
    if (colon == NULL || colon == host) return false;
    for (const char *at = host; at < colon; at++) {
        if (!isalnum((unsigned char)*at) && strchr(".:*[]%-_", *at) == NULL) return false;
    }
    char *end;
    if (!isdigit((unsigned char)colon[1])) return false;
    long port = strtol(colon + 1, &end, 10);
    return *end == '\0' && port > 0 && port < 65536;
}

static int check(const struct args *args)
{
    const char *name = args_value(args, "--name");
    if (name != NULL && !name_is_good(name)) {
        cli_error("--name: 1 to %d letters, digits, '.', '_' or '-' (and not \"all\")",
                  NAME_BYTES_MAX);
        return CLI_USAGE;
    }
    size_t at = 0;
    bool listens = false;
    for (const char *url; (url = args_next(args, "--listen", &at)) != NULL; listens = true) {
        if (listen_is_good(url)) continue;
        cli_error("--listen: %s is not tcp://ADDRESS:PORT (tcp://*:7575: all addresses)", url);
        return CLI_USAGE;
    }
    if (listens && args_has(args, "--no-listen")) {
        cli_error("--listen and --no-listen exclude each other");
        return CLI_USAGE;
    }
    return CLI_DONE;
}

static void config_text(const struct args *args, struct buf *out)
{
    char host[NAME_BYTES_MAX + 1];
    default_name(host);
    const char *name = args_value(args, "--name");
    buf_printf(out,
               "# cfgsync-agent reads this file and never changes it.\n"
               "# cfgsync-agent config check says whether it is right.\n\n"
               "# What the other devices call this one.\n"
               "name = \"%s\"\n\n"
               "# Where the other devices connect to; {}: nowhere, this one only dials.\n"
               "listen = {",
               name != NULL ? name : host);
    size_t at = 0;
    bool any = args_has(args, "--no-listen");
    const char *separator = "";
    for (const char *url; (url = args_next(args, "--listen", &at)) != NULL; any = true) {
        buf_printf(out, "%s\"%s\"", separator, url);
        separator = ", ";
    }
    if (!any) buf_append_text(out, "\"tcp://*:7575\"");
    buf_append_text(out, "}\n\n"
                         "# Peers and folders may stand here instead of being added by command:\n"
                         "#\n"
                         "# peer hub {\n"
                         "#     id = \"what cfgsync-agent id prints there\"\n"
                         "#     address = {\"tcp://hub.example.org:7575\"}\n"
                         "# }\n"
                         "#\n"
                         "# folder notes {\n"
                         "#     path = \"/home/me/notes\"\n"
                         "#     with = {hub}\n"
                         "# }\n");
}

// Complete or not there, so that a crash leaves nothing half.
static bool write_new(const char *path, const struct buf *text)
{
    AUTO(buf_fini) struct buf aside = {0};
    buf_printf(&aside, "%s.new", path);
    const char *name = buf_text(&aside);
    (void)unlink(name);
    AUTO(fd_close)
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || write(fd, text->data, text->size) != (ssize_t)text->size || flush_file(fd) != 0 ||
        link(name, path) != 0) {
        int number = errno;
        if (fd >= 0) (void)unlink(name);
        errno = number;
        return false;
    }
    return unlink(name) == 0;
}

static int make_config(const struct cli_context *context, const struct args *args, bool *out_made)
{
    *out_made = access(context->home.config, F_OK) != 0;
    if (!*out_made) return CLI_DONE;
    AUTO(buf_fini) struct buf text = {0};
    config_text(args, &text);
    if (write_new(context->home.config, &text)) return CLI_DONE;
    cli_error("cannot write %s: %s", context->home.config, strerror(errno));
    return CLI_FAILED;
}

static void say(const struct cli_context *context, const char *id, bool new_id, bool new_config,
                bool joins)
{
    const struct home *home = &context->home;
    AUTO(buf_fini) struct buf self = {0};
    buf_append_text(&self, "cfgsync-agent");
    if (context->home_option != NULL) buf_printf(&self, " --home %s", context->home_option);
    const char *program = buf_text(&self);
    printf("%s %s\n", new_id ? "made     " : "unchanged", home->identity);
    printf("%s %s\n", new_config ? "made     " : "unchanged", home->config);
    printf("\nthis device: %s\n\n", id);
    printf("next:\n"
           "  %s run                                # or, at every login: service install\n"
           "  %s %s\n"
           "  %s folder add NAME PATH --with PEER   # on both machines\n",
           program, program,
           joins ? "status                             # the next run joins by the invitation"
                 : "pair                               # on one machine; it says what to do on the "
                   "other",
           program);
}

static int run(const struct cli_context *context, const struct args *args)
{
    const char *join = args_value(args, "--join-file");
    AUTO(buf_fini) struct buf token = {0};
    AUTO(buf_fini) struct buf message = {0};
    int result = check(args);
    if (result == CLI_DONE && join != NULL) result = join_file_check(join, &token);
    if (result != CLI_DONE) return result;
    if (home_make(&context->home, &message) != ERR_OK) {
        cli_error("%s", buf_text(&message));
        return CLI_FAILED;
    }
    char id[DEVICE_ID_TEXT_MAX];
    bool new_id = false;
    bool new_config = false;
    result = device_read(context, id, &new_id);
    if (result == CLI_DONE) result = make_config(context, args, &new_config);
    if (result == CLI_DONE && join != NULL) result = join_file_leave(context, &token);
    if (result != CLI_DONE) return result;
    if (!context->json) {
        say(context, id, new_id, new_config, join != NULL);
        return CLI_DONE;
    }
    AUTO(json_drop)
    json_t *value = json_pack("{s:s, s:s, s:s, s:b, s:b}", "id", id, "config", context->home.config,
                              "socket", context->home.socket, "made_identity", (int)new_id,
                              "made_config", (int)new_config);
    print_json(value);
    return CLI_DONE;
}

static const struct cli_option options[] = {
    {"--name", "NAME", "what the other devices call this one (default: the host name)"},
    {"--listen", "URL", "where they connect to, may be repeated (default: tcp://*:7575)"},
    {"--no-listen", NULL, "only dial, listen nowhere"},
    {"--join-file", "FILE", "a token of cfgsync-agent invite, which the next run uses"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_init = {
    .name = "init",
    .usage = "[--name NAME] [--listen URL | --no-listen] [--join-file FILE]",
    .summary = "make this device's identity and config file",
    .help = "What exists already is left as it is: repeating it changes nothing. With --join-file\n"
            "the machine becomes a peer of the one that made the token, when both run.",
    .options = options,
    .run = run,
};
