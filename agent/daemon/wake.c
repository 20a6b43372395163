// SPDX-License-Identifier: MIT
//
// A plain pipe rather than eventfd, so that every system has it.
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/daemon/wake_priv.h"

static bool prepare(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

enum err wake_init(struct wake *wake)
{
    int ends[2];
    if (pipe(ends) != 0) return log_errno(LOG_DAEMON, "pipe", slice_text(""));
    wake->read_fd = ends[0];
    wake->write_fd = ends[1];
    if (prepare(ends[0]) && prepare(ends[1])) return ERR_OK;
    enum err err = log_errno(LOG_DAEMON, "fcntl", slice_text("pipe"));
    wake_fini(wake);
    return err;
}

void wake_fini(struct wake *wake)
{
    fd_close(&wake->read_fd);
    fd_close(&wake->write_fd);
}

void wake_up(void *wake)
{
    const struct wake *self = wake;
    int saved = errno;
    ssize_t ignored = write(self->write_fd, "", 1);
    (void)ignored;
    errno = saved;
}

void wake_drain(struct wake *wake)
{
    char bytes[64];
    while (read(wake->read_fd, bytes, sizeof bytes) > 0)
        continue;
}
