// SPDX-License-Identifier: MIT
//
// What the watcher for macOS makes of FSEvents, with real files and this file in the system's
// place: events are given as Apple documents them. (That macOS gives them so, only a Mac can show.)
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs_test.h"

// Beside the watcher of the system that the test runs on.
#define watcher_new         fsevents_new
#define watcher_destroy     fsevents_destroy
#define watcher_fd          fsevents_fd
#define watcher_add         fsevents_add
#define watcher_forget      fsevents_forget
#define watcher_next        fsevents_next
#define watcher_unwatched   fsevents_unwatched
#define watcher_watched     fsevents_watched
#define watcher_watches_max fsevents_watches_max
struct watcher *watcher_new(struct disk *disk);
void watcher_destroy(struct watcher **watcher);
int watcher_fd(const struct watcher *watcher);
void watcher_add(struct watcher *watcher, uint32_t folder, struct slice path, int dir_fd);
void watcher_forget(struct watcher *watcher, uint32_t folder, bool unwatched_only);
bool watcher_next(struct watcher *watcher, struct watch_event *out);
uint32_t watcher_unwatched(struct watcher *watcher, uint32_t folder);
uint32_t watcher_watched(struct watcher *watcher);
uint64_t watcher_watches_max(void);
#include "agent/fs/watch_fsevents.c"

// ---- the system

struct __FSEventStream {
    FSEventStreamCallback callback;
    void *info;
    CFIndex roots;
    FSEventStreamEventId since;
    bool started;
};

static struct {
    struct __FSEventStream stream; // there is one at a time
    bool there;
    uint32_t objects; // made and not released
    FSEventStreamEventId id;
} apple;

const CFArrayCallBacks kCFTypeArrayCallBacks = {0};

static void *object_new(void)
{
    apple.objects++;
    return mem_zalloc(1, sizeof(CFIndex));
}

CFStringRef CFStringCreateWithCString(CFAllocatorRef allocator, const char *text,
                                      CFStringEncoding encoding)
{
    assert_null(allocator);
    assert_int_equal(text[0], '/');
    assert_int_equal(encoding, kCFStringEncodingUTF8);
    return object_new();
}

CFArrayRef CFArrayCreate(CFAllocatorRef allocator, const void **values, CFIndex count,
                         const CFArrayCallBacks *callbacks)
{
    assert_null(allocator);
    assert_non_null(values);
    assert_ptr_equal(callbacks, &kCFTypeArrayCallBacks);
    CFIndex *array = object_new();
    *array = count;
    return (CFArrayRef)(void *)array;
}

void CFRelease(CFTypeRef object)
{
    void *freed = (void *)(uintptr_t)object;
    apple.objects--;
    mem_free(&freed);
}

FSEventStreamRef FSEventStreamCreate(CFAllocatorRef allocator, FSEventStreamCallback callback,
                                     FSEventStreamContext *context, CFArrayRef paths,
                                     FSEventStreamEventId since, CFTimeInterval latency,
                                     FSEventStreamCreateFlags flags)
{
    assert_null(allocator);
    assert_false(apple.there);
    assert_true(latency >= 0);
    assert_true(flags & kFSEventStreamCreateFlagFileEvents);
    apple.there = true;
    apple.stream = (struct __FSEventStream){.callback = callback,
                                            .info = context->info,
                                            .roots = *(const CFIndex *)(const void *)paths,
                                            .since = since};
    return &apple.stream;
}

FSEventStreamEventId FSEventStreamGetLatestEventId(ConstFSEventStreamRef stream)
{
    assert_ptr_equal(stream, &apple.stream);
    return apple.id;
}

void FSEventStreamSetDispatchQueue(FSEventStreamRef stream, dispatch_queue_t queue)
{
    assert_ptr_equal(stream, &apple.stream);
    assert_non_null(queue);
}

Boolean FSEventStreamStart(FSEventStreamRef stream)
{
    stream->started = true;
    return true;
}

void FSEventStreamStop(FSEventStreamRef stream)
{
    stream->started = false;
}

void FSEventStreamInvalidate(FSEventStreamRef stream)
{
    assert_false(stream->started);
    stream->callback = NULL;
}

void FSEventStreamRelease(FSEventStreamRef stream)
{
    assert_null(stream->callback);
    apple.there = false;
}

dispatch_queue_t dispatch_queue_create(const char *name, void *attributes)
{
    assert_non_null(name);
    assert_null(attributes);
    return object_new();
}

void dispatch_release(dispatch_queue_t queue)
{
    CFRelease(queue);
}

void dispatch_sync_f(dispatch_queue_t queue, void *context, void (*work)(void *context))
{
    assert_non_null(queue);
    work(context);
}

// ---- the tests

enum {
    CREATED = kFSEventStreamEventFlagItemCreated,
    REMOVED = kFSEventStreamEventFlagItemRemoved,
    RENAMED = kFSEventStreamEventFlagItemRenamed,
    MODIFIED = kFSEventStreamEventFlagItemModified,
    MODE = 0x4000, // ItemChangeOwner
    DIRECTORY = kFSEventStreamEventFlagItemIsDir,
};

static void happened(struct world *w, const char *path, FSEventStreamEventFlags flags)
{
    char whole[512];
    char *paths[] = {whole};
    (void)snprintf(whole, sizeof whole, "%s%s%s", w->root, path[0] != '\0' ? "/" : "", path);
    apple.id++;
    apple.stream.callback(&apple.stream, apple.stream.info, 1, paths, &flags, &apple.id);
}

