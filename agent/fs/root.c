// SPDX-License-Identifier: MIT
//
// Roots: held directories, and a job's grip on one. A root that is away must never look like an
// empty one: before a job touches anything, the path must still name the held directory and the
// marker must be there.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"

struct disk *disk_new(void)
{
    struct disk *disk = mem_zalloc(1, sizeof *disk);
    CHECK(pthread_mutex_init(&disk->lock, NULL) == 0);
    disk->watcher = watcher_new(disk);
    return disk;
}

void disk_halt(struct disk *disk)
{
    atomic_store(&disk->halted, true);
}

bool disk_halted(struct disk *disk)
{
    return atomic_load_explicit(&disk->halted, memory_order_relaxed);
}

static void root_release(struct root *root)
{
    if (--root->users > 0) return;
    fd_close(&root->fd);
    map_destroy(&root->held);
    rules_free(&root->rules);
    mem_free(&root->path);
    mem_free(&root);
}

void disk_close(struct disk **disk)
{
    if (*disk == NULL) return;
    walk_forget(*disk, NULL);
    for (uint32_t i = 0; i < (*disk)->root_count; i++)
        root_release((*disk)->roots[i]);
    watcher_destroy(&(*disk)->watcher);
    pthread_mutex_destroy(&(*disk)->lock);
    mem_free(&(*disk)->roots);
    mem_free(disk);
}

static struct root *root_find(const struct disk *disk, uint32_t folder)
{
    for (uint32_t i = 0; i < disk->root_count; i++) {
        if (disk->roots[i]->folder == folder) return disk->roots[i];
    }
    return NULL;
}

static void root_hold(struct root *root)
{
    struct stat st;
    root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0) return;
    if (fstat(root->fd, &st) != 0) {
        fd_close(&root->fd);
        return;
    }
    root->device = (uint64_t)st.st_dev;
    root->ino = (uint64_t)st.st_ino;
}

enum err disk_root_add(struct disk *disk, uint32_t folder, const struct disk_root_options *options)
{
    if (options->path == NULL || options->path[0] != '/') return ERR_CONFIG;
    struct root *root = mem_zalloc(1, sizeof *root);
    root->folder = folder;
    root->path = mem_strdup(options->path);
    root->twin_fd = options->twin ? options->twin_fd : -1;
    root->rules = rules_new(options->include_secrets, options->include_vcs);
    root->held = map_new();
    root->users = 1;
    root_hold(root);

    pthread_mutex_lock(&disk->lock);
    CHECK(root_find(disk, folder) == NULL);
    disk->roots = mem_realloc(disk->roots, (disk->root_count + 1) * sizeof *disk->roots);
    disk->roots[disk->root_count++] = root;
    pthread_mutex_unlock(&disk->lock);
    return ERR_OK;
}

void disk_root_set(struct disk *disk, uint32_t folder, bool include_secrets, bool include_vcs)
{
    struct grip grip;
    if (grip_take_unchecked(disk, folder, &grip) != ERR_OK) return;
    rules_publish(&grip, rules_with(grip.rules, include_secrets, include_vcs));
    grip_drop(&grip);
}

void disk_root_remove(struct disk *disk, uint32_t folder)
{
    watcher_forget(disk->watcher, folder, false);
    pthread_mutex_lock(&disk->lock);
    struct root *root = root_find(disk, folder);
    for (uint32_t i = 0; i < disk->root_count; i++) {
        if (disk->roots[i] == root) disk->roots[i] = disk->roots[--disk->root_count];
    }
    pthread_mutex_unlock(&disk->lock);
    if (root == NULL) return;
    walk_forget(disk, root);
    pthread_mutex_lock(&disk->lock);
    root_release(root);
    pthread_mutex_unlock(&disk->lock);
}

enum err grip_take_unchecked(struct disk *disk, uint32_t folder, struct grip *out)
{
    *out = (struct grip){.disk = disk, .fd = -1};
    pthread_mutex_lock(&disk->lock);
    struct root *root = root_find(disk, folder);
    if (root != NULL) {
        root->users++;
        out->root = root;
        out->rules = root->rules;
        rules_hold(out->rules);
        out->device = root->device;
        out->modeless = root->modeless;
        if (root->fd >= 0) out->fd = fcntl(root->fd, F_DUPFD_CLOEXEC, 3);
    }
    pthread_mutex_unlock(&disk->lock);
    return root == NULL ? ERR_UNREACHABLE : ERR_OK;
}

// Our own folder is the probe: it is there, and nobody has one of that name. False: a disk that
// cannot say so now is not taken for one that does not fold.
static bool finds_folded(int root_fd, bool *out)
{
    struct stat plain, folded;
    *out = false;
    if (fstatat(root_fd, ".CFGSYNC", &folded, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
    if (fstatat(root_fd, ".cfgsync", &plain, AT_SYMLINK_NOFOLLOW) != 0) return false;
    *out = plain.st_ino == folded.st_ino && plain.st_dev == folded.st_dev;
    return true;
}

enum err grip_take(struct disk *disk, uint32_t folder, struct grip *out)
{
    enum err err = grip_take_unchecked(disk, folder, out);
    if (err != ERR_OK) return err;
    bool known = grip_holds(out) && finds_folded(out->fd, &out->folds);
    return known ? ERR_OK : ERR_UNREACHABLE;
}

bool grip_holds(const struct grip *grip)
{
    struct stat held;
    struct stat named;
    struct stat marker;
    if (grip->fd < 0 || fstat(grip->fd, &held) != 0) return false;
    if (stat(grip->root->path, &named) != 0) return false;
    if (held.st_dev != named.st_dev || held.st_ino != named.st_ino) return false;
    return fstatat(grip->fd, FS_MARKER, &marker, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(marker.st_mode);
}

void grip_drop(struct grip *grip)
{
    fd_close(&grip->fd);
    if (grip->root == NULL) return;
    pthread_mutex_lock(&grip->disk->lock);
    rules_free(&grip->rules);
    root_release(grip->root);
    pthread_mutex_unlock(&grip->disk->lock);
    grip->root = NULL;
}

uint64_t temp_number(struct disk *disk)
{
    pthread_mutex_lock(&disk->lock);
    uint64_t number = ++disk->temp_last;
    pthread_mutex_unlock(&disk->lock);
    return number;
}
