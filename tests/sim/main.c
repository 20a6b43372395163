// SPDX-License-Identifier: MIT
//
// sim --seed N --steps N --runs N [--devices N] [--seconds N] [--plain] [--verbose] [--token N]
// [--until-failed] [--shrink] [--drop LIST] [--focus NAME]: so many runs, each from one seed, each
// in a process of its own; after so many seconds no new one is begun. --seed commit: from a number
// that each commit of the sources has for itself. docs/TESTING.md says what the others mean. sim
// --seeds FILE: the seeds that stand first in the lines of a file. sim_planted --defect NAME: with
// a defect. Ends with "N passed, N failed".
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <malloc.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "tests/sim/sim.h"

enum { LATE_S = 10, SHRINK_TRIES = 400 };

struct arguments {
    struct run run; // the first
    uint64_t runs;
    uint64_t seconds; // 0: no limit
    uint64_t tries;   // to shrink a failure; 0: not at all
    bool until_failed;
    const char *seeds; // NULL: none
};

struct result {
    uint64_t passed, failed;
};

static struct world *logged; // the one run of this process

static void path_logged(const char *line, char out[NAMES_PATH_MAX])
{
    const char *at = strstr(line, "path=\"");
    const char *end = at != NULL ? strchr(at + 6, '"') : NULL;
    int size = end != NULL ? (int)(end - at - 6) : 0;
    (void)snprintf(out, NAMES_PATH_MAX, "%.*s", size, at != NULL ? at + 6 : "");
}

static void puts_back_note(const char *line)
{
    const size_t max = sizeof logged->puts_back / sizeof logged->puts_back[0];
    path_logged(line, logged->puts_back[logged->puts_back_count % max]);
    logged->puts_back_count++;
}

// A conflict with a file whose content is put back after a power cut: its user has taken its place
// away meanwhile, and both are kept.
static bool is_put_back(const char *line)
{
    const uint32_t max = sizeof logged->puts_back / sizeof logged->puts_back[0];
    char path[NAMES_PATH_MAX];
    path_logged(line, path);
    for (uint32_t i = 0; i < logged->puts_back_count && i < max; i++) {
        if (path_within(path, logged->puts_back[i]) || path_within(logged->puts_back[i], path))
            return true;
    }
    return false;
}

static void log_print(enum log_level level, enum log_area area, const char *line)
{
    (void)area;
    const struct device *device = logged->current;
    // Nothing here is broken but what the engine breaks.
    if (strstr(line, "content lost in a crash") != NULL) puts_back_note(line);
    bool identity = strstr(line, "new incarnation") != NULL ||
                    strstr(line, "index is older") != NULL || strstr(line, "one dot") != NULL ||
                    strstr(line, "BUG-K") != NULL;
    bool io =
        strstr(line, "index not written") != NULL || strstr(line, "index call failed") != NULL;
    if (logged->o.index_error > 0 && io && strstr(line, "malformed") == NULL) level = LOG_WARN;
    if (logged->restored ? level == LOG_ERROR && !identity : level == LOG_ERROR || identity)
        world_fail(logged, "%s: %s", device != NULL ? device->name : "-", line);
    bool alone = logged->o.writer >= 0 && !logged->restored;
    if (alone && strstr(line, "sync: conflict") != NULL && !is_put_back(line))
        world_fail(logged, "%s finds a conflict, though only d%d edits: %s",
                   device != NULL ? device->name : "-", logged->o.writer, line);
    if (!logged->verbose) return;
    printf("%10.3f ms    %s %s %s\n", (double)logged->now_us / 1000,
           device != NULL ? device->name : "-", log_level_text(level), line);
}

// Of its own time, so that a busy machine makes no run late.
static void late_after(int seconds)
{
    const struct itimerval time = {.it_value.tv_sec = seconds};
    CHECK(setitimer(ITIMER_VIRTUAL, &time, NULL) == 0);
}

// The handler only notes it; a run that hangs inside one event is ended by the second signal.
static void on_late(int signal_number)
{
    (void)signal(signal_number, SIG_DFL);
    late_after(LATE_S);
    logged->late = 1;
}

// A run allocates much and gives it back as soon: a third of its time would go to the kernel.
static void heap_prepare(void)
{
    const uintptr_t huge = 2 << 20;
    const size_t size = 16 * huge;
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)mallopt(M_TOP_PAD, (int)size);
    void *memory = mem_alloc(2 * huge);
    (void)madvise((void *)(((uintptr_t)memory + huge) / huge * huge), size - huge, MADV_HUGEPAGE);
    mem_free(&memory);
}

