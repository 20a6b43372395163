// SPDX-License-Identifier: MIT
//
// Steps of a journal that recovery finds, made by hand.
#ifndef TESTS_RECOVER_TEST_H
#define TESTS_RECOVER_TEST_H

#include "fs_test.h"

enum { JOURNAL = 7 };

static inline struct step step_of(struct world *w, const char *path, struct version version)
{
    return (struct step){.path = slice_text(path), .version = version, .before = print_at(w, path)};
}

static inline struct job *job_of(struct step **out, uint32_t count)
{
    struct job *job = job_for(JOB_RECOVER);
    *out = steps_for(job, count, JOURNAL);
    return job;
}

static inline void run(struct world *w, struct job *job)
{
    disk_run(w->disk, job);
    assert_int_equal(job->err, ERR_OK);
    assert_int_equal(count_in(w, ".cfgsync/staging", "x-"), 0);
}

#endif
