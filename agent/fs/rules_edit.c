// SPDX-License-Identifier: MIT
//
// Files of rules as a person has them changed by command: read, and replaced as a whole, so that
// whoever reads them meanwhile, the watch or another editor, sees the old or the new one.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"

static const char *file_of(bool local)
{
    return rules_file(local ? RULES_LOCAL : RULES_SYNCED);
}

static enum err failed(const char *call, const char *file, int code)
{
    errno = code;
    return log_errno(LOG_FS, call, slice_text(file));
}

// A file that is not there is empty. *out_mode: its permissions, or those that it will have.
static int text_read(const struct grip *grip, const char *file, struct buf *out, mode_t *out_mode)
{
    AUTO(fd_close) int fd = -1;
    struct stat st;
    size_t got = 0;
    *out_mode = 0644;
    int code = beneath_open(grip, slice_text(file), O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
    if (code == ENOENT) return 0;
    if (code != 0) return code;
    if (fstat(fd, &st) != 0) return errno;
    if (!S_ISREG(st.st_mode)) return EINVAL;
    if (st.st_size > IGNORE_FILE_BYTES_MAX) return EFBIG;
    *out_mode = st.st_mode & 0777;
    buf_reserve(out, IGNORE_FILE_BYTES_MAX);
    code = fd_read_at(fd, out->data, IGNORE_FILE_BYTES_MAX, 0, &got);
    out->size = code == 0 ? got : 0;
    return code;
}

enum err disk_rules_read(struct disk *disk, uint32_t folder, bool local, struct buf *out)
{
    struct grip grip;
    mode_t mode;
    enum err err = grip_take(disk, folder, &grip);
    int code = err == ERR_OK ? text_read(&grip, file_of(local), out, &mode) : 0;
    if (code != 0) err = failed("read rules", file_of(local), code);
    grip_drop(&grip);
    return err;
}

// In staging first: a name of ours in the tree would be seen.
static int text_put(const struct grip *grip, bool local, struct slice text, mode_t mode)
{
    AUTO(fd_close) int staging = -1;
    AUTO(fd_close) int internal = -1;
    AUTO(fd_close) int fd = -1;
    char temp[STAGE_NAME_MAX];
    temp_name(grip->disk, temp);
    int code = internal_open(grip, FS_STAGING, &staging);
    if (code == 0) code = internal_open(grip, FS_INTERNAL, &internal);
    if (code != 0) return code;
    int dir_fd = local ? internal : grip->fd;
    const char *name = local ? &RULES_LOCAL_FILE[sizeof FS_INTERNAL] : RULES_FILE;
    fd = openat(staging, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    code = text.size > 0 ? fd_write_at(fd, text.data, text.size, 0) : 0;
    if (code == 0) code = mode_set_fd(fd, mode);
    if (code == 0 && fsync(fd) != 0) code = errno;
    if (code == 0 && renameat(staging, temp, dir_fd, name) != 0) code = errno;
    if (code != 0) (void)unlinkat(staging, temp, 0);
    return code != 0 ? code : dir_sync(dir_fd);
}

enum err disk_rules_write(struct disk *disk, uint32_t folder, bool local, struct slice before,
                          struct slice text)
{
    struct grip grip;
    mode_t mode = 0;
    AUTO(buf_fini) struct buf now = {0};
    enum err err = grip_take(disk, folder, &grip);
    int code = err == ERR_OK ? text_read(&grip, file_of(local), &now, &mode) : 0;
    bool same = slice_equal(buf_slice(&now), before);
    if (err == ERR_OK && code == 0 && same) code = text_put(&grip, local, text, mode);
    if (code != 0) err = failed("write rules", file_of(local), code);
    grip_drop(&grip);
    return err == ERR_OK && !same ? ERR_CHANGED : err;
}

const char *disk_rules_file(bool local)
{
    return file_of(local);
}
