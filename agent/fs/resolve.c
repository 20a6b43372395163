// SPDX-License-Identifier: MIT
//
// From an item's canonical path to a directory descriptor and a name. Most paths are spelled on
// disk as we spell them and cost one system call; only a path with non-ASCII letters that is not
// found is looked for again by normal form, directory by directory.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

bool is_absence(int code)
{
    return code == ENOENT || code == ENOTDIR || code == ELOOP || code == SPELLED_OTHERWISE;
}

bool is_hidden(int code)
{
    return code != 0 && !is_absence(code);
}

int beneath_open(const struct grip *grip, struct slice path, int flags, int *out_fd)
{
    char text[PROTO_PATH_BYTES_MAX + 1];
    if (path.size > PROTO_PATH_BYTES_MAX) return ENAMETOOLONG;
    if (path.size > 0 && memchr(path.data, 0, path.size) != NULL) return EINVAL;
    if (path.size > 0) memcpy(text, path.data, path.size);
    text[path.size] = '\0';
    if (path.size == 0) memcpy(text, ".", 2);
    if (!grip->disk->without_openat2) {
        int code = resolve_kernel(grip->fd, text, flags, out_fd);
        if (code != ENOSYS) return code;
    }
    return resolve_walk(grip->fd, text, flags, out_fd);
}

int internal_open(const struct grip *grip, const char *path, int *out_fd)
{
    return beneath_open(grip, slice_text(path), O_RDONLY | O_DIRECTORY, out_fd);
}

static bool spells(struct arena *arena, const char *disk_name, struct slice normal)
{
    struct slice own;
    struct slice raw = slice_text(disk_name);
    if (path_is_ascii(raw)) return false;
    return path_normalize(arena, raw, &own) == ERR_OK && slice_equal(own, normal);
}

// The name in this directory whose normal form is that of `name`; best the normal form itself.
static int spell_find(int dir_fd, struct slice name, char out[FS_NAME_MAX])
{
    AUTO(dir_end) DIR *dir = dir_list(dir_fd);
    if (dir == NULL) return errno;
    AUTO(arena_destroy) struct arena *own = arena_new();
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice normal;
    if (path_normalize(own, name, &normal) != ERR_OK) return ENOENT;
    bool is_normal = slice_equal(name, normal), found = false; // it is not there under its own
    for (struct dirent *entry; (entry = dir_next(dir)) != NULL; arena_reset(arena)) {
        if (!spells(arena, entry->d_name, normal)) continue;
        // Some file systems count in characters.
        if (strlen(entry->d_name) >= FS_NAME_MAX) return ENAMETOOLONG;
        bool best = slice_equal(slice_text(entry->d_name), normal);
        if (best || !found) memcpy(out, entry->d_name, strlen(entry->d_name) + 1);
        if (best || is_normal) return 0;
        found = true;
    }
    if (errno != 0) return errno;
    return found ? 0 : ENOENT;
}

// On a file system that folds names: is what has this name spelled so? SPELLED_OTHERWISE: as
// *out_clash says.
static int check_spelling(int dir_fd, char name[FS_NAME_MAX], char out_clash[FS_NAME_MAX])
{
    char found[FS_NAME_MAX];
    struct slice normal;
    struct slice wanted;
    out_clash[0] = '\0';
    int code = name_spelled(dir_fd, name, found);
    if (code == ENOENT) return 0;
    if (code != 0 || strcmp(found, name) == 0) return code;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    bool same = path_normalize(arena, slice_text(found), &normal) == ERR_OK &&
                path_normalize(arena, slice_text(name), &wanted) == ERR_OK &&
                slice_equal(normal, wanted);
    memcpy(same ? name : out_clash, found, strlen(found) + 1);
    return same ? 0 : SPELLED_OTHERWISE;
}

static int component_find(const struct grip *grip, int dir_fd, struct slice component,
                          char out[FS_NAME_MAX])
{
    struct stat st;
    char clash[FS_NAME_MAX];
    if (component.size >= FS_NAME_MAX) return ENAMETOOLONG;
    memcpy(out, component.data, component.size);
    out[component.size] = '\0';
    if (fstatat(dir_fd, out, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return grip->folds ? check_spelling(dir_fd, out, clash) : 0;
    if (errno != ENOENT || path_is_ascii(component)) return errno;
    return spell_find(dir_fd, component, out);
}

static int dir_search(const struct grip *grip, struct slice path, int *out_fd)
{
    AUTO(fd_close) int at = -1;
    int code = beneath_open(grip, slice_of("", 0), dir_handle, &at);
    for (size_t start = 0; code == 0 && start < path.size;) {
        const uint8_t *slash = memchr(path.data + start, '/', path.size - start);
        size_t end = slash ? (size_t)(slash - path.data) : path.size;
        char name[FS_NAME_MAX];
        code = component_find(grip, at, slice_of(path.data + start, end - start), name);
        if (code != 0) return code;
        int next = -1;
        code = resolve_walk(at, name, dir_handle, &next);
        fd_close(&at);
        at = next;
        start = end + 1;
    }
    if (code != 0) return code;
    *out_fd = at;
    at = -1;
    return 0;
}

int dir_open(const struct grip *grip, struct slice path, int *out_fd)
{
    if (grip->folds && path.size > 0) return dir_search(grip, path, out_fd);
    int code = beneath_open(grip, path, dir_handle, out_fd);
    if (code != ENOENT || path_is_ascii(path)) return code;
    return dir_search(grip, path, out_fd);
}

int place_open(const struct grip *grip, struct slice path, struct slice disk_name,
               struct place *out)
{
    out->fd = -1;
    struct slice name = disk_name.size > 0 ? disk_name : path_base(path);
    if (name.size >= FS_NAME_MAX) return ENAMETOOLONG;
    if (name.size == 0 || memchr(name.data, '/', name.size) || memchr(name.data, 0, name.size))
        return EINVAL;
    memcpy(out->name, name.data, name.size);
    out->name[name.size] = '\0';
    if (strcmp(out->name, ".") == 0 || strcmp(out->name, "..") == 0) return EINVAL;
    int code = dir_open(grip, path_parent(path), &out->fd);
    out->clash[0] = '\0';
    if (code == 0 && grip->folds) code = check_spelling(out->fd, out->name, out->clash);
    if (code == SPELLED_OTHERWISE && out->clash[0] != '\0') return 0;
    if (code != 0) place_close(out);
    return code;
}

void place_close(struct place *place)
{
    fd_close(&place->fd);
}

int place_stat(const struct place *place, struct stat *out)
{
    if (place->clash[0] != '\0') return ENOENT;
    return fstatat(place->fd, place->name, out, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int place_spell(struct place *place)
{
    char found[FS_NAME_MAX];
    struct slice name = slice_text(place->name);
    if (path_is_ascii(name)) return ENOENT;
    int code = spell_find(place->fd, name, found);
    if (code == 0) memcpy(place->name, found, strlen(found) + 1);
    return code;
}

int place_find(struct place *place, struct stat *out)
{
    int code = place_stat(place, out);
    if (code == ENOENT) code = place_spell(place);
    return code == 0 ? place_stat(place, out) : code;
}
