// SPDX-License-Identifier: MIT
//
// Reading contents for a peer, and what everybody here reads and writes files with.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/flush.h"
#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "crypto/hash.h"
#include "proto/vv.h"

int fd_read_at(int fd, void *out, size_t size, uint64_t offset, size_t *out_read)
{
    *out_read = 0;
    while (*out_read < size) {
        ssize_t got =
            pread(fd, (uint8_t *)out + *out_read, size - *out_read, (off_t)(offset + *out_read));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) break;
        *out_read += (size_t)got;
    }
    return 0;
}

int fd_write_at(int fd, const void *data, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = pwrite(fd, (const uint8_t *)data + done, size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return errno;
        if (put == 0) return EIO;
        done += (size_t)put;
    }
    return 0;
}

int fd_write_out(int fd, uint64_t offset, uint64_t size)
{
    int code = write_begin(fd, offset, size);
    if (code != 0 || offset < FS_UNDER_WAY_BYTES) return code;
    return write_end(fd, offset - FS_UNDER_WAY_BYTES, size);
}

int fd_hash(struct disk *disk, int fd, struct content_hash *hash, uint64_t *out_size)
{
    AUTO(buf_fini) struct buf piece = {0};
    buf_reserve(&piece, FS_IO_BYTES);
    *out_size = 0;
    for (;;) {
        size_t got = 0;
        if (disk != NULL && disk_halted(disk)) return ECANCELED;
        int code = fd_read_at(fd, piece.data, FS_IO_BYTES, *out_size, &got);
        if (code != 0) return code;
        if (got == 0) return 0;
        content_hash_feed(hash, piece.data, got);
        *out_size += got;
    }
}

int fd_copy(struct disk *disk, int source_fd, int target_fd)
{
    AUTO(buf_fini) struct buf piece = {0};
    buf_reserve(&piece, FS_IO_BYTES);
    bool cloned = clone_file(source_fd, target_fd);
    for (uint64_t at = 0; !cloned;) {
        size_t got = 0;
        if (disk_halted(disk)) return ECANCELED;
        int code = fd_read_at(source_fd, piece.data, FS_IO_BYTES, at, &got);
        if (code == 0) code = fd_write_at(target_fd, piece.data, got, at);
        if (code != 0) return code;
        if (got == 0) break;
        at += got;
    }
    struct stat st;
    // An empty file has no bytes that could be lost.
    if (fstat(target_fd, &st) == 0 && st.st_size == 0) return 0;
    return flush_data(target_fd);
}

enum err fd_slurp(int fd, uint64_t size, struct buf *out)
{
    size_t got = 0;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return ERR_CHANGED;
    buf_reserve(out, (size_t)size + 1);
    int code = fd_read_at(fd, out->data, (size_t)size + 1, 0, &got);
    if (code != 0) return err_from_errno(code);
    if (got > size) return ERR_CHANGED;
    out->size = got;
    return ERR_OK;
}

int content_read(int dir_fd, const char *name, uint64_t size, struct content *out)
{
    AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    uint64_t read;
    bool no_file = fd < 0 && (errno == ELOOP || errno == ENXIO); // a link; a socket
    if (no_file) return ESTALE;
    if (fd < 0 || fstat(fd, &st) != 0) return errno;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size) return ESTALE;
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    // Half way through a step it must be known what is there.
    int code = fd_hash(NULL, fd, hash, &read);
    if (code != 0) return code;
    const struct digest *leaves;
    uint32_t count;
    content_hash_end(hash, out, &leaves, &count);
    return out->size == size ? 0 : ESTALE;
}

int content_look(int dir_fd, const char *name, const struct content *content)
{
    struct content found;
    int code = content_read(dir_fd, name, content->size, &found);
    return code == 0 && !digest_equal(found.id, content->id) ? ESTALE : code;
}

bool content_is(int dir_fd, const char *name, const struct content *content)
{
    return content_look(dir_fd, name, content) == 0;
}

static enum err open_code(int code)
{
    return code == EACCES || code == EPERM || code == EIO ? err_from_errno(code) : ERR_CHANGED;
}

static enum err staged_open(const struct grip *grip, const struct content *content, int *out_fd)
{
    AUTO(fd_close) int dir_fd = -1;
    char name[STAGE_NAME_MAX];
    int code = internal_open(grip, FS_STAGING, &dir_fd);
    if (code != 0) return err_from_errno(code);
    stage_name(content, name);
    *out_fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return *out_fd >= 0 ? ERR_OK : open_code(errno);
}