static void run_here(const struct run *run, struct outcome *out)
{
    heap_prepare();
    struct world *world = mem_zalloc(1, sizeof *world);
    world->seed = run->seed;
    world->steps_max = run->steps;
    world->drops = run->drops;
    world->o.devices = run->devices;
    world->o.plain = run->plain;
    world->o.folded = run->folded;
    world->verbose = run->verbose;
    world->token = run->token;
    world->focus = run->focus != NULL ? focus_find(run->focus) : NULL;
    logged = world;
    log_set_sink(log_print);
    log_set_level(run->verbose ? LOG_DEBUG : LOG_WARN);
    (void)signal(SIGVTALRM, on_late);
    late_after(LATE_S);
    world_run(world);
    if (run->verbose) {
        printf("seed %llu: %llu steps, %llu user acts, %zu saves, %.1f s of virtual time\n",
               (unsigned long long)run->seed, (unsigned long long)world->steps,
               (unsigned long long)world->counts[0], world->saved_count,
               (double)world->now_us / 1e6);
    }
    out->acts = world->acts;
    out->steps = run->steps;
    out->failed = world->failure[0] != 0;
    memcpy(out->what, world->failure, sizeof out->what);
}

// What git says of the sources that it was built from, if they are still at hand.
#define GIT(words) "git -C " CFGSYNC_SOURCES " " words " 2>/dev/null"
static bool git_line(const char *command, char *line, int size)
{
    FILE *git = popen(command, "r");
    if (git == NULL) return false;
    bool read = fgets(line, size, git) != NULL;
    line[strcspn(line, "\n")] = 0;
    return pclose(git) == 0 && read;
}

static void commit_print(void)
{
    char line[64] = "";
    if (git_line(GIT("describe --always --dirty"), line, sizeof line)) printf("commit %s, ", line);
}

// Without sources at hand always the same.
static uint64_t commit_seed(void)
{
    char line[64] = "1";
    (void)git_line(GIT("rev-parse --short=8 HEAD"), line, sizeof line);
    return strtoull(line, NULL, 16) & UINT32_MAX;
}

void run_print_replay(const struct run *run)
{
    printf("    ");
    commit_print();
    printf("replay: %s --seed %llu --steps %llu", run->program, (unsigned long long)run->seed,
           (unsigned long long)run->steps);
    if (run->devices > 0) printf(" --devices %u", run->devices);
    if (run->plain) printf(" --plain");
    if (run->folded) printf(" --folded");
    if (run->focus != NULL) printf(" --focus %s", run->focus);
    if (run->defect != NULL) printf(" --defect %s", run->defect);
    drops_print(&run->drops);
    printf(" --verbose\n");
}

