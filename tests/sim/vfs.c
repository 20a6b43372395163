// SPDX-License-Identifier: MIT
//
// The tree and what its watchers hear. The masks are inotify's, in the order the kernel sends them.
#include "tests/sim/vfs.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#include "agent/base/check.h"
#include "agent/base/own.h"

void vfs_init(struct vfs *vfs, uint64_t device)
{
    *vfs = (struct vfs){.device = device, .grain_ns = 1, .notices_max = 16384};
    vfs->root = mem_zalloc(1, sizeof *vfs->root);
    vfs->root->ino = ++vfs->ino_last;
    vfs->root->mode = S_IFDIR | 0755;
    vfs->root->links = 1;
}

void vfs_names(struct vfs *vfs, enum names names)
{
    vfs->names = vfs->root->names = names;
}

static int64_t now_of(struct vfs *vfs)
{
    int64_t now = ++vfs->now_ns;
    return now - now % vfs->grain_ns;
}

// ---- watches

static void notice_put(struct vfs *vfs, int wd, uint32_t mask, const char *name)
{
    if (!vfs->watching) return;
    if (vfs->notice_count > 0) {
        uint32_t last = (vfs->notice_first + vfs->notice_count - 1) % vfs->notice_room;
        const struct vfs_notice *n = &vfs->notices[last];
        if (n->wd == wd && n->mask == mask && strcmp(n->name, name) == 0) return;
        if (n->mask == IN_Q_OVERFLOW) return;
    }
    if (vfs->notice_count == vfs->notice_room) {
        uint32_t room = vfs->notice_room == 0 ? 64 : 2 * vfs->notice_room;
        struct vfs_notice *fresh = mem_zalloc(room, sizeof *fresh);
        for (uint32_t i = 0; i < vfs->notice_count; i++)
            fresh[i] = vfs->notices[(vfs->notice_first + i) % vfs->notice_room];
        vfs->notices = fresh;
        vfs->notice_first = 0;
        vfs->notice_room = room;
    }
    bool overflow = vfs->notice_count >= vfs->notices_max;
    uint32_t at = (vfs->notice_first + vfs->notice_count++) % vfs->notice_room;
    struct vfs_notice *n = &vfs->notices[at];
    n->wd = overflow ? -1 : wd;
    n->mask = overflow ? IN_Q_OVERFLOW : mask;
    memcpy(n->name, overflow ? "" : name, strlen(overflow ? "" : name) + 1);
    if (vfs->notice_count == 1) vfs->noticed(vfs->context);
}

static void tell_dir(struct vfs *vfs, const struct inode *dir, uint32_t mask, const char *name)
{
    if (dir != NULL && dir->wd != 0) notice_put(vfs, dir->wd, mask, name);
}

static uint32_t isdir(const struct inode *inode)
{
    return S_ISDIR(inode->mode) ? IN_ISDIR : 0;
}

// An inode that does not know its names (a file) is told of through the directory that is at hand.
static void tell_self(struct vfs *vfs, const struct inode *inode, uint32_t mask)
{
    if (inode->wd != 0) notice_put(vfs, inode->wd, mask, "");
}

int vfs_watch(struct vfs *vfs, struct inode *dir)
{
    if (dir->wd != 0) return dir->wd;
    dir->wd = ++vfs->wd_last;
    if ((uint32_t)dir->wd >= vfs->watched_room) {
        uint32_t room = 2 * (uint32_t)dir->wd + 64;
        vfs->watched = mem_realloc(vfs->watched, room * sizeof *vfs->watched);
        memset(vfs->watched + vfs->watched_room, 0,
               (room - vfs->watched_room) * sizeof *vfs->watched);
        vfs->watched_room = room;
    }
    vfs->watched[dir->wd] = dir;
    return dir->wd;
}

void vfs_unwatch(struct vfs *vfs, int wd)
{
    if (wd <= 0 || (uint32_t)wd >= vfs->watched_room || vfs->watched[wd] == NULL) return;
    vfs->watched[wd]->wd = 0;
    vfs->watched[wd] = NULL;
    notice_put(vfs, wd, IN_IGNORED, "");
}

void vfs_watch_end(struct vfs *vfs)
{
    vfs->watching = false;
    for (uint32_t i = 0; i < vfs->watched_room; i++) {
        if (vfs->watched[i] != NULL) vfs->watched[i]->wd = 0;
        vfs->watched[i] = NULL;
    }
    vfs->notice_count = 0;
}

