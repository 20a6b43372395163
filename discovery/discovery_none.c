// SPDX-License-Identifier: MIT
//
// Built without mDNS: there is nothing to be seen.
#include <stddef.h>

#include "discovery/backend_priv.h"

bool discovery_built(void)
{
    return false;
}

struct backend *backend_open(struct hub *hub, int wake_fd)
{
    (void)hub, (void)wake_fd;
    return NULL;
}

void backend_close(struct backend **backend)
{
    (void)backend;
}

void backend_wish(struct backend *backend, const struct discovery_wish *wish)
{
    (void)backend, (void)wish;
}

bool backend_serve(struct backend *backend)
{
    (void)backend;
    return false;
}
