// SPDX-License-Identifier: MIT
#include <sys/resource.h>

#include "agent/daemon/priority_priv.h"

void priority_lower(void)
{
    int background = setpriority(PRIO_DARWIN_THREAD, 0, PRIO_DARWIN_BG);
    (void)background;
}