bool vfs_notice_next(struct vfs *vfs, struct vfs_notice *out)
{
    if (vfs->notice_count == 0) return false;
    *out = vfs->notices[vfs->notice_first];
    vfs->notice_first = (vfs->notice_first + 1) % vfs->notice_room;
    vfs->notice_count--;
    return true;
}

// ---- directories

static uint32_t place_of(const struct inode *dir, const char *name, bool *out_found)
{
    uint32_t low = 0, high = dir->count;
    *out_found = dir->names != NAMES_BYTES;
    for (uint32_t i = 0; i < dir->count && dir->names != NAMES_BYTES; i++) {
        if (names_same(dir->names, dir->entries[i].name, name)) return i;
    }
    *out_found = false;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(dir->entries[middle].name, name);
        if (order == 0) {
            *out_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct inode *vfs_child(const struct inode *dir, const char *name)
{
    bool found;
    if (!S_ISDIR(dir->mode)) return NULL;
    uint32_t at = place_of(dir, name, &found);
    return found ? dir->entries[at].inode : NULL;
}

static void entry_put(struct vfs *vfs, struct inode *dir, const char *name, struct inode *inode)
{
    bool found;
    uint32_t at = place_of(dir, name, &found);
    if (!found) {
        if (dir->count == dir->room) {
            dir->room = dir->room == 0 ? 8 : 2 * dir->room;
            dir->entries = mem_realloc(dir->entries, dir->room * sizeof *dir->entries);
        }
        memmove(dir->entries + at + 1, dir->entries + at, (dir->count - at) * sizeof *dir->entries);
        dir->entries[at].name = mem_strdup(name);
        dir->count++;
    }
    power_entry(vfs, dir, found ? dir->entries[at].name : name,
                found ? dir->entries[at].inode : NULL, inode);
    dir->entries[at].inode = inode;
    if (S_ISDIR(inode->mode)) inode->parent = dir;
    dir->mtime_ns = dir->ctime_ns = now_of(vfs);
}

// As the directory spells it, which is what watchers hear.
static const char *spelling(const struct inode *dir, const char *name)
{
    bool found;
    uint32_t at = place_of(dir, name, &found);
    return found ? dir->entries[at].name : name;
}

static void entry_drop(struct vfs *vfs, struct inode *dir, const char *name)
{
    bool found;
    uint32_t at = place_of(dir, name, &found);
    CHECK(found);
    power_entry(vfs, dir, dir->entries[at].name, dir->entries[at].inode, NULL);
    memmove(dir->entries + at, dir->entries + at + 1, (dir->count - at - 1) * sizeof *dir->entries);
    dir->count--;
    dir->mtime_ns = dir->ctime_ns = now_of(vfs);
}

// The directory still hangs in the tree (or is the root).
static bool is_attached(const struct vfs *vfs, const struct inode *dir)
{
    return dir == vfs->root || dir->links > 0;
}

static int may_add(const struct vfs *vfs, const struct inode *dir, const char *name)
{
    if (!S_ISDIR(dir->mode)) return ENOTDIR;
    if (!is_attached(vfs, dir)) return ENOENT;
    if (strlen(name) > 255) return ENAMETOOLONG;
    return vfs_child(dir, name) != NULL ? EEXIST : 0;
}

int vfs_create(struct vfs *vfs, struct inode *dir, const char *name, mode_t mode,
               struct inode **out)
{
    int code = may_add(vfs, dir, name);
    if (code != 0) return code;
    struct inode *inode = mem_zalloc(1, sizeof *inode);
    inode->ino = ++vfs->ino_last;
    inode->mode = mode;
    inode->links = 1;
    inode->names = vfs->names;
    inode->mtime_ns = inode->ctime_ns = now_of(vfs);
    power_op(vfs);
    entry_put(vfs, dir, name, inode);
    tell_dir(vfs, dir, IN_CREATE | isdir(inode), name);
    if (out != NULL) *out = inode;
    return 0;
}

int vfs_symlink(struct vfs *vfs, struct inode *dir, const char *name, const char *target)
{
    struct inode *inode;
    int code = vfs_create(vfs, dir, name, S_IFLNK | 0777, &inode);
    if (code != 0) return code;
    inode->size = strlen(target);
    inode->data = (uint8_t *)mem_strdup(target);
    return 0;
}

int vfs_link(struct vfs *vfs, struct inode *dir, const char *name, struct inode *file)
{
    int code = may_add(vfs, dir, name);
    if (code != 0) return code;
    if (S_ISDIR(file->mode)) return EPERM;
    file->links++;
    file->ctime_ns = now_of(vfs);
    power_op(vfs);
    entry_put(vfs, dir, name, file);
    tell_dir(vfs, dir, IN_CREATE, name);
    return 0;
}

static void watch_dies(struct vfs *vfs, struct inode *dir)
{
    if (dir->wd == 0) return;
    tell_self(vfs, dir, IN_DELETE_SELF);
    vfs_unwatch(vfs, dir->wd);
}

int vfs_unlink(struct vfs *vfs, struct inode *dir, const char *name)
{
    struct inode *inode = vfs_child(dir, name);
    if (inode == NULL) return ENOENT;
    if (S_ISDIR(inode->mode)) return EISDIR;
    name = spelling(dir, name);
    power_op(vfs);
    entry_drop(vfs, dir, name);
    inode->links--;
    inode->ctime_ns = now_of(vfs);
    tell_dir(vfs, dir, IN_DELETE, name);
    return 0;
}

int vfs_rmdir(struct vfs *vfs, struct inode *dir, const char *name)
{
    struct inode *inode = vfs_child(dir, name);
    if (inode == NULL) return ENOENT;
    if (!S_ISDIR(inode->mode)) return ENOTDIR;
    if (inode->count > 0) return ENOTEMPTY;
    name = spelling(dir, name);
    power_op(vfs);
    entry_drop(vfs, dir, name);
    inode->links = 0;
    watch_dies(vfs, inode);
    tell_dir(vfs, dir, IN_DELETE | IN_ISDIR, name);
    return 0;
}

static bool is_inside(const struct inode *dir, const struct inode *above)
{
    for (const struct inode *d = dir; d != NULL; d = d->parent) {
        if (d == above) return true;
    }
    return false;
}

static void tell_moved(struct vfs *vfs, struct inode *from, const char *a, struct inode *to,
                       const char *b, const struct inode *inode)
{
    tell_dir(vfs, from, IN_MOVED_FROM | isdir(inode), a);
    tell_dir(vfs, to, IN_MOVED_TO | isdir(inode), b);
    tell_self(vfs, inode, IN_MOVE_SELF);
}

static int replaced(struct vfs *vfs, const struct inode *inode, struct inode *old, struct inode *to,
                    const char *b)
{
    bool dir = S_ISDIR(inode->mode);
    if (S_ISDIR(old->mode) && !dir) return EISDIR;
    if (!S_ISDIR(old->mode) && dir) return ENOTDIR;
    if (dir && old->count > 0) return ENOTEMPTY;
    entry_drop(vfs, to, b);
    old->links--;
    return 0;
}

static void exchange(struct vfs *vfs, struct inode *from, const char *a, struct inode *to,
                     const char *b)
{
    struct inode *one = vfs_child(from, a);
    struct inode *two = vfs_child(to, b);
    entry_put(vfs, from, a, two);
    entry_put(vfs, to, b, one);
    one->ctime_ns = now_of(vfs);
    two->ctime_ns = now_of(vfs);
    tell_moved(vfs, from, a, to, b, one);
    tell_moved(vfs, to, b, from, a, two);
}

int vfs_rename(struct vfs *vfs, struct inode *from, const char *a, struct inode *to, const char *b,
               enum vfs_rename how)
{
    struct inode *inode = vfs_child(from, a);
    struct inode *old = vfs_child(to, b);
    if (inode == NULL || !S_ISDIR(to->mode) || !is_attached(vfs, to)) return ENOENT;
    if (how == VFS_NOREPLACE && old != NULL) return EEXIST;
    if (how == VFS_EXCHANGE && old == NULL) return ENOENT;
    if (S_ISDIR(inode->mode) && is_inside(to, inode)) return EINVAL;
    a = spelling(from, a);
    if (how == VFS_EXCHANGE) {
        b = spelling(to, b);
        if (S_ISDIR(old->mode) && is_inside(from, old)) return EINVAL;
        power_op(vfs);
        exchange(vfs, from, a, to, b);
        return 0;
    }
    bool found, respelled = from == to && place_of(from, a, &found) == place_of(to, b, &found) &&
                            strcmp(from->entries[place_of(from, a, &found)].name, b) != 0;
    if (old == inode && !respelled) return 0;
    if (old == inode) old = NULL;
    power_op(vfs);
    bool keeps = old != NULL && to->names == NAMES_FOLDED && !vfs->respells;
    AUTO(mem_free) char *name = mem_strdup(keeps ? spelling(to, b) : b);
    int code = old != NULL ? replaced(vfs, inode, old, to, b) : 0;
    if (code != 0) return code;
    entry_drop(vfs, from, a);
    entry_put(vfs, to, name, inode);
    inode->ctime_ns = now_of(vfs);
    tell_moved(vfs, from, a, to, b, inode);
    if (old != NULL && S_ISDIR(old->mode)) watch_dies(vfs, old);
    return 0;
}

// ---- contents

// Finds the names a file has in watched directories: only those hear of it.
static void tell_names(struct vfs *vfs, const struct inode *inode, uint32_t mask)
{
    if (!vfs->watching) return;
    for (uint32_t i = 0; i < vfs->watched_room; i++) {
        const struct inode *dir = vfs->watched[i];
        for (uint32_t k = 0; dir != NULL && k < dir->count; k++) {
            if (dir->entries[k].inode == inode)
                tell_dir(vfs, dir, mask | isdir(inode), dir->entries[k].name);
        }
    }
}

void vfs_truncate(struct vfs *vfs, struct inode *file, size_t size)
{
    power_change(vfs, file);
    if (size > file->capacity) {
        file->data = mem_realloc(file->data, size);
        file->capacity = size;
    }
    if (size > file->size) memset(file->data + file->size, 0, size - file->size);
    file->size = size;
    file->written = true;
    file->mtime_ns = file->ctime_ns = now_of(vfs);
    tell_names(vfs, file, IN_MODIFY);
}

void vfs_write(struct vfs *vfs, struct inode *file, const void *data, size_t size, size_t offset)
{
    power_change(vfs, file);
    if (offset + size > file->size) {
        if (offset + size > file->capacity) {
            file->capacity = 2 * file->capacity + offset + size;
            file->data = mem_realloc(file->data, file->capacity);
        }
        if (offset > file->size) memset(file->data + file->size, 0, offset - file->size);
        file->size = offset + size;
    }
    if (size > 0) memcpy(file->data + offset, data, size);
    file->written = true;
    file->mtime_ns = file->ctime_ns = now_of(vfs);
    tell_names(vfs, file, IN_MODIFY);
}

void vfs_closed(struct vfs *vfs, struct inode *file)
{
    tell_names(vfs, file, IN_CLOSE_WRITE);
}

void vfs_chmod(struct vfs *vfs, struct inode *inode, mode_t mode)
{
    power_change(vfs, inode);
    inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
    inode->ctime_ns = now_of(vfs);
    tell_names(vfs, inode, IN_ATTRIB);
}

void vfs_mtime(struct vfs *vfs, struct inode *inode, int64_t mtime_ns)
{
    power_change(vfs, inode);
    inode->mtime_ns = mtime_ns - mtime_ns % vfs->grain_ns;
    inode->ctime_ns = now_of(vfs);
    tell_names(vfs, inode, IN_ATTRIB);
}

static struct timespec time_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

void vfs_stat(const struct vfs *vfs, const struct inode *inode, struct stat *out)
{
    *out = (struct stat){0};
    out->st_dev = vfs->device;
    out->st_ino = inode->ino;
    out->st_mode = inode->mode;
    out->st_nlink = inode->links;
    out->st_uid = 1000;
    out->st_size = S_ISDIR(inode->mode) ? (off_t)inode->count : (off_t)inode->size;
    out->st_blocks = (blkcnt_t)((inode->size + 511) / 512);
    out->st_blksize = 4096;
    out->st_mtim = time_of(inode->mtime_ns);
    out->st_ctim = time_of(inode->ctime_ns);
    out->st_atim = out->st_mtim;
}

// ---- by path

struct inode *vfs_parent(const struct vfs *vfs, const char *path, const char **out_name)
{
    struct inode *at = vfs->root;
    for (const char *rest = path;;) {
        const char *slash = strchr(rest, '/');
        char name[VFS_NAME_MAX];
        *out_name = rest;
        if (slash == NULL || at == NULL) return at;
        size_t size = (size_t)(slash - rest);
        if (size >= sizeof name) return NULL;
        memcpy(name, rest, size);
        name[size] = 0;
        at = vfs_child(at, name);
        if (at != NULL && !S_ISDIR(at->mode)) return NULL;
        rest = slash + 1;
    }
}

struct inode *vfs_find(const struct vfs *vfs, const char *path)
{
    const char *name;
    if (path[0] == 0) return vfs->root;
    struct inode *dir = vfs_parent(vfs, path, &name);
    return dir == NULL ? NULL : vfs_child(dir, name);
}
