// SPDX-License-Identifier: MIT
//
// Staging: contents put aside under their id. A name of that form appears only when its bytes are
// verified and durable, so whoever finds it may use it.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/delta/compress.h"
#include "agent/fs/disk_priv.h"
#include "crypto/hash.h"
#include "proto/vv.h"

void stage_name(const struct content *content, char out[STAGE_NAME_MAX])
{
    char hex[2 * sizeof content->id.bytes + 1];
    hex_lower(content->id.bytes, sizeof content->id.bytes, hex);
    (void)snprintf(out, STAGE_NAME_MAX, "%s-%" PRIu64, hex, content->size);
}

void temp_name(struct disk *disk, char out[STAGE_NAME_MAX])
{
    (void)snprintf(out, STAGE_NAME_MAX, "t-%ld-%" PRIu64, (long)getpid(), temp_number(disk));
}

bool space_left(int dir_fd, uint64_t bytes)
{
    const uint64_t gib = UINT64_C(1) << 30;
    struct statvfs fs;
    if (fstatvfs(dir_fd, &fs) != 0) return true;
    uint64_t total = (uint64_t)fs.f_blocks * fs.f_frsize;
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    uint64_t keep = total / 20 < gib ? total / 20 : gib;
    return free_bytes >= bytes && free_bytes - bytes >= keep;
}

int dir_sync(int dir_fd)
{
    AUTO(fd_close) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    return flush_file(fd);
}

static bool staged_is_there(int dir_fd, const struct content *content)
{
    char name[STAGE_NAME_MAX];
    struct stat st;
    stage_name(content, name);
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == content->size;
}

static bool is_content(const struct stage_entry *entry, struct slice bytes)
{
    return bytes.size == entry->content.size &&
           digest_equal(hash_content(bytes), entry->content.id);
}

// Of the file that has what it is to be made of; verified as if it had come whole.
static enum err patch_make(const struct grip *grip, const struct stage_entry *entry,
                           struct buf *out)
{
    AUTO(fd_close) int fd = -1;
    AUTO(buf_fini) struct buf base = {0};
    if (entry->base.size + entry->content.size > COMPRESS_AGAINST_MAX) return ERR_MALFORMED;
    if (item_read_open(grip, entry->path, &fd) != 0) return ERR_MALFORMED;
    if (fd_slurp(fd, entry->base.size, &base) != ERR_OK || base.size != entry->base.size)
        return ERR_MALFORMED;
    return decompress_against(buf_slice(&base), entry->patch, (size_t)entry->content.size, out);
}

// Too many open files, say, is no reason to hold that it is gone.
static enum err unopened(int code)
{
    bool transient = code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO ||
                     code == EACCES || code == EINTR;
    return transient ? err_from_errno(code) : ERR_CHANGED;
}

static enum err entry_make(const struct grip *grip, const struct stage_entry *entry,
                           struct buf *out)
{
    AUTO(fd_close) int fd = -1;
    int code = 0;
    switch (entry->from) {
    case STAGE_GIVEN: return ERR_OK;
    case STAGE_PATCH: return patch_make(grip, entry, out);
    case STAGE_STORED: return base_load(grip, &entry->content, out);
    case STAGE_ITEM: code = item_read_open(grip, entry->path, &fd); break;
    case STAGE_KEPT: code = kept_open(grip, entry->path, &fd); break;
    }
    return code == 0 ? fd_slurp(fd, entry->content.size, out) : unopened(code);
}

static enum err temp_write(int dir_fd, const char *name, struct slice bytes, bool sync)
{
    AUTO(fd_close)
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return log_errno(LOG_FS, "create", slice_text(name));
    int code = fd_write_at(fd, bytes.data, bytes.size, 0);
    if (code == 0 && sync) code = flush_data(fd);
    if (code == 0) return ERR_OK;
    errno = code;
    return log_errno(LOG_FS, "write", slice_text(name));
}

