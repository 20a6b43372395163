// SPDX-License-Identifier: MIT
//
// tests/unit/sync/sweep — one scenario, again and again, each time with one thing going wrong one
// moment later, until the moment lies behind its end:
//
//     static const struct scenario rename = {.machines = 2, .before = make, .act = do_rename,
//                                            .after = looks_right};
//     sweep(&rename, &(struct lan_fault){.kind = FAULT_COMMIT, .machine = 1}, 1);
//
// `before` and `after` run without fault; `act` with it, and it must not assume that anything comes
// of what it asks for. Once it is over, all machines come to rest, and the laws are checked: what
// is known is on the disks, all are equal, K claims nothing that is not there (verify); then
// `after` says what the scenario is about: what must be there though something went wrong.
#ifndef TESTS_UNIT_SYNC_SWEEP_H
#define TESTS_UNIT_SYNC_SWEEP_H

#include "tests/unit/sync/lan.h"

struct scenario {
    uint32_t machines;
    void (*tune)(struct machine *); // NULL: as usual
    void (*before)(struct lan *);   // NULL: nothing
    void (*act)(struct lan *);
    void (*after)(struct lan *); // NULL: the laws say enough
    bool differs;                // the trees need not be equal in the end
};

// `fault` without `at`; each moment, or one in so many (step); of those one in five, or as the
// environment says by CFGSYNC_SWEEP: all, or few (where each takes long).
// Returns how often it went wrong.
uint32_t sweep(const struct scenario *scenario, const struct lan_fault *fault, uint32_t step);

// Of so many scenarios, on each machine in turn.
void sweep_commits(const struct scenario *list, size_t count, uint32_t step);
void sweep_lines(const struct scenario *list, size_t count, uint32_t step);
void sweep_crashes(const struct scenario *list, size_t count, uint32_t step);
void sweep_jobs(const struct scenario *list, size_t count, uint32_t step); // each way it can fail

// Once, with nothing going wrong.
void scenarios_run(const struct scenario *list, size_t count);
// All machines at rest, and the laws.
void laws_hold(struct lan *lan, bool differs);

#endif
