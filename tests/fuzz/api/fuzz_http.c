// SPDX-License-Identifier: MIT
//
// Any bytes on the local socket, before a real server: it stays alive, keeps its limits, and serves
// the next one.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/api/server.h"
#include "tests/fuzz/fuzz.h"

enum { TRIES = 100 };

struct house {
    char folder[64], path[96];
    struct mailbox *inbox;
    struct api_server *server;
    pthread_t thread;
};

// The engine's thread: answers with what was asked.
static void *answer(void *context)
{
    struct house *house = context;
    for (struct api_request *r; (r = mailbox_wait(house->inbox)) != NULL;) {
        CHECK(r->number > 0 && r->body.size <= 1 << 20);
        if (!r->gone) {
            CHECK(memchr(r->method, 0, sizeof r->method) != NULL && r->path != NULL);
            api_answer(house->server, r->number, 200, "application/json", buf_slice(&r->body));
        }
        api_request_destroy(&r);
    }
    return NULL;
}

// One server for all inputs.
static struct house *the_house(void)
{
    static struct house house;
    return &house;
}

static void house_close(void)
{
    struct house *house = the_house();
    mailbox_close(house->inbox);
    CHECK(pthread_join(house->thread, NULL) == 0);
    api_server_close(&house->server);
    for (struct api_request *late; (late = mailbox_try(house->inbox)) != NULL;)
        api_request_destroy(&late);
    mailbox_destroy(&house->inbox);
    (void)rmdir(house->folder);
}

static void house_open(struct house *house)
{
    struct fault fault;
    (void)snprintf(house->folder, sizeof house->folder, "/tmp/cfgsync-fuzz-XXXXXX");
    CHECK(mkdtemp(house->folder) != NULL);
    (void)snprintf(house->path, sizeof house->path, "%.63s/s", house->folder);
    house->inbox = mailbox_new(NULL, NULL);
    CHECK(api_server_open(house->path, house->inbox, &house->server, &fault) == ERR_OK);
    CHECK(pthread_create(&house->thread, NULL, answer, house) == 0);
    CHECK(atexit(house_close) == 0);
}

static int dial(const struct house *house)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", house->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)(void *)&address, sizeof address) == 0);
    return fd;
}

static size_t hear(int fd, char *out, size_t max, int flags)
{
    size_t size = 0;
    for (ssize_t part; size < max && (part = recv(fd, out + size, max - size, flags)) > 0;)
        size += (size_t)part;
    return size;
}

static bool is_served(const struct house *house)
{
    static const char request[] = "GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    char heard[4096];
    AUTO(fd_close) int fd = dial(house);
    CHECK(send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1);
    size_t size = hear(fd, heard, sizeof heard, 0);
    return size > 12 && memcmp(heard, "HTTP/1.1 200", 12) == 0;
}

// While it has too many connections it takes no more; those that were closed here are gone soon.
static void is_well(const struct house *house)
{
    const struct timespec nap = {0, 20 * 1000 * 1000};
    for (int i = 0; !is_served(house); i++) {
        CHECK(i < TRIES);
        nanosleep(&nap, NULL);
    }
}

// The next one is served after it: by then there is what the answer to it begins with, if it was a
// request at all.
static void say(const struct house *house, struct slice bytes)
{
    char heard[4096];
    AUTO(fd_close) int fd = dial(house);
    (void)send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    is_well(house);
    size_t size = hear(fd, heard, sizeof heard, MSG_DONTWAIT);
    if (size > 0) CHECK(size >= 8 && memcmp(heard, "HTTP/1.", 7) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct house *house = the_house();
    if (house->server == NULL) house_open(house);
    say(house, slice_of(data, size));
    return 0;
}
