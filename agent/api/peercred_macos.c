// SPDX-License-Identifier: MIT
//
// agent/api/peercred — getpeereid: who connected, as the kernel saw it.
#include <unistd.h>

#include "agent/api/server_priv.h"

bool api_peer_uid(int fd, uid_t *out_uid)
{
    gid_t unused;
    return getpeereid(fd, out_uid, &unused) == 0;
}
