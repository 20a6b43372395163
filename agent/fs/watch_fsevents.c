// SPDX-License-Identifier: MIT
//
// Watching with FSEvents: one stream for all roots. It sees whole trees, so that a root is all that
// is ever added; its calls come on a queue of its own, and what they bring is taken from there by
// the engine's thread, which is woken through a pipe. FSEvents joins what happened to a file within
// a moment, so that only a look tells what is there; and there is no event for a close.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <CoreServices/CoreServices.h>

#include "agent/base/check.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/fs/disk_priv.h"
#include "proto/path.h"

enum { EVENTS_MAX = 1 << 16 };

static const FSEventStreamEventFlags lost = kFSEventStreamEventFlagUserDropped |
                                            kFSEventStreamEventFlagKernelDropped |
                                            kFSEventStreamEventFlagMustScanSubDirs;
static const FSEventStreamEventFlags moved =
    kFSEventStreamEventFlagItemRemoved | kFSEventStreamEventFlagItemRenamed;
static const FSEventStreamEventFlags written =
    kFSEventStreamEventFlagItemCreated | kFSEventStreamEventFlagItemModified;

struct watched {
    uint32_t folder;
    char *path;  // as the system has it, without links
    bool rescan; // events were lost
    struct watched *next;
};

struct raw_event {
    uint32_t folder;
    FSEventStreamEventFlags flags;
    struct raw_event *next;
    char path[]; // below the root
};

struct watcher {
    struct disk *disk;
    dispatch_queue_t queue; // the stream is made, ended and heard there alone
    FSEventStreamRef stream;
    int wake[2];
    pthread_mutex_t lock; // for what follows
    struct watched *roots;
    struct raw_event *first, **last;
    uint32_t count;
    bool watching;
    struct arena *arena; // the reader's own
};

// ---- what the stream brings

static void wake(const struct watcher *w)
{
    // Full: the reader has not read yet.
    while (write(w->wake[1], "", 1) < 0 && errno == EINTR) {
    }
}

static const char *below(const char *path, const char *root)
{
    size_t size = strlen(root);
    if (strncmp(path, root, size) != 0) return NULL;
    if (path[size] == '\0') return path + size;
    return path[size] == '/' ? path + size + 1 : NULL;
}

static void event_put(struct watcher *w, struct watched *root, const char *path,
                      FSEventStreamEventFlags flags)
{
    root->rescan |= w->count >= EVENTS_MAX || (flags & lost) != 0;
    if (root->rescan) return;
    size_t size = strlen(path) + 1;
    struct raw_event *event = mem_alloc(sizeof *event + size);
    *event = (struct raw_event){.folder = root->folder, .flags = flags};
    memcpy(event->path, path, size);
    *w->last = event;
    w->last = &event->next;
    w->count++;
}

static void on_events(ConstFSEventStreamRef stream, void *info, size_t count, void *paths,
                      const FSEventStreamEventFlags *flags, const FSEventStreamEventId *ids)
{
    struct watcher *w = info;
    char *const *path = paths;
    (void)stream;
    (void)ids;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < count; i++) {
        for (struct watched *root = w->roots; root != NULL; root = root->next) {
            const char *rest = below(path[i], root->path);
            if (rest != NULL) event_put(w, root, rest, flags[i]);
        }
    }
    pthread_mutex_unlock(&w->lock);
    wake(w);
}

// ---- the stream; on its queue

static void watching_set(struct watcher *w, bool watching)
{
    pthread_mutex_lock(&w->lock);
    w->watching = watching;
    pthread_mutex_unlock(&w->lock);
}

static void stream_end(void *context)
{
    struct watcher *w = context;
    if (w->stream == NULL) return;
    FSEventStreamStop(w->stream);
    FSEventStreamInvalidate(w->stream);
    FSEventStreamRelease(w->stream);
    w->stream = NULL;
}

static CFArrayRef roots_array(struct watcher *w)
{
    CFIndex count = 0;
    pthread_mutex_lock(&w->lock);
    for (const struct watched *root = w->roots; root != NULL; root = root->next)
        count++;
    const void **paths = mem_zalloc((size_t)count + 1, sizeof *paths);
    count = 0;
    for (const struct watched *root = w->roots; root != NULL; root = root->next) {
        const void *path = CFStringCreateWithCString(NULL, root->path, kCFStringEncodingUTF8);
        if (path != NULL) paths[count++] = path;
    }
    pthread_mutex_unlock(&w->lock);
    CFArrayRef array = count > 0 ? CFArrayCreate(NULL, paths, count, &kCFTypeArrayCallBacks) : NULL;
    for (CFIndex i = 0; i < count; i++)
        CFRelease(paths[i]);
    mem_free(&paths);
    return array;
}

