// SPDX-License-Identifier: MIT
//
// Which of the defects in agent/ is on (agent/base/planted.h).
#include "agent/base/planted.h"

#include <string.h>

#include "tests/sim/sim.h"

#ifdef CFGSYNC_PLANTED

static const char *chosen; // by the command line, before anything runs

bool planted(const char *name)
{
    return chosen != NULL && strcmp(chosen, name) == 0;
}

bool plant(const char *name)
{
    chosen = name;
    return true;
}

#else

bool plant(const char *name)
{
    (void)name;
    return false;
}

#endif
