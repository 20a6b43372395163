// SPDX-License-Identifier: MIT
//
// Source: machine-id(5).
#include <fcntl.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/daemon/machine_id_priv.h"

enum { MACHINE_ID_BYTES = 32 };

bool machine_id_read(struct buf *out)
{
    static const char *const files[] = {"/etc/machine-id", "/var/lib/dbus/machine-id"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char text[MACHINE_ID_BYTES];
        AUTO(fd_close) int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        // "uninitialized\n" is shorter: a machine in its first boot.
        if (fd < 0 || read(fd, text, sizeof text) != (ssize_t)sizeof text) continue;
        buf_append(out, text, sizeof text);
        return true;
    }
    return false;
}
