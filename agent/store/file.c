// SPDX-License-Identifier: MIT
//
// Small files of the state directory: read whole, replaced whole.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/store/file_priv.h"

enum { FILE_BYTES_MAX = 8 << 20 };

static enum err read_all(int fd, const char *name, struct buf *out)
{
    for (;;) {
        buf_reserve(out, 64 << 10);
        ssize_t got = read(fd, out->data + out->size, 64 << 10);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return log_errno(LOG_STORE, "read", slice_text(name));
        if (got == 0) return ERR_OK;
        out->size += (size_t)got;
        if (out->size > FILE_BYTES_MAX) return ERR_TOO_BIG;
    }
}

// A copy restored from somewhere may be open to others; it is closed and used.
static enum err close_to_others(int fd, const char *name)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return log_errno(LOG_STORE, "fstat", slice_text(name));
    if (!S_ISREG(st.st_mode)) return ERR_CORRUPT;
    if ((st.st_mode & 07777) == 0600 || fchmod(fd, 0600) == 0) return ERR_OK;
    return log_errno(LOG_STORE, "fchmod", slice_text(name));
}

enum err file_read(int dir_fd, const char *name, struct buf *out, bool *out_found)
{
    AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *out_found = fd >= 0;
    if (fd < 0 && errno == ENOENT) return ERR_OK;
    if (fd < 0) return log_errno(LOG_STORE, "open", slice_text(name));
    enum err err = close_to_others(fd, name);
    return err ? err : read_all(fd, name, out);
}

static enum err write_all(int fd, const char *name, struct slice bytes)
{
    while (bytes.size > 0) {
        ssize_t done = write(fd, bytes.data, bytes.size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return log_errno(LOG_STORE, "write", slice_text(name));
        bytes = slice_of(bytes.data + done, bytes.size - (size_t)done);
    }
    return flush_file(fd) == 0 ? ERR_OK : log_errno(LOG_STORE, "fsync", slice_text(name));
}

static enum err write_new(int dir_fd, const char *name, struct slice bytes)
{
    (void)unlinkat(dir_fd, name, 0); // of a run that was cut off
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    AUTO(fd_close) int fd = openat(dir_fd, name, flags, 0600);
    if (fd < 0) return log_errno(LOG_STORE, "create", slice_text(name));
    if (fchmod(fd, 0600) != 0) return log_errno(LOG_STORE, "fchmod", slice_text(name));
    return write_all(fd, name, bytes);
}

enum err file_replace(int dir_fd, const char *name, struct slice bytes)
{
    AUTO(buf_fini) struct buf fresh = {0};
    buf_printf(&fresh, "%s.new", name);
    const char *fresh_name = buf_text(&fresh);
    enum err err = write_new(dir_fd, fresh_name, bytes);
    if (!err && renameat(dir_fd, fresh_name, dir_fd, name) != 0) {
        err = log_errno(LOG_STORE, "rename", slice_text(name));
    }
    if (err) {
        (void)unlinkat(dir_fd, fresh_name, 0);
        return err;
    }
    return flush_file(dir_fd) == 0 ? ERR_OK
                                   : log_errno(LOG_STORE, "fsync directory", slice_text(name));
}
