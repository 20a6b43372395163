// SPDX-License-Identifier: MIT
//
// agent/cli/service — the agent as a service: systemd on Linux, launchd on macOS.
#ifndef AGENT_CLI_SERVICE_PRIV_H
#define AGENT_CLI_SERVICE_PRIV_H

#include "agent/base/bytes.h"
#include "agent/cli/cli.h"

struct service {
    const struct cli_context *context;
    bool system;         // started with the machine, else when the user logs in
    const char *user;    // whose it is, if `system`
    const char *program; // absolute
};

struct service_state {
    bool enabled;
    bool active;
};

// ---- common
// "cfgsync-agent", or "cfgsync-agent-NAME" with a --home DIR/NAME.
void service_name(const struct service *service, struct buf *out);
// The template with "@KEY@" replaced; a line of which nothing is left is left out. `pairs` is key,
// value, ..., NULL.
void service_fill(const char *template, const char *const *pairs, struct buf *out);
// A program of the system with its standard output to *out (NULL: to standard error); its exit
// code, 127 if there is none.
int service_command(const char *const *words, struct buf *out);

// ---- service_linux.c, service_macos.c
bool service_program(struct buf *out); // the file of this program
void service_text(const struct service *service, struct buf *out);
// How that text names a --home.
void service_home(const char *home, struct buf *out);
void service_path(const struct service *service, struct buf *out); // where the text is put
// Where a package has put it, or NULL.
const char *service_packaged(const struct service *service);
int service_enable(const struct service *service); // and start it; exit codes of service_command
int service_disable(const struct service *service);
int service_reload(const struct service *service); // the manager reads what was written or removed
void service_state(const struct service *service, struct service_state *out);
void service_hints(const struct service *service); // printed after the installation

#endif
