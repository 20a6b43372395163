// SPDX-License-Identifier: MIT
//
// What of a tree, or of its rules, could not be read: shown until it can, and looked at again, for
// nothing says when a disk is well again. Nothing follows from it for the index: absence was not
// seen.
#include <string.h>

#include "agent/sync/engine_priv.h"

enum { PROBLEMS_MAX = 1000, TREES_MAX = 16, SLOW_ROUNDS = 6 };

struct problem {
    enum err err;
    char what[];
};

void problem_note(struct folder *folder, struct slice path, enum err err, const char *what)
{
    if (map_count(folder->problems) >= PROBLEMS_MAX) {
        folder->problems_more |= err != ERR_UNREPRESENTABLE;
        return;
    }
    size_t size = strlen(what) + 1;
    struct problem *problem = mem_alloc(sizeof *problem + size);
    problem->err = err;
    memcpy(problem->what, what, size);
    void *old = map_put(folder->problems, path, problem);
    mem_free(&old);
    problems_later(folder);
    engine_changed(folder->engine);
}

void problems_later(struct folder *folder)
{
    if (folder->problems_retry_ms == 0)
        folder->problems_retry_ms = folder->engine->now_ms + BLOCKED_RETRY_MS;
}

void problem_clear(struct folder *folder, struct slice path, bool is_dir)
{
    if (map_count(folder->problems) == 0) return;
    void *old = map_remove(folder->problems, path);
    if (old == NULL) return;
    mem_free(&old);
    // That it is well says nothing of what is in it, which no walk has seen and no watch tells of.
    if (is_dir) scan_tree(folder, path);
}

// Names of problems are the disk's, those of walks are normal.
static struct slice normal_name(struct folder *folder, struct slice name)
{
    struct slice path;
    bool has_one = path_normalize(folder->engine->scratch, name, &path) == ERR_OK;
    return has_one ? path : name;
}

// Whether a walk of that tree tells of it again. A second spelling of the very name that it begins
// with is not met on the way.
static bool is_walked(struct folder *folder, struct slice name, const struct problem *problem,
                      struct slice prefix)
{
    if (path_in_tree(name, prefix)) return true;
    struct slice path = normal_name(folder, name);
    return path_below(path, prefix) ||
           (slice_equal(path, prefix) && problem->err != ERR_UNREPRESENTABLE);
}

// Problems below are found again, or are no more.
void problems_drop(struct folder *folder, struct slice prefix)
{
    size_t at = 0;
    struct slice name;
    void *problem;
    while (map_next(folder->problems, &at, &name, &problem)) {
        if (!is_walked(folder, name, problem, prefix)) continue;
        (void)map_remove(folder->problems, name);
        mem_free(&problem);
    }
}

enum blocked problem_blocked(const struct problem *problem)
{
    if (err_reaction(problem->err) != REACT_TRY_LATER) return BLOCKED_NONE;
    return problem->err == ERR_BUSY ? BLOCKED_BUSY : BLOCKED_IO;
}

const char *problem_what(const struct problem *problem)
{
    return problem->what;
}

// What was refused, or has another file system in its place, is tried less often than what failed.
static bool is_due(const struct problem *problem, bool slow)
{
    bool refused = problem->err == ERR_ACCESS || problem->err == ERR_IN_THE_WAY;
    return problem_blocked(problem) != BLOCKED_NONE || (slow && refused);
}

static void retry(struct folder *folder)
{
    struct slice *due = arena_alloc(folder->engine->scratch, TREES_MAX, sizeof *due);
    bool slow = folder->problems_rounds++ % SLOW_ROUNDS == SLOW_ROUNDS - 1;
    size_t at = 0, count = 0;
    struct slice name;
    void *problem;
    if (slow && folder->problems_more) {
        folder->problems_more = false;
        scan_start(folder);
        return;
    }
    while (map_next(folder->problems, &at, &name, &problem)) {
        bool is_looked_at = map_get(folder->dirty, name) != NULL;
        if (is_looked_at || !is_due(problem, slow)) continue;
        if (name.size == 0 || count == TREES_MAX) {
            scan_start(folder);
            return;
        }
        due[count++] = arena_copy(folder->engine->scratch, name);
    }
    for (size_t i = 0; i < count; i++)
        scan_tree(folder, normal_name(folder, due[i]));
}

void problems_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->problems_retry_ms == 0 || now < folder->problems_retry_ms) return;
    folder->problems_retry_ms = 0;
    if (folder->rules_fault_count > 0) rules_check(folder);
    if (map_count(folder->problems) == 0) return;
    problems_later(folder);
    retry(folder);
}

int64_t problems_deadline(const struct folder *folder)
{
    return folder->problems_retry_ms != 0 ? folder->problems_retry_ms : INT64_MAX;
}
