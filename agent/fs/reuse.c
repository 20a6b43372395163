// SPDX-License-Identifier: MIT
//
// Leaves of a large content that are in a file here already, most often the version before: shared
// with it where the file system can, else copied. The file may change at any moment: what is hashed
// are the bytes that went into the part, so a leaf is there or is not.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/part_priv.h"
#include "crypto/hash.h"

struct reuse {
    struct part part;
    int source_fd;
    bool shares; // until it turns out not to
    struct content_hash *hash;
    uint8_t *piece;
};

static void reuse_fini(struct reuse *reuse)
{
    part_close(&reuse->part);
    fd_close(&reuse->source_fd);
    content_hash_destroy(&reuse->hash);
    mem_free(&reuse->piece);
}

// 0, an errno of the part's, or ENODATA: the file cannot be read so far.
static int leaf_copy(struct reuse *reuse, const struct leaf_from *leaf, size_t size)
{
    uint64_t to = part_leaf_offset(leaf->leaf), from = part_leaf_offset(leaf->from);
    bool shared =
        reuse->shares && clone_range(reuse->source_fd, from, reuse->part.part_fd, to, size);
    reuse->shares = shared;
    content_hash_reset(reuse->hash);
    for (size_t at = 0, got = 0; at < size; at += got) {
        size_t want = size - at < FS_IO_BYTES ? size - at : FS_IO_BYTES;
        int code = shared ? fd_read_at(reuse->part.part_fd, reuse->piece, want, to + at, &got)
                          : fd_read_at(reuse->source_fd, reuse->piece, want, from + at, &got);
        if (code != 0 || got != want) return ENODATA;
        content_hash_feed(reuse->hash, reuse->piece, got);
        code = shared ? 0 : fd_write_at(reuse->part.part_fd, reuse->piece, got, to + at);
        if (code != 0) return code;
    }
    return 0;
}

static int leaf_take(struct reuse *reuse, const struct content *content, struct leaf_from *leaf)
{
    struct content found;
    const struct digest *leaves;
    uint32_t count;
    size_t size = part_leaf_size(content, leaf->leaf);
    int code = leaf_copy(reuse, leaf, size);
    if (code != 0) return code == ENODATA ? 0 : code;
    content_hash_end(reuse->hash, &found, &leaves, &count);
    if (memcmp(&found.id, &leaf->expected, sizeof found.id) != 0) return 0;
    code = part_have(&reuse->part, leaf->leaf);
    leaf->have = code == 0;
    return code;
}

static enum err leaves_take(struct disk *disk, struct reuse *reuse, struct job_reuse *want)
{
    reuse->hash = content_hash_new();
    reuse->piece = mem_alloc(FS_IO_BYTES);
    for (uint32_t i = 0; i < want->count; i++) {
        if (want->leaves[i].leaf >= reuse->part.leaves) return ERR_MALFORMED;
        if (disk_halted(disk)) return err_from_errno(ECANCELED);
        errno = leaf_take(reuse, &want->content, &want->leaves[i]);
        if (errno != 0) return log_errno(LOG_FS, "write", slice_text(reuse->part.part));
    }
    return ERR_OK;
}

// A file that is not there any more has no leaves, which is no error.
void reuse_run(const struct grip *grip, struct job *job)
{
    AUTO(reuse_fini) struct reuse reuse = {.part = PART_NONE, .source_fd = -1, .shares = true};
    job->err = part_open(grip, &job->reuse.content, &reuse.part);
    if (job->err == ERR_OK) job->err = part_files(&reuse.part, 0);
    if (job->err != ERR_OK) return;
    if (item_read_open(grip, job->reuse.path, &reuse.source_fd) != 0) return;
    job->err = leaves_take(grip->disk, &reuse, &job->reuse);
}
