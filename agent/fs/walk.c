// SPDX-License-Identifier: MIT
//
// The walk of a root in tree order, cut into batches. Each directory is watched before it is read,
// so that nothing that appears meanwhile is missed, and its names are sorted by normal form. The
// stack of directories is explicit; deep ancestors give their descriptors back.
//
//     levels[0] root > levels[1] a > levels[2] a/b      names are read once, files looked at on the
//     way
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"
#include "agent/fs/walk_priv.h"
#include "proto/path.h"

enum {
    LEVELS_MAX = PROTO_PATH_DEPTH_MAX + 2,
    LEVELS_OPEN_MAX = 32, // descriptors per walk
    PROBLEMS_MAX = 64,    // per batch
};

struct walk {
    struct walk *next;
    struct root *root;
    uint64_t device;
    uint64_t ino;
    struct arena *scratch; // of one step
    struct level levels[LEVELS_MAX];
    uint32_t depth; // levels in use
    bool complete;
    bool at_work; // a job has it: that ends it, should the root go meanwhile
};

static void walk_destroy(struct walk **walk)
{
    for (size_t i = 0; i < LEVELS_MAX; i++) {
        struct level *level = &(*walk)->levels[i];
        fd_close(&level->fd);
        if (level->arena != NULL) arena_destroy(&level->arena);
    }
    arena_destroy(&(*walk)->scratch);
    mem_free(walk);
}

// Where it stands; NULL in there: nowhere, it may be no more.
static struct walk **walk_slot(struct disk *disk, const struct walk *walk)
{
    struct walk **at = &disk->walks;
    while (*at != NULL && *at != walk)
        at = &(*at)->next;
    return at;
}

static bool walk_unlink(struct disk *disk, const struct walk *walk)
{
    struct walk **slot = walk_slot(disk, walk);
    bool known = *slot != NULL;
    if (known) *slot = walk->next;
    return known;
}

void walk_forget(struct disk *disk, const struct root *root)
{
    pthread_mutex_lock(&disk->lock);
    for (struct walk **at = &disk->walks; *at != NULL;) {
        struct walk *walk = *at;
        if (root != NULL && walk->root != root) {
            at = &walk->next;
            continue;
        }
        *at = walk->next;
        if (!walk->at_work) walk_destroy(&walk);
    }
    pthread_mutex_unlock(&disk->lock);
}

