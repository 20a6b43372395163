// SPDX-License-Identifier: MIT
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/cli/confirm_priv.h"
#include "agent/cli/print_priv.h"

bool confirm(const struct args *args, const char *question)
{
    AUTO(buf_fini) struct buf line = {0};
    AUTO(buf_fini) struct buf reply = {0};
    if (args_has(args, "--yes") || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return true;
    buf_printf(&line, "%s [y/N]", question);
    (void)ask_line(buf_text(&line), &reply);
    const char *text = buf_text(&reply);
    if (text[0] == 'y' || text[0] == 'Y') return true;
    cli_error("nothing is changed");
    return false;
}
