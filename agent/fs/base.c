// SPDX-License-Identifier: MIT
//
// The base store: contents of small files as they are now, each in a file of its own that is named
// by its id, compressed where that pays. What is there is believed only when it has been read and
// hashed, so that nothing is flushed on the way in, and whatever a crash leaves does no harm.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/delta/compress.h"
#include "agent/fs/disk_priv.h"
#include "crypto/hash.h"
#include "proto/vv.h"

struct dirs {
    const struct grip *grip;
    int staging_fd;
    int base_fd;
    int kept_fd;
};

static int dirs_open(const struct grip *grip, struct dirs *out)
{
    *out = (struct dirs){.grip = grip, .staging_fd = -1, .base_fd = -1, .kept_fd = -1};
    int code = internal_open(grip, FS_STAGING, &out->staging_fd);
    if (code == 0) code = internal_open(grip, FS_BASE, &out->base_fd);
    return code != 0 ? code : internal_open(grip, FS_KEPT, &out->kept_fd);
}

static void dirs_close(struct dirs *dirs)
{
    fd_close(&dirs->staging_fd);
    fd_close(&dirs->base_fd);
    fd_close(&dirs->kept_fd);
}

static uint64_t room_of(uint64_t bytes)
{
    uint64_t blocks = (bytes + BASE_BLOCK_BYTES - 1) / BASE_BLOCK_BYTES;
    return (blocks > 0 ? blocks : 1) * BASE_BLOCK_BYTES;
}

static bool is_content(struct slice bytes, const struct content *content)
{
    return bytes.size == content->size && digest_equal(hash_content(bytes), content->id);
}

