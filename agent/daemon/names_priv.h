// SPDX-License-Identifier: MIT
//
// agent/daemon/names — what a name and an address may look like, in the config file and in
// requests.
#ifndef AGENT_DAEMON_NAMES_PRIV_H
#define AGENT_DAEMON_NAMES_PRIV_H

#include <stdbool.h>

enum { NAME_BYTES_MAX = 64 };

// Of a peer or folder: 1 to 64 letters, digits, '.', '_', '-'; not "all".
bool name_valid(const char *name);

// Of this device: 1 to 64 bytes without control bytes.
bool device_name_valid(const char *name);

// "tcp://host:port", "tcp://[v6]:port". `listening` also allows the host "*" and the port 0.
bool address_valid(const char *address, bool listening);

// Loopback, link-local or private: reached without leaving the local network.
bool address_is_local(const char *address);

#endif
