// SPDX-License-Identifier: MIT
//
// Is the root the root? And the layout of .cfgsync, which only a folder's addition creates.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"
#include "crypto/hash.h"

enum { TOKEN_BYTES = 16, TOKEN_TEXT_MAX = 2 * TOKEN_BYTES + 2 };

static int nibble(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool hex_read(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = nibble(text[2 * i]);
        int low = high < 0 ? -1 : nibble(text[2 * i + 1]);
        if (low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

// A file of one line with 16 bytes in hex. Not there is an answer; that it cannot be read now is
// none, or a moment's fault of the disk would pass for another root.
static int token_read(int dir_fd, const char *name, uint8_t out[TOKEN_BYTES], bool *out_has)
{
    AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[TOKEN_TEXT_MAX] = {0};
    size_t got = 0;
    *out_has = false;
    if (fd < 0) return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : errno;
    int code = fd_read_at(fd, text, TOKEN_TEXT_MAX - 1, 0, &got);
    if (code == 0) *out_has = got >= 2 * TOKEN_BYTES && hex_read(text, out, TOKEN_BYTES);
    return code;
}

static int temp_fill(int fd, struct slice text)
{
    int code = fd_write_at(fd, text.data, text.size, 0);
    if (code != 0) return code;
    return flush_file(fd);
}

int file_write(struct disk *disk, int dir_fd, const char *name, struct slice text)
{
    char temp[STAGE_NAME_MAX];
    temp_name(disk, temp);
    AUTO(fd_close)
    int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int code = temp_fill(fd, text);
    if (code == 0 && renameat(dir_fd, temp, dir_fd, name) != 0) code = errno;
    if (code != 0) (void)unlinkat(dir_fd, temp, 0);
    return code != 0 ? code : dir_sync(dir_fd);
}

static int token_write(struct disk *disk, int dir_fd, const char *name,
                       const uint8_t bytes[TOKEN_BYTES])
{
    char text[TOKEN_TEXT_MAX];
    hex_lower(bytes, TOKEN_BYTES, text);
    text[TOKEN_TEXT_MAX - 2] = '\n';
    return file_write(disk, dir_fd, name, slice_of(text, TOKEN_TEXT_MAX - 1));
}

// ---- the held descriptor

static void root_let_go(const struct grip *grip)
{
    pthread_mutex_lock(&grip->disk->lock);
    fd_close(&grip->root->fd);
    pthread_mutex_unlock(&grip->disk->lock);
    grip->root->marked = false;
}

static bool root_open(const struct grip *grip, int *out_fd)
{
    struct stat st;
    *out_fd = open(grip->root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_fd < 0 || fstat(*out_fd, &st) != 0) return false;
    pthread_mutex_lock(&grip->disk->lock);
    fd_close(&grip->root->fd);
    grip->root->fd = fcntl(*out_fd, F_DUPFD_CLOEXEC, 3);
    grip->root->device = (uint64_t)st.st_dev;
    grip->root->ino = (uint64_t)st.st_ino;
    pthread_mutex_unlock(&grip->disk->lock);
    return true;
}

// Who wants others to read it says so.
static bool root_make(const char *path)
{
    AUTO(mem_free) char *text = mem_strdup(path);
    for (char *at = text + 1; *at != '\0'; at++) {
        if (*at != '/') continue;
        *at = '\0';
        int made = mkdir(text, 0700);
        *at = '/';
        if (made != 0 && errno != EEXIST && errno != EACCES && errno != EROFS) return false;
    }
    return mkdir(text, 0700) == 0 || errno == EEXIST;
}

static const char *missing_text(int code)
{
    if (code == EACCES) return "root cannot be read: permission denied";
    if (code == ENOTDIR) return "root is not a directory";
    if (code != ENOENT) return err_text(err_from_errno(code));
    return "root is missing";
}

// False: the path no longer names the held directory. What is there now is held instead, but only
// the next check may call it healthy: whoever asks must see that there was a break.
static bool root_is_held(const struct grip *grip, struct job_health *health)
{
    struct stat held;
    struct stat named;
    if (stat(grip->root->path, &named) != 0) {
        health->what = missing_text(errno);
        root_let_go(grip);
        return false;
    }
    if (grip->fd < 0) return true;
    if (fstat(grip->fd, &held) == 0 && held.st_dev == named.st_dev && held.st_ino == named.st_ino)
        return true;
    health->what = "root is another directory than before";
    root_let_go(grip);
    return false;
}

// ---- the layout

static int dir_make(int root_fd, const char *path)
{
    if (mkdirat(root_fd, path, 0700) == 0) return 0;
    if (errno != EEXIST) return errno;
    struct stat st;
    if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    if (!S_ISDIR(st.st_mode)) return ENOTDIR;
    if ((st.st_mode & 0777) == 0700) return 0;
    int code = mode_set(root_fd, path, 0700);
    // The file system refuses it, not somebody whose directory it is.
    return code == EPERM && st.st_uid == geteuid() ? 0 : code;
}

// Does a mode that is set stay? Our own directory is the probe.
static bool is_modeless(const struct grip *grip, int root_fd)
{
    struct stat st;
    bool modeless = dir_make(root_fd, FS_INTERNAL) == 0 &&
                    fstatat(root_fd, FS_INTERNAL, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (st.st_mode & 0777) != 0700;
    pthread_mutex_lock(&grip->disk->lock);
    grip->root->modeless = modeless;
    pthread_mutex_unlock(&grip->disk->lock);
    return modeless;
}

static int internal_make(int root_fd, int *out_fd)
{
    int code = dir_make(root_fd, FS_INTERNAL);
    if (code != 0) return code;
    return resolve_walk(root_fd, FS_INTERNAL, O_RDONLY | O_DIRECTORY, out_fd);
}

// .gitignore comes first, so that no commit ever publishes what is kept here.
static int layout_make(struct disk *disk, int internal_fd)
{
    static const char *const dirs[] = {"staging", "kept", "base", "conflicts"};
    struct stat st;
    int code = 0;
    if (fstatat(internal_fd, ".gitignore", &st, AT_SYMLINK_NOFOLLOW) != 0) {
        code = file_write(disk, internal_fd, ".gitignore", slice_text("*\n"));
    }
    for (size_t i = 0; code == 0 && i < sizeof dirs / sizeof *dirs; i++)
        code = dir_make(internal_fd, dirs[i]);
    return code;
}

static int marker_read(int internal_fd, struct job_health *health)
{
    int code = token_read(internal_fd, "root", health->found.bytes, &health->has_id);
    if (code != 0) return code;
    return token_read(internal_fd, "witness", health->witness, &health->has_witness);
}

static const char *marker_check(const struct job_health *health)
{
    if (!health->has_id) return "marker is missing";
    bool same = memcmp(health->found.bytes, health->id.bytes, sizeof health->id.bytes) == 0;
    return same ? NULL : "marker is that of another folder";
}

static void unhealthy_errno(struct job_health *health, int code, const char *call)
{
    errno = code;
    (void)log_errno(LOG_FS, call, slice_text(FS_INTERNAL));
    health->what = code == EACCES || code == EROFS || code == EPERM ? "root cannot be written"
                                                                    : "root cannot be prepared";
}

// A marker that was found may be one whose flush failed, or which the agent did not live to flush.
static int marker_flush(const struct grip *grip, int root_fd, int internal_fd)
{
    if (grip->root->marked) return 0;
    int code = dir_sync(internal_fd);
    if (code == 0) code = dir_sync(root_fd);
    grip->root->marked = code == 0;
    return code;
}

static int internal_prepare(const struct grip *grip, int root_fd, struct job_health *health,
                            int *out_fd)
{
    int code = resolve_walk(root_fd, FS_INTERNAL, O_RDONLY | O_DIRECTORY, out_fd);
    if (code == ENOENT && !health->create) return 0;
    if (code == ENOENT) code = internal_make(root_fd, out_fd);
    if (code != 0) return code;
    code = marker_read(*out_fd, health);
    if (code != 0) return code;
    bool write = (health->create && !health->has_id) ||
                 (health->write_id && (health->has_id || health->create));
    if (!write && marker_check(health) != NULL) return 0;
    if (write) grip->root->marked = false;
    code = layout_make(grip->disk, *out_fd);
    if (code == 0 && write) code = token_write(grip->disk, *out_fd, "root", health->id.bytes);
    if (code == 0) code = marker_flush(grip, root_fd, *out_fd);
    return code == 0 ? marker_read(*out_fd, health) : code;
}

// The twin: a file beside the index, named after the folder's id.
static int twin_read(const struct grip *grip, struct job_health *health)
{
    char name[TOKEN_TEXT_MAX];
    bool there;
    if (grip->root->twin_fd < 0) return 0;
    hex_lower(health->id.bytes, TOKEN_BYTES, name);
    int code = token_read(grip->root->twin_fd, name, health->twin_witness, &there);
    health->twin = there ? TWIN_THERE : TWIN_MISSING;
    return code;
}

static int witness_put(const struct grip *grip, int internal_fd, const struct job_health *health)
{
    char name[TOKEN_TEXT_MAX];
    int code = token_write(grip->disk, internal_fd, "witness", health->witness_next);
    if (code != 0 || grip->root->twin_fd < 0) return code;
    hex_lower(health->id.bytes, TOKEN_BYTES, name);
    return token_write(grip->disk, grip->root->twin_fd, name, health->witness_next);
}

static void root_examine(const struct grip *grip, int root_fd, struct job *job)
{
    AUTO(fd_close) int internal_fd = -1;
    struct job_health *health = &job->health;
    int code = internal_prepare(grip, root_fd, health, &internal_fd);
    if (code == 0 && marker_check(health) == NULL) code = twin_read(grip, health);
    if (code != 0) {
        unhealthy_errno(health, code, "prepare");
        return;
    }
    health->what = marker_check(health);
    if (health->what != NULL) return;
    health->modeless = is_modeless(grip, root_fd);
    // The witness found stays in the result: the caller compares it with what it knows.
    if (health->set_witness && (code = witness_put(grip, internal_fd, health)) != 0) {
        unhealthy_errno(health, code, "write witness");
        return;
    }
    health->healthy = rules_load(grip, root_fd, internal_fd, job);
    if (!health->healthy) health->what = "its rules of what is left out cannot be used";
}

void health_run(const struct grip *grip, struct job *job)
{
    struct job_health *health = &job->health;
    AUTO(fd_close) int fd = -1;
    health->healthy = false;
    health->what = NULL;
    health->has_id = false;
    health->has_witness = false;
    health->twin = TWIN_NONE;
    struct stat st;
    if (health->create && stat(grip->root->path, &st) != 0 && errno == ENOENT &&
        !root_make(grip->root->path)) {
        health->what = "root cannot be made";
        return;
    }
    if (!root_is_held(grip, health)) return;
    if (!root_open(grip, &fd)) {
        health->what = missing_text(errno);
        return;
    }
    root_examine(grip, fd, job);
}