// With the roots of now, and from where the one before it ended.
static void stream_start(void *context)
{
    struct watcher *w = context;
    FSEventStreamEventId since = kFSEventStreamEventIdSinceNow;
    if (w->stream != NULL) since = FSEventStreamGetLatestEventId(w->stream);
    stream_end(w);
    CFArrayRef roots = roots_array(w);
    if (roots == NULL) return;
    FSEventStreamContext info = {.info = w};
    w->stream =
        FSEventStreamCreate(NULL, on_events, &info, roots, since, 0,
                            kFSEventStreamCreateFlagNoDefer | kFSEventStreamCreateFlagWatchRoot |
                                kFSEventStreamCreateFlagFileEvents);
    CFRelease(roots);
    if (w->stream != NULL) {
        FSEventStreamSetDispatchQueue(w->stream, w->queue);
        if (FSEventStreamStart(w->stream)) {
            watching_set(w, true);
            return;
        }
    }
    watching_set(w, false);
    log_warn(LOG_FS, "file events cannot be had", "system=FSEvents");
    stream_end(w);
}

// ---- the watcher

static bool pipe_open(int out[2])
{
    if (pipe(out) != 0) return false;
    for (int i = 0; i < 2; i++) {
        if (fcntl(out[i], F_SETFD, FD_CLOEXEC) != 0) return false;
        if (fcntl(out[i], F_SETFL, O_NONBLOCK) != 0) return false;
    }
    return true;
}

struct watcher *watcher_new(struct disk *disk)
{
    struct watcher *watcher = mem_zalloc(1, sizeof *watcher);
    watcher->disk = disk;
    CHECK(pthread_mutex_init(&watcher->lock, NULL) == 0);
    watcher->wake[0] = watcher->wake[1] = -1;
    if (!pipe_open(watcher->wake)) (void)log_errno(LOG_FS, "pipe", slice_text(""));
    watcher->queue = dispatch_queue_create("cfgsync-agent.watch", NULL);
    watcher->last = &watcher->first;
    watcher->arena = arena_new();
    return watcher;
}

static void watched_free(struct watched **at)
{
    struct watched *root = *at;
    *at = root->next;
    mem_free(&root->path);
    mem_free(&root);
}

void watcher_destroy(struct watcher **watcher)
{
    struct watcher *w = *watcher;
    if (w == NULL) return;
    dispatch_sync_f(w->queue, w, stream_end);
    dispatch_release(w->queue);
    while (w->roots != NULL)
        watched_free(&w->roots);
    while (w->first != NULL) {
        struct raw_event *event = w->first;
        w->first = event->next;
        mem_free(&event);
    }
    fd_close(&w->wake[0]);
    fd_close(&w->wake[1]);
    arena_destroy(&w->arena);
    pthread_mutex_destroy(&w->lock);
    mem_free(watcher);
}

int watcher_fd(const struct watcher *watcher)
{
    return watcher->wake[0];
}

static struct watched **watched_find(struct watcher *w, uint32_t folder)
{
    struct watched **at = &w->roots;
    while (*at != NULL && (*at)->folder != folder)
        at = &(*at)->next;
    return at;
}

void watcher_add(struct watcher *watcher, uint32_t folder, struct slice path, int dir_fd)
{
    char text[PROTO_PATH_BYTES_MAX];
    if (path.size > 0) return;
    if (dir_path(dir_fd, text, sizeof text) != 0) return;
    pthread_mutex_lock(&watcher->lock);
    struct watched **at = watched_find(watcher, folder);
    bool same = *at != NULL && strcmp((*at)->path, text) == 0;
    if (!same && *at != NULL) watched_free(at);
    if (!same) {
        struct watched *root = mem_zalloc(1, sizeof *root);
        *root = (struct watched){.folder = folder, .path = mem_strdup(text), .next = *at};
        *at = root;
    }
    pthread_mutex_unlock(&watcher->lock);
    if (!same) dispatch_sync_f(watcher->queue, watcher, stream_start);
}

void watcher_forget(struct watcher *watcher, uint32_t folder, bool unwatched_only)
{
    if (unwatched_only) return;
    pthread_mutex_lock(&watcher->lock);
    struct watched **at = watched_find(watcher, folder);
    bool found = *at != NULL;
    if (found) watched_free(at);
    pthread_mutex_unlock(&watcher->lock);
    if (found) dispatch_sync_f(watcher->queue, watcher, stream_start);
}

