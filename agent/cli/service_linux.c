// SPDX-License-Identifier: MIT
//
// agent/cli/service — systemd: a unit of the user's own manager, or of the system's.
//
// Source: systemd.unit(5), systemd.service(5), systemd.syntax(7), systemctl(1).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/service_priv.h"
#include "agent/cli/texts_priv.h"

bool service_program(struct buf *out)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path);
    if (size <= 0 || size == (ssize_t)sizeof path) return false;
    buf_append(out, path, (size_t)size);
    return access(buf_text(out), X_OK) == 0;
}

// In double quotes, where systemd reads "\", "\"" and "%" in ways of its own. "$" is itself in
// variables and in a program's path.
static void quote(const char *text, struct buf *out)
{
    buf_append_text(out, "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') buf_append_text(out, "\\");
        if (*text == '%') buf_append(out, text, 1);
        buf_append(out, text, 1);
    }
    buf_append_text(out, "\"");
}

static void add_variable(const char *name, const char *value, struct buf *out)
{
    AUTO(buf_fini) struct buf pair = {0};
    if (value == NULL || value[0] != '/') return;
    buf_printf(&pair, "%s=%s", name, value);
    buf_append_text(out, out->size > 0 ? "\nEnvironment=" : "Environment=");
    quote(buf_text(&pair), out);
}

void service_home(const char *home, struct buf *out)
{
    add_variable("CFGSYNC_HOME", home, out);
}

void service_text(const struct service *service, struct buf *out)
{
    AUTO(buf_fini) struct buf program = {0};
    AUTO(buf_fini) struct buf environment = {0};
    const struct home *home = &service->context->home;
    if (strpbrk(service->program, " %") != NULL) {
        quote(service->program, &program);
    } else {
        buf_append_text(&program, service->program);
    }
    if (home->single) {
        AUTO(mem_free) char *real = realpath(home->state_dir, NULL);
        service_home(real != NULL ? real : home->state_dir, &environment);
    } else if (!service->system) {
        add_variable("XDG_CONFIG_HOME", getenv("XDG_CONFIG_HOME"), &environment);
        add_variable("XDG_STATE_HOME", getenv("XDG_STATE_HOME"), &environment);
    }
    const char *const pairs[] = {"PROGRAM",     buf_text(&program),     "USER", service->user,
                                 "ENVIRONMENT", buf_text(&environment), NULL};
    service_fill(service->system ? text_service_system : text_service_unit, pairs, out);
}

static void add_unit(const struct service *service, struct buf *out)
{
    service_name(service, out);
    buf_append_text(out, ".service");
}

void service_path(const struct service *service, struct buf *out)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (service->system) {
        buf_append_text(out, "/etc/systemd/system/");
    } else if (config != NULL && config[0] == '/') {
        buf_printf(out, "%s/systemd/user/", config);
    } else {
        buf_printf(out, "%s/.config/systemd/user/", home != NULL ? home : "");
    }
    add_unit(service, out);
}

const char *service_packaged(const struct service *service)
{
    bool plain = !service->system && !service->context->home.single;
    return plain ? "/usr/lib/systemd/user/cfgsync-agent.service" : NULL;
}

// systemctl [--user] VERB [--now] [UNIT]
static int systemctl(const struct service *service, const char *verb, bool now, bool unit,
                     struct buf *out)
{
    AUTO(buf_fini) struct buf name = {0};
    const char *words[8] = {"systemctl"};
    size_t count = 1;
    if (!service->system) words[count++] = "--user";
    words[count++] = verb;
    if (now) words[count++] = "--now";
    if (unit) {
        add_unit(service, &name);
        words[count++] = buf_text(&name);
    }
    return service_command(words, out);
}

int service_reload(const struct service *service)
{
    return systemctl(service, "daemon-reload", false, false, NULL);
}

int service_enable(const struct service *service)
{
    return systemctl(service, "enable", true, true, NULL);
}

int service_disable(const struct service *service)
{
    return systemctl(service, "disable", true, true, NULL);
}

void service_state(const struct service *service, struct service_state *out)
{
    AUTO(buf_fini) struct buf unused = {0};
    out->enabled = systemctl(service, "is-enabled", false, true, &unused) == 0;
    out->active = systemctl(service, "is-active", false, true, &unused) == 0;
}

void service_hints(const struct service *service)
{
    AUTO(buf_fini) struct buf unit = {0};
    AUTO(buf_fini) struct buf linger = {0};
    const char *user = getenv("USER");
    add_unit(service, &unit);
    printf("its log: journalctl %s-u %s\n", service->system ? "" : "--user ", buf_text(&unit));
    if (service->system || user == NULL || strchr(user, '/') != NULL) return;
    buf_printf(&linger, "/var/lib/systemd/linger/%s", user);
    if (access(buf_text(&linger), F_OK) == 0) return;
    (void)puts("it runs while you are logged in; to have it always: loginctl enable-linger");
}
