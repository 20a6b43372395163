// SPDX-License-Identifier: MIT
//
// A large content on its way: `<id>-<size>.part` with its leaves at their places, and beside it
// `.map`: the leaf list, then one byte per leaf that says whether it was written. The bytes are
// only a hint where to look: after a restart those leaves are hashed again.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/part_priv.h"
#include "crypto/hash.h"

void part_close(struct part *part)
{
    fd_close(&part->dir_fd);
    fd_close(&part->part_fd);
    fd_close(&part->map_fd);
}

enum err part_open(const struct grip *grip, const struct content *content, struct part *out)
{
    uint64_t leaves = (content->size + PROTO_LEAF_BYTES - 1) / PROTO_LEAF_BYTES;
    if (leaves > UINT32_MAX / 64) return ERR_TOO_BIG;
    out->leaves = leaves == 0 ? 1 : (uint32_t)leaves;
    stage_name(content, out->staged);
    (void)snprintf(out->part, sizeof out->part, "%s.part", out->staged);
    (void)snprintf(out->map, sizeof out->map, "%s.map", out->staged);
    errno = internal_open(grip, FS_STAGING, &out->dir_fd);
    return errno == 0 ? ERR_OK : log_errno(LOG_FS, "open", slice_text(FS_STAGING));
}

enum err part_files(struct part *part, int flags)
{
    flags |= O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    part->part_fd = openat(part->dir_fd, part->part, flags, 0600);
    if (part->part_fd >= 0) part->map_fd = openat(part->dir_fd, part->map, flags, 0600);
    if (part->map_fd >= 0) return ERR_OK;
    if (errno == ENOENT) return ERR_CHANGED;
    return log_errno(LOG_FS, "open", slice_text(part->part));
}