// Compressed, it is smaller than what it holds; else it is that.
static enum err stored_read(int base_fd, const struct content *content, struct buf *out)
{
    char name[STAGE_NAME_MAX];
    AUTO(buf_fini) struct buf stored = {0};
    stage_name(content, name);
    AUTO(fd_close)
    int fd = openat(base_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? ERR_CHANGED : err_from_errno(errno);
    enum err err = fd_slurp(fd, content->size, &stored);
    if (err != ERR_OK) return err;
    if (stored.size == content->size)
        buf_append(out, stored.data, stored.size);
    else if (decompress(buf_slice(&stored), (size_t)content->size, out) != ERR_OK)
        return ERR_CHANGED;
    return is_content(buf_slice(out), content) ? ERR_OK : ERR_CHANGED;
}

enum err base_load(const struct grip *grip, const struct content *content, struct buf *out)
{
    AUTO(fd_close) int base_fd = -1;
    int code = internal_open(grip, FS_BASE, &base_fd);
    return code == 0 ? stored_read(base_fd, content, out) : err_from_errno(code);
}

struct dress {
    uint32_t mode;
    int64_t mtime_ns;
    bool durable;
};

// A file of ours in staging, closed when this returns: what is written later is somebody else's.
static enum err temp_make(const struct dirs *dirs, struct slice bytes, const struct dress *dress,
                          char out_temp[STAGE_NAME_MAX])
{
    const struct timespec when = {.tv_sec = (time_t)(dress->mtime_ns / 1000000000),
                                  .tv_nsec = (long)(dress->mtime_ns % 1000000000)};
    const struct timespec times[2] = {when, when};
    if (!space_left(dirs->staging_fd, bytes.size)) return ERR_NO_SPACE;
    temp_name(dirs->grip->disk, out_temp);
    AUTO(fd_close)
    int fd = openat(dirs->staging_fd, out_temp,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return log_errno(LOG_FS, "create", slice_text(out_temp));
    int code = fd_write_at(fd, bytes.data, bytes.size, 0);
    if (code == 0 && fchmod(fd, (mode_t)dress->mode) != 0) code = errno;
    (void)futimens(fd, times); // a time that cannot be had is no reason not to have the content
    if (code == 0 && dress->durable) code = flush_data(fd);
    if (code == 0) return ERR_OK;
    (void)unlinkat(dirs->staging_fd, out_temp, 0);
    errno = code;
    return log_errno(LOG_FS, "write", slice_text(out_temp));
}

static enum err temp_place(const struct dirs *dirs, const char *temp, int dir_fd, const char *name)
{
    if (renameat(dirs->staging_fd, temp, dir_fd, name) == 0) return ERR_OK;
    enum err err = log_errno(LOG_FS, "rename", slice_text(name));
    (void)unlinkat(dirs->staging_fd, temp, 0);
    return err;
}

// ---- what is kept

static enum err keep_place(const struct dirs *dirs, struct arena *arena, const char *temp,
                           struct slice file)
{
    int code = swap_noreplace(dirs->grip->disk, dirs->staging_fd, temp, dirs->kept_fd,
                              arena_text(arena, file));
    if (code == 0) return ERR_OK;
    (void)unlinkat(dirs->staging_fd, temp, 0);
    errno = code;
    return log_errno(LOG_FS, "rename to kept", file);
}

static enum err keep_one(const struct dirs *dirs, struct arena *arena, struct base_keep *keep)
{
    const struct dress dress = {keep->mode & 0777, keep->mtime_ns, true};
    AUTO(buf_fini) struct buf bytes = {0};
    char temp[STAGE_NAME_MAX];
    if (keep->content.size > BASE_CONTENT_BYTES_MAX) return ERR_TOO_BIG;
    enum err err = keep->at_hand ? ERR_OK : stored_read(dirs->base_fd, &keep->content, &bytes);
    if (err == ERR_OK)
        err = temp_make(dirs, keep->at_hand ? keep->bytes : buf_slice(&bytes), &dress, temp);
    return err == ERR_OK ? keep_place(dirs, arena, temp, keep->file) : err;
}

static void keeps_do(const struct dirs *dirs, struct job *job)
{
    bool any = false;
    for (uint32_t i = 0; i < job->base.keep_count; i++) {
        struct base_keep *keep = &job->base.keeps[i];
        keep->err = keep_one(dirs, job->arena, keep);
        any |= keep->err == ERR_OK;
    }
    // They are there all the same; one that a power cut takes is missed when it is listed.
    errno = any ? dir_sync(dirs->kept_fd) : 0;
    if (errno != 0) (void)log_errno(LOG_FS, "sync", slice_text(FS_KEPT));
}

enum err base_stage(const struct grip *grip, const struct content *content)
{
    AUTO(dirs_close) struct dirs dirs;
    const struct dress dress = {0600, 0, true};
    AUTO(buf_fini) struct buf bytes = {0};
    char temp[STAGE_NAME_MAX], name[STAGE_NAME_MAX];
    errno = dirs_open(grip, &dirs);
    if (errno != 0) return log_errno(LOG_FS, "open", slice_text(FS_BASE));
    if (content->size > BASE_CONTENT_BYTES_MAX) return ERR_TOO_BIG;
    enum err err = stored_read(dirs.base_fd, content, &bytes);
    if (err == ERR_OK) err = temp_make(&dirs, buf_slice(&bytes), &dress, temp);
    if (err != ERR_OK) return err;
    stage_name(content, name);
    return temp_place(&dirs, temp, dirs.staging_fd, name);
}

// ---- what goes and what comes

static void drops_do(const struct dirs *dirs, struct job_base *base)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < base->drop_count; i++) {
        char name[STAGE_NAME_MAX];
        stage_name(&base->drops[i], name);
        if (unlinkat(dirs->base_fd, name, 0) == 0 || errno == ENOENT) continue;
        if (left == 0) (void)log_errno(LOG_FS, "unlink", slice_text(name));
        base->drops[left++] = base->drops[i];
    }
    base->drop_count = left;
}

static enum err put_read(const struct dirs *dirs, const struct base_put *put, struct buf *out)
{
    AUTO(fd_close) int fd = -1;
    if (put->bytes.size > 0) {
        buf_append(out, put->bytes.data, put->bytes.size);
        return ERR_OK;
    }
    if (item_read_open(dirs->grip, put->path, &fd) != 0) return ERR_CHANGED;
    return fd_slurp(fd, put->content.size, out);
}

