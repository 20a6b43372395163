// SPDX-License-Identifier: MIT
//
// agent/cli/verb_service — the agent is started by the system: at login, or with the machine.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/service_priv.h"
#include "agent/cli/verb_priv.h"

enum { TEXT_BYTES_MAX = 65536 };

// ---- the file

static bool text_read(const char *path, struct buf *out)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTO(mem_free) char *bytes = fd >= 0 ? malloc(TEXT_BYTES_MAX) : NULL;
    ssize_t size = bytes != NULL ? read(fd, bytes, TEXT_BYTES_MAX) : -1;
    if (size > 0) buf_append(out, bytes, (size_t)size);
    return size >= 0;
}

static bool reads_as(const char *path, const struct buf *text)
{
    AUTO(buf_fini) struct buf read = {0};
    return text_read(path, &read) && slice_equal(buf_slice(&read), buf_slice(text));
}

static bool names_home(const struct buf *text, const char *path)
{
    AUTO(buf_fini) struct buf home = {0};
    if (path != NULL) service_home(path, &home);
    return path != NULL && memmem(text->data, text->size, home.data, home.size) != NULL;
}

// Homes of one name in different places have one service between them. A text that does not say
// whose it is may be anybody's.
static bool is_of_other(const struct service *service, const char *path)
{
    static const char key[] = "CFGSYNC_HOME";
    const char *home = service->context->home.state_dir;
    AUTO(buf_fini) struct buf text = {0};
    if (!service->context->home.single || !text_read(path, &text)) return false;
    if (memmem(text.data, text.size, key, sizeof key - 1) == NULL) return false;
    AUTO(mem_free) char *real = realpath(home, NULL);
    return !names_home(&text, home) && !names_home(&text, real);
}

static int refuse_other(const char *path)
{
    cli_error("%s is the service of another home of that name", path);
    (void)fprintf(stderr, "  cfgsync-agent --home DIR service uninstall, with the one in it\n");
    return CLI_FAILED;
}

static void make_directories(char *path)
{
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0755); // what does not work is said when the file cannot be made
        *at = '/';
    }
}

static int write_text(const char *path, const struct buf *text)
{
    AUTO(mem_free) char *whole = strdup(path);
    if (whole != NULL) make_directories(whole);
    AUTO(buf_fini) struct buf aside = {0};
    buf_printf(&aside, "%s.new", path);
    const char *name = buf_text(&aside);
    (void)unlink(name);
    AUTO(fd_close) int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0 && write(fd, text->data, text->size) == (ssize_t)text->size && fsync(fd) == 0 &&
        rename(name, path) == 0) {
        return CLI_DONE;
    }
    cli_error("cannot write %s: %s", path, strerror(errno));
    if (fd >= 0) (void)unlink(name);
    return CLI_FAILED;
}

// ---- install

static const char *user_of(const struct args *args)
{
    const char *user = args_value(args, "--user");
    if (user == NULL) user = getenv("SUDO_USER");
    return user != NULL ? user : "root";
}

// Whoever runs the agent by hand would have the lock that the service needs.
static int check_free(const struct service *service)
{
    const struct home *home = &service->context->home;
    struct service_state state = {0};
    if (service->system) return CLI_DONE; // another user's files, perhaps
    if (access(home->identity, F_OK) != 0) {
        cli_error("there is no identity yet");
        (void)fprintf(stderr, "  first: cfgsync-agent init\n");
        return CLI_FAILED;
    }
    pid_t owner = home_owner(home);
    if (owner != 0) service_state(service, &state);
    if (owner == 0 || state.active) return CLI_DONE;
    cli_error("an agent is running by hand, pid %ld", (long)owner);
    (void)fprintf(stderr, "  cfgsync-agent stop, then again\n");
    return CLI_FAILED;
}

// What was written goes if it cannot be started, and what it has replaced is back.
static int start(const struct service *service, const char *written, const struct buf *before,
                 const struct service_state *was)
{
    int code = service_reload(service);
    if (code == 0) code = service_enable(service);
    if (code == 0) return CLI_DONE;
    if (code == 127) {
        cli_error("there is no service manager that this program knows; start it by hand: "
                  "cfgsync-agent run");
    } else {
        cli_error("the service manager refuses (it said why); %s. By hand: cfgsync-agent run",
                  before->size > 0 ? "what was installed before stays" : "nothing is installed");
    }
    if (written == NULL) return CLI_FAILED;
    // It may be enabled though it could not be started, and is tried again then.
    bool is_new = before->size == 0 && !was->enabled && !was->active;
    if (is_new && code != 127) (void)service_disable(service);
    if (before->size == 0 || write_text(written, before) != CLI_DONE) (void)unlink(written);
    if (code != 127) (void)service_reload(service); // it has read the other one
    return CLI_FAILED;
}