bool staged_exists(const struct part *part, uint64_t size)
{
    struct stat st;
    return fstatat(part->dir_fd, part->staged, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

uint64_t part_leaf_offset(uint32_t leaf)
{
    return (uint64_t)leaf * PROTO_LEAF_BYTES;
}

size_t part_leaf_size(const struct content *content, uint32_t leaf)
{
    uint64_t rest = content->size - part_leaf_offset(leaf);
    return rest < PROTO_LEAF_BYTES ? (size_t)rest : PROTO_LEAF_BYTES;
}

static bool leaves_are(const struct content *content, const struct digest *leaves, uint32_t count)
{
    struct digest id = count == 1 ? leaves[0] : hash_leaves(leaves, count);
    return memcmp(&id, &content->id, sizeof id) == 0;
}

static uint64_t have_offset(const struct part *part, uint32_t leaf)
{
    return (uint64_t)part->leaves * sizeof(struct digest) + leaf;
}

// An error of writing that is seen here is not seen by the flush at the end: nothing of what was
// written counts.
int part_have(const struct part *part, uint32_t leaf)
{
    const uint8_t have = 1;
    int code = fd_write_out(part->part_fd, part_leaf_offset(leaf), PROTO_LEAF_BYTES);
    if (code == 0) return fd_write_at(part->map_fd, &have, 1, have_offset(part, leaf));
    part_drop(part->dir_fd, part->staged);
    return code;
}

// The leaf list kept beside the part; false if there is none or it is damaged.
static bool map_leaves(const struct part *part, const struct content *content, struct digest *out)
{
    size_t got = 0;
    size_t size = part->leaves * sizeof *out;
    if (fd_read_at(part->map_fd, out, size, 0, &got) != 0 || got != size) return false;
    return leaves_are(content, out, part->leaves);
}

static bool leaf_is_there(const struct part *part, const struct content *content, uint32_t leaf,
                          const struct digest *expected, uint8_t *scratch)
{
    size_t got = 0;
    size_t size = part_leaf_size(content, leaf);
    if (fd_read_at(part->part_fd, scratch, size, part_leaf_offset(leaf), &got) != 0 || got != size)
        return false;
    struct digest found = hash_sha256(slice_of(scratch, size));
    return memcmp(&found, expected, sizeof found) == 0;
}

// Hashes the leaves that the map says were written, and corrects the map.
static enum err have_verify(struct disk *disk, const struct part *part, const struct job_part *want,
                            const struct digest *leaves)
{
    AUTO(mem_free) uint8_t *scratch = mem_alloc(PROTO_LEAF_BYTES);
    size_t got = 0;
    if (fd_read_at(part->map_fd, want->have, part->leaves, have_offset(part, 0), &got) != 0)
        return ERR_IO;
    for (uint32_t i = 0; i < part->leaves; i++) {
        if (disk_halted(disk)) return err_from_errno(ECANCELED);
        bool have = i < got && want->have[i] == 1 &&
                    leaf_is_there(part, &want->content, i, &leaves[i], scratch);
        want->have[i] = have ? 1 : 0;
    }
    int code = fd_write_at(part->map_fd, want->have, part->leaves, have_offset(part, 0));
    return code == 0 ? ERR_OK : err_from_errno(code);
}

static enum err part_prepare(struct disk *disk, struct part *part, struct job *job)
{
    struct job_part *want = &job->part;
    struct digest *kept = arena_alloc(job->arena, part->leaves, sizeof *kept);
    bool single = part->leaves == 1;
    if (want->leaves == NULL && single) kept[0] = want->content.id;
    bool given = want->leaves != NULL || single;
    struct digest *leaves = want->leaves != NULL ? want->leaves : kept;
    if (want->leaves != NULL && want->leaf_count != part->leaves) return ERR_MALFORMED;
    if (given && !leaves_are(&want->content, leaves, part->leaves)) return ERR_MALFORMED;

    enum err err = part_files(part, given ? O_CREAT : 0);
    if (err == ERR_CHANGED && !given) {
        want->leaf_count = 0;
        return ERR_OK;
    }
    if (err != ERR_OK) return err;
    if (!given && !map_leaves(part, &want->content, kept)) {
        want->leaf_count = 0;
        return ERR_OK;
    }
    want->leaves = leaves;
    want->leaf_count = part->leaves;
    want->have = arena_alloc(job->arena, part->leaves, 1);
    int code = given ? fd_write_at(part->map_fd, leaves, part->leaves * sizeof *leaves, 0) : 0;
    if (code == 0 && ftruncate(part->part_fd, (off_t)want->content.size) != 0) code = errno;
    if (code != 0) return err_from_errno(code);
    return have_verify(disk, part, want, leaves);
}

static uint64_t blocks_have(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

void part_run(const struct grip *grip, struct job *job)
{
    AUTO(part_close) struct part part = PART_NONE;
    job->err = part_open(grip, &job->part.content, &part);
    if (job->err != ERR_OK) return;
    if (staged_exists(&part, job->part.content.size)) {
        job->part.leaf_count = part.leaves;
        job->part.have = arena_alloc(job->arena, part.leaves, 1);
        memset(job->part.have, 1, part.leaves);
        return;
    }
    AUTO(fd_close) int there = openat(part.dir_fd, part.part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint64_t have = blocks_have(there);
    uint64_t size = job->part.content.size;
    if (!space_left(part.dir_fd, size > have ? size - have : 0)) {
        job->err = ERR_NO_SPACE;
        return;
    }
    job->err = part_prepare(grip->disk, &part, job);
}

static enum err leaf_check(const struct part *part, const struct job_leaf *leaf)
{
    if (leaf->leaf >= part->leaves ||
        leaf->bytes.size != part_leaf_size(&leaf->content, leaf->leaf))
        return ERR_MALFORMED;
    struct digest found = hash_sha256(leaf->bytes);
    return memcmp(&found, &leaf->expected, sizeof found) == 0 ? ERR_OK : ERR_MALFORMED;
}

static enum err leaf_write(const struct part *part, const struct job_leaf *leaf)
{
    struct digest listed;
    size_t got = 0;
    int code = fd_read_at(part->map_fd, &listed, sizeof listed,
                          (uint64_t)leaf->leaf * sizeof listed, &got);
    if (code == 0 && (got != sizeof listed || memcmp(&listed, &leaf->expected, sizeof listed) != 0))
        return ERR_MALFORMED;
    if (code == 0)
        code = fd_write_at(part->part_fd, leaf->bytes.data, leaf->bytes.size,
                           part_leaf_offset(leaf->leaf));
    if (code == 0) code = part_have(part, leaf->leaf);
    if (code == 0) return ERR_OK;
    errno = code;
    return log_errno(LOG_FS, "write", slice_text(part->part));
}

void leaf_run(const struct grip *grip, struct job *job)
{
    AUTO(part_close) struct part part = PART_NONE;
    job->err = part_open(grip, &job->leaf.content, &part);
    if (job->err == ERR_OK) job->err = leaf_check(&part, &job->leaf);
    if (job->err != ERR_OK || staged_exists(&part, job->leaf.content.size)) return;
    job->err = part_files(&part, 0);
    if (job->err == ERR_OK) job->err = leaf_write(&part, &job->leaf);
}

static bool have_all(const struct part *part)
{
    uint8_t have[4096];
    for (uint32_t at = 0; at < part->leaves; at += sizeof have) {
        size_t want = part->leaves - at < sizeof have ? part->leaves - at : sizeof have;
        size_t got = 0;
        if (fd_read_at(part->map_fd, have, want, have_offset(part, at), &got) != 0 || got != want)
            return false;
        for (size_t i = 0; i < want; i++) {
            if (have[i] != 1) return false;
        }
    }
    return true;
}

void part_drop(int staging_fd, const char *staged)
{
    char name[PART_NAME_MAX];
    (void)snprintf(name, sizeof name, "%s.part", staged);
    (void)unlinkat(staging_fd, name, 0);
    (void)snprintf(name, sizeof name, "%s.map", staged);
    (void)unlinkat(staging_fd, name, 0);
}

static enum err part_finish(struct part *part, const struct content *content)
{
    AUTO(mem_free) struct digest *leaves = mem_zalloc(part->leaves, sizeof *leaves);
    struct stat st;
    if (!map_leaves(part, content, leaves) || !have_all(part)) return ERR_CHANGED;
    if (fstat(part->part_fd, &st) != 0 || (uint64_t)st.st_size != content->size) return ERR_CHANGED;
    if (flush_file(part->part_fd) != 0) {
        enum err err = log_errno(LOG_FS, "fsync", slice_text(part->part));
        part_drop(part->dir_fd, part->staged);
        return err;
    }
    if (renameat(part->dir_fd, part->part, part->dir_fd, part->staged) != 0) {
        return log_errno(LOG_FS, "rename", slice_text(part->part));
    }
    (void)unlinkat(part->dir_fd, part->map, 0);
    errno = dir_sync(part->dir_fd);
    return errno == 0 ? ERR_OK : log_errno(LOG_FS, "fsync", slice_text(FS_STAGING));
}

// CHANGED: leaves are missing; JOB_PART says which.
void finish_run(const struct grip *grip, struct job *job)
{
    AUTO(part_close) struct part part = PART_NONE;
    job->err = part_open(grip, &job->finish.content, &part);
    if (job->err != ERR_OK || staged_exists(&part, job->finish.content.size)) return;
    job->err = part_files(&part, 0);
    if (job->err == ERR_OK) job->err = part_finish(&part, &job->finish.content);
}