static void expect(struct watcher *watcher, const char *wanted)
{
    static const char letters[] = {'W', 'M', 'G', 'T', 'S', 'R', 'K'};
    char got[1024] = "";
    struct watch_event event;
    for (size_t at = 0; watcher_next(watcher, &event);) {
        assert_int_equal(event.folder, 1);
        at += (size_t)snprintf(got + at, sizeof got - at, "%c %.*s\n", letters[event.what],
                               SLICE_ARG(event.path));
    }
    assert_string_equal(got, wanted);
}

static struct watcher *watcher_of(struct world *w)
{
    struct watcher *watcher = watcher_new(w->disk);
    struct grip grip;
    apple.id = 100;
    assert_int_equal(watcher_unwatched(watcher, 1), 1);
    assert_int_equal(grip_take_unchecked(w->disk, 1, &grip), ERR_OK);
    watcher_add(watcher, 1, slice_of("", 0), grip.fd);
    assert_true(apple.there && apple.stream.started);
    assert_true(apple.stream.since == kFSEventStreamEventIdSinceNow);
    watcher_add(watcher, 1, slice_text("below"), grip.fd); // FSEvents sees it without
    watcher_add(watcher, 2, slice_of("", 0), grip.fd);     // from where it was
    assert_int_equal(apple.stream.roots, 2);
    assert_int_equal(apple.stream.since, 100);
    watcher_forget(watcher, 2, true);
    assert_int_equal(apple.stream.roots, 2);
    watcher_forget(watcher, 2, false);
    assert_int_equal(apple.stream.roots, 1);
    assert_int_equal(watcher_unwatched(watcher, 1), 0);
    grip_drop(&grip);
    return watcher;
}

static void test_a_look_tells(void **state)
{
    struct world *w = *state;
    struct watcher *watcher = watcher_of(w);
    put_file(w, "d/f", "1");
    happened(w, "d", CREATED | DIRECTORY);
    happened(w, "d/f", CREATED | MODIFIED);
    happened(w, "d/f", RENAMED);
    happened(w, "d", MODE | DIRECTORY);
    happened(w, "d/gone", CREATED | MODIFIED | REMOVED); // all of its life in one event
    happened(w, "d/f", CREATED | REMOVED | RENAMED);     // it went, and is back
    put_link(w, "l", "d");
    happened(w, "l", CREATED);
    expect(watcher, "T d\nM d/f\nW d/f\nW d\nG d/gone\nM d/f\nW l\n");
    expect(watcher, "");
    watcher_destroy(&watcher);
    assert_int_equal(apple.objects, 0);
    assert_false(apple.there);
}

static void test_ours(void **state)
{
    struct world *w = *state;
    struct watcher *watcher = watcher_of(w);
    happened(w, ".cfgsync/staging/x", CREATED | MODIFIED);
    happened(w, ".cfgsync", MODE | DIRECTORY);
    expect(watcher, "");
    happened(w, ".cfgsync/kept/name", MODIFIED);
    happened(w, ".cfgsync/kept/other", RENAMED);
    happened(w, ".cfgsync/ignore", CREATED | MODIFIED);
    happened(w, ".cfgsync", RENAMED | DIRECTORY);
    happened(w, "", kFSEventStreamEventFlagRootChanged);
    expect(watcher, "K name\nR \nR \nR \n");
    watcher_destroy(&watcher);
}

static void test_lost_events(void **state)
{
    struct world *w = *state;
    struct watcher *watcher = watcher_of(w);
    put_file(w, "f", "1");
    happened(w, "f", MODIFIED);
    happened(w, "", kFSEventStreamEventFlagMustScanSubDirs | kFSEventStreamEventFlagKernelDropped);
    happened(w, "f", MODIFIED); // the walk will see it
    expect(watcher, "M f\nS \n");
    for (int i = 0; i <= EVENTS_MAX; i++)
        happened(w, "f", MODIFIED);
    struct watch_event event = {0};
    int told = 0;
    while (watcher_next(watcher, &event))
        told++;
    assert_int_equal(told, EVENTS_MAX + 1);
    assert_int_equal(event.what, WATCH_RESCAN);
    happened(w, "f", MODIFIED);
    expect(watcher, "M f\n");
    watcher_destroy(&watcher);
}

// A root whose path another one begins with.
static void test_names_of_roots(void **state)
{
    struct world *w = *state;
    struct watcher *watcher = watcher_of(w);
    char beside[128];
    char *paths[] = {beside};
    FSEventStreamEventFlags flags = MODIFIED;
    (void)snprintf(beside, sizeof beside, "%s-not/f", w->root);
    apple.stream.callback(&apple.stream, apple.stream.info, 1, paths, &flags, &apple.id);
    expect(watcher, "");
    watcher_destroy(&watcher);
}

static void test_the_pipe(void **state)
{
    struct world *w = *state;
    struct watcher *watcher = watcher_of(w);
    char byte;
    assert_int_equal(read(watcher_fd(watcher), &byte, 1), -1);
    happened(w, "f", MODIFIED);
    assert_int_equal(read(watcher_fd(watcher), &byte, 1), 1);
    happened(w, "f", MODIFIED);
    expect(watcher, "G f\nG f\n");
    assert_int_equal(read(watcher_fd(watcher), &byte, 1), -1);
    watcher_destroy(&watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_look_tells, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_ours, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_lost_events, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_names_of_roots, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_the_pipe, world_open, world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
