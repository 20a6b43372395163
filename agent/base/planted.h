// SPDX-License-Identifier: MIT
//
// agent/base/planted — defects for the simulator to find. PLANTED(name) is false in every program
// but sim_planted, where `sim_planted --defect NAME` makes one of them true. What each breaks is in
// docs/TESTING.md, which lists them all.
#ifndef AGENT_BASE_PLANTED_H
#define AGENT_BASE_PLANTED_H

#ifdef CFGSYNC_PLANTED
#include <stdbool.h>
bool planted(const char *name); // tests/sim/planted.c
#define PLANTED(name) planted(#name)
#else
#define PLANTED(name) false
#endif

#endif
