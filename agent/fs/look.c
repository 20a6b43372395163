// SPDX-License-Identifier: MIT
//
// Looking at paths: what is there now, read only when the fingerprint does not prove that it is
// what it was. A file that changes under the reader is never reported half old and half new.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/planted.h"
#include "agent/delta/compress.h"
#include "agent/fs/rules_priv.h"
#include "agent/fs/walk_priv.h"
#include "crypto/hash.h"
#include "proto/path.h"

enum {
    LOOK_TRIES = 3,
    PATCH_FROM_BYTES = 16 << 10, // less is soon sent as it is
    AT_HAND_MAX = 4 << 20,       // of a job
    MOVING_BYTES = 16 << 20,     // after so many it shows whether reading on makes sense
};

static void problem(struct look *look, enum err err, const char *what)
{
    look->result = LOOK_PROBLEM;
    look->err = err;
    look->what = what;
}

static void problem_errno(struct look *look, int code)
{
    switch (code) {
    case EACCES:
    case EPERM: problem(look, ERR_ACCESS, "cannot be read: permission denied"); break;
    case EXDEV: problem(look, ERR_IN_THE_WAY, "another file system is mounted here"); break;
    case ENAMETOOLONG:
        problem(look, ERR_UNREPRESENTABLE, "the name is too long for this disk");
        break;
    default: problem(look, err_from_errno(code), "cannot be read"); break;
    }
}

static void fail(struct look *look, int code)
{
    if (is_absence(code))
        look->result = LOOK_GONE;
    else
        problem_errno(look, code);
}

static void leaves_copy(struct arena *arena, struct look *look, const struct digest *leaves,
                        uint32_t count)
{
    if (count == 0) return;
    look->leaves = arena_alloc(arena, count, sizeof *leaves);
    memcpy(look->leaves, leaves, count * sizeof *leaves);
    look->leaf_count = count;
}

