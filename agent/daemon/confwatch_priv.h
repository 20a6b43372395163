// SPDX-License-Identifier: MIT
//
// agent/daemon/confwatch — tells that something happened in the directory of the config file, or of
// what it leads to if it is a link: most editors put a new file in its place. Only a hint; whoever
// gets it looks at the file.
#ifndef AGENT_DAEMON_CONFWATCH_PRIV_H
#define AGENT_DAEMON_CONFWATCH_PRIV_H

#include <stdbool.h>

int confwatch_open(const char *file); // a descriptor that becomes readable; -1: none can be had
bool confwatch_drain(int fd, const char *file); // whether it may be the file that has changed

#endif