void run_apart(const struct run *run, bool quiet, struct outcome *out)
{
    void *memory =
        mmap(NULL, sizeof *out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    struct outcome *shared = memory;
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (quiet) CHECK(freopen("/dev/null", "w", stderr) != NULL);
        run_here(run, shared);
        posix_enter(NULL);
        exit(0); // so that a coverage build counts it
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    *out = *shared;
    (void)munmap(memory, sizeof *out);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    out->failed = true;
    (void)snprintf(out->what, sizeof out->what, "ended by signal %d",
                   WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void run_count(const struct arguments *arguments, uint64_t seed, struct result *result)
{
    struct run run = arguments->run;
    struct outcome outcome;
    run.seed = seed;
    run_apart(&run, false, &outcome);
    if (!outcome.failed) {
        result->passed++;
        return;
    }
    result->failed++;
    printf("FAILED seed %llu: %s\n", (unsigned long long)seed, outcome.what);
    run_print_replay(&run);
    run.verbose = false;
    if (arguments->tries > 0) run_shrink(&run, &outcome, arguments->tries);
}

static bool number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && end != text;
}

static bool seed_parse(const char *text, uint64_t *out)
{
    if (strcmp(text, "commit") != 0) return number(text, out);
    *out = commit_seed();
    printf("seeds from %llu\n", (unsigned long long)*out);
    return true;
}

// False: it is none of these, or its value is none.
static bool parse_run(const char *name, const char *value, struct run *out)
{
    uint64_t devices;
    if (strcmp(name, "--seed") == 0) return seed_parse(value, &out->seed);
    if (strcmp(name, "--steps") == 0) return number(value, &out->steps);
    if (strcmp(name, "--token") == 0) return number(value, &out->token);
    if (strcmp(name, "--drop") == 0) return drops_parse(value, &out->drops);
    if (strcmp(name, "--focus") == 0) return focus_find(out->focus = value) != NULL;
    if (strcmp(name, "--defect") == 0) return plant(out->defect = value);
    if (strcmp(name, "--devices") != 0) return false;
    if (!number(value, &devices) || devices < 2 || devices > DEVICES_MAX) return false;
    out->devices = (uint32_t)devices;
    return true;
}

static bool parse(int argc, char **argv, struct arguments *out)
{
    *out = (struct arguments){.run = {.seed = 1, .steps = 1000, .program = argv[0]}, .runs = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool valued = false, known = true;
        if (strcmp(argv[i], "--verbose") == 0)
            out->run.verbose = true;
        else if (strcmp(argv[i], "--plain") == 0)
            out->run.plain = true;
        else if (strcmp(argv[i], "--folded") == 0)
            out->run.folded = true;
        else if (strcmp(argv[i], "--until-failed") == 0)
            out->until_failed = true;
        else if (strcmp(argv[i], "--shrink") == 0)
            out->tries = SHRINK_TRIES;
        else
            valued = true;
        if (!valued) continue;
        if (strcmp(argv[i], "--runs") == 0)
            known = number(value, &out->runs);
        else if (strcmp(argv[i], "--seconds") == 0)
            known = number(value, &out->seconds);
        else if (strcmp(argv[i], "--seeds") == 0)
            out->seeds = value;
        else
            known = parse_run(argv[i], value, &out->run);
        if (!known) return false;
        i++;
    }
    return true;
}

static void run_range(const struct arguments *arguments, struct result *out)
{
    time_t start = time(NULL);
    for (uint64_t i = 0; i < arguments->runs; i++) {
        bool late =
            arguments->seconds > 0 && (uint64_t)difftime(time(NULL), start) >= arguments->seconds;
        if (late || (arguments->until_failed && out->failed > 0)) return;
        run_count(arguments, arguments->run.seed + i, out);
    }
}

// All are read first: a run's process ends with exit, which moves the place in files it shares.
static bool run_file(const struct arguments *arguments, struct result *out)
{
    char line[512];
    struct buf seeds = {0};
    FILE *file = fopen(arguments->seeds, "r");
    if (file == NULL) {
        perror(arguments->seeds);
        return false;
    }
    // A child that exits would give back what was read ahead, and the same seeds would come again.
    (void)setvbuf(file, NULL, _IONBF, 0);
    while (fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        uint64_t seed[2] = {strtoull(line, &end, 10), arguments->run.steps};
        if (end != line && *end == ':') seed[1] = strtoull(end + 1, NULL, 10);
        if (end != line) buf_append(&seeds, seed, sizeof seed);
    }
    bool closed = fclose(file) == 0;
    struct arguments one = *arguments;
    for (size_t at = 0; at < seeds.size; at += 2 * sizeof(uint64_t)) {
        memcpy(&one.run.seed, seeds.data + at, sizeof one.run.seed);
        memcpy(&one.run.steps, seeds.data + at + sizeof(uint64_t), sizeof one.run.steps);
        run_count(&one, one.run.seed, out);
    }
    buf_fini(&seeds);
    return closed;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct result result = {0};
    if (!parse(argc, argv, &arguments)) {
        fprintf(
            stderr,
            "usage: sim [--seed N|commit] [--steps N] [--runs N] [--seeds FILE] [--devices N] "
            "[--seconds N]\n           [--plain] [--folded] [--until-failed] [--shrink] [--drop "
            "LIST] [--token N] [--focus NAME]\n           [--verbose]\n"
            "       sim_planted --defect NAME, and the same\n");
        return 2;
    }
    crypto_init();
    index_disk_register();
    if (arguments.seeds == NULL)
        run_range(&arguments, &result);
    else if (!run_file(&arguments, &result))
        return 2;
    printf("%llu passed, %llu failed\n", (unsigned long long)result.passed,
           (unsigned long long)result.failed);
    return result.failed == 0 ? 0 : 1;
}