static bool is_zeros(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static int small_read(struct arena *arena, int fd, struct content_hash *hash, struct look *look,
                      uint64_t *out_size)
{
    size_t got = 0;
    size_t room = (size_t)look->print.size + 1;
    uint8_t *bytes = arena_bytes(arena, room);
    int code = fd_read_at(fd, bytes, room, 0, &got);
    content_hash_feed(hash, bytes, got);
    look->bytes = slice_of(bytes, got);
    look->zeros = got > 0 && is_zeros(bytes, got);
    *out_size = got;
    return code;
}

// An edit may travel as a patch; what is new does so if it is small. Of many no more is kept than
// goes out at once.
static uint64_t at_hand_max(const struct look *look)
{
    if (look->bare) return 0;
    return look->was.size > 0 ? BASE_CONTENT_BYTES_MAX : PROTO_PACK_CONTENT_BYTES_MAX;
}

// The kernel has written back by itself what is older.
static bool is_young(const struct look *look, int64_t now_ns)
{
    const int64_t minute = INT64_C(60) * 1000000000;
    return now_ns - look->print.ctime_ns < minute;
}

static bool has_moved(int fd, const struct look *look)
{
    struct stat st;
    struct fingerprint now;
    if (fstat(fd, &st) != 0) return false; // the end tells
    print_of(&st, &now);
    return !print_equal(&now, &look->print);
}

// The disk writes meanwhile what it has not got yet, and others must not hear of before; but not
// each time if it is written to all the time.
static int large_read(struct disk *disk, int fd, struct content_hash *hash, struct look *look,
                      bool first, uint64_t *out_size)
{
    bool write_out =
        first && look->print.size > FS_UNDER_WAY_BYTES && is_young(look, clock_ns(CLOCK_REALTIME));
    AUTO(mem_free) uint8_t *piece = mem_alloc(FS_IO_BYTES);
    bool zeros = true;
    *out_size = 0;
    for (size_t got = 1; got > 0;) {
        if (disk_halted(disk)) return ECANCELED;
        int code = fd_read_at(fd, piece, FS_IO_BYTES, *out_size, &got);
        if (code == 0 && write_out) code = fd_write_out(fd, *out_size, got);
        if (code != 0) return code;
        content_hash_feed(hash, piece, got);
        zeros = zeros && is_zeros(piece, got);
        *out_size += got;
        if (*out_size % MOVING_BYTES == 0 && has_moved(fd, look)) return EAGAIN;
    }
    look->zeros = zeros && *out_size > 0;
    return 0;
}

// EAGAIN: it changed meanwhile; EFBIG: it is large.
static int file_read(const struct grip *grip, struct arena *arena, const struct place *place,
                     struct look *look, bool first)
{
    AUTO(fd_close)
    int fd =
        openat(place->fd, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ELOOP ? EAGAIN : errno;
    AUTO(content_hash_destroy) struct content_hash *hash = content_hash_new();
    struct stat st;
    uint64_t size = 0;
    if (fstat(fd, &st) != 0) return errno;
    if (!S_ISREG(st.st_mode)) return EAGAIN;
    print_of(&st, &look->print);
    if (look->print.size > LOOK_LARGE_BYTES && !look->large) return EFBIG;
    int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    int code = look->print.size <= at_hand_max(look)
                   ? small_read(arena, fd, hash, look, &size)
                   : large_read(grip->disk, fd, hash, look, first, &size);
    if (code != 0) return code;
    struct content content;
    const struct digest *leaves;
    uint32_t count;
    content_hash_end(hash, &content, &leaves, &count);
    look->hash_ms = (uint64_t)((clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / 1000000);
    if (size != look->print.size) return EAGAIN;
    look->value = (struct value){
        .kind = KIND_FILE, .mode = look->print.mode & 0777, .size = size, .content = content.id};
    leaves_copy(arena, look, leaves, count);
    // The descriptor must still be the file that has the name.
    struct fingerprint after;
    if (fstat(fd, &st) != 0) return errno;
    print_of(&st, &after);
    return print_equal(&after, &look->print) ? 0 : EAGAIN;
}

static int link_read(struct arena *arena, const struct place *place, struct look *look)
{
    char target[PROTO_STRING_BYTES_MAX + 1];
    ssize_t size = readlinkat(place->fd, place->name, target, sizeof target);
    if (size < 0) return errno == EINVAL || errno == ENOENT ? EAGAIN : errno;
    if (size > PROTO_STRING_BYTES_MAX) return EOVERFLOW;
    struct slice text = arena_copy(arena, slice_of(target, (size_t)size));
    look->value =
        (struct value){.kind = KIND_SYMLINK, .content = hash_sha256(text), .target = text};
    return 0;
}

static int value_read(const struct grip *grip, struct arena *arena, const struct place *place,
                      struct look *look, bool first)
{
    switch (look->print.kind) {
    case KIND_FILE: return file_read(grip, arena, place, look, first);
    case KIND_SYMLINK: return link_read(arena, place, look);
    case KIND_DIR:
        look->value = (struct value){.kind = KIND_DIR, .mode = look->print.mode & 0777};
        return 0;
    case KIND_TOMB: break;
    }
    return EOPNOTSUPP;
}

static void look_clear(struct look *look)
{
    look->value = (struct value){0};
    look->bytes = slice_of("", 0);
    look->zeros = false;
    look->patch = slice_of("", 0);
    look->leaves = NULL;
    look->leaf_count = 0;
}

// One try. EAGAIN: again.
static int look_once(const struct grip *grip, struct arena *arena, const struct place *place,
                     struct look *look, bool first)
{
    struct stat st;
    struct fingerprint after;
    int64_t start = clock_ns(CLOCK_REALTIME);
    look_clear(look);
    int code = place_stat(place, &st);
    if (code != 0) return code;
    print_of(&st, &look->print);
    if (look->before.present && !look->force && print_equal(&look->print, &look->before)) {
        look->result = LOOK_SAME;
        return 0;
    }
    code = value_read(grip, arena, place, look, first);
    if (code != 0) return code;
    code = place_stat(place, &st);
    if (code != 0) return code == ENOENT ? EAGAIN : code;
    print_of(&st, &after);
    // What happens inside a directory changes its times, not its value.
    bool same = look->print.kind == KIND_DIR
                    ? after.kind == KIND_DIR && after.ino == look->print.ino &&
                          after.mode == look->print.mode
                    : print_equal(&after, &look->print);
    if (!same) return EAGAIN;
    look->print = after;
    look->racy = after.kind != KIND_DIR && print_racy(&after, start);
    look->result = LOOK_VALUE;
    return 0;
}

static void look_place(const struct grip *grip, struct arena *arena, const struct place *place,
                       struct look *look)
{
    int code = EAGAIN;
    // What takes long to read is not read again at once.
    for (int i = 0; i < LOOK_TRIES && code == EAGAIN && (i == 0 || look->print.size < MOVING_BYTES);
         i++)
        code = look_once(grip, arena, place, look, i == 0);
    if (code == 0 && look->print.device != grip->device) code = EXDEV;
    if (code == EAGAIN)
        look->result = LOOK_MOVING;
    else if (code == EFBIG && !look->large)
        look->result = LOOK_LARGE;
    else if (code == EOPNOTSUPP)
        problem(look, ERR_UNREPRESENTABLE, "not a file, directory or symbolic link");
    else if (code == EOVERFLOW)
        problem(look, ERR_TOO_BIG, "the target of the link is too long");
    else if (code != 0)
        fail(look, code);
    if (look->result != LOOK_VALUE) look_clear(look);
    if (look->result == LOOK_GONE) look->print = (struct fingerprint){0};
}

// A secret that is not synced yet is not read. One that is stays an ordinary file.
static bool holds_back(const struct grip *grip, struct look *look, bool is_dir)
{
    if (is_dir || rules_judge(grip->rules, look->path, false, NULL) != IGNORED_SECRET) return false;
    if (look->before.present) {
        held_remove(grip->disk, grip->root, look->path); // the walk cannot know
        return false;
    }
    held_put(grip->disk, grip->root, look->path);
    problem(look, ERR_UNREPRESENTABLE, "held: looks like a secret");
    return true;
}

static struct slice spelled_otherwise(struct arena *arena, struct slice path, const char *name)
{
    struct slice normal;
    struct slice parent = path_parent(path);
    if (path_normalize(arena, slice_text(name), &normal) != ERR_OK) return slice_of("", 0);
    return path_joined(arena, parent, normal);
}

// Who has what was here before needs no more than this.
static void look_patch(const struct grip *grip, struct arena *arena, struct look *look)
{
    AUTO(buf_fini) struct buf was = {0};
    AUTO(buf_fini) struct buf patch = {0};
    bool may_be = look->result == LOOK_VALUE && look->value.kind == KIND_FILE &&
                  look->bytes.size >= PATCH_FROM_BYTES && look->was.size > 0 &&
                  look->was.size <= BASE_CONTENT_BYTES_MAX &&
                  memcmp(&look->was.id, &look->value.content, sizeof look->was.id) != 0;
    if (!may_be || base_load(grip, &look->was, &was) != ERR_OK) return;
    compress_against(buf_slice(&was), look->bytes, &patch);
    if (patch.size < look->bytes.size / 4) look->patch = arena_copy(arena, buf_slice(&patch));
}

static void look_at(const struct grip *grip, struct arena *arena, struct look *look)
{
    struct place place;
    struct stat st;
    look->err = ERR_OK;
    look->what = NULL;
    look->racy = false;
    look->hash_ms = 0;
    look->print = (struct fingerprint){0};
    look->disk_name = slice_of("", 0);
    look->other = slice_of("", 0);
    look_clear(look);
    int code = place_open(grip, look->path, slice_of("", 0), &place);
    if (code != 0) {
        fail(look, code);
        return;
    }
    if (place.clash[0] != '\0') look->other = spelled_otherwise(arena, look->path, place.clash);
    code = place_stat(&place, &st);
    if (code == ENOENT && place.clash[0] == '\0' && (code = place_spell(&place)) == 0) {
        look->disk_name = arena_copy(arena, slice_text(place.name));
        code = place_stat(&place, &st);
    }
    if (code != 0) {
        fail(look, code);
        if (look->result == LOOK_GONE) held_remove(grip->disk, grip->root, look->path);
        place_close(&place);
        return;
    }
    if (holds_back(grip, look, S_ISDIR(st.st_mode))) {
        place_close(&place);
        return;
    }
    look_place(grip, arena, &place, look);
    look_patch(grip, arena, look);
    if (look->result == LOOK_GONE) held_remove(grip->disk, grip->root, look->path);
    place_close(&place);
}

// ---- before others hear of it

// What the kernel has not written back by itself yet, nor we. When something went nobody knows.
static bool is_recent(const struct grip *grip, const struct look *look, int64_t now_ns)
{
    if (look->result == LOOK_GONE) return look->before.present;
    return look->result == LOOK_VALUE && is_young(look, now_ns) &&
           !flushed_covers(grip, &look->print);
}

// With a file or a directory goes the name that it has. A link cannot be flushed, nor what is gone:
// their directory is, or the nearest above that is still there.
static int flush_open(const struct grip *grip, const struct look *look)
{
    bool itself = look->result == LOOK_VALUE && look->value.kind != KIND_SYMLINK;
    if (itself) {
        struct place place;
        if ((errno = place_open(grip, look->path, look->disk_name, &place)) != 0) return -1;
        int fd = openat(place.fd, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        place_close(&place);
        return fd;
    }
    AUTO(fd_close) int dir = -1;
    struct slice above = path_parent(look->path);
    // One that is there and cannot be opened now is not flushed by flushing what it is in.
    while ((errno = dir_open(grip, above, &dir)) != 0) {
        if (!is_absence(errno) || above.size == 0) return -1;
        above = path_parent(above);
    }
    return openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_out(int fd, uint64_t size)
{
    int code = 0;
    if (size <= FS_UNDER_WAY_BYTES) return 0;
    for (uint64_t at = 0; at < size && code == 0; at += FS_IO_BYTES)
        code = fd_write_out(fd, at, FS_IO_BYTES);
    return code;
}

static bool look_flush(const struct grip *grip, const struct look *look)
{
    AUTO(fd_close) int fd = flush_open(grip, look);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP)) return true; // to be looked at again
    uint64_t size = look->result == LOOK_VALUE ? look->value.size : 0;
    if (fd >= 0 && (errno = write_out(fd, size)) == 0 && flush_file(fd) == 0) return true;
    (void)log_errno(LOG_FS, "fsync", look->path);
    return false;
}

// Published is what a power cut here cannot take back: else this disk would come up as it was
// before, as if somebody had reverted the edit, and undo it everywhere.
static void looks_flush(const struct grip *grip, const struct job_look *looks)
{
    int64_t now_ns = clock_ns(CLOCK_REALTIME);
    uint32_t recent = 0;
    if (PLANTED(published_not_synced)) return;
    for (uint32_t i = 0; i < looks->count; i++)
        recent += is_recent(grip, &looks->looks[i], now_ns);
    bool each = recent < FS_SYNC_EACH_MAX;
    for (uint32_t i = 0; i < looks->count && recent > 0 && each; i++) {
        if (is_recent(grip, &looks->looks[i], now_ns)) each = look_flush(grip, &looks->looks[i]);
    }
    if (each || (errno = flushed_all(grip)) == 0) return;
    enum err err = log_errno(LOG_FS, "syncfs", slice_text(""));
    for (uint32_t i = 0; i < looks->count && err_reaction(err) == REACT_TRY_LATER; i++) {
        if (is_recent(grip, &looks->looks[i], now_ns))
            problem(&looks->looks[i], err, "cannot be flushed to the disk");
    }
}

void look_run(const struct grip *grip, struct job *job)
{
    size_t at_hand = 0;
    for (uint32_t i = 0; i < job->look.count; i++) {
        struct look *look = &job->look.looks[i];
        look->bare = at_hand >= AT_HAND_MAX;
        look_at(grip, job->arena, look);
        at_hand += look->bytes.size;
    }
    job->look.folds = grip->folds;
    // A root that went away half way must not look like deletions.
    if (!grip_holds(grip)) job->err = ERR_UNREACHABLE;
    looks_flush(grip, &job->look);
}
