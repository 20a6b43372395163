// SPDX-License-Identifier: MIT
//
// Leaves made of a delta and of what a file here has in their place. A leaf goes into the part when
// it is what it should be; how much comes out is bounded by how many are wanted.
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/delta/rsync.h"
#include "agent/fs/part_priv.h"
#include "agent/fs/runs_priv.h"
#include "crypto/hash.h"

static bool base_read(void *context, uint64_t at, uint8_t *out, size_t size)
{
    return runs_read(context, at, out, size);
}

static enum err leaf_place(const struct part *part, uint32_t leaf, const struct digest *expected,
                           struct slice bytes)
{
    struct digest found = hash_sha256(bytes);
    if (memcmp(&found, expected, sizeof found) != 0) return ERR_MALFORMED;
    int code = fd_write_at(part->part_fd, bytes.data, bytes.size, part_leaf_offset(leaf));
    if (code == 0) code = part_have(part, leaf);
    return code == 0 ? ERR_OK : err_from_errno(code);
}

static enum err leaves_make(const struct part *part, struct job_patch *patch)
{
    bool done = false;
    while (patch->made < patch->count) {
        uint32_t leaf = patch->leaves[patch->made];
        if (leaf >= part->leaves) return ERR_MALFORMED;
        size_t size = part_leaf_size(&patch->content, leaf);
        enum err err = patcher_run(patch->patcher, &patch->bytes, size, &done);
        if (err != ERR_OK) return err;
        struct slice bytes = patcher_made(patch->patcher);
        if (bytes.size < size) return done ? ERR_MALFORMED : ERR_OK;
        err = leaf_place(part, leaf, &patch->expected[patch->made], bytes);
        if (err != ERR_OK) return err;
        patcher_taken(patch->patcher);
        patch->made++;
    }
    return ERR_OK;
}

void patch_run(const struct grip *grip, struct job *job)
{
    struct job_patch *patch = &job->patch;
    AUTO(part_close) struct part part = PART_NONE;
    AUTO(fd_close) int fd = -1;
    job->err = part_open(grip, &patch->content, &part);
    if (job->err == ERR_OK) job->err = part_files(&part, 0);
    if (job->err != ERR_OK) return;
    if (item_read_open(grip, patch->path, &fd) != 0) {
        job->err = ERR_MALFORMED; // whatever the delta says, it cannot be made
        return;
    }
    struct runs base = {fd, patch->base, patch->base_count};
    if (patch->patcher == NULL) patch->patcher = patcher_new(runs_size(&base));
    patcher_base(patch->patcher, base_read, &base);
    job->err = leaves_make(&part, patch);
    patcher_base(patch->patcher, NULL, NULL);
}
