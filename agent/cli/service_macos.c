// SPDX-License-Identifier: MIT
//
// agent/cli/service — launchd: an agent of the user, or a daemon of the system.
//
// Source: launchd.plist(5), launchctl(1), dyld(3).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/service_priv.h"
#include "agent/cli/texts_priv.h"

int _NSGetExecutablePath(char *path, uint32_t *size); // <mach-o/dyld.h>

bool service_program(struct buf *out)
{
    char path[4096];
    uint32_t size = sizeof path;
    if (_NSGetExecutablePath(path, &size) != 0) return false;
    AUTO(mem_free) char *real = realpath(path, NULL);
    if (real == NULL) return false;
    buf_append_text(out, real);
    return true;
}

static void add_escaped(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '&') {
            buf_append_text(out, "&amp;");
        } else if (*text == '<') {
            buf_append_text(out, "&lt;");
        } else {
            buf_append(out, text, 1);
        }
    }
}

static void add_label(const struct service *service, struct buf *out)
{
    buf_append_text(out, "io.cfgsync.");
    service_name(service, out);
}

// "gui/501", "system", and behind it "/io.cfgsync.cfgsync-agent"
static void add_target(const struct service *service, bool with_label, struct buf *out)
{
    if (service->system) {
        buf_append_text(out, "system");
    } else {
        buf_printf(out, "gui/%u", (unsigned)getuid());
    }
    if (!with_label) return;
    buf_append_text(out, "/");
    add_label(service, out);
}

void service_home(const char *home, struct buf *out)
{
    buf_append_text(out, "<key>CFGSYNC_HOME</key>\n        <string>");
    add_escaped(home, out);
    buf_append_text(out, "</string>");
}

void service_text(const struct service *service, struct buf *out)
{
    AUTO(buf_fini) struct buf name = {0};
    AUTO(buf_fini) struct buf program = {0};
    AUTO(buf_fini) struct buf environment = {0};
    AUTO(buf_fini) struct buf log = {0};
    const char *home = getenv("HOME");
    add_label(service, &name);
    add_escaped(service->program, &program);
    if (service->system) {
        buf_append_text(&environment, "    <key>UserName</key>\n    <string>");
        add_escaped(service->user, &environment);
        buf_append_text(&environment, "</string>");
        buf_append_text(&log, "/Library/Logs/");
    } else {
        add_escaped(home != NULL ? home : "", &log);
        buf_append_text(&log, "/Library/Logs/");
    }
    service_name(service, &log);
    buf_append_text(&log, ".log");
    if (service->context->home.single) {
        buf_printf(&environment, "%s    <key>EnvironmentVariables</key>\n    <dict>\n        ",
                   environment.size > 0 ? "\n" : "");
        AUTO(mem_free) char *real = realpath(service->context->home.state_dir, NULL);
        service_home(real != NULL ? real : service->context->home.state_dir, &environment);
        buf_append_text(&environment, "\n    </dict>");
    }
    const char *const pairs[] = {
        "NAME",        buf_text(&name),        "PROGRAM", buf_text(&program),
        "ENVIRONMENT", buf_text(&environment), "LOG",     buf_text(&log),
        NULL};
    service_fill(text_service_plist, pairs, out);
}

void service_path(const struct service *service, struct buf *out)
{
    const char *home = getenv("HOME");
    if (service->system) {
        buf_append_text(out, "/Library/LaunchDaemons/");
    } else {
        buf_printf(out, "%s/Library/LaunchAgents/", home != NULL ? home : "");
    }
    add_label(service, out);
    buf_append_text(out, ".plist");
}

const char *service_packaged(const struct service *service)
{
    (void)service;
    return NULL;
}

int service_reload(const struct service *service)
{
    (void)service; // bootstrap reads it, bootout forgets it
    return 0;
}

int service_enable(const struct service *service)
{
    AUTO(buf_fini) struct buf target = {0};
    AUTO(buf_fini) struct buf path = {0};
    add_target(service, false, &target);
    service_path(service, &path);
    const char *const words[] = {"launchctl", "bootstrap", buf_text(&target), buf_text(&path),
                                 NULL};
    return service_command(words, NULL);
}

int service_disable(const struct service *service)
{
    AUTO(buf_fini) struct buf target = {0};
    add_target(service, true, &target);
    const char *const words[] = {"launchctl", "bootout", buf_text(&target), NULL};
    return service_command(words, NULL);
}

void service_state(const struct service *service, struct service_state *out)
{
    AUTO(buf_fini) struct buf target = {0};
    AUTO(buf_fini) struct buf text = {0};
    add_target(service, true, &target);
    const char *const words[] = {"launchctl", "print", buf_text(&target), NULL};
    out->enabled = service_command(words, &text) == 0;
    out->active = out->enabled && strstr(buf_text(&text), "state = running") != NULL;
}

void service_hints(const struct service *service)
{
    AUTO(buf_fini) struct buf name = {0};
    service_name(service, &name);
    printf("its log: %s/Library/Logs/%s.log\n", service->system ? "" : "~", buf_text(&name));
}
