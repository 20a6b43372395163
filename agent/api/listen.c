// SPDX-License-Identifier: MIT
//
// agent/api/listen — the Unix socket, private from the moment it exists.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/api/server_priv.h"
#include "agent/base/log.h"
#include "agent/base/own.h"

static enum err fail(struct fault *fault, const char *call, const char *path, const char *what)
{
    (void)log_errno(LOG_API, call, slice_text(path));
    *fault = (struct fault){ERR_CONFIG, 0, what};
    return ERR_CONFIG;
}

// The lock is held, so a socket that lies there is a leftover; anything else is not ours to remove.
static enum err remove_leftover(const char *path, struct fault *fault)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        if (errno == ENOENT) return ERR_OK;
        return fail(fault, "lstat", path, "the socket's directory cannot be used");
    }
    if (!S_ISSOCK(st.st_mode)) {
        *fault =
            (struct fault){ERR_CONFIG, 0, "something that is not a socket has the socket's name"};
        return ERR_CONFIG;
    }
    if (unlink(path) != 0)
        return fail(fault, "unlink", path, "a leftover socket cannot be removed");
    return ERR_OK;
}

enum err api_listen(const char *path, int *out_fd, struct fault *fault)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path);
    if (size >= sizeof address.sun_path) {
        *fault = (struct fault){ERR_CONFIG, 0, "the path is too long for a socket"};
        return ERR_CONFIG;
    }
    memcpy(address.sun_path, path, size + 1);

    enum err err = remove_leftover(path, fault);
    if (err) return err;
    AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        return fail(fault, "socket", path, "the socket cannot be made");
    }
    // Linux gives the file the mode the descriptor has; elsewhere this fails and the chmod below
    // comes before anybody can connect, because nothing listens yet.
    (void)!fchmod(fd, 0600);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        return fail(fault, "bind", path, "the socket cannot be bound");
    }
    if (chmod(path, 0600) != 0 || listen(fd, API_CONNECTIONS_MAX * 4) != 0) {
        return fail(fault, "listen", path, "the socket cannot be listened on");
    }
    *out_fd = fd;
    fd = -1; // handed out
    return ERR_OK;
}