int kept_open(const struct grip *grip, struct slice name, int *out_fd)
{
    AUTO(fd_close) int dir_fd = -1;
    char text[NAME_MAX + 1];
    if (name.size == 0 || name.size > NAME_MAX || memchr(name.data, '/', name.size) != NULL)
        return EINVAL;
    (void)snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    int code = internal_open(grip, FS_KEPT, &dir_fd);
    if (code != 0) return code;
    *out_fd = openat(dir_fd, text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return *out_fd >= 0 ? 0 : errno;
}

int item_read_open(const struct grip *grip, struct slice path, int *out_fd)
{
    struct place place;
    struct stat st;
    int code = place_open(grip, path, slice_of("", 0), &place);
    if (code != 0) return code;
    (void)place_find(&place, &st);
    *out_fd = openat(place.fd, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    code = *out_fd >= 0 ? 0 : errno;
    place_close(&place);
    return code;
}

enum err source_open(const struct grip *grip, const struct read_entry *entry, int *out_fd)
{
    if (entry->staged) return staged_open(grip, &entry->content, out_fd);
    int code = entry->kept ? kept_open(grip, entry->path, out_fd)
                           : item_read_open(grip, entry->path, out_fd);
    return code == 0 ? ERR_OK : open_code(code);
}

bool source_still(int fd, const struct read_entry *entry)
{
    struct stat st;
    struct fingerprint print;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    if (entry->staged || entry->kept) return (uint64_t)st.st_size == entry->content.size;
    print_of(&st, &print);
    return print_equal(&print, &entry->before) && print.size == entry->content.size;
}

static enum err list_read(struct disk *disk, int fd, struct arena *arena, struct read_entry *entry)
{
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    struct content found;
    const struct digest *leaves;
    uint32_t count;
    uint64_t size;
    int code = fd_hash(disk, fd, hash, &size);
    if (code != 0) return err_from_errno(code);
    content_hash_end(hash, &found, &leaves, &count);
    if (found.size != entry->content.size ||
        memcmp(&found.id, &entry->content.id, sizeof found.id) != 0)
        return ERR_CHANGED;
    entry->bytes = arena_copy(
        arena, slice_of(count > 0 ? leaves : &found.id, (count > 0 ? count : 1) * sizeof found.id));
    return ERR_OK;
}

static enum err bytes_read(int fd, struct arena *arena, uint32_t leaf, struct read_entry *entry)
{
    uint64_t offset = leaf == JOB_READ_WHOLE ? 0 : (uint64_t)leaf * PROTO_LEAF_BYTES;
    if (offset > entry->content.size) return ERR_MALFORMED;
    uint64_t rest = entry->content.size - offset;
    if (leaf == JOB_READ_WHOLE && rest > PROTO_LEAF_BYTES) return ERR_TOO_BIG;
    size_t size = rest < PROTO_LEAF_BYTES ? (size_t)rest : PROTO_LEAF_BYTES;
    uint8_t *bytes = arena_bytes(arena, size + 1);
    size_t got = 0;
    int code = fd_read_at(fd, bytes, size, offset, &got);
    if (code != 0) return err_from_errno(code);
    if (got != size) return ERR_CHANGED;
    entry->bytes = slice_of(bytes, size);
    return ERR_OK;
}

static enum err entry_read(const struct grip *grip, struct arena *arena, uint32_t leaf,
                           struct read_entry *entry)
{
    AUTO(fd_close) int fd = -1;
    enum err err = source_open(grip, entry, &fd);
    if (err != ERR_OK) return err;
    if (!source_still(fd, entry)) return ERR_CHANGED;
    err = leaf == PROTO_LEAF_LIST ? list_read(grip->disk, fd, arena, entry)
                                  : bytes_read(fd, arena, leaf, entry);
    if (err == ERR_OK && !source_still(fd, entry)) err = ERR_CHANGED;
    if (err != ERR_OK) entry->bytes = slice_of("", 0);
    return err;
}

void read_run(const struct grip *grip, struct job *job)
{
    for (uint32_t i = 0; i < job->read.count; i++) {
        struct read_entry *entry = &job->read.entries[i];
        entry->err = entry_read(grip, job->arena, job->read.leaf, entry);
    }
}