static int install_text(const struct service *service, const struct buf *text)
{
    AUTO(buf_fini) struct buf path = {0};
    const char *packaged = service_packaged(service);
    service_path(service, &path);
    const char *file = buf_text(&path);
    bool is_packaged = packaged != NULL && reads_as(packaged, text);
    bool is_there = !is_packaged && reads_as(file, text);
    bool writes = !is_packaged && !is_there;
    AUTO(buf_fini) struct buf before = {0};
    if (writes) (void)text_read(file, &before);
    bool replaces = writes && access(file, F_OK) == 0;
    if (replaces && is_of_other(service, file)) return refuse_other(file);
    if (replaces) printf("%s is replaced\n", file);
    struct service_state was = {0};
    if (writes) service_state(service, &was); // a package's may be there
    int result = writes ? write_text(file, text) : CLI_DONE;
    if (result == CLI_DONE) result = start(service, writes ? file : NULL, &before, &was);
    if (result != CLI_DONE) return result;
    printf("installed and started: %s\n", is_packaged ? packaged : file);
    service_hints(service);
    return CLI_DONE;
}

static int install(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf program = {0};
    AUTO(buf_fini) struct buf text = {0};
    const char *given = args_value(args, "--program");
    struct service service = {context, args_has(args, "--system"), user_of(args), given};
    if (!service.system && args_has(args, "--user")) {
        cli_error("--user is for --system");
        return CLI_USAGE;
    }
    if (given != NULL ? given[0] != '/' : !service_program(&program)) {
        cli_error("give the program's absolute path: --program");
        return CLI_USAGE;
    }
    if (given == NULL) service.program = buf_text(&program);
    service_text(&service, &text);
    if (args_has(args, "--print")) {
        (void)fwrite(text.data, 1, text.size, stdout);
        return CLI_DONE;
    }
    int result = check_free(&service);
    return result == CLI_DONE ? install_text(&service, &text) : result;
}

// ---- uninstall, status

static int uninstall(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf path = {0};
    const struct service service = {context, args_has(args, "--system"), NULL, NULL};
    struct service_state state = {0};
    service_path(&service, &path);
    service_state(&service, &state);
    bool is_there = access(buf_text(&path), F_OK) == 0;
    if (is_there && is_of_other(&service, buf_text(&path))) return refuse_other(buf_text(&path));
    if (!is_there && !state.enabled && !state.active) {
        (void)puts("not installed");
        return CLI_DONE;
    }
    if (service_disable(&service) != 0) {
        cli_error("the service manager refuses (it said why)");
        return CLI_FAILED;
    }
    if (is_there && unlink(buf_text(&path)) != 0) {
        cli_error("cannot remove %s: %s", buf_text(&path), strerror(errno));
        return CLI_FAILED;
    }
    (void)service_reload(&service);
    (void)puts("uninstalled; identity, peers and folders are as they were");
    return CLI_DONE;
}

static int status(const struct cli_context *context, const struct args *args)
{
    AUTO(buf_fini) struct buf path = {0};
    const struct service service = {context, args_has(args, "--system"), NULL, NULL};
    struct service_state state = {0};
    service_path(&service, &path);
    bool of_other = is_of_other(&service, buf_text(&path));
    bool is_there = !of_other && access(buf_text(&path), F_OK) == 0;
    const char *packaged = service_packaged(&service);
    if (!is_there && packaged != NULL && access(packaged, F_OK) == 0) {
        is_there = true;
        buf_clear(&path);
        buf_append_text(&path, packaged);
    }
    if (!of_other) service_state(&service, &state); // what is not there may still be loaded
    if (context->json) {
        AUTO(json_drop)
        json_t *out = json_pack("{s:s*, s:b, s:b}", "file", is_there ? buf_text(&path) : NULL,
                                "enabled", (int)state.enabled, "active", (int)state.active);
        if (out != NULL) print_json(out);
    } else {
        printf("%s, %s, %s\n", is_there ? buf_text(&path) : "not installed",
               state.enabled ? "starts by itself" : "does not start by itself",
               state.active ? "running" : "not running");
        if (!state.enabled) (void)puts("  cfgsync-agent service install");
    }
    return state.active ? CLI_DONE : CLI_FAILED;
}

static const struct cli_option install_options[] = {
    {"--system", NULL, "with the machine, not when you log in: for servers; needs root"},
    {"--user", "NAME", "with --system: whose files it syncs (default: who called sudo)"},
    {"--program", "FILE", "what it starts (default: this program)"},
    {"--print", NULL, "only print what would be written"},
    {NULL, NULL, NULL},
};

static const struct cli_option system_options[] = {
    {"--system", NULL, "the one that starts with the machine"},
    {NULL, NULL, NULL},
};

const struct cli_verb verb_service_install = {
    .name = "service install",
    .usage = "[--system [--user NAME]] [--program FILE] [--print]",
    .summary = "have the agent started at every login, and now",
    .help = "A unit of systemd, or an agent of launchd. Run init first. With --home it is a\n"
            "service of its own.",
    .options = install_options,
    .run = install,
};

const struct cli_verb verb_service_uninstall = {
    .name = "service uninstall",
    .usage = "[--system]",
    .summary = "stop the service and start it no more",
    .help = "Identity, peers and folders stay as they are.",
    .options = system_options,
    .run = uninstall,
};

const struct cli_verb verb_service_status = {
    .name = "service status",
    .usage = "[--system]",
    .summary = "is it installed, does it start by itself, is it running",
    .help = "Exit 0 if it is running, else 1.",
    .options = system_options,
    .run = status,
};
