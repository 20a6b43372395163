// SPDX-License-Identifier: MIT
//
// Files of rules as a person has them changed by command: read, and replaced as a whole, so that
// whoever reads them meanwhile, the watch or another editor, sees the old or the new one.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/flush.h"
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

static int fd_text(int fd, struct buf *out, mode_t *out_mode)
{
    struct stat st;
    size_t got = 0;
    if (fstat(fd, &st) != 0) return errno;
    if (!S_ISREG(st.st_mode)) return EINVAL;
    if (st.st_size > IGNORE_FILE_BYTES_MAX) return EFBIG;
    *out_mode = st.st_mode;
    buf_reserve(out, IGNORE_FILE_BYTES_MAX);
    int code = fd_read_at(fd, out->data, IGNORE_FILE_BYTES_MAX, 0, &got);
    out->size = code == 0 ? got : 0;
    return code;
}

// A file that is not there is empty, and its mode is 0.
static int text_read(const struct grip *grip, const char *file, struct buf *out, mode_t *out_mode)
{
    AUTO(fd_close) int fd = -1;
    *out_mode = 0;
    int code = beneath_open(grip, slice_text(file), O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
    if (code == ENOENT) return 0;
    return code != 0 ? code : fd_text(fd, out, out_mode);
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

// ---- replacing it
//
// The new text lies in kept, durable, and is exchanged with the old one, which is looked at then:
// an editor, or a step of ours, may have put another there meanwhile. That goes back, or stays in
// kept.

enum { KEPT_NAME_MAX = 64 };

struct put {
    const struct disk *disk;
    int kept_fd, dir_fd;
    const char *name;
    char kept[KEPT_NAME_MAX];
    struct slice before, text;
    ino_t ours;
};

static bool kept_says(const struct put *put, const char *kept, struct slice text)
{
    AUTO(buf_fini) struct buf now = {0};
    mode_t mode;
    AUTO(fd_close)
    int fd = openat(put->kept_fd, kept, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && fd_text(fd, &now, &mode) == 0 && slice_equal(buf_slice(&now), text);
}

static bool is_ours(const struct put *put)
{
    struct stat st;
    return fstatat(put->kept_fd, put->kept, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_ino == put->ours && kept_says(put, put->kept, put->text);
}

static void kept_name(const struct grip *grip, char out[KEPT_NAME_MAX])
{
    (void)snprintf(out, KEPT_NAME_MAX, "rules-%lld-%llu", (long long)clock_ns(CLOCK_REALTIME),
                   (unsigned long long)temp_number(grip->disk));
}

static int text_make(struct put *put, mode_t mode)
{
    struct stat st;
    AUTO(fd_close)
    int fd =
        openat(put->kept_fd, put->kept, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int code = put->text.size > 0 ? fd_write_at(fd, put->text.data, put->text.size, 0) : 0;
    if (code == 0) code = mode_set_fd(fd, mode & 0777);
    if (code == 0 && flush_file(fd) != 0) code = errno;
    if (code == 0 && fstat(fd, &st) != 0) code = errno;
    if (code == 0)
        put->ours = st.st_ino;
    else
        (void)unlinkat(put->kept_fd, put->kept, 0);
    return code;
}

static void say_kept(const char *kept)
{
    log_warn(LOG_FS, "rules were saved at the same time", "kept=%s", kept);
}

// Who saved in that moment gets the name back; if others did again, the last one has it.
static int exchange_back(const struct put *put)
{
    int code = swap_exchange(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
    if (code == ENOENT)
        code = swap_noreplace(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
    else if (code == 0 && !is_ours(put))
        code = swap_exchange(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
    return ESTALE;
}

static int replace(const struct put *put)
{
    int code = swap_exchange(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
    if (code != 0) return code == ENOENT ? ESTALE : code;
    if (!kept_says(put, put->kept, put->before)) return exchange_back(put);
    (void)unlinkat(put->kept_fd, put->kept, 0);
    return 0;
}

// Where two names cannot be exchanged: for a moment there is no such file.
static int replace_apart(const struct put *put, const char *old)
{
    int code = swap_noreplace(put->disk, put->dir_fd, put->name, put->kept_fd, old);
    if (code != 0) return code == ENOENT ? ESTALE : code;
    code = kept_says(put, old, put->before) ? 0 : ESTALE;
    if (code == 0)
        code = swap_noreplace(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
    if (code == 0)
        (void)unlinkat(put->kept_fd, old, 0);
    else if (swap_noreplace(put->disk, put->kept_fd, old, put->dir_fd, put->name) != 0)
        say_kept(old);
    return code == EEXIST ? ESTALE : code;
}

static int text_put(const struct grip *grip, struct put *put, mode_t mode)
{
    char old[KEPT_NAME_MAX];
    kept_name(grip, put->kept);
    int code = text_make(put, mode != 0 ? mode : 0644);
    if (code != 0) return code;
    if (mode == 0) {
        code = swap_noreplace(put->disk, put->kept_fd, put->kept, put->dir_fd, put->name);
        if (code == EEXIST) code = ESTALE;
    } else {
        code = replace(put);
        kept_name(grip, old);
        if (code == EINVAL || code == ENOSYS) code = replace_apart(put, old);
    }
    if (code == 0) return dir_sync(put->dir_fd);
    if (is_ours(put))
        (void)unlinkat(put->kept_fd, put->kept, 0);
    else if (faccessat(put->kept_fd, put->kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        say_kept(put->kept);
    return code;
}

enum err disk_rules_write(struct disk *disk, uint32_t folder, bool local, struct slice before,
                          struct slice text)
{
    struct grip grip;
    mode_t mode = 0;
    AUTO(buf_fini) struct buf now = {0};
    AUTO(fd_close) int kept = -1;
    AUTO(fd_close) int internal = -1;
    enum err err = grip_take(disk, folder, &grip);
    int code = err == ERR_OK ? text_read(&grip, file_of(local), &now, &mode) : 0;
    if (err == ERR_OK && code == 0 && !slice_equal(buf_slice(&now), before)) code = ESTALE;
    if (err == ERR_OK && code == 0) code = internal_open(&grip, FS_KEPT, &kept);
    if (err == ERR_OK && code == 0) code = internal_open(&grip, FS_INTERNAL, &internal);
    if (err == ERR_OK && code == 0) {
        struct put put = {.disk = disk, .kept_fd = kept, .before = before, .text = text};
        put.dir_fd = local ? internal : grip.fd;
        put.name = local ? &RULES_LOCAL_FILE[sizeof FS_INTERNAL] : RULES_FILE;
        code = text_put(&grip, &put, mode);
    }
    grip_drop(&grip);
    if (code == ESTALE) return ERR_CHANGED;
    return code != 0 ? failed("write rules", file_of(local), code) : err;
}

const char *disk_rules_file(bool local)
{
    return file_of(local);
}
