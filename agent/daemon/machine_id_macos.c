// SPDX-License-Identifier: MIT
//
// Source: gethostuuid(2).
#include <time.h>
#include <unistd.h>

#include <uuid/uuid.h>

#include "agent/daemon/machine_id_priv.h"

bool machine_id_read(struct buf *out)
{
    uuid_t id;
    const struct timespec wait = {.tv_sec = 1};
    if (gethostuuid(id, &wait) != 0) return false;
    buf_append(out, id, sizeof id);
    return true;
}