// Of a whole tree the root is the one that is not watched.
uint32_t watcher_watched(struct watcher *watcher)
{
    uint32_t count = 0;
    pthread_mutex_lock(&watcher->lock);
    for (const struct watched *at = watcher->roots; at != NULL; at = at->next)
        count++;
    pthread_mutex_unlock(&watcher->lock);
    return count;
}

uint64_t watcher_watches_max(void)
{
    return 0;
}

uint32_t watcher_unwatched(struct watcher *watcher, uint32_t folder)
{
    (void)folder;
    pthread_mutex_lock(&watcher->lock);
    bool watching = watcher->watching;
    pthread_mutex_unlock(&watcher->lock);
    return watching ? 0 : 1;
}

// ---- events

static bool of_internal(FSEventStreamEventFlags flags, struct watch_event *out, bool *out_told)
{
    bool is_internal = slice_equal(out->path, slice_text(FS_INTERNAL));
    bool is_rules = slice_equal(out->path, slice_text(RULES_LOCAL_FILE));
    bool is_kept = slice_equal(path_parent(out->path), slice_text(FS_KEPT));
    if (!is_internal && !is_rules && !is_kept) return false;
    out->what = is_kept ? WATCH_KEPT : WATCH_ROOT;
    size_t prefix = is_kept ? sizeof FS_KEPT : out->path.size;
    out->path = slice_of(out->path.data + prefix, out->path.size - prefix);
    *out_told = is_rules || (flags & (is_kept ? written : moved)) != 0;
    return true;
}

static bool classify(const struct watcher *w, FSEventStreamEventFlags flags,
                     struct watch_event *out)
{
    struct stat st;
    bool is_dir = (flags & kFSEventStreamEventFlagItemIsDir) != 0;
    if (!watch_reported(w->disk, out, is_dir)) return false;
    int code = watch_stat(w->disk, out->folder, out->path, slice_of("", 0), &st);
    out->what = WATCH_WRITTEN;
    if (is_absence(code)) {
        out->what = WATCH_GONE;
    } else if (code == 0 && S_ISDIR(st.st_mode)) {
        if (flags & (moved | kFSEventStreamEventFlagItemCreated)) out->what = WATCH_TREE;
    } else if (code == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1) {
        if (flags & written) out->what = WATCH_MODIFIED;
    }
    return true;
}

static bool translate(struct watcher *w, const struct raw_event *event, struct watch_event *out)
{
    bool told;
    *out = (struct watch_event){.what = WATCH_ROOT, .folder = event->folder};
    FSEventStreamEventFlags ends =
        kFSEventStreamEventFlagRootChanged | kFSEventStreamEventFlagUnmount;
    if (event->flags & ends) return true;
    if (event->path[0] == '\0') return (event->flags & moved) != 0;
    if (path_normalize(w->arena, slice_text(event->path), &out->path) != ERR_OK) {
        // A walk tells of the name as a problem, or that it is gone.
        out->what = WATCH_RESCAN;
        out->path = slice_of("", 0);
        return true;
    }
    if (of_internal(event->flags, out, &told)) return told;
    return classify(w, event->flags, out);
}

static bool rescan_next(struct watcher *w, struct watch_event *out)
{
    pthread_mutex_lock(&w->lock);
    struct watched *root = w->roots;
    while (root != NULL && !root->rescan)
        root = root->next;
    if (root != NULL) {
        root->rescan = false;
        *out = (struct watch_event){.what = WATCH_RESCAN, .folder = root->folder};
        log_warn(LOG_FS, "file events lost", "folder=%u", (unsigned)root->folder);
    }
    pthread_mutex_unlock(&w->lock);
    return root != NULL;
}

static struct raw_event *event_take(struct watcher *w)
{
    pthread_mutex_lock(&w->lock);
    struct raw_event *event = w->first;
    if (event != NULL) {
        w->first = event->next;
        w->count--;
        if (w->first == NULL) w->last = &w->first;
    }
    pthread_mutex_unlock(&w->lock);
    return event;
}

bool watcher_next(struct watcher *watcher, struct watch_event *out)
{
    char drained[64];
    // Before the queue is looked at: what comes meanwhile wakes again.
    while (read(watcher->wake[0], drained, sizeof drained) == (ssize_t)sizeof drained) {
    }
    for (;;) {
        arena_reset(watcher->arena);
        struct raw_event *event = event_take(watcher);
        if (event == NULL) return rescan_next(watcher, out);
        bool told = translate(watcher, event, out);
        mem_free(&event);
        if (told) return true;
    }
}
