// SPDX-License-Identifier: MIT
//
// A walk with a list of directories still to be read instead of recursion. It only reads names:
// what becomes of a file is decided by the scan, not here.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/daemon/left_out_priv.h"
#include "agent/fs/disk.h"

struct search {
    struct disk *disk;
    uint32_t folder;
    int root_fd;
    char **dirs; // relative paths still to be read; "" is the root
    size_t dir_count;
    size_t dir_capacity;
    uint32_t entries;
    json_t *list;
    uint64_t total;
};

static void push(struct search *search, const char *path)
{
    if (search->dir_count == search->dir_capacity) {
        search->dir_capacity = search->dir_capacity * 2 + 16;
        search->dirs = mem_realloc(search->dirs, search->dir_capacity * sizeof *search->dirs);
    }
    search->dirs[search->dir_count++] = mem_strdup(path);
}

static bool is_dir(int dir_fd, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static void note(struct search *search, const char *path, struct buf *rule)
{
    if (search->total++ >= LEFT_OUT_LISTED_MAX) return;
    json_t *one = json_object();
    json_object_set_new(one, "path", json_bytes(slice_text(path)));
    json_object_set_new(one, "pattern", json_bytes(buf_slice(rule)));
    json_array_append_new(search->list, one);
}

static void look(struct search *search, const char *parent, int dir_fd, const struct dirent *entry)
{
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return;
    AUTO(buf_fini) struct buf path = {0};
    AUTO(buf_fini) struct buf rule = {0};
    buf_printf(&path, "%s%s%s", parent, parent[0] != '\0' ? "/" : "", entry->d_name);
    bool dir = is_dir(dir_fd, entry);
    search->entries++;
    switch (disk_ignored_path(search->disk, search->folder, buf_slice(&path), dir, &rule)) {
    case IGNORED_NO:
        if (dir) push(search, buf_text(&path));
        break;
    case IGNORED_DEFAULT:
    case IGNORED_RULE: note(search, buf_text(&path), &rule); break;
    case IGNORED_ALWAYS: // our own directory is nothing the user would miss
    case IGNORED_SECRET: break;
    }
}

static void read_dir(struct search *search, const char *path)
{
    int fd = openat(search->root_fd, path[0] != '\0' ? path : ".",
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        fd_close(&fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (search->entries >= LEFT_OUT_ENTRIES_MAX) break;
        look(search, path, dirfd(dir), entry);
    }
    (void)closedir(dir);
}

json_t *left_out_list(struct disk *disk, uint32_t folder, const char *root, uint64_t *out_total)
{
    AUTO(fd_close) int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct search search = {.disk = disk, .folder = folder, .root_fd = fd, .list = json_array()};
    if (fd >= 0) push(&search, "");
    while (search.dir_count > 0) {
        AUTO(mem_free) char *path = search.dirs[--search.dir_count];
        if (search.entries < LEFT_OUT_ENTRIES_MAX) read_dir(&search, path);
    }
    free(search.dirs);
    *out_total = search.total;
    return search.list;
}
