// SPDX-License-Identifier: MIT
//
// Names of reasons, and jobs as containers. What an item's facts mean together is in heads.c.
#include "agent/core/item.h"

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/core/job.h"

const char *blocked_text(enum blocked reason)
{
    static const char *const texts[BLOCKED_COUNT] = {
        [BLOCKED_NONE] = "none",
        [BLOCKED_IGNORED] = "ignored",
        [BLOCKED_CASE] = "case",
        [BLOCKED_NORMALIZATION] = "normalization",
        [BLOCKED_NAME_TOO_LONG] = "name-too-long",
        [BLOCKED_PERMISSION] = "permission",
        [BLOCKED_NO_SPACE] = "no-space",
        [BLOCKED_NOT_EMPTY] = "not-empty",
        [BLOCKED_IN_THE_WAY] = "in-the-way",
        [BLOCKED_SYMLINK] = "symlink",
        [BLOCKED_IO] = "io",
        [BLOCKED_BUSY] = "busy",
        [BLOCKED_TYPE] = "type",
        [BLOCKED_NO_SOURCE] = "no-source",
        [BLOCKED_SEND_ONLY] = "send-only",
        [BLOCKED_CHANGED_HERE] = "changed-here",
    };
    CHECK((unsigned)reason < BLOCKED_COUNT);
    return texts[reason];
}

struct job *job_new(enum job_kind kind, uint32_t folder)
{
    struct job *job = mem_zalloc(1, sizeof *job);
    job->kind = kind;
    job->folder = folder;
    job->arena = arena_new();
    return job;
}

void job_destroy(struct job **job)
{
    if (*job == NULL) return;
    if ((*job)->release != NULL) (*job)->release(*job);
    arena_destroy(&(*job)->arena);
    mem_free(&(*job)->context);
    mem_free(job);
}
