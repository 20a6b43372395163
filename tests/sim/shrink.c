// SPDX-License-Identifier: MIT
//
// A failing run made smaller: fewer steps, then fewer acts, half of them at a time, then quarters,
// and so on. To leave one out changes what happens later; a smaller run is taken when it fails in
// the same way, whatever else it does.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "tests/sim/run.h"

bool drops_parse(const char *text, struct drops *out)
{
    for (const char *at = text; *at != 0;) {
        char *end;
        unsigned long from = strtoul(at, &end, 10), to = from;
        if (end == at) return false;
        if (*end == '-') to = strtoul(end + 1, &end, 10);
        if (to < from || to > 1000000 || (*end != ',' && *end != 0)) return false;
        if (to >= out->count) {
            out->dropped = mem_realloc(out->dropped, to + 1);
            memset(out->dropped + out->count, 0, to + 1 - out->count);
            out->count = to + 1;
        }
        memset(out->dropped + from, 1, to + 1 - from);
        at = *end == ',' ? end + 1 : end;
    }
    return true;
}

void drops_print(const struct drops *drops)
{
    const char *before = " --drop ";
    for (size_t i = 0; i < drops->count; i++) {
        if (!drops->dropped[i]) continue;
        size_t end = i;
        while (end + 1 < drops->count && drops->dropped[end + 1])
            end++;
        printf(end > i ? "%s%zu-%zu" : "%s%zu", before, i, end);
        before = ",";
        i = end;
    }
}

// The first words of what went wrong, without what varies.
static bool same_way(const struct outcome *a, const struct outcome *b)
{
    const char *x = a->what, *y = b->what;
    if (!a->failed || !b->failed) return false;
    if (x[0] == 'd' && isdigit((unsigned char)x[1]) && y[0] == 'd') x += 2, y += 2;
    size_t size = strcspn(x, "0123456789\"");
    return size == strcspn(y, "0123456789\"") && strncmp(x, y, size) == 0;
}

struct search {
    struct run best;
    struct outcome failure;
    uint64_t tries, tries_max;
};

static bool try_run(struct search *search, const struct run *run)
{
    struct outcome outcome;
    if (search->tries >= search->tries_max) return false;
    search->tries++;
    run_apart(run, true, &outcome);
    if (!same_way(&outcome, &search->failure)) return false;
    search->failure = outcome;
    return true;
}

static void fewer_steps(struct search *search)
{
    for (uint64_t divisor = 2; divisor <= 16;) {
        struct run run = search->best;
        run.steps -= run.steps / divisor;
        if (run.steps > 0 && run.steps < search->best.steps && try_run(search, &run))
            search->best = run;
        else
            divisor *= 2;
    }
}

static size_t drop_range(struct drops *drops, size_t from, size_t size)
{
    size_t count = 0;
    for (size_t i = from; i < from + size && i < drops->count; i++) {
        count += !drops->dropped[i];
        drops->dropped[i] = true;
    }
    return count;
}

static void fewer_acts(struct search *search)
{
    struct drops *best = &search->best.drops;
    size_t count = (size_t)search->failure.acts;
    struct drops next = {.dropped = mem_zalloc(count + 1, sizeof(bool)), .count = count};
    if (best->count > 0)
        memcpy(next.dropped, best->dropped, best->count < count ? best->count : count);
    *best = (struct drops){.dropped = mem_zalloc(count + 1, sizeof(bool)), .count = count};
    memcpy(best->dropped, next.dropped, count);
    for (size_t size = (count + 1) / 2; size > 0; size /= 2) {
        for (size_t from = 0; from < count; from += size) {
            struct run run = search->best;
            memcpy(next.dropped, best->dropped, count);
            run.drops = next;
            if (drop_range(&run.drops, from, size) > 0 && try_run(search, &run))
                memcpy(best->dropped, next.dropped, count);
        }
    }
}

void run_shrink(const struct run *run, const struct outcome *outcome, uint64_t tries)
{
    struct search search = {.best = *run, .failure = *outcome, .tries_max = tries};
    fewer_steps(&search);
    fewer_acts(&search);
    fewer_steps(&search);
    size_t left = 0;
    for (uint64_t i = 0; i < search.failure.acts; i++)
        left += i >= search.best.drops.count || !search.best.drops.dropped[i];
    printf("shrunk to %zu acts and %llu steps in %llu tries: %s\n", left,
           (unsigned long long)search.failure.steps, (unsigned long long)search.tries,
           search.failure.what);
    run_print_replay(&search.best);
}
