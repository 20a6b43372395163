// SPDX-License-Identifier: MIT
//
// Watching with inotify: one descriptor, one watch per directory, and two maps between watches and
// paths. Walks (in workers) add watches while the engine's thread reads events; the maps and the
// kernel's table change together under one lock, so that a watch that is dropped and added again at
// the same time never ends with a stale path.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

enum { EVENTS_BYTES = 64 << 10 };

static const uint32_t watch_mask = IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE |
                                   IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
                                   IN_ONLYDIR | IN_EXCL_UNLINK;

struct node {
    int wd;
    uint32_t folder;
    size_t size;
    uint8_t path[]; // canonical, of the directory
};

struct watcher {
    struct disk *disk;
    pthread_mutex_t lock;
    int fd;
    struct map *by_wd;
    struct map *by_path;   // folder and path -> node
    struct map *unwatched; // folder and path -> node without a watch
    bool limit_said;
    // The reader's own:
    uint8_t *events;
    size_t size;
    size_t at;
    struct arena *arena;
    struct buf last_path;
    struct watch_event last;
    bool has_last;
    uint32_t rescan_next; // next root to be told of lost events
    uint32_t rescan_end;
};

struct watcher *watcher_new(struct disk *disk)
{
    struct watcher *watcher = mem_zalloc(1, sizeof *watcher);
    watcher->disk = disk;
    CHECK(pthread_mutex_init(&watcher->lock, NULL) == 0);
    watcher->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watcher->fd < 0) (void)log_errno(LOG_FS, "inotify_init1", slice_text(""));
    watcher->by_wd = map_new();
    watcher->by_path = map_new();
    watcher->unwatched = map_new();
    watcher->events = mem_alloc(EVENTS_BYTES);
    watcher->arena = arena_new();
    return watcher;
}

static void nodes_free(struct map *map)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(map, &at, &key, &value);)
        mem_free(&value);
}

void watcher_destroy(struct watcher **watcher)
{
    struct watcher *w = *watcher;
    if (w == NULL) return;
    fd_close(&w->fd);
    nodes_free(w->by_path);
    nodes_free(w->unwatched);
    map_destroy(&w->by_wd);
    map_destroy(&w->by_path);
    map_destroy(&w->unwatched);
    arena_destroy(&w->arena);
    buf_fini(&w->last_path);
    pthread_mutex_destroy(&w->lock);
    mem_free(&w->events);
    mem_free(watcher);
}

int watcher_fd(const struct watcher *watcher)
{
    return watcher->fd;
}

// ---- nodes; all under the lock

static struct slice wd_key(const int *wd)
{
    return slice_of(wd, sizeof *wd);
}

struct path_key {
    uint8_t bytes[sizeof(uint32_t) + PROTO_PATH_BYTES_MAX];
    size_t size;
};

static struct slice path_key(uint32_t folder, struct slice path, struct path_key *key)
{
    CHECK(path.size <= PROTO_PATH_BYTES_MAX);
    memcpy(key->bytes, &folder, sizeof folder);
    if (path.size > 0) memcpy(key->bytes + sizeof folder, path.data, path.size);
    return slice_of(key->bytes, sizeof folder + path.size);
}

static struct slice node_path(const struct node *node)
{
    return slice_of(node->path, node->size);
}

static struct node *node_new(int wd, uint32_t folder, struct slice path)
{
    struct node *node = mem_zalloc(1, sizeof *node + path.size);
    node->wd = wd;
    node->folder = folder;
    node->size = path.size;
    if (path.size > 0) memcpy(node->path, path.data, path.size);
    return node;
}

static void node_drop(struct watcher *w, struct node *node)
{
    struct path_key key;
    struct slice by_path = path_key(node->folder, node_path(node), &key);
    if (map_get(w->by_wd, wd_key(&node->wd)) == node) map_remove(w->by_wd, wd_key(&node->wd));
    if (map_get(w->by_path, by_path) == node) map_remove(w->by_path, by_path);
    mem_free(&node);
}

static void node_put(struct watcher *w, int wd, uint32_t folder, struct slice path)
{
    struct path_key key;
    struct slice by_path = path_key(folder, path, &key);
    struct node *same = map_get(w->by_path, by_path);
    struct node *old = map_get(w->by_wd, wd_key(&wd));
    if (same != NULL && same == old) return;
    if (old != NULL) node_drop(w, old);
    if (same != NULL) {
        // Another directory had this path; its watch must not speak for the new one.
        (void)inotify_rm_watch(w->fd, same->wd);
        node_drop(w, same);
    }
    struct node *node = node_new(wd, folder, path);
    map_put(w->by_path, by_path, node);
    map_put(w->by_wd, wd_key(&wd), node);
}

static void unwatched_set(struct watcher *w, uint32_t folder, struct slice path, bool unwatched)
{
    struct path_key key;
    struct slice by_path = path_key(folder, path, &key);
    void *old = map_get(w->unwatched, by_path);
    if (unwatched && old == NULL) map_put(w->unwatched, by_path, node_new(-1, folder, path));
    if (unwatched || old == NULL) return;
    map_remove(w->unwatched, by_path);
    mem_free(&old);
}

