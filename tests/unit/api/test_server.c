// SPDX-License-Identifier: MIT
//
// A real server with an engine thread of its own, and real clients: libcurl through api_call, and
// bare sockets for what no well-behaved client does.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/server.h"
#include "agent/base/check.h"
#include "agent/base/own.h"

struct fixture {
    char dir[64];
    char path[96];
    struct mailbox *inbox;
    struct api_server *server;
    pthread_t engine;
    atomic_uint_fast64_t asked; // number of the last request to /never or /events
    atomic_uint_fast64_t gone;  // number of the last one that hung up
};

// Echoes the body of a POST; /never is not answered, /events becomes a stream.
static void handle(struct fixture *f, struct api_request *request)
{
    if (request->gone) {
        atomic_store(&f->gone, request->number);
        return;
    }
    if (strcmp(request->path, "/never") == 0) {
        atomic_store(&f->asked, request->number);
    } else if (strcmp(request->path, "/events") == 0) {
        api_stream(f->server, request->number);
        api_event(f->server, request->number, "status", "", slice_text("{\"n\": 0}"));
        atomic_store(&f->asked, request->number);
    } else if (strcmp(request->method, "POST") == 0) {
        api_answer(f->server, request->number, 200, "application/json", buf_slice(&request->body));
    } else if (strcmp(request->path, "/hello") == 0) {
        api_answer(f->server, request->number, 200, "text/plain; version=0.0.4",
                   slice_text("hello"));
    } else {
        AUTO(buf_fini) struct buf text = {0};
        buf_printf(&text, "%s %s", request->method, request->path);
        api_answer(f->server, request->number, 404, "application/json", buf_slice(&text));
    }
}

static void *engine(void *context)
{
    struct fixture *f = context;
    for (struct api_request *request; (request = mailbox_wait(f->inbox)) != NULL;) {
        handle(f, request);
        api_request_destroy(&request);
    }
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/cfgsync-test-api-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/agent.sock", f->dir);
    f->inbox = mailbox_new(NULL, NULL);
    struct fault fault = {0};
    if (api_server_open(f->path, f->inbox, &f->server, &fault) != ERR_OK) return -1;
    if (pthread_create(&f->engine, NULL, engine, f) != 0) return -1;
    *state = f;
    return 0;
}

// The engine first, then the server: what comes between is still in the inbox.
static void close_both(struct fixture *f)
{
    mailbox_close(f->inbox);
    pthread_join(f->engine, NULL);
    api_server_close(&f->server);
    for (struct api_request *late; (late = mailbox_try(f->inbox)) != NULL;)
        api_request_destroy(&late);
    mailbox_destroy(&f->inbox);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close_both(f);
    int left = access(f->path, F_OK) == 0;
    (void)rmdir(f->dir);
    free(f);
    return left ? -1 : 0; // the socket is gone
}

static enum err call(struct fixture *f, const char *method, const char *path, struct slice body,
                     int *status, struct buf *answer)
{
    return api_call(f->path, method, path, body, 9, status, answer, NULL);
}

static void wait_for(const atomic_uint_fast64_t *value, uint64_t want)
{
    const struct timespec nap = {0, 2000000};
    for (int i = 0; i < 2000 && atomic_load(value) != want; i++)
        nanosleep(&nap, NULL);
    assert_int_equal(atomic_load(value), want);
}

static uint64_t wait_any(const atomic_uint_fast64_t *value)
{
    const struct timespec nap = {0, 2000000};
    for (int i = 0; i < 2000 && atomic_load(value) == 0; i++)
        nanosleep(&nap, NULL);
    assert_true(atomic_load(value) != 0);
    return atomic_load(value);
}