// Writes under a temporary name. *out_temp stays empty when there is nothing to be put in place.
static enum err entry_write(const struct grip *grip, int dir_fd, const struct stage_entry *entry,
                            bool sync, char out_temp[STAGE_NAME_MAX])
{
    AUTO(buf_fini) struct buf made = {0};
    enum err err = entry_make(grip, entry, &made);
    struct slice bytes = entry->from == STAGE_GIVEN ? entry->bytes : buf_slice(&made);
    if (err != ERR_OK) return err;
    if (!is_content(entry, bytes)) return ERR_MALFORMED;
    if (staged_is_there(dir_fd, &entry->content)) return ERR_OK;
    if (!space_left(dir_fd, entry->content.size)) return ERR_NO_SPACE;
    temp_name(grip->disk, out_temp);
    err = temp_write(dir_fd, out_temp, bytes, sync);
    if (err == ERR_OK) return ERR_OK;
    (void)unlinkat(dir_fd, out_temp, 0);
    out_temp[0] = '\0';
    return err;
}

static enum err entry_place(int dir_fd, const struct stage_entry *entry, const char *temp)
{
    char name[STAGE_NAME_MAX];
    stage_name(&entry->content, name);
    if (renameat(dir_fd, temp, dir_fd, name) == 0) return ERR_OK;
    return log_errno(LOG_FS, "rename", slice_text(name));
}

// The bytes are durable under their name or under none: a name that a power cut takes away is sent
// again, and the step that uses it flushes the directory anyway.
void stage_run(const struct grip *grip, struct job *job)
{
    struct job_stage *stage = &job->stage;
    AUTO(fd_close) int dir_fd = -1;
    errno = internal_open(grip, FS_STAGING, &dir_fd);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "open", slice_text(FS_STAGING));
        return;
    }
    bool sync_each = stage->count < FS_SYNC_EACH_MAX && !PLANTED(staged_not_synced);
    char(*temps)[STAGE_NAME_MAX] = arena_alloc(job->arena, stage->count + 1, STAGE_NAME_MAX);
    for (uint32_t i = 0; i < stage->count; i++) {
        struct stage_entry *entry = &stage->entries[i];
        entry->err = entry_write(grip, dir_fd, entry, sync_each, temps[i]);
    }
    enum err err = ERR_OK;
    if (!sync_each && !PLANTED(staged_not_synced) && (errno = sync_all(dir_fd)) != 0)
        err = log_errno(LOG_FS, "syncfs", slice_text(FS_STAGING));
    for (uint32_t i = 0; i < stage->count; i++) {
        if (temps[i][0] == '\0') continue;
        // After a failed flush the kernel calls the pages clean: these bytes are to be sent again.
        stage->entries[i].err =
            err != ERR_OK ? err : entry_place(dir_fd, &stage->entries[i], temps[i]);
        if (stage->entries[i].err != ERR_OK) (void)unlinkat(dir_fd, temps[i], 0);
    }
    job->err = err;
}

static void leaves_copy(struct job *job, const struct digest *leaves, uint32_t count)
{
    if (count == 0) return;
    job->copy.leaves = arena_alloc(job->arena, count, sizeof *leaves);
    memcpy(job->copy.leaves, leaves, count * sizeof *leaves);
    job->copy.leaf_count = count;
}

// Copies and hashes. What comes out is what was written, whatever happens to the source meanwhile.
static enum err copy_hashed(struct disk *disk, int source_fd, int target_fd, struct content *out,
                            struct job *job)
{
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    uint64_t size = 0;
    bool cloned = clone_file(source_fd, target_fd);
    AUTO(buf_fini) struct buf piece = {0};
    buf_reserve(&piece, FS_IO_BYTES);
    for (;;) {
        size_t got = 0;
        if (disk_halted(disk)) return err_from_errno(ECANCELED);
        int code = fd_read_at(cloned ? target_fd : source_fd, piece.data, FS_IO_BYTES, size, &got);
        if (code != 0) return err_from_errno(code);
        if (got == 0) break;
        content_hash_feed(hash, piece.data, got);
        code = cloned ? 0 : fd_write_at(target_fd, piece.data, got, size);
        if (code != 0) return err_from_errno(code);
        size += got;
    }
    const struct digest *leaves;
    uint32_t count;
    content_hash_end(hash, out, &leaves, &count);
    if (job->copy.outside) leaves_copy(job, leaves, count);
    if (PLANTED(staged_not_synced)) return ERR_OK;
    int code = flush_data(target_fd);
    return code == 0 ? ERR_OK : err_from_errno(code);
}