void watcher_add(struct watcher *watcher, uint32_t folder, struct slice path, int dir_fd)
{
    char link[32];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    pthread_mutex_lock(&watcher->lock);
    int wd = watcher->fd < 0 ? -1 : inotify_add_watch(watcher->fd, link, watch_mask);
    int code = errno;
    if (wd >= 0) node_put(watcher, wd, folder, path);
    bool say = wd < 0 && !watcher->limit_said;
    if (wd < 0) watcher->limit_said = true;
    unwatched_set(watcher, folder, path, wd < 0);
    pthread_mutex_unlock(&watcher->lock);
    if (!say) return;
    if (code == ENOSPC)
        log_warn(LOG_FS, "watch limit reached", "sysctl=fs.inotify.max_user_watches");
    else
        log_warn(LOG_FS, "directory cannot be watched", "errno=%d", code);
}

static void nodes_drop(struct watcher *w, uint32_t folder, struct slice path, bool remove)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(w->by_path, &at, &key, &value);) {
        struct node *node = value;
        if (node->folder != folder) continue;
        if (!path_in_tree(node_path(node), path)) continue;
        if (remove) (void)inotify_rm_watch(w->fd, node->wd);
        node_drop(w, node);
    }
}

void watcher_forget(struct watcher *watcher, uint32_t folder, bool unwatched_only)
{
    struct slice key;
    void *value;
    pthread_mutex_lock(&watcher->lock);
    for (size_t at = 0; map_next(watcher->unwatched, &at, &key, &value);) {
        struct node *node = value;
        if (node->folder != folder) continue;
        map_remove(watcher->unwatched, key);
        mem_free(&node);
    }
    if (!unwatched_only) nodes_drop(watcher, folder, slice_of("", 0), true);
    pthread_mutex_unlock(&watcher->lock);
}

uint32_t watcher_unwatched(struct watcher *watcher, uint32_t folder)
{
    uint32_t count = 0;
    struct slice key;
    void *value;
    pthread_mutex_lock(&watcher->lock);
    for (size_t at = 0; map_next(watcher->unwatched, &at, &key, &value);) {
        if (((const struct node *)value)->folder == folder) count++;
    }
    pthread_mutex_unlock(&watcher->lock);
    return count;
}

uint32_t watcher_watched(struct watcher *watcher)
{
    pthread_mutex_lock(&watcher->lock);
    size_t count = map_count(watcher->by_wd);
    pthread_mutex_unlock(&watcher->lock);
    return (uint32_t)count;
}

uint64_t watcher_watches_max(void)
{
    char text[32];
    AUTO(fd_close)
    int fd = openat(AT_FDCWD, "/proc/sys/fs/inotify/max_user_watches", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    text[size > 0 ? size : 0] = '\0';
    return strtoull(text, NULL, 10);
}

// ---- events

// Under the name that the event is about: of one in another spelling others tell.
static int named_stat(const struct watcher *w, const struct watch_event *event, const char *raw,
                      struct stat *out)
{
    return watch_stat(w->disk, event->folder, event->path, slice_text(raw), out);
}

static bool is_there(const struct watcher *w, const struct watch_event *event, const char *raw)
{
    struct stat st;
    return !is_absence(named_stat(w, event, raw, &st));
}

// A file that was just made will be closed by its writer, unless it is a link of either sort.
static bool classify_created(const struct watcher *w, struct watch_event *event, const char *raw)
{
    struct stat st;
    int code = named_stat(w, event, raw, &st);
    if (is_absence(code)) return false;
    bool whole = code != 0 || S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink > 1);
    event->what = whole ? WATCH_WRITTEN : WATCH_MODIFIED;
    return whole || S_ISREG(st.st_mode);
}

