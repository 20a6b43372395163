// SPDX-License-Identifier: MIT
//
// agent/cli/request — only while no agent runs, so that it is the next one that acts.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/own.h"
#include "agent/cli/print_priv.h"
#include "agent/cli/request_priv.h"

static bool make_file(const char *path, const char *dir)
{
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    AUTO(fd_close) int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && dir_fd >= 0 && flush_file(fd) == 0 && flush_file(dir_fd) == 0;
}

int request_leave(const struct cli_context *context, const char *path)
{
    const struct home *home = &context->home;
    if (access(home->identity, F_OK) != 0) {
        cli_error("there is no device in %s; cfgsync-agent init makes one", home->state_dir);
        return CLI_FAILED;
    }
    AUTO(fd_close) int lock = -1;
    pid_t owner = 0;
    enum err err = home_lock(home, &lock, &owner);
    if (err == ERR_BUSY) {
        cli_error("an agent is running (pid %ld); stop it first: cfgsync-agent stop", (long)owner);
        return CLI_FAILED;
    }
    if (err || !make_file(path, home->state_dir)) {
        cli_error("cannot write in %s: %s", home->state_dir, strerror(errno));
        return CLI_FAILED;
    }
    return CLI_DONE;
}
