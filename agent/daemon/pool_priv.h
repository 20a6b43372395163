// SPDX-License-Identifier: MIT
//
// agent/daemon/pool — worker threads that carry out the engine's disk jobs.
//
// Two lanes: what a person waits for (one edited file, a commit) does not stand behind hashing of
// gigabytes. One thread serves the fast lane only, the others serve it first. Looks at large files
// never take all of these.
// Owns:    a job from pool_submit until it is in `results`.
#ifndef AGENT_DAEMON_POOL_PRIV_H
#define AGENT_DAEMON_POOL_PRIV_H

#include <stdbool.h>

#include "agent/base/mailbox.h"
#include "agent/core/job.h"

typedef void pool_run(void *context, struct job *job);

// `threads`: of the slow lane; 0: one per core, at least 2, at most 8. gives_way: these have a low
// priority.
struct pool *pool_new(unsigned threads, bool gives_way, pool_run *run, void *context,
                      struct mailbox *results);
void pool_submit(struct pool *pool, struct job *job);
// Jobs that run are waited for, those that wait are dropped: what matters of them is journaled.
void pool_destroy(struct pool **pool);

bool job_is_fast(const struct job *job);

#endif
