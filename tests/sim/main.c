// SPDX-License-Identifier: MIT
//
// sim --seed N --steps N --runs N [--devices N] [--seconds N] [--verbose] [--token N]: so many
// runs, each from one seed, each in a process of its own; after so many seconds no new one is
// begun. With a token, which is the number of a save, --verbose tells the way of that content. sim
// --seeds FILE: the seeds that stand first in the lines of a file. Ends with "N passed, N failed".
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "tests/sim/sim.h"

enum { LATE_S = 10 };

struct arguments {
    uint64_t seed, steps, runs;
    uint64_t seconds; // 0: no limit
    uint32_t devices;
    bool verbose;
    uint64_t token;
    const char *program;
    const char *seeds; // NULL: none
};

struct result {
    uint64_t passed, failed;
};

static struct world *logged; // the one run of this process

static void log_print(enum log_level level, enum log_area area, const char *line)
{
    (void)area;
    const struct device *device = logged->current;
    // Nothing here is broken but what the engine breaks.
    if (logged->current != NULL && strstr(line, "new incarnation") != NULL)
        logged->current->noticed = true;
    bool identity = strstr(line, "new incarnation") != NULL ||
                    strstr(line, "index is older") != NULL || strstr(line, "one dot") != NULL ||
                    strstr(line, "BUG-K") != NULL;
    if (logged->restored ? level == LOG_ERROR && !identity : level == LOG_ERROR || identity)
        world_fail(logged, "%s: %s", device != NULL ? device->name : "-", line);
    if (logged->o.writer >= 0 && !logged->restored && strstr(line, "sync: conflict") != NULL)
        world_fail(logged, "%s finds a conflict, though only d%d edits: %s",
                   device != NULL ? device->name : "-", logged->o.writer, line);
    if (!logged->verbose) return;
    printf("%10.3f ms    %s %s %s\n", (double)logged->now_us / 1000,
           device != NULL ? device->name : "-", log_level_text(level), line);
}

// The handler only notes it; a run that hangs inside one event is ended by the second signal.
static void on_late(int signal_number)
{
    (void)signal(signal_number, SIG_DFL);
    (void)alarm(LATE_S);
    logged->late = 1;
}

static int run_one(const struct arguments *arguments, uint64_t seed)
{
    struct world *world = mem_zalloc(1, sizeof *world);
    world->seed = seed;
    world->steps_max = arguments->steps;
    world->o.devices = arguments->devices;
    world->verbose = arguments->verbose;
    world->token = arguments->token;
    logged = world;
    log_set_sink(log_print);
    log_set_level(arguments->verbose ? LOG_DEBUG : LOG_WARN);
    (void)signal(SIGALRM, on_late);
    (void)alarm(LATE_S);
    world_run(world);
    if (arguments->verbose) {
        printf("seed %llu: %llu steps, %llu user acts, %zu saves, %.1f s of virtual time\n",
               (unsigned long long)seed, (unsigned long long)world->steps,
               (unsigned long long)world->counts[0], world->saved_count,
               (double)world->now_us / 1e6);
    }
    if (world->failure[0] == 0) return 0;
    printf("FAILED seed %llu: %s\n", (unsigned long long)seed, world->failure);
    (void)fflush(stdout);
    return 1;
}

static void replay_print(const struct arguments *arguments, uint64_t seed)
{
    printf("    replay: %s --seed %llu --steps %llu --runs 1", arguments->program,
           (unsigned long long)seed, (unsigned long long)arguments->steps);
    if (arguments->devices > 0) printf(" --devices %u", arguments->devices);
    printf(" --verbose\n");
}

static bool run_apart(const struct arguments *arguments, uint64_t seed)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int code = run_one(arguments, seed);
        (void)fflush(stdout);
        _exit(code);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (WIFSIGNALED(status))
        printf("FAILED seed %llu: ended by signal %d\n", (unsigned long long)seed,
               WTERMSIG(status));
    replay_print(arguments, seed);
    return false;
}

static bool number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == 0 && end != text;
}

static bool parse(int argc, char **argv, struct arguments *out)
{
    uint64_t devices = 0;
    *out = (struct arguments){.seed = 1, .steps = 1000, .runs = 1, .program = argv[0]};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        bool known = true;
        if (strcmp(argv[i], "--verbose") == 0)
            out->verbose = true;
        else if (more && strcmp(argv[i], "--seed") == 0)
            known = number(argv[++i], &out->seed);
        else if (more && strcmp(argv[i], "--steps") == 0)
            known = number(argv[++i], &out->steps);
        else if (more && strcmp(argv[i], "--runs") == 0)
            known = number(argv[++i], &out->runs);
        else if (more && strcmp(argv[i], "--seconds") == 0)
            known = number(argv[++i], &out->seconds);
        else if (more && strcmp(argv[i], "--token") == 0)
            known = number(argv[++i], &out->token);
        else if (more && strcmp(argv[i], "--seeds") == 0)
            out->seeds = argv[++i];
        else if (more && strcmp(argv[i], "--devices") == 0)
            known = number(argv[++i], &devices) && devices >= 2 && devices <= DEVICES_MAX;
        else
            known = false;
        if (!known) return false;
    }
    out->devices = (uint32_t)devices;
    return true;
}

static void run_range(const struct arguments *arguments, struct result *out)
{
    time_t start = time(NULL);
    for (uint64_t i = 0; i < arguments->runs; i++) {
        bool late =
            arguments->seconds > 0 && (uint64_t)difftime(time(NULL), start) >= arguments->seconds;
        if (late) return;
        if (run_apart(arguments, arguments->seed + i))
            out->passed++;
        else
            out->failed++;
    }
}

static bool run_file(const struct arguments *arguments, struct result *out)
{
    char line[512];
    FILE *file = fopen(arguments->seeds, "r");
    if (file == NULL) {
        perror(arguments->seeds);
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *end = NULL;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line) continue;
        if (run_apart(arguments, seed))
            out->passed++;
        else
            out->failed++;
    }
    return fclose(file) == 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct result result = {0};
    if (!parse(argc, argv, &arguments)) {
        fprintf(stderr, "usage: sim [--seed N] [--steps N] [--runs N] [--seeds FILE] [--devices N] "
                        "[--seconds N] [--token N] [--verbose]\n");
        return 2;
    }
    crypto_init();
    if (arguments.seeds == NULL)
        run_range(&arguments, &result);
    else if (!run_file(&arguments, &result))
        return 2;
    printf("%llu passed, %llu failed\n", (unsigned long long)result.passed,
           (unsigned long long)result.failed);
    return result.failed == 0 ? 0 : 1;
}
