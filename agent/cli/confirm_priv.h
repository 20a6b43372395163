// SPDX-License-Identifier: MIT
//
// agent/cli/confirm — asked at a terminal before what cannot simply be taken back.
#ifndef AGENT_CLI_CONFIRM_PRIV_H
#define AGENT_CLI_CONFIRM_PRIV_H

#include "agent/cli/args_priv.h"

// True: yes, or --yes, or nobody is there to be asked. False: no, and said that nothing is changed.
bool confirm(const struct args *args, const char *question);

#endif