static int raw_connect(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    const struct timeval limit = {15, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void raw_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// Reads until `want` has come or the end; true if it came.
static bool raw_expect(int fd, struct buf *seen, const char *want)
{
    char bytes[4096];
    for (;;) {
        if (seen->size > 0 && strstr(buf_text(seen), want) != NULL) return true;
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0) return false;
        buf_append(seen, bytes, (size_t)got);
    }
}

static void get_and_post(void **state)
{
    struct fixture *f = *state;
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_OK);
    assert_int_equal(status, 200);
    assert_string_equal(buf_text(&answer), "hello");

    buf_clear(&answer);
    assert_int_equal(call(f, "POST", "/echo", slice_text("{\"a\": 1}"), &status, &answer), ERR_OK);
    assert_string_equal(buf_text(&answer), "{\"a\": 1}");
    buf_clear(&answer);
    assert_int_equal(call(f, "POST", "/echo", slice_text(""), &status, &answer), ERR_OK);
    assert_int_equal(status, 200);
    assert_int_equal(answer.size, 0);
    buf_clear(&answer);
    assert_int_equal(call(f, "DELETE", "/v1/x", slice_text(""), &status, &answer), ERR_OK);
    assert_int_equal(status, 404);
    assert_string_equal(buf_text(&answer), "DELETE /v1/x");
}

static void the_socket_is_private(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_body_up_to_1_mib_is_taken(void **state)
{
    struct fixture *f = *state;
    enum { LIMIT = 1 << 20 };
    AUTO(mem_free) char *body = mem_alloc(4 * LIMIT);
    memset(body, 'x', 4 * LIMIT);
    const size_t sizes[] = {LIMIT - 1, LIMIT, LIMIT + 1, 4 * LIMIT};
    for (size_t i = 0; i < 4; i++) {
        int status = 0;
        AUTO(buf_fini) struct buf answer = {0};
        assert_int_equal(call(f, "POST", "/echo", slice_of(body, sizes[i]), &status, &answer),
                         ERR_OK);
        assert_int_equal(status, sizes[i] <= LIMIT ? 200 : 413);
        if (sizes[i] <= LIMIT) assert_int_equal(answer.size, sizes[i]);
    }
}

static void headers_over_8_kib_are_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = raw_connect(f);
    AUTO(buf_fini) struct buf request = {0};
    buf_append_text(&request, "GET /hello HTTP/1.1\r\nHost: agent\r\nX-Long: ");
    while (request.size < 9000)
        buf_append_text(&request, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    buf_append_text(&request, "\r\n\r\n");
    raw_send(fd, buf_text(&request));
    AUTO(buf_fini) struct buf seen = {0};
    (void)raw_expect(fd, &seen, "\r\n\r\n");
    assert_null(strstr(buf_text(&seen), " 200 "));
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_OK);
    assert_int_equal(status, 200);
}

struct parallel {
    struct fixture *f;
    int number;
    int failed;
};

static void *call_some(void *context)
{
    struct parallel *p = context;
    for (int i = 0; i < 10; i++) {
        char body[64];
        int status = 0;
        AUTO(buf_fini) struct buf answer = {0};
        (void)snprintf(body, sizeof body, "%d/%d", p->number, i);
        enum err err = call(p->f, "POST", "/echo", slice_text(body), &status, &answer);
        if (err || status != 200 || strcmp(buf_text(&answer), body) != 0) p->failed++;
    }
    return NULL;
}

static void two_hundred_in_parallel(void **state)
{
    enum { CLIENTS = 200 };
    pthread_t threads[CLIENTS];
    struct parallel work[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        work[i] = (struct parallel){*state, i, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, call_some, &work[i]), 0);
    }
    int failed = 0;
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        failed += work[i].failed;
    }
    assert_int_equal(failed, 0);
}

static void events_arrive_one_by_one(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = raw_connect(f);
    raw_send(fd, "GET /events HTTP/1.1\r\nHost: agent\r\n\r\n");
    AUTO(buf_fini) struct buf seen = {0};
    assert_true(raw_expect(fd, &seen, "event: status\ndata: {\"n\": 0}\n\n"));
    assert_non_null(strstr(buf_text(&seen), "text/event-stream"));
    uint64_t number = wait_any(&f->asked);
    for (int i = 1; i < 50; i++) {
        char json[32];
        char want[48];
        (void)snprintf(json, sizeof json, "{\"n\": %d}", i);
        (void)snprintf(want, sizeof want, "data: %s\n\n", json);
        api_event(f->server, number, "status", "", slice_text(json));
        assert_true(raw_expect(fd, &seen, want)); // before the next one is made
    }
    api_answer(f->server, number, 0, "", slice_text(""));
    assert_true(raw_expect(fd, &seen, "\r\n0\r\n\r\n")); // the end of a chunked answer
    assert_int_equal(atomic_load(&f->gone), 0);
}

