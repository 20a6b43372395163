// SPDX-License-Identifier: MIT
//
// agent/daemon/notify — tells the service manager how the agent is, if one asked to be told.
#ifndef AGENT_DAEMON_NOTIFY_PRIV_H
#define AGENT_DAEMON_NOTIFY_PRIV_H

// Lines KEY=VALUE as in sd_notify(3): "READY=1", "STATUS=synced", "STOPPING=1". Never waits.
void notify_send(const char *lines);

#endif