static bool classify_file(const struct watcher *w, uint32_t mask, struct watch_event *event,
                          const char *raw)
{
    if (mask & (IN_DELETE | IN_MOVED_FROM))
        event->what = WATCH_GONE;
    else if (mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
        event->what = WATCH_WRITTEN;
    else if (mask & IN_MODIFY)
        event->what = WATCH_MODIFIED;
    else if (mask & IN_CREATE)
        return classify_created(w, event, raw);
    else if (mask & IN_ATTRIB) {
        event->what = WATCH_WRITTEN;
        return is_there(w, event, raw);
    } else {
        return false;
    }
    return true;
}

static bool classify_dir(struct watcher *w, uint32_t mask, struct watch_event *event,
                         const char *raw)
{
    if (mask & (IN_CREATE | IN_MOVED_TO)) {
        event->what = WATCH_TREE;
        return true;
    }
    if (mask & (IN_DELETE | IN_MOVED_FROM)) {
        pthread_mutex_lock(&w->lock);
        nodes_drop(w, event->folder, event->path, (mask & IN_MOVED_FROM) != 0);
        pthread_mutex_unlock(&w->lock);
        event->what = WATCH_GONE;
        return true;
    }
    event->what = WATCH_WRITTEN;
    return (mask & IN_ATTRIB) != 0 && is_there(w, event, raw);
}

// Our own directory has gone, or the rules in it are others. While they are being written they are
// nothing to go by.
static bool is_of_root(struct slice path, uint32_t mask)
{
    uint32_t whole = IN_DELETE | IN_MOVED_FROM;
    if (slice_equal(path, slice_text(FS_INTERNAL))) return (mask & whole) != 0;
    if (!slice_equal(path, slice_text(RULES_LOCAL_FILE))) return false;
    return (mask & (whole | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB)) != 0;
}

static bool event_named(struct watcher *w, uint32_t mask, const char *raw, struct slice dir,
                        struct watch_event *out)
{
    struct slice name;
    bool is_dir = (mask & IN_ISDIR) != 0;
    if (path_normalize(w->arena, slice_text(raw), &name) != ERR_OK) {
        // A walk of its directory tells of the name as a problem, or that it is gone; what is in it
        // is no news.
        out->what = WATCH_TREE;
        out->path = dir;
        return (mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) != 0;
    }
    size_t size = dir.size + (dir.size > 0 ? 1 : 0) + name.size;
    uint8_t *path = arena_alloc(w->arena, size + 1, 1);
    if (dir.size > 0) {
        memcpy(path, dir.data, dir.size);
        path[dir.size] = '/';
    }
    memcpy(path + size - name.size, name.data, name.size);
    out->path = slice_of(path, size);
    if (slice_equal(dir, slice_text(FS_KEPT))) {
        out->what = WATCH_KEPT;
        out->path = slice_of(path + size - name.size, name.size);
        return (mask & (IN_CLOSE_WRITE | IN_MODIFY)) != 0;
    }
    if (is_of_root(out->path, mask)) {
        out->what = WATCH_ROOT;
        out->path = slice_of("", 0);
        return true;
    }
    if (!watch_reported(w->disk, out, is_dir)) return false;
    return is_dir ? classify_dir(w, mask, out, raw) : classify_file(w, mask, out, raw);
}

// Copies what is needed of the node, because the maps may change when the lock is let go.
static bool node_of(struct watcher *w, const struct inotify_event *event, uint32_t *out_folder,
                    struct slice *out_dir)
{
    pthread_mutex_lock(&w->lock);
    struct node *node = map_get(w->by_wd, wd_key(&event->wd));
    if (node != NULL) {
        *out_folder = node->folder;
        *out_dir = arena_copy(w->arena, node_path(node));
        if (event->mask & IN_IGNORED) node_drop(w, node);
    }
    pthread_mutex_unlock(&w->lock);
    return node != NULL;
}

static bool event_translate(struct watcher *w, const struct inotify_event *event, const char *name,
                            struct watch_event *out)
{
    struct slice dir;
    if (event->mask & IN_Q_OVERFLOW) {
        log_warn(LOG_FS, "file events lost", "roots=%u", w->disk->root_count);
        w->rescan_next = 0;
        w->rescan_end = w->disk->root_count;
        return false;
    }
    *out = (struct watch_event){0};
    if (!node_of(w, event, &out->folder, &dir)) return false;
    if (event->len > 0 && name[0] != '\0') return event_named(w, event->mask, name, dir, out);
    bool ends = (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0;
    out->what = WATCH_ROOT;
    return dir.size == 0 && ends;
}

static bool event_repeats(struct watcher *w, const struct watch_event *event)
{
    bool same = w->has_last && w->last.what == event->what && w->last.folder == event->folder &&
                slice_equal(buf_slice(&w->last_path), event->path);
    w->last = *event;
    w->has_last = true;
    if (same) return true;
    buf_clear(&w->last_path);
    buf_append(&w->last_path, event->path.data, event->path.size);
    return false;
}

static bool events_fill(struct watcher *w)
{
    ssize_t got = read(w->fd, w->events, EVENTS_BYTES);
    w->at = 0;
    w->size = got > 0 ? (size_t)got : 0;
    // What was said before a pause is said again: somebody may have acted on it meanwhile.
    w->has_last = false;
    return w->size > 0;
}

static bool rescan_next(struct watcher *w, struct watch_event *out)
{
    bool found = false;
    pthread_mutex_lock(&w->disk->lock);
    if (w->rescan_next < w->rescan_end && w->rescan_next < w->disk->root_count) {
        *out = (struct watch_event){.what = WATCH_RESCAN,
                                    .folder = w->disk->roots[w->rescan_next++]->folder};
        found = true;
    }
    pthread_mutex_unlock(&w->disk->lock);
    return found;
}

bool watcher_next(struct watcher *watcher, struct watch_event *out)
{
    struct watcher *w = watcher;
    if (w->fd < 0) return false;
    for (;;) {
        arena_reset(w->arena);
        if (rescan_next(w, out)) return true;
        if (w->at >= w->size && !events_fill(w)) return false;
        struct inotify_event event;
        memcpy(&event, w->events + w->at, sizeof event);
        const char *name = (const char *)(w->events + w->at + sizeof event);
        w->at += sizeof event + event.len;
        if (event_translate(w, &event, name, out) && !event_repeats(w, out)) return true;
    }
}