static void a_client_that_does_not_read_loses_events(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = raw_connect(f);
    raw_send(fd, "GET /events HTTP/1.1\r\nHost: agent\r\n\r\n");
    uint64_t number = wait_any(&f->asked);
    AUTO(mem_free) char *large = mem_alloc(8192);
    memset(large, 'x', 8192);
    for (int i = 0; i < 2000; i++)
        api_event(f->server, number, "n", "", slice_of(large, 8192));
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_OK);
    AUTO(buf_fini) struct buf seen = {0};
    assert_true(raw_expect(fd, &seen, "event: lost\ndata: {\"count\": "));
}

static void who_hangs_up_is_reported(void **state)
{
    struct fixture *f = *state;
    const char *const paths[] = {"/never", "/events"};
    for (int i = 0; i < 2; i++) {
        atomic_store(&f->asked, 0);
        AUTO(fd_close) int fd = raw_connect(f);
        AUTO(buf_fini) struct buf request = {0};
        buf_printf(&request, "GET %s HTTP/1.1\r\nHost: agent\r\n\r\n", paths[i]);
        raw_send(fd, buf_text(&request));
        uint64_t number = wait_any(&f->asked);
        AUTO(buf_fini) struct buf seen = {0};
        if (i == 1) assert_true(raw_expect(fd, &seen, "data: {\"n\": 0}\n\n"));
        assert_true(atomic_load(&f->gone) != number);
        fd_close(&fd);
        wait_for(&f->gone, number);
        api_answer(f->server, number, 200, "text/plain", slice_text("too late")); // ignored
        api_event(f->server, number, "n", "", slice_text("too late"));
    }
}

// A client that closes its sending side is still there.
static void half_closed_is_not_gone(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = raw_connect(f);
    raw_send(fd, "GET /never HTTP/1.1\r\nHost: agent\r\n\r\n");
    uint64_t number = wait_any(&f->asked);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    const struct timespec nap = {0, 50000000};
    nanosleep(&nap, NULL);
    assert_int_equal(atomic_load(&f->gone), 0);
    api_answer(f->server, number, 200, "text/plain", slice_text("late but there"));
    AUTO(buf_fini) struct buf seen = {0};
    assert_true(raw_expect(fd, &seen, "late but there"));
}

static void garbage_does_no_harm(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        AUTO(fd_close) int fd = raw_connect(f);
        raw_send(fd, i % 2 ? "\x01\x02\xff garbage\r\n\r\n"
                           : "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\nxx");
    }
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_OK);
    assert_int_equal(status, 200);
}

// They are cut 10 s after they came; what is looked at here is that nobody waits for that.
static void slow_clients_hold_up_nobody(void **state)
{
    struct fixture *f = *state;
    enum { SLOW = 60 };
    int slow[SLOW];
    for (int i = 0; i < SLOW; i++) {
        slow[i] = raw_connect(f);
        raw_send(slow[i], "POST /echo HTTP/1.1\r\nContent-Length: 100\r\n\r\nab");
    }
    for (int i = 0; i < 20; i++) {
        int status = 0;
        AUTO(buf_fini) struct buf answer = {0};
        assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_OK);
        assert_int_equal(status, 200);
    }
    for (int i = 0; i < SLOW; i++)
        fd_close(&slow[i]);
}