static struct walk *walk_new(const struct grip *grip)
{
    struct walk *walk = mem_zalloc(1, sizeof *walk);
    struct stat st;
    for (size_t i = 0; i < LEVELS_MAX; i++)
        walk->levels[i].fd = -1;
    walk->scratch = arena_new();
    walk->root = grip->root;
    walk->complete = true;
    walk->at_work = true;
    walk->device = grip->device;
    walk->ino = fstat(grip->fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
    pthread_mutex_lock(&grip->disk->lock);
    walk->next = grip->disk->walks;
    grip->disk->walks = walk;
    pthread_mutex_unlock(&grip->disk->lock);
    return walk;
}

static bool root_is_here(const struct disk *disk, const struct root *root)
{
    for (uint32_t i = 0; i < disk->root_count; i++) {
        if (disk->roots[i] == root) return true;
    }
    return false;
}

// False: the root has gone, and the walk with it.
static bool walk_take(struct disk *disk, struct walk *walk)
{
    pthread_mutex_lock(&disk->lock);
    bool known = *walk_slot(disk, walk) != NULL;
    if (known) walk->at_work = true;
    pthread_mutex_unlock(&disk->lock);
    return known;
}

// Likewise.
static bool walk_leave(struct disk *disk, struct walk *walk)
{
    pthread_mutex_lock(&disk->lock);
    walk->at_work = false;
    bool gone = !root_is_here(disk, walk->root);
    if (gone) (void)walk_unlink(disk, walk);
    if (gone) walk_destroy(&walk);
    pthread_mutex_unlock(&disk->lock);
    return !gone;
}

static void walk_end(const struct grip *grip, struct job_scan *scan)
{
    struct walk *walk = scan->walk;
    pthread_mutex_lock(&grip->disk->lock);
    bool known = walk_unlink(grip->disk, walk);
    pthread_mutex_unlock(&grip->disk->lock);
    if (known) walk_destroy(&walk);
    scan->walk = NULL;
}

// ---- what a batch reports

static void report_problem(struct job *job, struct slice raw, const char *what, enum err code)
{
    struct job_scan *scan = &job->scan;
    scan->problems[scan->problem_count++] =
        (struct scan_problem){arena_copy(job->arena, raw), what, code};
}

// A directory that could not be read: absence of what is below proves nothing.
static void report_unread(struct job *job, struct walk *walk, const struct level *level, int code)
{
    const char *what = code == EACCES  ? "cannot be read: permission denied"
                       : code == EXDEV ? "another file system is mounted here"
                                       : "cannot be read";
    report_problem(job, level->raw, what, code == EXDEV ? ERR_IN_THE_WAY : err_from_errno(code));
    job->scan.unread[job->scan.unread_count++] = arena_copy(job->arena, level->path);
    walk->complete = false;
}

static void report_entry(struct job *job, struct slice path, const struct name *name,
                         const struct fingerprint *print)
{
    struct scan_entry *entry = &job->scan.entries[job->scan.entry_count++];
    entry->path = arena_copy(job->arena, path);
    entry->print = *print;
    struct slice raw = slice_text(name->raw);
    if (!slice_equal(raw, name->normal)) entry->disk_name = arena_copy(job->arena, raw);
}

// ---- levels

static struct level *level_push(struct walk *walk, struct slice path, struct slice raw)
{
    CHECK(walk->depth < LEVELS_MAX);
    struct level *level = &walk->levels[walk->depth++];
    if (level->arena == NULL)
        level->arena = arena_new();
    else
        arena_reset(level->arena);
    fd_close(&level->fd);
    level->read = false;
    level->names = NULL;
    level->count = 0;
    level->next = 0;
    level->path = arena_copy(level->arena, path);
    level->raw = arena_copy(level->arena, raw);
    if (walk->depth > LEVELS_OPEN_MAX)
        fd_close(&walk->levels[walk->depth - LEVELS_OPEN_MAX - 1].fd);
    return level;
}

static int level_open(const struct grip *grip, struct level *level)
{
    if (level->fd >= 0) return 0;
    return beneath_open(grip, level->raw, O_RDONLY | O_DIRECTORY, &level->fd);
}

// Opens, watches and reads the directory on top of the stack.
static int level_read(const struct grip *grip, struct walk *walk, struct level *level)
{
    struct stat st;
    int code = level_open(grip, level);
    if (code != 0) return code;
    if (fstat(level->fd, &st) != 0) return errno;
    if ((uint64_t)st.st_dev != walk->device) return EXDEV;
    watcher_add(grip->disk->watcher, grip->root->folder, level->path, level->fd);
    level->read = true;
    return names_read(level);
}

// ---- the steps

static bool is_conflicts(struct slice path)
{
    return slice_equal(path, slice_text(PATH_CONFLICTS));
}

// True: goes into the walk.
static bool is_wanted(const struct grip *grip, struct slice path, bool is_dir)
{
    enum ignored ignored = rules_judge(grip->rules, path, is_dir, NULL);
    if (ignored == IGNORED_SECRET) held_put(grip->disk, grip->root, path);
    return ignored == IGNORED_NO;
}

static int name_stat(const struct grip *grip, struct level *level, const char *raw,
                     struct fingerprint *out)
{
    struct stat st;
    int code = level_open(grip, level);
    if (code != 0) return code;
    if (fstatat(level->fd, raw, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    print_of(&st, out);
    return 0;
}

static void name_failed(struct job *job, struct walk *walk, struct slice path, struct slice raw,
                        int code)
{
    // It went away between being listed and being looked at.
    if (is_absence(code)) return;
    struct level at = {.path = path, .raw = raw};
    report_unread(job, walk, &at, code);
}

static void name_report(const struct grip *grip, struct job *job, struct walk *walk,
                        struct level *level, const struct name *name)
{
    uint8_t path_bytes[PROTO_PATH_BYTES_MAX];
    if (level->path.size == 0 && slice_equal(name->normal, slice_text(FS_INTERNAL))) {
        (void)level_push(walk, slice_text(PATH_CONFLICTS), slice_text(PATH_CONFLICTS));
        return;
    }
    arena_reset(walk->scratch);
    struct slice raw = path_joined(walk->scratch, level->raw, slice_text(name->raw));
    if (name->problem != NULL) { // it may have no path of a length that can be
        report_problem(job, raw, name->problem, ERR_UNREPRESENTABLE);
        return;
    }
    size_t at = level->path.size;
    CHECK(at + 1 + name->normal.size <= sizeof path_bytes);
    if (at > 0) memcpy(path_bytes, level->path.data, at);
    if (at > 0) path_bytes[at++] = '/';
    memcpy(path_bytes + at, name->normal.data, name->normal.size);
    struct slice path = slice_of(path_bytes, at + name->normal.size);
    struct fingerprint print;
    int code = name_stat(grip, level, name->raw, &print);
    if (code != 0) {
        name_failed(job, walk, path, raw, code);
        return;
    }
    bool is_dir = print.kind == KIND_DIR;
    if (print.kind == 0 || !is_wanted(grip, path, is_dir)) return;
    if (is_conflicts(level->path) && (is_dir || !path_is_conflict_item(path))) return;
    if (is_dir && print.device != walk->device) {
        name_failed(job, walk, path, raw, EXDEV);
        return;
    }
    report_entry(job, path, name, &print);
    if (is_dir) (void)level_push(walk, path, raw);
}

static void walk_step(const struct grip *grip, struct job *job, struct walk *walk)
{
    struct level *level = &walk->levels[walk->depth - 1];
    if (!level->read) {
        int code = level_read(grip, walk, level);
        // What was gone before it could be read has nothing below it.
        if (is_hidden(code)) report_unread(job, walk, level, code);
        if (code != 0 && !level->read) walk->depth--;
        return;
    }
    if (level->next < level->count) {
        name_report(grip, job, walk, level, &level->names[level->next++]);
        return;
    }
    fd_close(&level->fd);
    walk->depth--;
}

// ---- where a walk starts

static bool prefix_is_wanted(const struct grip *grip, struct slice prefix, bool is_dir)
{
    if (is_conflicts(prefix)) return true;
    return is_wanted(grip, prefix, is_dir) &&
           rules_judge_path(grip->rules, prefix, is_dir, NULL) == IGNORED_NO;
}

static void prefix_push(const struct grip *grip, struct job *job, struct walk *walk,
                        struct slice raw_parent)
{
    struct slice prefix = job->scan.prefix;
    struct place place;
    struct stat st;
    struct fingerprint print;
    int code = place_open(grip, prefix, slice_of("", 0), &place);
    if (code == 0) code = place_find(&place, &st);
    if (code != 0) {
        name_failed(job, walk, prefix, prefix, code);
        place_close(&place);
        return;
    }
    print_of(&st, &print);
    bool is_dir = print.kind == KIND_DIR;
    if (print.device != walk->device)
        name_failed(job, walk, prefix, prefix, EXDEV);
    else if (print.kind != 0 && prefix_is_wanted(grip, prefix, is_dir)) {
        struct name name = {.raw = place.name, .normal = path_base(prefix)};
        if (!is_conflicts(prefix)) report_entry(job, prefix, &name, &print);
        if (is_dir) {
            struct level *level = level_push(
                walk, prefix, path_joined(job->arena, raw_parent, slice_text(place.name)));
            (void)beneath_open(grip, level->raw, O_RDONLY | O_DIRECTORY, &level->fd);
        }
    }
    place_close(&place);
}

// The prefix's parent as the disk spells it, from what the kernel says of the open directory.
static struct slice raw_parent_of(const struct grip *grip, struct arena *arena, struct slice prefix)
{
    AUTO(fd_close) int fd = -1;
    struct slice parent = path_parent(prefix);
    if (beneath_open(grip, parent, dir_handle, &fd) == 0) return parent;
    if (dir_open(grip, parent, &fd) != 0) return parent;
    char *text = arena_alloc(arena, 2, PROTO_PATH_BYTES_MAX * 2);
    char *root_text = text + (size_t)PROTO_PATH_BYTES_MAX * 2;
    if (dir_path(fd, text, (size_t)PROTO_PATH_BYTES_MAX * 2) != 0) return parent;
    if (dir_path(grip->fd, root_text, (size_t)PROTO_PATH_BYTES_MAX * 2) != 0) return parent;
    size_t root_size = strlen(root_text);
    if (strncmp(text, root_text, root_size) != 0 || text[root_size] != '/') return parent;
    return slice_text(text + root_size + 1);
}

// The rules of this machine alone are in there, and the files that steps took away, into which a
// program may still write.
static void watch_internal(const struct grip *grip)
{
    static const char *const dirs[] = {FS_INTERNAL, FS_KEPT};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        AUTO(fd_close) int fd = -1;
        if (internal_open(grip, dirs[i], &fd) != 0) return;
        watcher_add(grip->disk->watcher, grip->root->folder, slice_text(dirs[i]), fd);
    }
}

static void walk_start(const struct grip *grip, struct job *job, struct walk *walk)
{
    struct slice prefix = job->scan.prefix;
    if (prefix.size == 0) {
        held_clear(grip->disk, grip->root);
        watcher_forget(grip->disk->watcher, grip->root->folder, true);
        watch_internal(grip);
        (void)level_push(walk, slice_of("", 0), slice_of("", 0));
        return;
    }
    if (slice_equal(prefix, slice_text(FS_INTERNAL))) {
        (void)level_push(walk, slice_text(PATH_CONFLICTS), slice_text(PATH_CONFLICTS));
        return;
    }
    if (path_fault(prefix) != NULL && !is_conflicts(prefix)) return;
    prefix_push(grip, job, walk, raw_parent_of(grip, job->arena, prefix));
}

static bool batch_is_full(const struct job_scan *scan)
{
    return scan->entry_count >= scan->entries_max || scan->problem_count >= PROBLEMS_MAX - 1;
}

static void batch_clear(struct job *job)
{
    struct job_scan *scan = &job->scan;
    if (scan->entries_max == 0) scan->entries_max = 1;
    scan->entries = arena_alloc(job->arena, scan->entries_max, sizeof *scan->entries);
    scan->problems = arena_alloc(job->arena, PROBLEMS_MAX, sizeof *scan->problems);
    scan->unread = arena_alloc(job->arena, PROBLEMS_MAX, sizeof *scan->unread);
    scan->entry_count = 0;
    scan->problem_count = 0;
    scan->unread_count = 0;
}

static bool root_is_the_same(const struct grip *grip, const struct walk *walk)
{
    struct stat st;
    return grip->root == walk->root && fstat(grip->fd, &st) == 0 &&
           (uint64_t)st.st_ino == walk->ino && (uint64_t)st.st_dev == walk->device &&
           grip_holds(grip);
}

static void batch_forget(struct job *job)
{
    job->err = ERR_UNREACHABLE;
    job->scan.entry_count = job->scan.problem_count = job->scan.unread_count = 0;
    job->scan.done = job->scan.complete = false;
}

// `done` set together with a walk abandons that walk.
void walk_run(const struct grip *grip, struct job *job)
{
    struct job_scan *scan = &job->scan;
    bool first = scan->walk == NULL;
    bool abandon = scan->done && !first;
    batch_clear(job);
    scan->done = false;
    if (abandon) {
        walk_end(grip, scan);
        scan->done = true;
        scan->complete = false;
        return;
    }
    if (first) {
        scan->walk = walk_new(grip);
        walk_start(grip, job, scan->walk);
    }
    struct walk *walk = scan->walk;
    if (!first && !walk_take(grip->disk, walk)) {
        scan->walk = NULL;
        batch_forget(job);
        return;
    }
    while (walk->depth > 0 && !batch_is_full(scan))
        walk_step(grip, job, walk);
    scan->done = walk->depth == 0;
    scan->complete = walk->complete;
    scan->folds = grip->folds;
    if (!root_is_the_same(grip, walk)) batch_forget(job);
    if (!walk_leave(grip->disk, walk)) {
        scan->walk = NULL;
        batch_forget(job);
    } else if (scan->done || job->err != ERR_OK) {
        walk_end(grip, scan);
    }
}