static enum err put_one(const struct dirs *dirs, struct compressor *compressor,
                        struct base_put *put)
{
    const struct dress dress = {0600, put->mtime_ns, false};
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(buf_fini) struct buf packed = {0};
    char temp[STAGE_NAME_MAX], name[STAGE_NAME_MAX];
    if (put->content.size > BASE_CONTENT_BYTES_MAX) return ERR_TOO_BIG;
    enum err err = put_read(dirs, put, &bytes);
    if (err != ERR_OK) return err;
    if (!is_content(buf_slice(&bytes), &put->content)) return ERR_CHANGED;
    bool pays = compressor_try(compressor, buf_slice(&bytes), &packed);
    struct slice body = buf_slice(pays ? &packed : &bytes);
    err = temp_make(dirs, body, &dress, temp);
    if (err != ERR_OK) return err;
    put->room = room_of(body.size);
    stage_name(&put->content, name);
    return temp_place(dirs, temp, dirs->base_fd, name);
}

// ---- what is there

// "<id>-<size>"; anything else is none of ours.
static bool name_read(const char *name, struct content *out)
{
    enum { HEX = 2 * sizeof out->id.bytes };
    char *end = NULL;
    if (strlen(name) < HEX + 2 || name[HEX] != '-' ||
        !hex_read(name, out->id.bytes, sizeof out->id.bytes))
        return false;
    out->size = strtoull(name + HEX + 1, &end, 10);
    return *end == '\0' && out->size <= BASE_CONTENT_BYTES_MAX;
}

// 0, or an errno: half of what is there would be taken for all of it.
static int stored_find(const struct dirs *dirs, struct buf *found)
{
    AUTO(dir_end) DIR *dir = dir_list(dirs->base_fd);
    if (dir == NULL) return errno;
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL;) {
        struct stat st;
        struct fingerprint print;
        struct base_stored stored;
        if (!name_read(entry->d_name, &stored.content)) continue;
        if (fstatat(dirs->base_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) continue;
            return errno;
        }
        print_of(&st, &print);
        stored.mtime_ns = print.mtime_ns;
        stored.room = room_of(print.size);
        buf_append(found, &stored, sizeof stored);
    }
    return errno;
}

static void stored_list(const struct dirs *dirs, struct job *job)
{
    AUTO(buf_fini) struct buf found = {0};
    errno = stored_find(dirs, &found);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "list", slice_text(FS_BASE));
        return;
    }
    job->base.stored_count = (uint32_t)(found.size / sizeof(struct base_stored));
    job->base.stored =
        arena_alloc(job->arena, job->base.stored_count + 1U, sizeof *job->base.stored);
    if (found.size > 0) memcpy(job->base.stored, found.data, found.size);
}

// Its row may have been written a moment before a crash.
static void keeps_look(const struct dirs *dirs, struct job *job)
{
    for (uint32_t i = 0; i < job->base.keep_count; i++) {
        struct base_keep *keep = &job->base.keeps[i];
        struct stat st;
        const char *name = arena_text(job->arena, keep->file);
        bool there = fstatat(dirs->kept_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
        keep->err = there || errno != ENOENT ? ERR_OK : ERR_CHANGED;
    }
}

void base_root_empty(struct job *job)
{
    const char *path = arena_text(job->arena, job->base.emptied);
    AUTO(fd_close) int root_fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(fd_close) int base_fd = -1;
    if (root_fd < 0 || resolve_walk(root_fd, FS_BASE, O_RDONLY | O_DIRECTORY, &base_fd) != 0)
        return;
    AUTO(dir_end) DIR *dir = dir_list(base_fd);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        struct content content;
        if (name_read(entry->d_name, &content)) (void)unlinkat(base_fd, entry->d_name, 0);
    }
}

void base_run(const struct grip *grip, struct job *job)
{
    AUTO(dirs_close) struct dirs dirs;
    struct job_base *base = &job->base;
    errno = dirs_open(grip, &dirs);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "open", slice_text(FS_BASE));
        return;
    }
    if (base->list) {
        stored_list(&dirs, job);
        keeps_look(&dirs, job);
        return;
    }
    keeps_do(&dirs, job);
    drops_do(&dirs, base);
    AUTO(compressor_destroy) struct compressor *compressor = compressor_new();
    for (uint32_t i = 0; i < base->put_count; i++)
        base->puts[i].err = put_one(&dirs, compressor, &base->puts[i]);
}