static void closing_answers_who_waits(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int waiting = raw_connect(f);
    raw_send(waiting, "GET /never HTTP/1.1\r\nHost: agent\r\n\r\n");
    (void)wait_any(&f->asked);
    atomic_store(&f->asked, 0);
    AUTO(fd_close) int streaming = raw_connect(f);
    raw_send(streaming, "GET /events HTTP/1.1\r\nHost: agent\r\n\r\n");
    (void)wait_any(&f->asked);
    AUTO(fd_close) int idle = raw_connect(f);

    close_both(f);
    AUTO(buf_fini) struct buf seen = {0};
    assert_true(raw_expect(waiting, &seen, " 503 "));
    buf_clear(&seen);
    assert_true(raw_expect(streaming, &seen, "\r\n0\r\n\r\n"));
    buf_clear(&seen);
    assert_false(raw_expect(idle, &seen, "anything"));
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    assert_int_equal(call(f, "GET", "/hello", slice_text(""), &status, &answer), ERR_UNREACHABLE);

    // A new life on the same path, so that the fixture can be taken down as usual.
    f->inbox = mailbox_new(NULL, NULL);
    struct fault fault = {0};
    assert_int_equal(api_server_open(f->path, f->inbox, &f->server, &fault), ERR_OK);
    assert_int_equal(pthread_create(&f->engine, NULL, engine, f), 0);
}

static void a_leftover_socket_is_replaced_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_fini) struct buf path = {0};
    buf_printf(&path, "%s/other.sock", f->dir);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", buf_text(&path));
    AUTO(fd_close) int leftover = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(leftover, (const struct sockaddr *)&address, sizeof address), 0);
    fd_close(&leftover);
    struct api_server *server = NULL;
    struct fault fault = {0};
    assert_int_equal(api_server_open(buf_text(&path), f->inbox, &server, &fault), ERR_OK);
    api_server_close(&server);

    FILE *file = fopen(buf_text(&path), "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(api_server_open(buf_text(&path), f->inbox, &server, &fault), ERR_CONFIG);
    assert_non_null(fault.what);
    assert_int_equal(access(buf_text(&path), F_OK), 0);
    (void)unlink(buf_text(&path));

    AUTO(buf_fini) struct buf longer = {0};
    buf_printf(&longer, "%s/", f->dir);
    while (longer.size < 120)
        buf_append_text(&longer, "x");
    assert_int_equal(api_server_open(buf_text(&longer), f->inbox, &server, &fault), ERR_CONFIG);
    assert_non_null(strstr(fault.what, "too long"));
}

// Only root can become somebody else, so this needs root.
static void another_user_is_refused(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) skip();
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chmod(f->path, 0666), 0); // as if someone had opened it
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
        if (setuid(65534) != 0) _exit(2);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) _exit(3);
        static const char request[] = "GET /hello HTTP/1.1\r\nHost: agent\r\n\r\n";
        (void)!send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
        char bytes[64];
        _exit(recv(fd, bytes, sizeof bytes, 0) > 0 ? 1 : 0);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    int status = 0;
    AUTO(buf_fini) struct buf answer = {0};
    enum err err = api_call("/tmp/cfgsync-test-api-nobody.sock", "GET", "/hello", slice_text(""), 5,
                            &status, &answer, NULL);
    assert_int_equal(err, ERR_UNREACHABLE);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(get_and_post),
        WITH_SERVER(the_socket_is_private),
        WITH_SERVER(a_body_up_to_1_mib_is_taken),
        WITH_SERVER(headers_over_8_kib_are_refused),
        WITH_SERVER(two_hundred_in_parallel),
        WITH_SERVER(events_arrive_one_by_one),
        WITH_SERVER(a_client_that_does_not_read_loses_events),
        WITH_SERVER(who_hangs_up_is_reported),
        WITH_SERVER(half_closed_is_not_gone),
        WITH_SERVER(garbage_does_no_harm),
        WITH_SERVER(slow_clients_hold_up_nobody),
        WITH_SERVER(closing_answers_who_waits),
        WITH_SERVER(a_leftover_socket_is_replaced_and_nothing_else),
        WITH_SERVER(another_user_is_refused),
        cmocka_unit_test(nobody_there_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
