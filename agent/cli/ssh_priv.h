// SPDX-License-Identifier: MIT
//
// agent/cli/ssh — the system's ssh, running cfgsync-agent on another machine, and lines to and from
// it.
#ifndef AGENT_CLI_SSH_PRIV_H
#define AGENT_CLI_SSH_PRIV_H

#include <stdio.h>
#include <sys/types.h>

#include "agent/base/bytes.h"

enum {
    SSH_VERSION = 1,
    SSH_LINE_MAX = 4096,
    SSH_ANSWER_S = 60,
    SSH_NOISE_MAX = 200, // lines that a login may print before the first of ours
    SSH_NOT_FOUND = 127, // the shell's: no such program
    SSH_NO_CONNECTION = 255,
};

struct ssh {
    char target[320]; // "user@host"
    char host[256];   // as in an address
    char port[8];     // "" for ssh's own choice
    pid_t pid;
    FILE *to;
    FILE *from;
};

// "ssh://[USER@]HOST[:PORT]". False: it is none.
bool ssh_parse(const char *url, struct ssh *out);
bool ssh_start(struct ssh *ssh, const char *command); // false: errno
bool ssh_line(struct ssh *ssh, struct buf *out);      // false: the end, or too long
void ssh_say(struct ssh *ssh, const char *line);
int ssh_end(struct ssh *ssh); // closes both ways; its exit code

#endif
