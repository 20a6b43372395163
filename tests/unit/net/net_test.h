// SPDX-License-Identifier: MIT
//
// A device of a test: an identity, its trust table, a net, and what it has seen. Several devices
// are pumped in one thread, real sockets on 127.0.0.1 between them.
#ifndef TESTS_UNIT_NET_NET_TEST_H
#define TESTS_UNIT_NET_NET_TEST_H

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/check.h"
#include "agent/net/net.h"
#include "crypto/identity.h"

enum { SEEN_MAX = 4096, TRUST_MAX = 8 };

struct seen {
    enum net_event_kind kind;
    conn_id conn;
    struct device_id device;
    bool dialled;
    enum lane lane;
    char address[320];
    char text[96];
    uint8_t head[64];
    size_t size;
};

struct device {
    struct identity *identity;
    struct device_id id;
    struct net *net;
    pthread_mutex_t lock; // trust is asked from two threads
    struct device_id trust[TRUST_MAX];
    uint32_t trust_count;
    bool trusts_all;
    struct seen seen[SEEN_MAX];
    uint32_t seen_count;
    bool forget_at_up;     // calls net_forget when NET_UP is handled, before its message
    bool drops_at_message; // who says anything is dropped
};

static inline int64_t test_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline bool device_trusted(void *context, const uint8_t curve_key[32],
                                  struct device_id *out_device)
{
    struct device *device = context;
    bool is_trusted = false;
    pthread_mutex_lock(&device->lock);
    for (uint32_t i = 0; i < device->trust_count && !is_trusted; i++) {
        uint8_t key[CURVE_KEY_BYTES];
        is_trusted =
            device_curve_key(device->trust[i], key) == ERR_OK && !memcmp(key, curve_key, 32);
        if (is_trusted) *out_device = device->trust[i];
    }
    is_trusted = is_trusted || device->trusts_all;
    pthread_mutex_unlock(&device->lock);
    return is_trusted;
}

static inline struct device *device_new(uint8_t number)
{
    struct device *device = mem_zalloc(1, sizeof *device);
    uint8_t seed[32];
    memset(seed, number, sizeof seed);
    device->identity = identity_from_seed(seed);
    device->id = identity_device(device->identity);
    pthread_mutex_init(&device->lock, NULL);
    return device;
}

static inline void device_trust(struct device *device, const struct device *other)
{
    pthread_mutex_lock(&device->lock);
    device->trust[device->trust_count++] = other->id;
    pthread_mutex_unlock(&device->lock);
}

static inline void device_distrust(struct device *device)
{
    pthread_mutex_lock(&device->lock);
    device->trust_count = 0;
    pthread_mutex_unlock(&device->lock);
}

static inline enum err device_open_at(struct device *device, const char *listen,
                                      struct fault *fault)
{
    struct net_options options = {.identity = device->identity,
                                  .listen = &listen,
                                  .listen_count = listen ? 1 : 0,
                                  .trusted = device_trusted,
                                  .context = device};
    return net_open(&options, &device->net, fault);
}

static inline void device_open(struct device *device, bool listens)
{
    struct fault fault = {0};
    assert_int_equal(device_open_at(device, listens ? "tcp://127.0.0.1:0" : NULL, &fault), ERR_OK);
}

static inline void device_destroy(struct device **handle)
{
    struct device *device = *handle;
    if (!device) return;
    net_close(&device->net, 0);
    identity_destroy(&device->identity);
    pthread_mutex_destroy(&device->lock);
    free(device);
    *handle = NULL;
}

static inline const char *device_endpoint(const struct device *device)
{
    const char *const *endpoints;
    assert_true(net_endpoints(device->net, &endpoints) > 0);
    return endpoints[0];
}

static inline void device_dial(struct device *device, const struct device *other)
{
    const char *address = device_endpoint(other);
    net_dial(device->net, other->id, &address, 1);
}

static inline void device_note(struct device *device, const struct net_event *event)
{
    if (device->seen_count == SEEN_MAX) return;
    struct seen *seen = &device->seen[device->seen_count++];
    *seen = (struct seen){.kind = event->kind,
                          .conn = event->conn,
                          .device = event->device,
                          .dialled = event->dialled,
                          .lane = event->lane,
                          .size = event->bytes.size};
    snprintf(seen->address, sizeof seen->address, "%.*s", SLICE_ARG(event->address));
    snprintf(seen->text, sizeof seen->text, "%s",
             event->failure ? net_failure_text(event->failure) : "");
    size_t size = seen->size < sizeof seen->head ? seen->size : sizeof seen->head;
    if (size) memcpy(seen->head, event->bytes.data, size);
    if (device->forget_at_up && event->kind == NET_UP) net_forget(device->net, event->device);
    if (device->drops_at_message && event->kind == NET_MESSAGE) net_drop(device->net, event->conn);
}

static inline void device_pump(struct device *device, int timeout_ms)
{
    struct net_event event;
    if (!device || !device->net) return;
    net_poll(device->net, NULL, NULL, 0, timeout_ms);
    while (net_next(device->net, test_now_ms(), &event))
        device_note(device, &event);
}

static inline uint32_t device_count(const struct device *device, enum net_event_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < device->seen_count; i++)
        count += device->seen[i].kind == kind;
    return count;
}

// The n-th event (from 0) of a kind; NULL: not yet.
static inline const struct seen *device_seen(const struct device *device, enum net_event_kind kind,
                                             uint32_t n)
{
    for (uint32_t i = 0; i < device->seen_count; i++) {
        if (device->seen[i].kind == kind && n-- == 0) return &device->seen[i];
    }
    return NULL;
}

// Pumps both until one has seen `count` events of a kind. False: not within timeout_ms.
static inline bool pump_until(struct device *a, struct device *b, const struct device *who,
                              enum net_event_kind kind, uint32_t count, int timeout_ms)
{
    int64_t end_ms = test_now_ms() + timeout_ms;
    while (device_count(who, kind) < count && test_now_ms() < end_ms) {
        device_pump(a, 1);
        device_pump(b, 1);
    }
    return device_count(who, kind) >= count;
}

static inline void pump_for(struct device *a, struct device *b, int ms)
{
    int64_t end_ms = test_now_ms() + ms;
    while (test_now_ms() < end_ms) {
        device_pump(a, 1);
        device_pump(b, 1);
    }
}

static inline bool device_send(struct device *device, conn_id conn, const char *text)
{
    return net_send(device->net, conn, slice_text(text)) == ERR_OK;
}

static inline bool seen_is(const struct seen *seen, const char *text)
{
    return seen && seen->size == strlen(text) && !memcmp(seen->head, text, seen->size);
}

// b listens, a has dialled it and both lanes are up; a's lanes are its first two NET_UP.
static inline void pair_up(struct device *a, struct device *b)
{
    device_trust(a, b);
    device_trust(b, a);
    device_open(a, false);
    device_open(b, true);
    device_dial(a, b);
    assert_true(pump_until(a, b, a, NET_UP, 2, 5000));
}

static inline uint32_t open_fd_count(void)
{
    uint32_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

#endif
