// SPDX-License-Identifier: MIT
//
// agent/cli/join_file — leaves an invitation for the next run.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/own.h"
#include "agent/cli/join_file_priv.h"
#include "agent/cli/print_priv.h"
#include "crypto/identity.h"
#include "crypto/pairing.h"
#include "proto/card.h"

static bool read_file(const char *path, char out[TOKEN_TEXT_MAX + 1])
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    while (fd >= 0 && size < TOKEN_TEXT_MAX) {
        ssize_t got = read(fd, out + size, TOKEN_TEXT_MAX - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        size += (size_t)got;
    }
    out[size] = '\0';
    return fd >= 0;
}

int join_file_check(const char *path, struct buf *out)
{
    char text[TOKEN_TEXT_MAX + 1];
    AUTO(buf_fini) struct buf bytes = {0};
    struct ticket ticket;
    struct fault fault;
    if (!read_file(path, text)) {
        cli_error("--join-file: %s: %s", path, strerror(errno));
        return CLI_USAGE;
    }
    bool ok =
        token_bytes(text, &bytes) && ticket_read(buf_slice(&bytes), &ticket, &fault) == ERR_OK;
    if (ok) token_text(buf_slice(&bytes), out);
    crypto_wipe(text, sizeof text);
    crypto_wipe(&ticket, sizeof ticket);
    if (ok) return CLI_DONE;
    cli_error("--join-file: %s holds no whole token; cfgsync-agent invite makes one", path);
    return CLI_USAGE;
}

// Whole or not at all, so that a crash leaves nothing that is taken for damage.
int join_file_leave(const struct cli_context *context, const struct buf *token)
{
    AUTO(buf_fini) struct buf aside = {0};
    buf_printf(&aside, "%s.new", context->home.join);
    const char *name = buf_text(&aside);
    (void)unlink(name);
    AUTO(fd_close)
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    AUTO(fd_close) int dir = open(context->home.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && dir >= 0 && write(fd, token->data, token->size) == (ssize_t)token->size &&
        flush_file(fd) == 0 && rename(name, context->home.join) == 0 && flush_file(dir) == 0) {
        return CLI_DONE;
    }
    cli_error("cannot write %s: %s", context->home.join, strerror(errno));
    (void)unlink(name);
    return CLI_FAILED;
}
