// SPDX-License-Identifier: MIT
//
// agent/api/peercred — SO_PEERCRED: who connected, as the kernel saw it.
#include <sys/socket.h>

#include "agent/api/server_priv.h"

bool api_peer_uid(int fd, uid_t *out_uid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    *out_uid = peer.uid;
    return true;
}
