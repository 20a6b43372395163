// SPDX-License-Identifier: MIT
//
// What agent/fs/watch_fsevents.c uses of Apple's CoreFoundation and FSEvents, for a compiler that
// has no frameworks. Names, types and values as Apple documents them; a real Mac has its own.
#ifndef MACOS_CHECK_CORESERVICES_H
#define MACOS_CHECK_CORESERVICES_H

#include <dispatch/dispatch.h>
#include <stddef.h>
#include <stdint.h>

typedef const void *CFTypeRef;
typedef const struct __CFString *CFStringRef;
typedef const struct __CFArray *CFArrayRef;
typedef const struct __CFAllocator *CFAllocatorRef;
typedef long CFIndex;
typedef unsigned char Boolean;
typedef double CFTimeInterval;
typedef uint32_t CFStringEncoding;
typedef struct {
    CFIndex version;
    const void *retain, *release, *copyDescription, *equal;
} CFArrayCallBacks;

enum { kCFStringEncodingUTF8 = 0x08000100 };

extern const CFArrayCallBacks kCFTypeArrayCallBacks;
CFStringRef CFStringCreateWithCString(CFAllocatorRef, const char *, CFStringEncoding);
CFArrayRef CFArrayCreate(CFAllocatorRef, const void **, CFIndex, const CFArrayCallBacks *);
void CFRelease(CFTypeRef);

typedef struct __FSEventStream *FSEventStreamRef;
typedef const struct __FSEventStream *ConstFSEventStreamRef;
typedef uint32_t FSEventStreamCreateFlags;
typedef uint32_t FSEventStreamEventFlags;
typedef uint64_t FSEventStreamEventId;
typedef struct {
    CFIndex version;
    void *info;
    const void *retain, *release, *copyDescription;
} FSEventStreamContext;
typedef void (*FSEventStreamCallback)(ConstFSEventStreamRef, void *, size_t, void *,
                                      const FSEventStreamEventFlags *,
                                      const FSEventStreamEventId *);

#define kFSEventStreamEventIdSinceNow UINT64_MAX
enum {
    kFSEventStreamCreateFlagNoDefer = 0x02,
    kFSEventStreamCreateFlagWatchRoot = 0x04,
    kFSEventStreamCreateFlagFileEvents = 0x10,
};
enum {
    kFSEventStreamEventFlagMustScanSubDirs = 0x01,
    kFSEventStreamEventFlagUserDropped = 0x02,
    kFSEventStreamEventFlagKernelDropped = 0x04,
    kFSEventStreamEventFlagRootChanged = 0x20,
    kFSEventStreamEventFlagUnmount = 0x80,
    kFSEventStreamEventFlagItemCreated = 0x0100,
    kFSEventStreamEventFlagItemRemoved = 0x0200,
    kFSEventStreamEventFlagItemRenamed = 0x0800,
    kFSEventStreamEventFlagItemModified = 0x1000,
    kFSEventStreamEventFlagItemIsDir = 0x020000,
};

FSEventStreamRef FSEventStreamCreate(CFAllocatorRef, FSEventStreamCallback, FSEventStreamContext *,
                                     CFArrayRef, FSEventStreamEventId, CFTimeInterval,
                                     FSEventStreamCreateFlags);
FSEventStreamEventId FSEventStreamGetLatestEventId(ConstFSEventStreamRef);
void FSEventStreamSetDispatchQueue(FSEventStreamRef, dispatch_queue_t);
Boolean FSEventStreamStart(FSEventStreamRef);
void FSEventStreamStop(FSEventStreamRef);
void FSEventStreamInvalidate(FSEventStreamRef);
void FSEventStreamRelease(FSEventStreamRef);

#endif