static enum err copy_to(const struct grip *grip, int source_fd, int dir_fd, struct job *job)
{
    struct job_copy *copy = &job->copy;
    char temp[STAGE_NAME_MAX];
    char name[STAGE_NAME_MAX];
    struct content found;
    temp_name(grip->disk, temp);
    AUTO(fd_close)
    int fd = openat(dir_fd, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return log_errno(LOG_FS, "create", slice_text(temp));
    enum err err = copy_hashed(grip->disk, source_fd, fd, &found, job);
    if (err == ERR_OK && copy->outside) copy->content = found;
    if (err == ERR_OK && !content_equal(&found, &copy->content)) err = ERR_CHANGED;
    stage_name(&copy->content, name);
    if (err == ERR_OK && renameat(dir_fd, temp, dir_fd, name) != 0)
        err = log_errno(LOG_FS, "rename", slice_text(name));
    if (err != ERR_OK) (void)unlinkat(dir_fd, temp, 0);
    return err;
}

static enum err kept_link(const struct grip *grip, struct job_copy *copy, struct arena *arena)
{
    AUTO(fd_close) int dir_fd = -1;
    char target[PROTO_STRING_BYTES_MAX + 1];
    errno = internal_open(grip, FS_KEPT, &dir_fd);
    if (errno != 0) return err_from_errno(errno);
    ssize_t size = readlinkat(dir_fd, arena_text(arena, copy->path), target, sizeof target);
    if (size < 0) return err_from_errno(errno);
    if (size > PROTO_STRING_BYTES_MAX) return ERR_UNREPRESENTABLE;
    copy->target = arena_copy(arena, slice_of(target, (size_t)size));
    return ERR_OK;
}

static enum err outside_open(const struct grip *grip, struct job_copy *copy, struct arena *arena,
                             int *out_fd)
{
    struct stat st;
    struct fingerprint print;
    const char *path = arena_text(arena, copy->path);
    if (copy->kept && (errno = kept_open(grip, copy->path, out_fd)) != 0)
        return errno == ELOOP ? kept_link(grip, copy, arena) : err_from_errno(errno);
    // Named by a person, not below the root.
    if (!copy->kept) *out_fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*out_fd < 0 || fstat(*out_fd, &st) != 0) return err_from_errno(errno);
    print_of(&st, &print);
    copy->mode = print.mode & 0777;
    copy->content.size = print.size;
    copy->mtime_ns = print.mtime_ns;
    copy->same =
        copy->kept && print.size == copy->before.size && print.mtime_ns == copy->before.mtime_ns;
    return S_ISREG(st.st_mode) ? ERR_OK : ERR_UNREPRESENTABLE;
}

static enum err copy_open(const struct grip *grip, const struct job_copy *copy, int *out_fd)
{
    struct place place;
    int code = copy->kept ? kept_open(grip, copy->path, out_fd) : 0;
    if (copy->kept) return code == 0 ? ERR_OK : unopened(code);
    code = place_open(grip, copy->path, slice_of("", 0), &place);
    if (code != 0) return ERR_CHANGED;
    struct stat st;
    struct fingerprint print = {0};
    (void)place_find(&place, &st);
    *out_fd = openat(place.fd, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    code = *out_fd < 0 ? errno : 0;
    place_close(&place);
    if (code == EACCES || code == EIO) return err_from_errno(code);
    if (code != 0) return ERR_CHANGED;
    if (fstat(*out_fd, &st) != 0) return err_from_errno(errno);
    print_of(&st, &print);
    return print_equal(&print, &copy->before) ? ERR_OK : ERR_CHANGED;
}

void copy_run(const struct grip *grip, struct job *job)
{
    AUTO(fd_close) int dir_fd = -1;
    AUTO(fd_close) int source_fd = -1;
    errno = internal_open(grip, FS_STAGING, &dir_fd);
    if (errno != 0) {
        job->err = log_errno(LOG_FS, "open", slice_text(FS_STAGING));
        return;
    }
    bool outside = job->copy.outside;
    if (!outside && staged_is_there(dir_fd, &job->copy.content)) return;
    if (job->copy.base) {
        job->err = base_stage(grip, &job->copy.content);
        return;
    }
    job->err = outside ? outside_open(grip, &job->copy, job->arena, &source_fd)
                       : copy_open(grip, &job->copy, &source_fd);
    if (job->err != ERR_OK || job->copy.same || job->copy.target.size > 0) return;
    if (!space_left(dir_fd, job->copy.content.size)) {
        job->err = ERR_NO_SPACE;
        return;
    }
    // The hash decides; a look at the fingerprint afterwards would say nothing more.
    job->err = copy_to(grip, source_fd, dir_fd, job);
}
