// SPDX-License-Identifier: MIT
//
// Two directories under one name, both with something in them: of a step that met one of a user's,
// or two of them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/apply_priv.h"

enum { DEPTH_MAX = 32, OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

struct level {
    char name[FS_NAME_MAX];
    DIR *from;
    int to;
    bool moved; // something, since it was read from the start
};

struct merge {
    struct group *group;
    int from_fd, to_fd; // what the first ones are in
    struct level levels[DEPTH_MAX];
    uint32_t depth;
    int code; // why something could not be moved: what may be otherwise later comes before all else
    bool gone; // the directory that was closed last
};

static int dir_open_at(struct group *group, int fd, const char *name)
{
    int dir = openat(fd, name, OPEN_DIR);
    return dir < 0 && group_let_go(group, errno) ? openat(fd, name, OPEN_DIR) : dir;
}

static int above_from(const struct merge *m)
{
    return m->depth > 0 ? dirfd(m->levels[m->depth - 1].from) : m->from_fd;
}

static int level_open(struct merge *m, const char *from, const char *to)
{
    struct level *level = &m->levels[m->depth];
    int above = m->depth > 0 ? m->levels[m->depth - 1].to : m->to_fd;
    AUTO(fd_close) int out = dir_open_at(m->group, above_from(m), from);
    AUTO(fd_close) int in = out < 0 ? -1 : dir_open_at(m->group, above, to);
    level->from = in < 0 ? NULL : fdopendir(out);
    if (level->from == NULL) return errno;
    out = -1; // closedir closes it
    level->to = in;
    in = -1;
    (void)snprintf(level->name, sizeof level->name, "%s", from);
    m->depth++;
    return 0;
}

static void level_close(struct merge *m)
{
    struct level *level = &m->levels[--m->depth];
    dir_end(&level->from);
    fd_close(&level->to);
    m->gone = unlinkat(above_from(m), level->name, AT_REMOVEDIR) == 0;
}

static void note(struct merge *m, int code)
{
    // What is mounted there is in the way for good.
    bool passes = code != EBUSY && group_unseen(m->group, code);
    if (passes || m->code == 0) m->code = code;
}

// A directory that may not be written to cannot go elsewhere: what is above it is noted in it.
static int entry_move(struct merge *m, const struct level *level, const char *name)
{
    const struct disk *disk = m->group->grip->disk;
    int from = dirfd(level->from);
    struct stat st;
    int code = swap_noreplace(disk, from, name, level->to, name);
    bool closed = code == EACCES && fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISDIR(st.st_mode) && (st.st_mode & 0200) == 0;
    if (!closed || mode_set(from, name, (st.st_mode & 07777) | 0200) != 0) return code;
    code = swap_noreplace(disk, from, name, level->to, name);
    (void)mode_set(code == 0 ? level->to : from, name, st.st_mode & 07777);
    return code;
}

// Of two leaves the one that was saved later gets the name.
static void leaf_exchange(const struct merge *m, const struct level *level, const char *name)
{
    int from = dirfd(level->from);
    struct stat ours, theirs;
    struct fingerprint later, earlier;
    if (fstatat(from, name, &ours, AT_SYMLINK_NOFOLLOW) != 0 ||
        fstatat(level->to, name, &theirs, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    print_of(&ours, &later);
    print_of(&theirs, &earlier);
    if (later.kind != KIND_DIR && earlier.kind != KIND_DIR && later.mtime_ns > earlier.mtime_ns)
        (void)swap_exchange(m->group->grip->disk, from, name, level->to, name);
}

static void entry_merge(struct merge *m, const char *name)
{
    struct level *level = &m->levels[m->depth - 1];
    int code = entry_move(m, level, name);
    level->moved |= code == 0;
    if (code == EEXIST) leaf_exchange(m, level, name);
    if (code == EEXIST && m->depth < DEPTH_MAX) code = level_open(m, name, name);
    if (code != 0) note(m, code);
}

int dirs_merge(struct group *group, int from_fd, const char *from, int to_fd, const char *to)
{
    struct merge m = {.group = group, .from_fd = from_fd, .to_fd = to_fd};
    int code = level_open(&m, from, to);
    if (code != 0) return code;
    group->touched_more = true;
    while (m.depth > 0) {
        const struct dirent *entry = dir_next(m.levels[m.depth - 1].from);
        if (entry != NULL) {
            entry_merge(&m, entry->d_name);
            continue;
        }
        if (errno != 0) note(&m, errno);
        struct level *level = &m.levels[m.depth - 1];
        bool again = errno == 0 && level->moved; // some file systems pass over what follows
        level->moved = false;
        if (again)
            rewinddir(level->from);
        else
            level_close(&m);
    }
    if (m.gone) return 0;
    return m.code != 0 && m.code != EBUSY ? m.code : ENOTEMPTY;
}
