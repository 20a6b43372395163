// SPDX-License-Identifier: MIT
//
// Where rules come from: `.cfgsyncignore` at the root, which is synced, and `.cfgsync/ignore`, this
// machine's own. A file that cannot be used changes nothing: the rules of before stay in force, and
// to have them after a restart, too, the last good text is kept beside. What a user has ignored may
// be private; to lose the rules for a moment would publish it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"

// Editors truncate a file and write it again, or move it away and make another.
static const int64_t UNSETTLED_NS = 2000000000;

static const struct {
    const char *file;
    const char *good; // in FS_INTERNAL: its last good text
} sources[RULES_LAYERS] = {
    [RULES_SYNCED] = {RULES_FILE, "ignore.synced-last"},
    [RULES_LOCAL] = {RULES_LOCAL_FILE, "ignore.last"},
};

const char *rules_file(enum rules_layer layer)
{
    return sources[layer].file;
}

enum state { FILE_ABSENT, FILE_GOOD, FILE_FAULTY };

struct source {
    enum state state;
    struct ignore *rules; // if good
    bool empty;
    struct rules_fault fault;
};

static enum state faulty(struct source *out, uint32_t line, const char *what)
{
    out->fault.line = line;
    out->fault.what = what;
    return FILE_FAULTY;
}

static enum state open_failed(struct source *out, int code)
{
    switch (code) {
    case ENOENT: return FILE_ABSENT;
    case ELOOP: return faulty(out, 0, "is a symbolic link, which is not followed");
    case EACCES: return faulty(out, 0, "cannot be read: permission denied");
    default: return faulty(out, 0, "cannot be read");
    }
}

static enum state text_parse(struct slice text, struct source *out)
{
    struct ignore_fault fault;
    out->rules = ignore_parse(text, &fault);
    return out->rules != NULL ? FILE_GOOD : faulty(out, fault.line, fault.what);
}

static enum state fd_parse(int fd, struct arena *arena, struct source *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return faulty(out, 0, "cannot be read");
    if (!S_ISREG(st.st_mode)) return faulty(out, 0, "is not a file");
    size_t got = 0;
    uint8_t *text = arena_alloc(arena, IGNORE_FILE_BYTES_MAX + 1, 1);
    if (fd_read_at(fd, text, IGNORE_FILE_BYTES_MAX + 1, 0, &got) != 0)
        return faulty(out, 0, "cannot be read");
    out->empty = got == 0;
    return text_parse(slice_of(text, got), out);
}

static void source_read(const struct grip *grip, const char *path, struct arena *arena,
                        struct source *out)
{
    AUTO(fd_close) int fd = -1;
    *out = (struct source){.fault = {.file = path}};
    int code = beneath_open(grip, slice_text(path), O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd);
    out->state = code != 0 ? open_failed(out, code) : fd_parse(fd, arena, out);
}

// ---- the last good text

static struct ignore *good_read(const struct grip *grip, enum rules_layer layer,
                                struct arena *arena)
{
    char path[64];
    struct source source;
    (void)snprintf(path, sizeof path, "%s/%s", FS_INTERNAL, sources[layer].good);
    source_read(grip, path, arena, &source);
    return source.state == FILE_GOOD ? source.rules : NULL;
}

// One that could not be written is none: that of before lacks rules which have been in force since.
static void good_write(const struct grip *grip, int internal_fd, enum rules_layer layer,
                       const struct ignore *rules)
{
    const char *name = sources[layer].good;
    int code = rules != NULL ? file_write(grip->disk, internal_fd, name, ignore_text(rules)) : 0;
    if (rules == NULL || code != 0) {
        int removed = unlinkat(internal_fd, name, 0) != 0 && errno != ENOENT ? errno : 0;
        if (code == 0) code = removed;
    }
    grip->root->rules_unkept[layer - RULES_SYNCED] = code != 0;
    if (code == 0) return;
    errno = code;
    (void)log_errno(LOG_FS, "keep rules", slice_text(name));
}

// ---- loading

static bool same_rules(const struct ignore *a, const struct ignore *b)
{
    if (a == NULL || b == NULL) return a == b;
    return slice_equal(ignore_text(a), ignore_text(b));
}

// No file and an empty one leave out the same: nothing.
static bool same_effect(const struct ignore *a, const struct ignore *b)
{
    bool none = (a == NULL || ignore_count(a) == 0) && (b == NULL || ignore_count(b) == 0);
    return none || same_rules(a, b);
}

// A file that is gone or empty, where there were rules, is believed when it stays so.
static bool is_unsettled(struct root *root, enum rules_layer layer, const struct source *source,
                         const struct ignore *last)
{
    int64_t *since_ns = &root->rules_gone_ns[layer - RULES_SYNCED];
    bool nothing = source->state == FILE_ABSENT || (source->state == FILE_GOOD && source->empty);
    if (!nothing || last == NULL || ignore_count(last) == 0) {
        *since_ns = 0;
        return false;
    }
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    if (*since_ns == 0) *since_ns = now;
    return now - *since_ns < UNSETTLED_NS;
}

static struct ignore *no_rules(void)
{
    struct ignore_fault fault;
    return ignore_parse(slice_of("", 0), &fault);
}

// What is in force now of a layer that had `last`. NULL: nothing. That there were no rules before
// is something, or it could not be told from rules that were lost.
static struct ignore *layer_choose(const struct grip *grip, enum rules_layer layer, struct job *job,
                                   struct source *source, const struct ignore *last)
{
    bool is_faulty = source->state == FILE_FAULTY;
    bool unsettled = is_unsettled(grip->root, layer, source, last);
    if (!is_faulty && !unsettled) return source->rules;
    if (is_faulty) job->health.rules_faults[job->health.rules_fault_count++] = source->fault;
    if (unsettled) job->health.rules_again = true;
    ignore_destroy(&source->rules);
    return last == NULL && grip->rules->loaded ? no_rules() : ignore_again(last);
}

// False: faulty, and there is nothing to fall back on.
static bool layer_load(const struct grip *grip, int internal_fd, enum rules_layer layer,
                       struct job *job, struct ignore **out)
{
    struct source source;
    const struct rules *old = grip->rules;
    AUTO(ignore_destroy)
    struct ignore *last =
        old->loaded ? ignore_again(old->layers[layer]) : good_read(grip, layer, job->arena);
    source_read(grip, sources[layer].file, job->arena, &source);
    *out = layer_choose(grip, layer, job, &source, last);
    if (source.state == FILE_FAULTY && *out == NULL) return false;
    if (!same_rules(last, *out) || grip->root->rules_unkept[layer - RULES_SYNCED])
        good_write(grip, internal_fd, layer, *out);
    return true;
}

bool rules_load(const struct grip *grip, int root_fd, int internal_fd, struct job *job)
{
    // The root may have been opened anew since this job took its grip.
    struct grip at = *grip;
    at.fd = root_fd;
    const struct rules *old = grip->rules;
    struct rules *fresh = rules_new(old->include_secrets, old->include_vcs);
    bool usable = true;
    bool changed = !old->loaded, other = changed;
    fresh->loaded = true;
    for (int i = RULES_SYNCED; i < RULES_LAYERS; i++) {
        struct ignore **layer = &fresh->layers[i];
        usable = layer_load(&at, internal_fd, (enum rules_layer)i, job, layer) && usable;
        changed = changed || !same_effect(old->layers[i], *layer);
        other = other || !same_rules(old->layers[i], *layer);
        job->health.rules_count += *layer != NULL ? ignore_count(*layer) : 0;
    }
    // Better not to begin than to publish what its owner left out.
    job->health.rules_changed = changed && usable;
    if (other && usable)
        rules_publish(grip, fresh);
    else
        rules_free(&fresh);
    return usable;
}
